"""Pictures for run folders and reports; matplotlib lives here.

Conventions: every function writes one PNG of 120 dpi to `path`. Colours are those of Okabe & Ito,
which the colour-blind can tell apart; shape or hatching says the same once more.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from earmark.evaluation.bootstrap import Score
from earmark.evaluation.comparison import Comparison
from earmark.evaluation.rejection import RiskCoverage
from earmark.evaluation.reliability import Reliability

BLUE, ORANGE, GREY = "#0072B2", "#E69F00", "#666666"

# With more genres than this, counts in the cells of a confusion matrix cannot be read.
_MAX_COUNTED = 30

# Figures are made without pyplot: no global state, no display, nothing to close.


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG."""
    with warnings.catch_warnings():
        # A script that the font lacks is drawn as boxes; no reason to complain in a terminal.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(path, dpi=120)


def literal(text: str, longest: int = 60) -> str:
    """Text that matplotlib neither takes for a formula nor fails to draw."""
    drawable = text.encode("utf-8", "backslashreplace").decode("utf-8")
    one_line = " ".join(drawable.split())
    short = one_line if len(one_line) <= longest else one_line[: longest - 1] + "…"
    return short.replace("$", r"\$")


def loss_curves(path: Path, train: Sequence[float], valid: Sequence[float], best: int) -> None:
    """Draw loss by epoch (numbered from 1), the best one marked."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot()
    epochs = np.arange(1, len(train) + 1)
    axes.plot(epochs, train, color=BLUE, label="training, per slice")
    axes.plot(epochs, valid, color=ORANGE, linestyle="--", label="validation, per track")
    axes.axvline(best, color=GREY, linestyle=":", label=f"kept: epoch {best}")
    axes.set(xlabel="epoch", ylabel="loss (nats)")
    axes.legend()
    save(figure, path)


def confusion_matrix(path: Path, counts: NDArray[Any], labels: Sequence[str], title: str) -> None:
    """Draw counts (n_classes, n_classes), or with one column more for "I don't know"."""
    n, n_columns = counts.shape
    names = [literal(label, longest=24) for label in labels]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    cell = 0.5 if n <= _MAX_COUNTED else 0.18
    figure = Figure(figsize=(3.5 + cell * n, 2.5 + cell * n), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    small = 9 if n <= _MAX_COUNTED else 6
    answers = [*names, "?"][:n_columns]
    axes.set_xticks(range(n_columns), answers, rotation=60, ha="right", fontsize=small)
    axes.set_yticks(range(n), names, fontsize=small)
    axes.set(xlabel="estimated", ylabel="reference", title=literal(title))
    if n <= _MAX_COUNTED:
        for i, j in np.argwhere(counts > 0):
            colour = "white" if shares[i, j] > 0.5 else "black"
            axes.text(j, i, str(counts[i, j]), ha="center", va="center", color=colour, fontsize=8)
    save(figure, path)


def reliability(path: Path, curve: Reliability, title: str) -> None:
    """Draw how often answers are right against how sure they claim to be."""
    figure = Figure(figsize=(5, 4.5), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color=GREY, linestyle=":", label="means what it says")
    axes.plot(curve.confidence, curve.accuracy, color=BLUE, marker="o", label="this model")
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", title=literal(title))
    axes.set(xlabel="mean confidence", ylabel="share of right answers")
    _as_shares(axes, x=True, y=True)
    axes.legend(loc="upper left")
    save(figure, path)


def risk_coverage(path: Path, curve: RiskCoverage, title: str) -> None:
    """Draw the share of wrong answers against the share of tracks that are answered."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot()
    axes.step(curve.coverage, curve.risk, color=BLUE, where="post", label="this model")
    axes.axhline(curve.risk[-1], color=GREY, linestyle=":", label="confidence that says nothing")
    axes.set(xlim=(0, 1), ylim=(0, max(0.1, 1.05 * curve.risk.max())), title=literal(title))
    axes.set(xlabel="tracks answered (coverage)", ylabel="wrong among them (risk)")
    _as_shares(axes, x=True, y=True)
    axes.legend(loc="best")
    save(figure, path)


def genre_bars(path: Path, per_genre: Mapping[str, Mapping[str, Score]], title: str) -> None:
    """Draw precision and recall of every genre with their intervals, best F1 on top."""
    order = sorted(per_genre, key=lambda genre: np.nan_to_num(per_genre[genre]["f1"].value))
    names = [f"{literal(g, longest=24)} ({per_genre[g]['recall'].n})" for g in order]
    figure = Figure(figsize=(6.5, 1.8 + 0.45 * len(order)), layout="constrained")
    axes = figure.add_subplot()
    at = np.arange(len(order))
    for name, offset, colour, hatch in (
        ("precision", 0.2, ORANGE, "//"),
        ("recall", -0.2, BLUE, ""),
    ):
        scores = [per_genre[genre][name] for genre in order]
        values, whiskers = _with_whiskers(scores)
        axes.barh(
            at + offset,
            values,
            0.36,
            xerr=whiskers,
            color=colour,
            hatch=hatch,
            edgecolor="white",
            error_kw={"ecolor": "black", "capsize": 2, "elinewidth": 1},
            label=name,
        )
    axes.set_yticks(at, names)
    axes.set(xlim=(0, 1), title=literal(title))
    axes.margins(y=0.02)
    _as_shares(axes, x=True)
    figure.legend(loc="outside lower center", ncols=2)
    save(figure, path)


def protocols(path: Path, rows: Sequence[Mapping[str, Any]], title: str) -> None:
    """Draw slice and track accuracy of the rows of `earmark.evaluation.results.compare`.

    Protocols that leak are hatched; a line marks what always giving the commonest genre gets.
    """
    figure = Figure(figsize=(2.5 + 1.5 * len(rows), 4.5), layout="constrained")
    axes = figure.add_subplot()
    at = np.arange(len(rows))
    for name, offset, colour in (("slice_accuracy", -0.2, ORANGE), ("accuracy", 0.2, BLUE)):
        values, whiskers = _with_whiskers([row[name] for row in rows])
        bars = axes.bar(
            at + offset,
            values,
            0.38,
            yerr=whiskers,
            color=colour,
            edgecolor="white",
            error_kw={"ecolor": "black", "capsize": 3, "elinewidth": 1},
        )
        for bar, row in zip(bars, rows, strict=True):
            bar.set_hatch("//" if row["leak"] else "")
    majority = [row["majority"] for row in rows]
    line = axes.hlines(majority, at - 0.42, at + 0.42, color="black", label="commonest genre")
    names = [_protocol_name(row, rows) for row in rows]
    axes.set_xticks(at, names)
    axes.set(ylim=(0, 1), ylabel="accuracy", title=literal(title))
    _as_shares(axes, y=True)
    keys = [
        Patch(facecolor=ORANGE, label="slices"),
        Patch(facecolor=BLUE, label="tracks"),
        Patch(facecolor="white", edgecolor="black", hatch="//", label="leaks"),
        line,
    ]
    figure.legend(handles=keys, loc="outside lower center", ncols=2)
    save(figure, path)


def _protocol_name(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    lines = [literal(row["protocol"], longest=18)]
    if len({other["name"] for other in rows}) > 1:
        lines.insert(0, literal(row["name"], longest=18))
    return "\n".join([*lines, "(leaks)"] if row["leak"] else lines)


def gaps(path: Path, comparison: Comparison) -> None:
    """Draw each recipe's accuracy under the honest split and as its author split, with intervals.

    A line joins the two; a cross is the author's own figure. What is counted, tracks or slices, is
    what the author counted.
    """
    names, lines = [], []
    for recipe in comparison.recipes:
        honest, paper = comparison.pair(recipe)
        if honest or paper:
            counts = next(c.reported.counts for c in (paper, honest) if c)
            names.append(f"{literal(recipe, longest=24)}\n({counts})")
            lines.append((honest, paper))
    figure = Figure(figsize=(7, 1.6 + 0.55 * max(len(lines), 1)), layout="constrained")
    axes = figure.add_subplot()
    for at, (honest, paper) in enumerate(lines):
        both = [cell.counted.value for cell in (honest, paper) if cell and cell.counted]
        axes.plot(both, [at] * len(both), color=GREY, linewidth=2, zorder=1)
        for cell, colour, marker, lift in ((honest, BLUE, "o", 0.12), (paper, ORANGE, "s", -0.12)):
            if cell and cell.counted:
                value, whiskers = _with_whiskers([cell.counted])
                axes.errorbar(
                    value, [at + lift], xerr=whiskers, fmt=marker, color=colour, capsize=3
                )
        reported = next(c.reported for c in (paper, honest) if c)
        if reported.accuracy:
            axes.plot(reported.accuracy, at, color="black", marker="x", linestyle="none")
    axes.set_yticks(range(len(names)), names)
    axes.set(xlim=(0, 1), ylim=(len(names) - 0.5, -0.5), xlabel="share right")
    axes.set_title("The same tracks, split honestly and as each author did")
    _as_shares(axes, x=True)
    keys = [
        Line2D([], [], color=BLUE, marker="o", linestyle="none", label="artists not heard before"),
        Line2D([], [], color=ORANGE, marker="s", linestyle="none", label="as its author split"),
        Line2D([], [], color="black", marker="x", linestyle="none", label="author's own figure"),
    ]
    figure.legend(handles=keys, loc="outside lower center", ncols=3)
    save(figure, path)


def _with_whiskers(scores: Sequence[Score]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Values (n,), and distances down and up to their intervals' ends (2, n); NaN as 0."""
    values = np.array([score.value for score in scores])
    ends = np.array([[score.low for score in scores], [score.high for score in scores]])
    distances = np.abs(np.maximum([values - ends[0], ends[1] - values], 0))
    return np.nan_to_num(values), np.nan_to_num(distances)


def _as_shares(axes: Axes, *, x: bool = False, y: bool = False) -> None:
    for axis, wanted in ((axes.xaxis, x), (axes.yaxis, y)):
        if wanted:
            axis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
            axis.grid(color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)

"""A picture of what a model heard of one track: its slices, each with its own vote."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from earmark.evaluation.plots.base import literal, save
from earmark.types import Axis, FloatArray

# Okabe & Ito, without black; further genres share a colour, their names tell them apart.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
_GREY = "#666666"
_GAP = 0.06
# Orange for, purple against: the colour-blind can tell them apart.
_COLOUR_MAP, _FOR, _AGAINST = "PuOr_r", "#B35806", "#542788"
_KEY = "speaks against | for (nats)"
_MOST_BARS = 24
_MOST_IN_A_ROW = 12


def slices(
    path: Path,
    S: FloatArray,
    start_s: NDArray[Any],
    slice_s: float | None,
    genres: Sequence[str],
    confidence: NDArray[Any],
    bins: Axis,
    title: str,
    saliency: FloatArray | None = None,
) -> None:
    """Draw slices in the order of the track, framed in the colour of their own first choice.

    Parameters
    ----------
    path : Path
        PNG to write.
    S : ndarray, shape (n_slices, n_bins, n_frames)
        Decibels, or what else the front end gives.
    start_s : ndarray, shape (n_slices,)
    slice_s : float or None
        Length of a slice in seconds; None where each track has its own.
    genres : sequence of str, length n_slices
        First choices.
    confidence : ndarray, shape (n_slices,)
        Their probabilities.
    bins : Axis
        Of one bin, slices are drawn as curves.
    title : str
    saliency : ndarray, shape (n_slices, n_bins, n_frames), optional
        Drawn over the slices, which lose their colours for that: orange above 0, purple below.
    """
    n_rows = -(-len(S) // _MOST_IN_A_ROW)
    n_columns = min(len(S), _MOST_IN_A_ROW)
    figure = Figure(figsize=(1.5 + 1.6 * n_columns, 0.8 + 2.8 * n_rows), layout="constrained")
    figure.suptitle(literal(title, 120))
    colours = dict(zip(dict.fromkeys(genres), _COLOURS, strict=False))
    low, high = np.percentile(S, [5, 99.8])
    n_bins = S.shape[1]
    scale = Normalize() if saliency is None else _symmetric(saliency)
    bottom, top, peak = -0.5, n_bins - 0.5, float(np.abs(S).max()) or 1.0
    for row, axes in enumerate(np.atleast_1d(figure.subplots(n_rows, 1))):
        first = row * _MOST_IN_A_ROW
        shown = range(first, min(first + _MOST_IN_A_ROW, len(S)))
        for column, i in enumerate(shown):
            colour = colours.get(genres[i], _GREY)
            ends = column + _GAP, column + 1 - _GAP
            if n_bins == 1:
                curve = np.interp(S[i, 0], [-peak, peak], [bottom, top])
                axes.plot(np.linspace(*ends, len(curve)), curve, colour, linewidth=0.3)
            else:
                axes.imshow(
                    S[i],
                    origin="lower",
                    aspect="auto",
                    extent=(*ends, bottom, top),
                    vmin=low,
                    vmax=high,
                    cmap="magma" if saliency is None else "gray",
                )
            if saliency is not None:
                _overlay(axes, saliency[i], (*ends, bottom, top), scale)
            frame = (ends[0], bottom), ends[1] - ends[0], n_bins
            axes.add_patch(Rectangle(*frame, fill=False, edgecolor=colour, linewidth=4))
            axes.text(
                column + 0.5,
                top + 0.02 * n_bins,
                f"{literal(genres[i], 18)}\n{confidence[i]:.0%}",
                ha="center",
                va="bottom",
                fontsize=9,
            )
        axes.set(xlim=(0, n_columns), ylim=(-0.01 * n_bins + bottom, top + 0.18 * n_bins))
        axes.set_ylabel(bins.label)
        axes.set_xticks(
            [column + 0.5 for column in range(len(shown))],
            [_span(start_s[i], slice_s) for i in shown],
        )
        if n_bins == 1:
            axes.set_yticks([bottom, 0, top], [f"{-peak:.2g}", "0", f"{peak:.2g}"])
        else:
            ticks = np.linspace(0, n_bins - 1, min(5, n_bins)).round().astype(int)
            axes.set_yticks(ticks, [f"{bins.values[tick]:.0f}" for tick in ticks])
        axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
        if saliency is not None:
            _key(figure, axes, scale)
    save(figure, path)


def statistics(path: Path, names: Sequence[str], saliency: FloatArray, title: str) -> None:
    """Draw what speaks most for and against a genre among statistics, as PNG.

    Parameters
    ----------
    path : Path
    names : sequence of str, length n_statistics
    saliency : ndarray, shape (n_statistics,)
        Nats.
    title : str
    """
    order = np.argsort(-np.abs(saliency), kind="stable")[:_MOST_BARS][::-1]
    figure = Figure(figsize=(7, 1.4 + 0.26 * len(order)), layout="constrained")
    axes = figure.add_subplot()
    values = saliency[order]
    axes.barh(range(len(order)), values, color=np.where(values > 0, _FOR, _AGAINST))
    axes.set_yticks(range(len(order)), [literal(names[i]) for i in order], fontsize=9)
    axes.margins(y=0.01)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_xlabel(_KEY)
    axes.set_title(literal(title, 90), fontsize=10)
    save(figure, path)


def _symmetric(saliency: FloatArray) -> Normalize:
    most = float(np.abs(saliency).max()) or 1.0
    return Normalize(-most, most)


def _overlay(
    axes: Axes, values: FloatArray, extent: tuple[float, float, float, float], scale: Normalize
) -> None:
    """Colour what says much, and leave what says nothing as it is."""
    axes.imshow(
        values,
        origin="lower",
        aspect="auto",
        extent=extent,
        norm=scale,
        cmap=_COLOUR_MAP,
        alpha=0.75 * np.abs(values) / (scale.vmax or 1.0),
    )


def _key(figure: Figure, axes: Axes, scale: Normalize) -> None:
    figure.colorbar(ScalarMappable(scale, _COLOUR_MAP), ax=axes, label=_KEY, pad=0.01)


def _span(start_s: float, length_s: float | None) -> str:
    begin = _clock(start_s)
    return begin if length_s is None else f"{begin}–{_clock(start_s + length_s)}"


def _clock(seconds: float) -> str:
    return f"{int(seconds // 60)}:{int(seconds % 60):02d}"

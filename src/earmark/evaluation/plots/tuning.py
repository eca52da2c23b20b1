"""Pictures of a search for better settings; as `earmark.evaluation.plots.base` otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from earmark.evaluation.plots.base import BLUE, GREY, ORANGE

_COLUMNS = 3


class Tried(Protocol):
    """A finished trial, such as `earmark.training.search.Outcome`."""

    @property
    def values(self) -> Mapping[str, Any]: ...

    @property
    def scores(self) -> tuple[float, ...]: ...

    @property
    def is_whole(self) -> bool: ...


class Tunable(Protocol):
    """A range of values, such as `earmark.training.recipes.recipe.Range`."""

    @property
    def log(self) -> bool: ...

    @property
    def choices(self) -> tuple[Any, ...]: ...


def trials(path: Path, tried: Sequence[Tried], ranges: Mapping[str, Tunable]) -> None:
    """Draw score by trial, the best so far as a line, and score by the values of each setting."""
    n_rows = 1 + -(-len(ranges) // _COLUMNS)
    figure = Figure(figsize=(3.4 * _COLUMNS, 2.6 * n_rows), layout="constrained")
    grid = figure.add_gridspec(n_rows, _COLUMNS)
    _history(figure.add_subplot(grid[0, :]), tried)
    for i, (name, wanted) in enumerate(ranges.items()):
        axes = figure.add_subplot(grid[1 + i // _COLUMNS, i % _COLUMNS])
        _slice(axes, name, wanted, tried)
    figure.savefig(path, dpi=120)


def _history(axes: Axes, tried: Sequence[Tried]) -> None:
    numbers = np.arange(1, len(tried) + 1)
    _points(axes, numbers, tried)
    whole = np.array([t.scores[-1] if t.is_whole else np.nan for t in tried])
    if not np.isnan(whole).all():
        first = int(np.argmin(np.isnan(whole)))
        best = np.fmax.accumulate(whole[first:])
        axes.step(numbers[first:], best, color=GREY, where="post", label="best so far")
    axes.set(xlabel="trial", ylabel="macro-F1")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()


def _slice(axes: Axes, name: str, wanted: Tunable, tried: Sequence[Tried]) -> None:
    values = [t.values[name] for t in tried]
    if wanted.choices:
        choices = [str(choice) for choice in wanted.choices]
        _points(axes, np.array([choices.index(str(value)) for value in values]), tried)
        labels = axes.set_xticks(range(len(choices)), choices)
        for label in labels:
            label.label1.set_parse_math(False)
    else:
        _points(axes, np.array(values), tried)
        axes.set_xscale("log" if wanted.log else "linear")
    axes.set_xlabel(name, parse_math=False)


def _points(axes: Axes, x: Any, tried: Sequence[Tried]) -> None:
    scores = np.array([t.scores[-1] for t in tried])
    whole = np.array([t.is_whole for t in tried])
    axes.scatter(x[whole], scores[whole], color=BLUE, marker="o", label="all folds")
    if not whole.all():
        axes.scatter(x[~whole], scores[~whole], color=ORANGE, marker="x", label="given up")
    axes.yaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
    axes.grid(color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)

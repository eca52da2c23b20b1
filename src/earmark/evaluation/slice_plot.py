"""A picture of what a model heard of one track: its slices, each with its own vote."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from earmark.evaluation.plots import literal, save
from earmark.types import FloatArray

# Okabe & Ito, without black; further genres share a colour, their names tell them apart.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
_GREY = "#666666"
_GAP = 0.06
_MOST_IN_A_ROW = 12


def slices(
    path: Path,
    S: FloatArray,
    start_s: NDArray[Any],
    slice_s: float,
    genres: Sequence[str],
    confidence: NDArray[Any],
    bins_hz: NDArray[Any],
    title: str,
) -> None:
    """Draw slices in the order of the track, framed in the colour of their own first choice.

    Parameters
    ----------
    path : Path
        PNG to write.
    S : ndarray, shape (n_slices, n_bins, n_frames)
        Decibels.
    start_s : ndarray, shape (n_slices,)
    slice_s : float
        Length of a slice in seconds.
    genres : sequence of str, length n_slices
        First choices.
    confidence : ndarray, shape (n_slices,)
        Their probabilities.
    bins_hz : ndarray, shape (n_bins,)
        Centre frequencies.
    title : str
    """
    n_rows = -(-len(S) // _MOST_IN_A_ROW)
    n_columns = min(len(S), _MOST_IN_A_ROW)
    figure = Figure(figsize=(1.5 + 1.6 * n_columns, 0.8 + 2.8 * n_rows), layout="constrained")
    figure.suptitle(literal(title, 120))
    colours = dict(zip(dict.fromkeys(genres), _COLOURS, strict=False))
    low, high = np.percentile(S, [5, 99.8])
    for row, axes in enumerate(np.atleast_1d(figure.subplots(n_rows, 1))):
        first = row * _MOST_IN_A_ROW
        shown = range(first, min(first + _MOST_IN_A_ROW, len(S)))
        for column, i in enumerate(shown):
            colour = colours.get(genres[i], _GREY)
            extent = (column + _GAP, column + 1 - _GAP, -0.5, S.shape[1] - 0.5)
            axes.imshow(
                S[i],
                origin="lower",
                aspect="auto",
                extent=extent,
                vmin=low,
                vmax=high,
                cmap="magma",
            )
            frame = (column + _GAP, -0.5), 1 - 2 * _GAP, S.shape[1]
            axes.add_patch(Rectangle(*frame, fill=False, edgecolor=colour, linewidth=4))
            axes.text(
                column + 0.5,
                S.shape[1] + 1,
                f"{literal(genres[i], 18)}\n{confidence[i]:.0%}",
                ha="center",
                va="bottom",
                fontsize=9,
            )
        axes.set(xlim=(0, n_columns), ylim=(-1, S.shape[1] * 1.18), ylabel="Hz")
        axes.set_xticks(
            [column + 0.5 for column in range(len(shown))],
            [f"{_clock(start_s[i])}–{_clock(start_s[i] + slice_s)}" for i in shown],
        )
        ticks = np.linspace(0, S.shape[1] - 1, 5).round().astype(int)
        axes.set_yticks(ticks, [f"{bins_hz[tick]:.0f}" for tick in ticks])
        axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
    save(figure, path)


def _clock(seconds: float) -> str:
    return f"{int(seconds // 60)}:{int(seconds % 60):02d}"

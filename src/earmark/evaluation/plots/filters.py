"""Pictures of what a layer has learned."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from earmark.evaluation.plots.base import literal, save
from earmark.types import Axis, FloatArray

_COLUMNS = 16
# More filters than this are too small to see, and their file too large.
_MOST = 256


def filters(
    path: Path, weights: FloatArray, bins: Axis, sr: int, labels: Sequence[str], title: str
) -> None:
    """Draw a layer's weights as PNG.

    Parameters
    ----------
    path : Path
    weights : ndarray
        Of a convolution over spectrograms, (n_filters, n_inputs, height, width), each as a small
        picture of its strongest input; over the columns of spectrograms, (n_filters, n_bins,
        width), as pictures of all bins; over a signal, (n_filters, 1, width), by their frequency
        responses, lowest first. Of a matrix (n_outputs, n_inputs), as one picture.
    bins : Axis
        Of the slices.
    sr : int
        Of the signal, in hertz.
    labels : sequence of str
        Genres, which a matrix with as many outputs is taken to end in.
    title : str
    """
    if weights.ndim == 2:
        _matrix(path, weights, bins, labels, title)
    elif weights.ndim == 3 and weights.shape[1] == 1 and weights.shape[2] > 1:
        _responses(path, weights[:, 0], sr, title)
    else:
        _pictures(path, _strongest(weights), title)


def _strongest(weights: FloatArray) -> FloatArray:
    """Filters (n_filters, height, width): with several inputs, the one with most weight."""
    if weights.ndim == 3:
        return weights
    strength = np.square(weights).sum(axis=(2, 3))
    strongest: FloatArray = weights[np.arange(len(weights)), strength.argmax(axis=1)]
    return strongest


def _pictures(path: Path, pictures: FloatArray, title: str) -> None:
    order = np.argsort(-np.square(pictures).sum(axis=(1, 2)), kind="stable")[:_MOST]
    n_rows, n_columns = -(-len(order) // _COLUMNS), min(_COLUMNS, len(order))
    tall = 1.6 if pictures.shape[1] > 2 * pictures.shape[2] else 0.7
    figure = Figure(figsize=(1.0 + 0.7 * n_columns, 1.0 + tall * n_rows), layout="constrained")
    figure.suptitle(literal(f"{title}: {len(order)} of {len(pictures)} filters", 100), fontsize=9)
    all_axes = np.atleast_1d(figure.subplots(n_rows, n_columns)).ravel()
    for axes in all_axes:
        axes.set_axis_off()
    for axes, i in zip(all_axes, order, strict=False):
        limit = float(np.abs(pictures[i]).max()) or 1.0
        axes.imshow(
            pictures[i],
            origin="lower",
            aspect="auto",
            interpolation="nearest",
            cmap="PuOr_r",
            vmin=-limit,
            vmax=limit,
        )
    save(figure, path)


def _matrix(path: Path, weights: FloatArray, bins: Axis, labels: Sequence[str], title: str) -> None:
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    of_bins = weights.shape[1] == len(bins.values)
    if of_bins:
        order = np.argsort(_centre(np.abs(weights)), kind="stable")
        weights = weights if len(weights) == len(labels) else weights[order]
    limit = float(np.percentile(np.abs(weights), 99.5)) or 1.0
    picture = axes.imshow(
        weights.T, origin="lower", aspect="auto", cmap="PuOr_r", vmin=-limit, vmax=limit
    )
    axes.set(xlabel="output", ylabel=bins.label if of_bins else "input")
    axes.set_title(literal(title, 90), fontsize=10)
    if len(weights) == len(labels):
        names = [literal(label, 24) for label in labels]
        axes.set_xticks(range(len(labels)), names, rotation=60, ha="right")
        axes.set_xlabel("")
    if of_bins:
        _bin_ticks(axes, bins)
    figure.colorbar(picture, label="weight")
    save(figure, path)


def _responses(path: Path, kernels: FloatArray, sr: int, title: str) -> None:
    """Frequency responses, as S. Dieleman and B. Schrauwen drew them ("End-to-end learning for
    music audio", ICASSP 2014)."""
    n_fft = max(512, kernels.shape[1])
    power_db = 20 * np.log10(np.abs(np.fft.rfft(kernels, n_fft)) + 1e-9)
    power_db -= power_db.max(axis=1, keepdims=True)
    order = np.argsort(power_db.argmax(axis=1), kind="stable")
    figure = Figure(figsize=(8, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    extent = (-0.5, len(kernels) - 0.5, 0.0, sr / 2)
    picture = left.imshow(
        power_db[order].T, origin="lower", aspect="auto", extent=extent, vmin=-40, vmax=0
    )
    left.set(xlabel="filter, by its strongest frequency", ylabel="Hz")
    figure.colorbar(picture, label="dB below the strongest")
    shown = order[np.linspace(0, len(order) - 1, min(12, len(order))).round().astype(int)]
    for place, i in enumerate(shown):
        limit = float(np.abs(kernels[i]).max()) or 1.0
        right.plot(place + 0.45 * kernels[i] / limit, linewidth=0.8, color="#0072B2")
    right.set(xlabel="sample", yticks=[], title="some of them, lowest first")
    figure.suptitle(literal(title, 100), fontsize=10)
    save(figure, path)


def _centre(weights: FloatArray) -> NDArray[np.float64]:
    """Where along the inputs each output has its weight."""
    total = np.maximum(weights.sum(axis=1), 1e-12)
    return np.asarray((weights * np.arange(weights.shape[1])).sum(axis=1) / total)


def _bin_ticks(axes: Axes, bins: Axis) -> None:
    n_bins = len(bins.values)
    ticks = np.linspace(0, n_bins - 1, min(5, n_bins)).round().astype(int)
    axes.set_yticks(ticks, [f"{bins.values[tick]:.0f}" for tick in ticks])

"""Pictures for run folders and reports; matplotlib lives here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

# Figures are made without pyplot: no global state, no display, nothing to close.


def loss_curves(path: Path, train: Sequence[float], valid: Sequence[float], best: int) -> None:
    """Draw loss by epoch (numbered from 1), the best one marked, as PNG."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot()
    epochs = np.arange(1, len(train) + 1)
    axes.plot(epochs, train, label="training, per slice")
    axes.plot(epochs, valid, label="validation, per track")
    axes.axvline(best, color="grey", linestyle=":", label=f"kept: epoch {best}")
    axes.set(xlabel="epoch", ylabel="loss (nats)")
    axes.legend()
    figure.savefig(path, dpi=120)


def confusion_matrix(path: Path, counts: NDArray[Any], labels: Sequence[str], title: str) -> None:
    """Draw counts (n_classes, n_classes + 1), last column "I don't know", as PNG."""
    n = len(labels)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(2.5 + 0.5 * n, 2 + 0.5 * n), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(n + 1), [*labels, "?"], rotation=60, ha="right")
    axes.set_yticks(range(n), labels)
    axes.set(xlabel="estimated", ylabel="reference", title=title)
    for i, j in np.argwhere(counts > 0):
        colour = "white" if shares[i, j] > 0.5 else "black"
        axes.text(j, i, str(counts[i, j]), ha="center", va="center", color=colour, fontsize=8)
    figure.savefig(path, dpi=120)

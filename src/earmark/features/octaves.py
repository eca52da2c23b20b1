"""The axis of front ends whose bins are equally many to each octave."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from earmark.errors import BundleError
from earmark.types import FeatureConfig


def centres_hz(config: FeatureConfig) -> NDArray[np.float64]:
    """Frequencies from `config.fmin` up, shape (n_bins,)."""
    return config.fmin * 2.0 ** (np.arange(config.n_bins) / config.bins_per_octave)


def check(config: FeatureConfig, width: float) -> None:
    """Refuse (`BundleError`) bins that reach beyond half of `config.sr`, and what makes no sense.

    `width` is half of a bin's bandwidth, relative to its frequency.
    """
    sizes_ok = min(config.hop_length, config.n_bins, config.bins_per_octave) >= 1
    if not (sizes_ok and config.fmin > 0):
        raise BundleError(
            f"the front end {config.frontend} cannot be computed as {config}",
            "hop_length, n_bins and bins_per_octave are at least 1, and fmin is above 0,"
            " 32.7 for the lowest C of a piano",
        )
    highest_hz = float(centres_hz(config)[-1])
    if highest_hz * (1 + width) > config.sr / 2:
        raise BundleError(
            f"the highest bin, at {highest_hz:.0f} Hz, reaches beyond sr / 2 = {config.sr / 2:g}",
            "lower fmin or n_bins, or raise bins_per_octave or sr",
        )

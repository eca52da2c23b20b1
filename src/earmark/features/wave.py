"""The signal itself, in 16 bits: for networks that learn their own front end."""

from __future__ import annotations

import numpy as np

from earmark.errors import BundleError
from earmark.types import Axis, FeatureConfig, FloatArray


def samples(y: FloatArray, config: FeatureConfig) -> FloatArray:
    """The signal as a spectrogram of one bin with as many frames as samples.

    Parameters
    ----------
    y : ndarray of float32, shape (n_samples,)
        Nominally within ±1.
    config : FeatureConfig

    Returns
    -------
    ndarray of float32, shape (1, n_samples)
    """
    check(config)
    return y[None]


def check(config: FeatureConfig) -> None:
    """Refuse (`BundleError`) what makes no sense."""
    if config.sr < 1 or config.hop_length != 1:
        raise BundleError(
            f"the front end wave has a frame for each sample, not one every {config.hop_length}",
            "set hop_length = 1, and n_frames and hop_frames in samples",
        )


def axis(_config: FeatureConfig) -> Axis:
    """One bin, of no frequency."""
    return Axis("amplitude", np.zeros(1))


def limits(_config: FeatureConfig) -> tuple[float, float]:
    """As offset binary, so that samples of 16 bits come out as they went in."""
    return -1.0, 1.0 - 2.0**-15

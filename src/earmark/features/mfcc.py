"""Mel-frequency cepstral coefficients: the cosine transform of a log-mel spectrogram.

After S. Davis and P. Mermelstein, "Comparison of parametric representations for monosyllabic word
recognition in continuously spoken sentences" (IEEE Transactions on Acoustics, Speech and Signal
Processing 28(4), 1980), as librosa computes them with ``top_db=None``.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from earmark.errors import BundleError
from earmark.features import mel
from earmark.types import Axis, FeatureConfig, FloatArray

# Silence on 256 mel bins is at -1600.
_LIMIT = 2048.0
_STEP = 1 / 16


def mfcc(y: FloatArray, config: FeatureConfig) -> FloatArray:
    """Cepstral coefficients of `y`.

    Parameters
    ----------
    y : ndarray of float32, shape (n_samples,)
        At `config.sr` hertz.
    config : FeatureConfig

    Returns
    -------
    ndarray of float32, shape (n_mfcc, 1 + n_samples // hop_length)
        The first is the mean level in decibels times the square root of `config.n_mels`.

    Raises
    ------
    BundleError
        `config` makes no sense.
    """
    check(config)
    coefficients: FloatArray = _cosines(config.n_mfcc, config.n_mels) @ mel.log_mel(y, config)
    return coefficients


@lru_cache(maxsize=8)
def _cosines(n_mfcc: int, n_mels: int) -> FloatArray:
    """The orthonormal cosine transform of type II, shape (n_mfcc, n_mels)."""
    phase = np.pi / n_mels * np.outer(np.arange(n_mfcc), np.arange(n_mels) + 0.5)
    weights: NDArray[np.float64] = np.sqrt(2 / n_mels) * np.cos(phase)
    weights[0] /= np.sqrt(2)
    return weights.astype(np.float32)


def check(config: FeatureConfig) -> None:
    """Refuse (`BundleError`) what makes no sense."""
    mel.check(config)
    if not 1 <= config.n_mfcc <= config.n_mels:
        raise BundleError(
            f"{config.n_mfcc} coefficients cannot be made of {config.n_mels} mel bins",
            "n_mfcc is at least 1 and at most n_mels",
        )


def axis(config: FeatureConfig) -> Axis:
    """Coefficients have numbers."""
    return Axis("coefficient", np.arange(config.n_mfcc, dtype=np.float64))


def limits(_config: FeatureConfig) -> tuple[float, float]:
    """In steps of 1/16, where coefficients of music are some tens to hundreds."""
    return -_LIMIT, _LIMIT - _STEP

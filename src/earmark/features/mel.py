"""Log-mel spectrograms in numpy alone, as librosa computes them.

Mel scale and filters are those of M. Slaney's Auditory Toolbox (Technical Report 1998-010,
Interval Research): linear below 1 kHz, logarithmic above, triangles of equal area. Frames are
those of `earmark.features.stft`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from earmark.errors import BundleError
from earmark.features.stft import n_frames, power_blocks
from earmark.types import Axis, FeatureConfig, FloatArray

# Filters at a time: neighbours share bins, so that their part of the filter bank is dense.
_GROUP = 16
_POWER_MIN = 1e-10


@dataclass(frozen=True, slots=True)
class _Band:
    """Weights (stop - start, at most `_GROUP`) of neighbouring filters, from bin `start` on."""

    filters: slice
    bins: slice
    weights: FloatArray


def log_mel(y: FloatArray, config: FeatureConfig) -> FloatArray:
    """Mel spectrogram of `y` in decibels.

    Parameters
    ----------
    y : ndarray of float32, shape (n_samples,)
        At `config.sr` hertz.
    config : FeatureConfig

    Returns
    -------
    ndarray of float32, shape (n_mels, 1 + n_samples // hop_length)
        10 log10 of the power in each filter, at least -100; not clipped to `config.db_min` and
        `config.db_max`.

    Raises
    ------
    BundleError
        `config` makes no sense.
    """
    check(config)
    bands = _bands(config)
    S = np.empty((n_frames(y.size, config.hop_length), config.n_mels), dtype=np.float32)
    for block, power in power_blocks(y, config.n_fft, config.hop_length):
        for band in bands:
            S[block, band.filters] = power[:, band.bins] @ band.weights
    np.maximum(S, _POWER_MIN, out=S)
    return np.ascontiguousarray(10 * np.log10(S).T)


@lru_cache(maxsize=8)
def _bands(config: FeatureConfig) -> tuple[_Band, ...]:
    weights = filter_bank(config)
    bands = []
    for start in range(0, config.n_mels, _GROUP):
        filters = slice(start, start + _GROUP)
        used = np.flatnonzero(weights[filters].any(axis=0))
        bins = slice(int(used[0]), int(used[-1]) + 1) if used.size else slice(0)
        bands.append(_Band(filters, bins, np.ascontiguousarray(weights[filters, bins].T)))
    return tuple(bands)


def filter_bank(config: FeatureConfig) -> FloatArray:
    """Triangular filters of equal area, shape (n_mels, 1 + n_fft // 2).

    Raises
    ------
    BundleError
        `config` makes no sense.
    """
    check(config)
    bins_hz = np.arange(1 + config.n_fft // 2) * (config.sr / config.n_fft)
    edges_hz = _edges_hz(config)
    lower, centre, upper = edges_hz[:-2, None], edges_hz[1:-1, None], edges_hz[2:, None]
    rising = (bins_hz - lower) / (centre - lower)
    falling = (upper - bins_hz) / (upper - centre)
    triangles = np.maximum(0, np.minimum(rising, falling))
    return (triangles * (2 / (upper - lower))).astype(np.float32)


def check(config: FeatureConfig) -> None:
    """Refuse (`BundleError`) what makes no sense."""
    sizes_ok = min(config.n_fft, config.hop_length, config.n_mels) >= 1
    if not (sizes_ok and 0 <= config.fmin < config.fmax <= config.sr / 2):
        raise BundleError(
            f"no mel spectrogram can be computed as {config}",
            "n_fft, hop_length and n_mels are at least 1, and 0 ≤ fmin < fmax ≤ sr / 2",
        )


def axis(config: FeatureConfig) -> Axis:
    """Centre frequencies of the filters."""
    return Axis("Hz", _edges_hz(config)[1:-1])


def _edges_hz(config: FeatureConfig) -> NDArray[np.float64]:
    """Where filters begin, peak and end: filter i at numbers i, i + 1 and i + 2."""
    ends = _hz_to_mel(np.array([config.fmin, config.fmax]))
    return _mel_to_hz(np.linspace(ends[0], ends[1], config.n_mels + 2))


# Linear up to 1 kHz, which is 15 mel; from there on 27 mel to a factor of 6.4.
_LINEAR_HZ = 200 / 3
_BREAK_HZ = 1000.0
_BREAK_MEL = _BREAK_HZ / _LINEAR_HZ
_LOG_STEP = np.log(6.4) / 27


def _hz_to_mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    log = _BREAK_MEL + np.log(np.maximum(hz, _BREAK_HZ) / _BREAK_HZ) / _LOG_STEP
    return np.where(hz < _BREAK_HZ, hz / _LINEAR_HZ, log)


def _mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    log = _BREAK_HZ * np.exp(_LOG_STEP * (np.maximum(mel, _BREAK_MEL) - _BREAK_MEL))
    return np.where(mel < _BREAK_MEL, mel * _LINEAR_HZ, log)

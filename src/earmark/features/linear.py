"""Spectrograms on a linear frequency axis, bin by bin as the Fourier transform gives them."""

from __future__ import annotations

import numpy as np

from earmark.errors import BundleError
from earmark.features.stft import hann, n_frames, power_blocks
from earmark.types import Axis, FeatureConfig, FloatArray

_POWER_MIN = 1e-14


def log_power(y: FloatArray, config: FeatureConfig) -> FloatArray:
    """Power spectrogram of `y` in decibels, 0 for a sine of full scale.

    Bins from `config.fmin` up to, but without, `config.fmax`: a power of two of them where these
    are 0 and half of `config.sr`. Windows that lie further apart than half their length would miss
    some of the sound; then a frame is the mean of as many windows as it takes (P. Welch, "The use
    of fast Fourier transform for the estimation of power spectra", IEEE Transactions on Audio and
    Electroacoustics 15(2), 1967), as the spectrograms of the program SoX are made.

    Parameters
    ----------
    y : ndarray of float32, shape (n_samples,)
        At `config.sr` hertz.
    config : FeatureConfig

    Returns
    -------
    ndarray of float32, shape (n_bins, 1 + n_samples // hop_length)
        At least -140.

    Raises
    ------
    BundleError
        `config` makes no sense.
    """
    check(config)
    hop = config.hop_length
    n_windows = _windows_a_frame(config)
    bins = _bins(config)
    shape = n_frames(y.size, hop // n_windows), bins.stop - bins.start
    powers = np.empty(shape, dtype=np.float32)
    for block, power in power_blocks(y, config.n_fft, hop // n_windows):
        powers[block] = power[:, bins]
    S = _means(powers, n_frames(y.size, hop), n_windows)
    S *= np.float32((2 / hann(config.n_fft).sum()) ** 2)
    np.maximum(S, _POWER_MIN, out=S)
    return np.ascontiguousarray(10 * np.log10(S).T)


def _windows_a_frame(config: FeatureConfig) -> int:
    """One, or where it would miss some sound as many as let each sample count alike.

    That takes steps of a quarter of a window or less, which divide the hop.
    """
    hop = config.hop_length
    if 2 * hop <= config.n_fft:
        return 1
    fewest = -(-4 * hop // config.n_fft)
    return next((n for n in range(fewest, hop) if hop % n == 0), hop)


def _means(powers: FloatArray, n: int, n_windows: int) -> FloatArray:
    """Means over the windows around the middle of each of `n` frames, as far as there are any."""
    if n_windows == 1:
        return powers
    starts = np.arange(n) * n_windows - n_windows // 2
    last = min(len(powers), starts[-1] + n_windows)
    starts = np.maximum(starts, 0)
    sums = np.add.reduceat(powers[:last], starts, axis=0)
    return (sums / np.diff(starts, append=last)[:, None]).astype(np.float32)


def _bins(config: FeatureConfig) -> slice:
    step_hz = config.sr / config.n_fft
    first, end = (int(np.ceil(hz / step_hz - 1e-9)) for hz in (config.fmin, config.fmax))
    return slice(first, end)


def check(config: FeatureConfig) -> None:
    """Refuse (`BundleError`) what makes no sense."""
    sizes_ok = config.n_fft >= 2 and config.hop_length >= 1
    if not (sizes_ok and 0 <= config.fmin < config.fmax <= config.sr / 2):
        raise BundleError(
            f"no linear spectrogram can be computed as {config}",
            "n_fft is at least 2, hop_length at least 1, and 0 ≤ fmin < fmax ≤ sr / 2",
        )
    bins = _bins(config)
    if bins.start >= bins.stop:
        raise BundleError(
            f"there is no bin from fmin {config.fmin} to fmax {config.fmax}", "raise n_fft"
        )


def axis(config: FeatureConfig) -> Axis:
    """Frequencies of the bins."""
    bins = _bins(config)
    return Axis("Hz", np.arange(bins.start, bins.stop) * (config.sr / config.n_fft))

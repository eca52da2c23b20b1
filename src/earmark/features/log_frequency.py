"""The constant-Q transform: a logarithmic frequency axis, semitone by semitone.

After J. Brown, "Calculation of a constant Q spectral transform" (Journal of the Acoustical Society
of America 89(1), 1991), computed by librosa.
"""

from __future__ import annotations

from importlib import import_module

import numpy as np

from earmark.features import octaves
from earmark.types import Axis, FeatureConfig, FloatArray

_POWER_MIN = 1e-14
# Of the Hann window that librosa uses, in bins of its transform.
_HANN_BANDWIDTH = 1.50018


def constant_q(y: FloatArray, config: FeatureConfig) -> FloatArray:
    """Constant-Q spectrogram of `y` in decibels, 0 for a sine of full scale.

    A bin's window is about 17 periods long at 12 bins an octave: low notes are told apart, but
    not when exactly they sound.

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
    librosa = import_module("librosa")
    lengths, _ = librosa.filters.wavelet_lengths(
        freqs=octaves.centres_hz(config), sr=config.sr, window="hann"
    )
    # librosa warns where a signal is shorter than its longest window; silence may follow it.
    missing = max(0, 2 * int(lengths.max()) - y.size)
    C = librosa.cqt(
        np.pad(y, (0, missing)),
        sr=config.sr,
        hop_length=config.hop_length,
        fmin=config.fmin,
        n_bins=config.n_bins,
        bins_per_octave=config.bins_per_octave,
    )
    power = np.square(np.abs(C[:, : 1 + y.size // config.hop_length]))
    # A sine of full scale has half the square root of the window's length.
    power *= (4 / lengths)[:, None]
    decibels = 10 * np.log10(np.maximum(power, _POWER_MIN))
    return np.ascontiguousarray(decibels, dtype=np.float32)


def check(config: FeatureConfig) -> None:
    """Refuse (`BundleError`) what makes no sense."""
    octaves.check(config, _HANN_BANDWIDTH * _relative_bandwidth(config) / 2)


def _relative_bandwidth(config: FeatureConfig) -> float:
    """Of a bin, as librosa sets it: such that neighbours meet half way."""
    step = 4.0 ** (1 / max(config.bins_per_octave, 1))
    return float((step - 1) / (step + 1))


def axis(config: FeatureConfig) -> Axis:
    """Centre frequencies."""
    return Axis("Hz", octaves.centres_hz(config))

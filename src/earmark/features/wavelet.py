"""The continuous wavelet transform with Morlet wavelets: a scalogram.

After C. Torrence and G. Compo, "A practical guide to wavelet analysis" (Bulletin of the American
Meteorological Society 79(1), 1998): the transform is taken in the frequency domain, where the
Morlet wavelet is a Gaussian. As a Gaussian covers few frequencies, each scale is brought down to
its band before it is transformed back: some twenty times as fast as at the full rate, to the same
result, and far faster than a convolution for each scale.
"""

from __future__ import annotations

import numpy as np

from earmark.features import octaves
from earmark.features.stft import n_frames
from earmark.types import Axis, FeatureConfig, FloatArray

# Periods of its frequency that a wavelet's standard deviation is long, times 2 pi.
_OMEGA_0 = 6.0
# Standard deviations of a Gaussian beyond which nothing (-108 dB) is left of it.
_REACH = 5.0
_POWER_MIN = 1e-14
# Samples of power in a frame, as a power of 2, and as many more as a scale's band needs.
_MIN_RATE = 4


def scalogram(y: FloatArray, config: FeatureConfig) -> FloatArray:
    """Scalogram of `y` in decibels, 0 for a sine of full scale.

    A wavelet is short, some two periods either side of its middle: it tells well when something
    sounds, and less well what note it was, than `constant-Q` does. A frame is the mean power over
    the hop around its middle; a click is in one frame, wherever in it it falls.

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
    hop, n = config.hop_length, n_frames(y.size, config.hop_length)
    # Silence behind keeps the end from wrapping around to the beginning.
    silence = _REACH * _OMEGA_0 / (2 * np.pi * config.fmin) * config.sr / hop
    n_padded = _round(n + 1 + int(np.ceil(2 * silence)))
    padded = np.zeros(n_padded * hop, dtype=np.float32)
    padded[hop // 2 : hop // 2 + y.size] = y
    Y = np.fft.rfft(padded)
    step_hz = config.sr / padded.size
    S = np.empty((config.n_bins, n), dtype=np.float32)
    for row, centre_hz in zip(S, octaves.centres_hz(config), strict=True):
        spread_hz = centre_hz / _OMEGA_0
        first = max(0, int((centre_hz - _REACH * spread_hz) / step_hz))
        end = min(Y.size, int((centre_hz + _REACH * spread_hz) / step_hz) + 2)
        hz = np.arange(first, end) * step_hz
        # Twice: the wavelet is analytic, half of a sine's amplitude is at negative frequencies.
        band = Y[first:end] * (2 * np.exp(-0.5 * ((hz - centre_hz) / spread_hz) ** 2))
        rate = 1 << max(_MIN_RATE, int(np.ceil(np.log2(2 * (end - first) / n_padded))))
        # In the middle of its share of the frame, each sample stands for the whole of it.
        ahead_s = (hop / rate - 1) / 2 / config.sr
        band *= np.exp(2j * np.pi * ahead_s * hz)
        # Moving the band down to 0 Hz turns the phase of the envelope, not its size.
        envelope = np.fft.ifft(band, n_padded * rate) * (n_padded * rate / padded.size)
        power = envelope.real**2 + envelope.imag**2
        row[:] = power.reshape(n_padded, rate).mean(axis=1)[:n]
    np.maximum(S, _POWER_MIN, out=S)
    return np.asarray(10 * np.log10(S), dtype=np.float32)


def _round(n: int) -> int:
    """The next number that is 4 to 7 times a power of 2: fast to transform."""
    exponent = max(0, n.bit_length() - 3)
    return -(-n // (1 << exponent)) << exponent


def check(config: FeatureConfig) -> None:
    """Refuse (`BundleError`) what makes no sense."""
    octaves.check(config, 0.0)


def axis(config: FeatureConfig) -> Axis:
    """Centre frequencies."""
    return Axis("Hz", octaves.centres_hz(config))

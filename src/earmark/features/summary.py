"""Statistics of an excerpt: what classifiers were given before networks heard for themselves.

Means and standard deviations over time of descriptors of timbre, loudness and harmony, and the
tempo, all by librosa: the set that G. Tzanetakis and P. Cook started ("Musical genre classification
of audio signals", IEEE Transactions on Speech and Audio Processing 10(5), 2002), as tutorials give
it today. Chroma takes A to be 440 Hz; finding out for every excerpt would cost a quarter of the
time, and is undefined for silence.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np

from earmark.errors import BundleError
from earmark.types import Axis, FeatureConfig, FloatArray

if TYPE_CHECKING:
    from numpy.typing import NDArray

_N_CHROMA = 12
_N_BANDS = 6
"""Octaves of the spectral contrast, from `_CONTRAST_HZ` on; below them is one band more."""
_CONTRAST_HZ = 200.0

# Decibels of power are taken of no less than 1e-10. The highest are those that mel spectrograms are
# stored with by default.
_DB_MIN, _DB_MAX = -100.0, 45.0
_CONTRAST_DB = 130.0
_MAX_TEMPO = 320.0


def summary(y: FloatArray, config: FeatureConfig) -> FloatArray:
    """Statistics of `y`, in the order of `names`.

    Parameters
    ----------
    y : ndarray of float32, shape (n_samples,)
        At `config.sr` hertz. Less than one window is filled up with silence.
    config : FeatureConfig

    Returns
    -------
    ndarray of float32, shape (n_statistics, 1)
        In the units that `names` tells; not clipped to `limits`.

    Raises
    ------
    BundleError
        `config` makes no sense.
    """
    check(config)
    if y.size < config.n_fft:
        y = np.pad(y, (0, config.n_fft - y.size))
    descriptors, tempo = _descriptors(y, config)
    statistics = [*descriptors.mean(axis=1), *descriptors.std(axis=1), tempo]
    return np.array(statistics, dtype=np.float32)[:, None]


def names(config: FeatureConfig) -> tuple[str, ...]:
    """What each statistic is: ``rms mean``, …, ``mfcc 20 deviation``, ``tempo``."""
    described = _described(config)
    means = tuple(f"{name} mean" for name in described)
    deviations = tuple(f"{name} deviation" for name in described)
    return (*means, *deviations, "tempo")


def axis(config: FeatureConfig) -> Axis:
    """Statistics have numbers; `names` says what each is."""
    return Axis("statistic", np.arange(len(names(config)), dtype=np.float64))


def limits(config: FeatureConfig) -> tuple[FloatArray, FloatArray]:
    """Lowest and highest value that is stored of each statistic, each of shape (n_statistics, 1).

    A quantity between two bounds deviates from its mean by at most half of what lies between them.
    """
    lowest, highest = np.array(list(_described(config).values())).T
    low = np.concatenate([lowest, np.zeros(len(lowest)), [0.0]])
    high = np.concatenate([highest, (highest - lowest) / 2, [_MAX_TEMPO]])
    return low.astype(np.float32)[:, None], high.astype(np.float32)[:, None]


def check(config: FeatureConfig) -> None:
    """Refuse (`BundleError`) settings that no statistics can be computed with."""
    sizes_ok = min(config.n_fft, config.hop_length) >= 1 and 1 <= config.n_mfcc <= config.n_mels
    highest_hz = _CONTRAST_HZ * 2 ** (_N_BANDS - 1)
    band_ok = 0 <= config.fmin < config.fmax <= config.sr / 2
    if not (sizes_ok and band_ok and config.sr / 2 > highest_hz):
        raise BundleError(
            f"no statistics can be computed as {config}",
            "n_fft and hop_length are at least 1, n_mfcc is 1 to n_mels, 0 ≤ fmin < fmax ≤ sr / 2,"
            f" and sr is above {2 * highest_hz:.0f}",
        )


def _described(config: FeatureConfig) -> dict[str, tuple[float, float]]:
    """Descriptors in their order, with the lowest and highest value that each can take."""
    nyquist = config.sr / 2
    mfcc = (_DB_MIN * np.sqrt(config.n_mels), _DB_MAX * np.sqrt(config.n_mels))
    # A later coefficient leaves the mean of the decibels out, and its weights are of length 1.
    most = (_DB_MAX - _DB_MIN) / 2 * np.sqrt(config.n_mels)
    return {
        "centroid (Hz)": (0.0, nyquist),
        "bandwidth (Hz)": (0.0, nyquist),
        "rolloff (Hz)": (0.0, nyquist),
        "zero crossings": (0.0, 1.0),
        "rms": (0.0, 1.0),
        **{f"chroma {i + 1}": (0.0, 1.0) for i in range(_N_CHROMA)},
        **{f"mfcc {i + 1}": (-most, most) if i else mfcc for i in range(config.n_mfcc)},
        **{f"contrast {i + 1} (dB)": (0.0, _CONTRAST_DB) for i in range(_N_BANDS + 1)},
    }


def _descriptors(y: FloatArray, config: FeatureConfig) -> tuple[NDArray[np.float64], float]:
    """Descriptors (n_descriptors, n_frames), and the tempo in beats a minute."""
    librosa = import_module("librosa")
    sr, n_fft, hop = config.sr, config.n_fft, config.hop_length
    bins = {"sr": sr, "n_fft": n_fft}
    S = np.abs(librosa.stft(y, n_fft=n_fft, hop_length=hop))
    power = S**2
    mel = librosa.filters.mel(n_mels=config.n_mels, fmin=config.fmin, fmax=config.fmax, **bins)
    S_db = librosa.power_to_db(mel @ power)
    feature = librosa.feature
    rows = [
        feature.spectral_centroid(S=S, **bins),
        feature.spectral_bandwidth(S=S, **bins),
        feature.spectral_rolloff(S=S, **bins),
        feature.zero_crossing_rate(y, frame_length=n_fft, hop_length=hop),
        feature.rms(y=y, frame_length=n_fft, hop_length=hop),
        feature.chroma_stft(S=power, n_chroma=_N_CHROMA, tuning=0.0, **bins),
        feature.mfcc(S=S_db, n_mfcc=config.n_mfcc),
        feature.spectral_contrast(S=S, fmin=_CONTRAST_HZ, n_bands=_N_BANDS, **bins),
    ]
    onsets = librosa.onset.onset_strength(S=S_db, sr=sr, hop_length=hop)
    tempo = feature.tempo(onset_envelope=onsets, sr=sr, hop_length=hop, max_tempo=_MAX_TEMPO)
    return np.concatenate(rows, dtype=np.float64), float(tempo[0])

"""What can be said of a slice without any model: how loud, how noisy, how eventful it is."""

from __future__ import annotations

import numpy as np

from earmark.features import dequantise
from earmark.types import FeatureConfig, FloatArray, LevelArray

TRAITS = ("level_db", "flatness_db", "motion_db")


def traits(X: LevelArray, config: FeatureConfig) -> FloatArray:
    """Level, spectral flatness and motion of slices.

    Parameters
    ----------
    X : ndarray of uint8 or uint16, shape (n_slices, n_bins, n_frames)
    config : FeatureConfig
        How they were computed.

    Returns
    -------
    ndarray of float32, shape (n_slices, 3)
        Columns as in `TRAITS`. *Level*: mean power of all bins, in decibels. *Flatness*: geometric
        by arithmetic mean of the bins' power (as decibels, so at most 0), mean over frames; close
        to 0 for white noise. *Motion*: standard deviation of each bin over time, in decibels, mean
        over bins weighted by their power; 0 for a sound that never changes. NaN for front ends
        other than ``mel``, on which all this was measured.
    """
    if config.frontend != "mel":
        return np.full((len(X), len(TRAITS)), np.nan, dtype=np.float32)
    S = dequantise(X, config).astype(np.float64)
    power = 10 ** (S / 10)
    level_db = 10 * np.log10(power.mean(axis=(1, 2)))
    flatness_db = (S.mean(axis=1) - 10 * np.log10(power.mean(axis=1))).mean(axis=1)
    weight = power.mean(axis=2)
    motion_db = (S.std(axis=2) * weight).sum(axis=1) / weight.sum(axis=1)
    return np.stack([level_db, flatness_db, motion_db], axis=1).astype(np.float32)


# Of a track's median slice. Music has been measured at -24 dB and above, with flatness of -7 dB
# and below and motion of 3 dB and above; white noise has -0.6 dB of flatness, a steady tone 0.4 dB
# of motion.
_QUIET_DB = -40.0
_NOISE_DB = -4.0
_STILL_DB = 1.5


def suspicion(of_slices: FloatArray) -> tuple[str, str] | None:
    """Why a track may be no music, by the traits (n_slices, 3) of its slices.

    Returns
    -------
    kind : {'quiet', 'noise', 'still'}
    text : str
        For people.
    """
    level_db, flatness_db, motion_db = np.median(of_slices, axis=0).tolist()
    if level_db < _QUIET_DB:
        return "quiet", f"there is hardly anything to hear ({level_db:.0f} dB)"
    if flatness_db > _NOISE_DB:
        return "noise", f"noise rather than music (spectral flatness {flatness_db:.1f} dB)"
    if motion_db < _STILL_DB:
        return "still", f"one sound that does not change (by {motion_db:.1f} dB)"
    return None

"""One loudness for all tracks: how far a recording was turned up says nothing of its genre."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from earmark.audio.silence import blocks, floor, rows
from earmark.types import FloatArray, Signal

TARGET_DBFS = -14.0
"""Root mean square of a track's sound after levelling; that of a full-scale sine is -3. So loud is
the median of the clips that the shipped model learned from: most tracks change little."""

MAX_GAIN_DB = 30.0
"""No track is turned up by more, so that a recording of next to nothing stays one: the dither of 16
bits, at -96 dBFS, comes to -66. Music that was turned down by 20 dB needs some 25."""


def gain(of_track: Sequence[Signal]) -> float:
    """What brings a track to `TARGET_DBFS`, by the mean square of its blocks that sound.

    Pauses do not count, so that a song with a silent end is as loud as one without.

    Parameters
    ----------
    of_track : sequence of Signal
        All its excerpts.
    """
    track = [blocks(signal) for signal in of_track]
    lowest = floor(track)
    power = np.concatenate(
        [_power(signal)[each.peak >= lowest] for signal, each in zip(of_track, track, strict=True)]
    )
    rms = np.sqrt(power.mean(dtype=np.float64)) if power.size else 0.0
    return float(10 ** (min(TARGET_DBFS - 20 * np.log10(max(rms, 1e-9)), MAX_GAIN_DB) / 20))


def _power(signal: Signal) -> FloatArray:
    """Mean square of each block, after the mean is taken off."""
    found, _ = rows(signal)
    mean = found.mean(axis=1)
    power = np.einsum("ij,ij->i", found, found) / np.float32(found.shape[1]) - mean * mean
    result: FloatArray = np.maximum(power, 0)
    return result

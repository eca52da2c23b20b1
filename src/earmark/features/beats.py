"""Slices in time with the music: from beat to beat, a bar long, at the track's own tempo.

Two tracks of the same rhythm and different tempo then look alike. Beats are found by librosa,
after D. Ellis, "Beat tracking by dynamic programming" (Journal of New Music Research 36(1), 2007).
Which beat of the bar comes first is not found out: a bar may begin on any beat.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module

import numpy as np
from numpy.typing import NDArray

from earmark.types import FloatArray, Signal

# Less sound than this holds no bar at any tempo that is found, and is too short for librosa.
_SHORTEST_S = 1.0


@dataclass(frozen=True, slots=True)
class Bars:
    """Where bars begin in an excerpt, `starts_s` (n_bars,), and how long each of them is."""

    starts_s: NDArray[np.float64]
    length_s: float


def find_bars(signals: Sequence[Signal], beats_per_bar: int) -> list[Bars | None]:
    """Bars that lie within each excerpt of one track, one after the other from its first beat.

    The tempo is the median of those of the excerpts: the longer these are, the surer it is. Half a
    minute is long enough; in three seconds there is hardly a bar.

    Parameters
    ----------
    signals : sequence of Signal
    beats_per_bar : int

    Returns
    -------
    list of Bars or None
        None where no beat is found, or no whole bar lies within the excerpt.
    """
    beats = [beat_times(signal) for signal in signals]
    periods_s = [period(times_s) for times_s in beats if len(times_s) > 1]
    if not periods_s:
        return [None] * len(beats)
    length_s = beats_per_bar * float(np.median(periods_s))
    bars: list[Bars | None] = []
    for signal, times_s in zip(signals, beats, strict=True):
        first = times_s[::beats_per_bar]
        within = first[first + length_s <= signal.y.size / signal.sr]
        bars.append(Bars(within, length_s) if len(within) else None)
    return bars


def beat_times(signal: Signal) -> NDArray[np.float64]:
    """When beats are, in seconds, ascending; none where nothing recurs."""
    if signal.y.size < _SHORTEST_S * signal.sr:
        return np.empty(0)
    librosa = import_module("librosa")
    _, times_s = librosa.beat.beat_track(y=signal.y, sr=signal.sr, units="time")
    return np.asarray(times_s, dtype=np.float64)


def period(times_s: NDArray[np.float64]) -> float:
    """Seconds from beat to beat: the slope of the line through all, finer than any two tell."""
    return float(np.polyfit(np.arange(len(times_s)), times_s, 1)[0])


def resample(S: FloatArray, starts: NDArray[np.float64], length: float, n: int) -> FloatArray:
    """Stretches of a spectrogram brought to `n` frames each, interpolated linearly.

    Parameters
    ----------
    S : ndarray of float32, shape (n_bins, n_frames)
    starts : ndarray, shape (n_stretches,)
        First frame of each, which may be a fraction.
    length : float
        Of all of them, in frames.
    n : int

    Returns
    -------
    ndarray of float32, shape (n_stretches, n_bins, n)
    """
    positions = starts[:, None] + np.arange(n) * (length / n)
    positions = np.clip(positions, 0, S.shape[1] - 1)
    lower = positions.astype(np.int64)
    upper = np.minimum(lower + 1, S.shape[1] - 1)
    share = (positions - lower).astype(np.float32)
    stretches: FloatArray = S[:, lower] * (1 - share) + S[:, upper] * share
    return np.ascontiguousarray(stretches.swapaxes(0, 1))

"""Acoustic fingerprints: a recording is known again at another bit rate, level, offset or cut.

The method is Wang's ("An industrial-strength audio search algorithm", ISMIR 2003): the peaks of a
spectrogram survive coding and noise, and their constellation is the recording's own. Two things
are done differently. Peaks are those of the rise of the spectrum: where a note is held, its level
has no peak that could be found again. And, as in Panako (Six & Leman, ISMIR 2014), three peaks
rather than two make a landmark: chance agreements are then rare enough for a library to be searched
for duplicates within itself. A landmark's hash holds the frequency of its first peak and how far
the two others lie from it in frequency and time, so that neither level nor place in the file
matters. Speed does: what is played a percent faster or slower is not known again.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from earmark.audio.identity import audio_id
from earmark.audio.streaming import mono_chunks
from earmark.types import FloatArray

RECIPE = 1
"""Goes up when a file's fingerprint becomes another: older ones must not be compared with newer."""

SR = 8000
"""What codecs of any bit rate keep lies below half of it."""

TICK_S = 0.008
"""Unit of a landmark's time. Of landmarks found again 95 % lie within one of where they were."""

MAX_S = 600.0
"""Of longer tracks only the beginning is looked at, in seconds."""

_N_FFT, _HOP = 2048, 256
_BLOCK_FRAMES = 1024
# Weights of the magnitudes 1 to 4 frames later, and, negative, earlier: their sum rises and falls
# with the note's attack.
_RISE = np.array([3, 4, 3, 1], np.float32) / 11
# Rises to less than -80 dBFS are dither and codecs. A full-scale sine has a quarter of the window.
_FLOOR = _N_FFT / 4 * 10 ** (-80 / 20)
# From 125 Hz, below which codecs and rumble differ, to 3500 Hz.
_LOW_BIN, _HIGH_BIN = 32, 896
# A peak is the highest point this far to each side: 156 Hz, 0.32 s. Some 14 peaks a second.
_NEAR_BINS, _NEAR_FRAMES = 40, 10

# A landmark's peaks: the first, and two of the next three that lie in this zone after it.
_FAN = 3
_MIN_FRAMES, _MAX_FRAMES, _MAX_BINS = 2, 60, 188
# Peaks are located between bins and frames, then rounded to these steps.
_BIN_STEP, _FRAME_STEP = 4, 2
# Of the hashes those are kept whose product with this (Knuth's) lies in the lowest third: the same
# ones in every copy, some 12 a second.
_SCRAMBLE = np.uint32(2654435761)
_KEEP_BELOW = np.uint32(2**32 // 3)

Hashes = NDArray[np.uint32]
Ticks = NDArray[np.int32]
_Peaks = tuple[FloatArray, FloatArray]


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Landmarks of one recording.

    Attributes
    ----------
    audio_id : str
    hashes : ndarray of uint32, shape (n_landmarks,)
    ticks : ndarray of int32, shape (n_landmarks,)
        When each landmark begins, in units of `TICK_S`; ascending.
    duration_s : float
        What was looked at; at most `MAX_S`.
    """

    audio_id: str
    hashes: Hashes
    ticks: Ticks
    duration_s: float


def fingerprint(path: str | os.PathLike[str], name: str | None = None) -> Fingerprint:
    """Landmarks of the first `MAX_S` seconds of a file; none where it is silent.

    It is decoded from its beginning; 100 MB of memory do for any length.

    Parameters
    ----------
    path : str or path-like
    name : str, optional
        Its `audio_id`, where that is known already.

    Raises
    ------
    AudioError
        The file cannot be read, or holds no audio.
    """
    y = _decode(path)
    hashes, ticks = landmarks(y)
    return Fingerprint(audio_id(path) if name is None else name, hashes, ticks, y.size / SR)


def landmarks(y: FloatArray) -> tuple[Hashes, Ticks]:
    """Hashes and ticks of the landmarks of `y`, shape (n_samples,), at `SR`."""
    time, pitch = _peaks(y)
    chosen = _triples(time, pitch)
    first, second, third = chosen.T
    fields = (
        (pitch[first] / _BIN_STEP, 8),
        ((pitch[second] - pitch[first] + _MAX_BINS) / _BIN_STEP, 7),
        ((pitch[third] - pitch[first] + _MAX_BINS) / _BIN_STEP, 7),
        ((time[second] - time[first]) / _FRAME_STEP, 5),
        ((time[third] - time[first]) / _FRAME_STEP, 5),
    )
    hashes = np.zeros(len(chosen), np.uint32)
    for values, n_bits in fields:
        hashes = (hashes << np.uint32(n_bits)) | np.rint(values).astype(np.uint32)
    # A peak may lie a little before the first frame.
    ticks = np.maximum(np.rint(time[first] * (_HOP / SR / TICK_S)), 0).astype(np.int32)
    kept = np.flatnonzero(hashes * _SCRAMBLE < _KEEP_BELOW)
    kept = kept[np.argsort(ticks[kept], kind="stable")]
    return hashes[kept], ticks[kept]


def _decode(path: str | os.PathLike[str]) -> FloatArray:
    """The beginning of a file as mono at `SR`."""
    parts: list[FloatArray] = []
    n_samples, wanted = 0, round(MAX_S * SR)
    for part in mono_chunks(path, SR):
        parts.append(part)
        n_samples += part.size
        if n_samples >= wanted:
            break
    return np.concatenate(parts)[:wanted]


def _peaks(y: FloatArray) -> _Peaks:
    """Frame and bin of each peak, between frames and bins, in order of time."""
    window = np.hanning(_N_FFT + 1)[:-1].astype(np.float32)
    margin = len(_RISE) + _NEAR_FRAMES
    # Frame 0 is centred on the first sample.
    rows = sliding_window_view(np.pad(y, _N_FFT // 2 + margin * _HOP), _N_FFT)[::_HOP]
    times, pitches = [], []
    for begin in range(0, len(rows) - 2 * margin, _BLOCK_FRAMES):
        block = rows[begin : begin + _BLOCK_FRAMES + 2 * margin] * window
        time, pitch = _block_peaks(_rise(np.abs(np.fft.rfft(block, axis=1))))
        times.append(time + np.float32(begin))
        pitches.append(pitch)
    time, pitch = np.concatenate(times), np.concatenate(pitches)
    order = np.argsort(time, kind="stable")
    return time[order], pitch[order]


def _rise(S: Any) -> FloatArray:
    """How fast each bin of a magnitude spectrogram (frames, bins) grows; both ends are lost."""
    reach = len(_RISE)
    n = len(S) - 2 * reach
    D = np.zeros((n, S.shape[1]), np.float32)
    for step, weight in enumerate(_RISE, start=1):
        D += weight * S[reach + step : reach + step + n]
        D -= weight * S[reach - step : reach - step + n]
    return D


def _block_peaks(D: FloatArray) -> _Peaks:
    """Peaks of (frames, bins), counted from the first frame that has a whole neighbourhood."""
    highest = _running_max(_running_max(D, _NEAR_FRAMES).T, _NEAR_BINS).T
    margin = _NEAR_FRAMES
    inner = np.s_[margin : len(D) - margin, _LOW_BIN:_HIGH_BIN]
    frame, bin_ = np.nonzero((D[inner] == highest[inner]) & (D[inner] > _FLOOR))
    t, f = frame + margin, bin_ + _LOW_BIN
    time = frame + _vertex(D[t - 1, f], D[t, f], D[t + 1, f])
    pitch = f + _vertex(D[t, f - 1], D[t, f], D[t, f + 1])
    return time.astype(np.float32), pitch.astype(np.float32)


def _vertex(before: FloatArray, top: FloatArray, after: FloatArray) -> FloatArray:
    """Where the parabola through three neighbours, the middle one highest, has its top."""
    bend = before - 2 * top + after
    shift = np.divide((before - after) / 2, bend, out=np.zeros_like(top), where=bend < 0)
    result: FloatArray = np.clip(shift, -0.5, 0.5)
    return result


def _running_max(S: FloatArray, reach: int) -> FloatArray:
    """Highest of each element and `reach` rows to each side; zeros lie beyond the ends."""
    X = np.pad(S, ((reach, reach), (0, 0)))
    width = 1
    # Windows of twice the width from two of the width.
    while 2 * width <= 2 * reach + 1:
        X = np.maximum(X[:-width], X[width:])
        width *= 2
    rest = 2 * reach + 1 - width
    return np.maximum(X[: len(X) - rest], X[rest:])


def _triples(time: FloatArray, pitch: FloatArray) -> NDArray[np.intp]:
    """Peaks of each landmark, shape (n_landmarks, 3)."""
    n = time.size
    followers = np.full((n, _FAN), -1)
    n_followers = np.zeros(n, np.intp)
    for step in range(1, n):
        first = np.flatnonzero(n_followers[: n - step] < _FAN)
        first = first[time[first + step] - time[first] <= _MAX_FRAMES]
        if not first.size:
            break
        second = first + step
        near = (time[second] - time[first] >= _MIN_FRAMES) & (
            np.abs(pitch[second] - pitch[first]) <= _MAX_BINS
        )
        first, second = first[near], second[near]
        followers[first, n_followers[first]] = second
        n_followers[first] += 1
    triples = [
        np.column_stack([np.flatnonzero(ok), followers[ok, i], followers[ok, j]])
        for i in range(_FAN)
        for j in range(i + 1, _FAN)
        for ok in (followers[:, j] >= 0,)
    ]
    return np.concatenate(triples)

"""From decoded frames of any sample format to mono float32 within ±1."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
from av.audio.plane import AudioPlane
from numpy.typing import NDArray

from earmark.errors import AudioError
from earmark.types import FloatArray

MAX_LEVEL = 100.0
"""Samples beyond +40 dBFS, infinities and NaN are damage."""

MAX_DAMAGED = 1e-3
"""Up to this share, damaged samples are set to zero as a trace; more is an error."""

# FFmpeg's sample formats: type, full scale.
_FORMATS: dict[str, tuple[type[np.generic], float]] = {
    "u8": (np.uint8, 2.0**7),
    "s16": (np.int16, 2.0**15),
    "s32": (np.int32, 2.0**31),
    "s64": (np.int64, 2.0**63),
    "flt": (np.float32, 1.0),
    "dbl": (np.float64, 1.0),
}


# The mean loses this many decibels, against two sides that have nothing in common, before the
# second side is turned over at all, and before it is turned over wholly.
_CANCELS_FROM_DB, _CANCELS_AT_DB = 3.0, 6.0
# Of so many samples one is looked at first; only if less than this share of the power is left, all.
_GLANCE, _GLANCE_SHARE = 31, 0.75


# Samples of one channel of a planar frame, or of all of a packed one. `frame.planes` looks for the
# end of FFmpeg's list of channels, which has none from eight on, and takes foreign memory for more.
_Plane: Any = AudioPlane


class Mixer:
    """Puts the mean over the channels of successive frames into one array.

    FFmpeg's own downmix is not used: it is 3 dB louder than the mean and takes peaks over 1.

    Where the mean cancels (one channel is the other upside down, as on karaoke discs and in
    miswired transfers), nobody hears silence, so neither does this: the second side is turned
    over. Of two channels these are left and right, of more the channels with even and those with
    odd numbers. How far it is turned over grows steadily with what is lost, so that no tiny change
    of the sound makes a large one of the mix.

    Parameters
    ----------
    frame : av.AudioFrame
        The first; the others have to be like it.
    n_samples : int
        How many there is room for.
    """

    def __init__(self, frame: av.AudioFrame, n_samples: int) -> None:
        self._like = _kind(frame)
        self._dtype, self._full_scale = _FORMATS[frame.format.name.removesuffix("p")]
        self._planar = frame.format.is_planar
        self._n_channels = frame.layout.nb_channels
        self._even = np.zeros(n_samples, dtype=np.float32)
        # Rounded once, when both sides are added up.
        exact = np.result_type(self._dtype, np.float32)
        self._odd = np.zeros(n_samples if self._n_channels > 1 else 0, dtype=exact)
        self.n_samples = 0

    def accepts(self, frame: av.AudioFrame) -> bool:
        """Whether `frame` has the rate, sample format and channels of the first."""
        return _kind(frame) == self._like

    @property
    def full(self) -> bool:
        return self.n_samples == self._even.size

    def add(self, frame: av.AudioFrame, begin: int = 0) -> None:
        """Add the samples of `frame` from `begin` on, as far as there is room."""
        samples, first = frame.samples, self.n_samples
        end = min(first + samples - begin, self._even.size)
        taken = slice(begin, begin + end - first)
        sides = self._even[first:end], self._odd[first:end]
        if self._planar:
            for number in range(self._n_channels):
                side = sides[number % 2]
                side += np.frombuffer(_Plane(frame, number), self._dtype, samples)[taken]
        else:
            packed = np.frombuffer(_Plane(frame, 0), self._dtype, samples * self._n_channels)
            for number, channel in enumerate(packed.reshape(samples, self._n_channels).T):
                side = sides[number % 2]
                side += channel[taken]
        self.n_samples = end

    def mono(self) -> FloatArray:
        """The mix, float32 (n_samples,); it takes the place of what was added, once."""
        even, odd = self._even[: self.n_samples], self._odd[: self.n_samples]
        if not odd.size:
            return self._scaled(even)
        # Damaged samples may add up to what is no number.
        with np.errstate(all="ignore"):
            turned = _turned(even, odd)
            if turned:
                odd *= np.float32(1 - 2 * turned)
            np.add(even, odd, out=even, casting="same_kind")
            y = self._scaled(even)
            if turned and self._dtype is np.uint8:
                # A side that is turned over brings its own middle with it.
                y += np.float32(2 * turned * (self._n_channels // 2) / self._n_channels)
        return y

    def _scaled(self, y: FloatArray) -> FloatArray:
        y *= np.float32(1 / (self._full_scale * self._n_channels))
        if self._dtype is np.uint8:
            y -= np.float32(1)
        return y


def mix(channels: FloatArray) -> FloatArray:
    """Float channels (n_channels, n_samples) as mono (n_samples,), as `Mixer` mixes frames."""
    even, odd = channels[::2].sum(axis=0), channels[1::2].sum(axis=0)
    n_channels = np.float32(len(channels))
    # Damaged samples may add up to what is no number.
    with np.errstate(all="ignore"):
        y: FloatArray = (even + odd) / n_channels
        turned = _turned(even, odd) if len(channels) > 1 else 0.0
        if turned:
            y -= np.float32(2 * turned) * odd / n_channels
    return y


def _turned(even: NDArray[Any], odd: NDArray[Any]) -> float:
    """How far the second of two sides is turned over: from 0, not at all, to 1."""
    # A few samples say whether there is anything to look at.
    if not _left(even[::_GLANCE], odd[::_GLANCE]) < _GLANCE_SHARE:
        return 0.0
    left = _left(even, odd)
    if not left < 1:
        return 0.0
    lost_db = -10 * np.log10(max(left, 1e-9))
    share = (lost_db - _CANCELS_FROM_DB) / (_CANCELS_AT_DB - _CANCELS_FROM_DB)
    return float(np.clip(share, 0, 1))


def _left(even: NDArray[Any], odd: NDArray[Any]) -> float:
    """Power of the sum of two sides by the sum of their powers: 1 of what is independent.

    A constant is silence. Not a number where samples are damaged, or all is silent.
    """
    a, b = even.astype(np.float64), odd.astype(np.float64)
    a -= a.mean()
    b -= b.mean()
    powers, product = np.dot(a, a) + np.dot(b, b), np.dot(a, b)
    return float((powers + 2 * product) / powers)


def _kind(frame: av.AudioFrame) -> tuple[int, str, int]:
    return frame.sample_rate, frame.format.name, frame.layout.nb_channels


def repair(y: FloatArray, path: str) -> FloatArray:
    """`y` with a trace of damaged samples, if there is one, set to zero.

    Raises
    ------
    AudioError
        More than `MAX_DAMAGED` of the samples are beyond `MAX_LEVEL`, infinite or NaN.
    """
    # NaN goes through min and max, and compares as false.
    if y.size == 0 or (y.min() >= -MAX_LEVEL and y.max() <= MAX_LEVEL):
        return y
    good: NDArray[np.bool_] = np.abs(y) <= MAX_LEVEL
    share = 1 - np.count_nonzero(good) / y.size
    if share > MAX_DAMAGED:
        raise AudioError(
            path, f"damaged samples: {100 * share:.3g} % are not numbers, infinite or absurdly loud"
        )
    return np.where(good, y, np.float32(0))

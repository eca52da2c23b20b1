"""From decoded frames of any sample format to mono float32 within ±1."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
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


class Mixer:
    """Puts the mean over the channels of successive frames into one array.

    FFmpeg's own downmix is not used: it is 3 dB louder than the mean and takes peaks over 1.

    Parameters
    ----------
    frame : av.AudioFrame
        The first; the others have to be like it.
    n_samples : int
        How many there is room for.
    """

    def __init__(self, frame: av.AudioFrame, n_samples: int) -> None:
        self._like = _kind(frame)
        self._dtype, full_scale = _FORMATS[frame.format.name.removesuffix("p")]
        self._planar = frame.format.is_planar
        self._n_channels = frame.layout.nb_channels
        self._gain = np.float32(1 / (full_scale * self._n_channels))
        self._sum = np.zeros(n_samples, dtype=np.float32)
        self.n_samples = 0

    def accepts(self, frame: av.AudioFrame) -> bool:
        """Whether `frame` has the rate, sample format and channels of the first."""
        return _kind(frame) == self._like

    @property
    def full(self) -> bool:
        return self.n_samples == self._sum.size

    def add(self, frame: av.AudioFrame, begin: int = 0) -> None:
        """Add the samples of `frame` from `begin` on, as far as there is room."""
        n = frame.samples
        room = self._sum[self.n_samples : self.n_samples + n - begin]
        planes: Any = frame.planes
        if self._planar:
            for plane in planes:
                room += np.frombuffer(plane, self._dtype, n)[begin : begin + room.size]
        else:
            packed = np.frombuffer(planes[0], self._dtype, n * self._n_channels)
            for channel in packed.reshape(n, self._n_channels)[begin : begin + room.size].T:
                room += channel
        self.n_samples += room.size

    def mean(self) -> FloatArray:
        """Mono so far, float32 (n_samples,)."""
        y = self._sum[: self.n_samples] * self._gain
        if self._dtype is np.uint8:
            y -= np.float32(1)
        return y


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

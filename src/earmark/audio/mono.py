"""From decoded samples of any format to mono float32."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from earmark.errors import AudioError
from earmark.types import FloatArray

MAX_LEVEL = 100.0
"""Samples beyond +40 dBFS, infinities and NaN are damage."""

MAX_DAMAGED = 1e-3
"""Up to this share, damaged samples are set to zero as a trace; more is an error."""

# Full scale and zero of FFmpeg's sample formats; float formats have ±1 around 0.
_FULL_SCALE = {"u1": 2.0**7, "i2": 2.0**15, "i4": 2.0**31, "i8": 2.0**63}
_ZERO = {"u1": 2.0**7}


def mix(samples: NDArray[np.generic]) -> FloatArray:
    """Mean over the channels, float32 (n_samples,), nominally within ±1.

    FFmpeg's own downmix is not used: it is 3 dB louder than the mean and takes peaks over 1.

    Parameters
    ----------
    samples : ndarray, shape (n_channels, n_samples)
        Of any type that FFmpeg decodes to: uint8, int16, int32, int64, float32, float64.
    """
    kind = samples.dtype.str[1:]
    # What does not fit into float32 becomes infinite here and is dealt with in `repair`.
    with np.errstate(over="ignore", invalid="ignore"):
        y: FloatArray = samples[0].astype(np.float32)
        for channel in samples[1:]:
            np.add(y, channel, out=y, casting="same_kind" if kind[0] == "f" else "unsafe")
        y *= np.float32(1 / (len(samples) * _FULL_SCALE.get(kind, 1.0)))
    if kind in _ZERO:
        y -= np.float32(_ZERO[kind] / _FULL_SCALE[kind])
    return y


def repair(y: FloatArray, path: str) -> FloatArray:
    """`y` with a trace of damaged samples, if there is one, set to zero.

    Raises
    ------
    AudioError
        More than `MAX_DAMAGED` of the samples are beyond `MAX_LEVEL`, infinite or NaN.
    """
    # Comparisons with NaN are false; min and max hand NaN on.
    if y.size == 0 or (y.min() >= -MAX_LEVEL and y.max() <= MAX_LEVEL):
        return y
    good = np.abs(y) <= MAX_LEVEL
    share = 1 - np.count_nonzero(good) / y.size
    if share > MAX_DAMAGED:
        raise AudioError(
            path, f"damaged samples: {100 * share:.3g} % are not numbers, infinite or absurdly loud"
        )
    return np.where(good, y, np.float32(0))

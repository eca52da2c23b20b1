"""Fixed-length blocks of frames, as networks want them."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from earmark.errors import BundleError
from earmark.types import SliceConfig

Scalar = TypeVar("Scalar", bound=np.generic)


def cut(S: NDArray[Scalar], config: SliceConfig) -> tuple[NDArray[Scalar], NDArray[np.int64]]:
    """Cut a spectrogram into slices of `config.n_frames`, one every `config.hop_frames`.

    The tail rule: when at least half a slice is left over at the end, it becomes one more slice,
    moved back to end with the spectrogram; less is dropped. A spectrogram shorter than one slice
    is repeated until it fills one.

    Parameters
    ----------
    S : ndarray, shape (n_bins, n_frames)
        Of any type, which is kept.
    config : SliceConfig

    Returns
    -------
    X : ndarray, shape (n_slices, n_bins, config.n_frames)
        A copy. There is at least one slice unless `S` has no frames.
    start_frame : ndarray of int64, shape (n_slices,)
        Ascending.

    Raises
    ------
    BundleError
        `config` makes no sense.
    """
    length, hop = config.n_frames, config.hop_frames
    if length < 1 or hop < 1:
        raise BundleError(f"slices of {length} frames every {hop} cannot be cut")
    n_bins, n_frames = S.shape
    if n_frames == 0:
        return np.empty((0, n_bins, length), dtype=S.dtype), np.empty(0, dtype=np.int64)
    if n_frames < length:
        repeated = np.take(S, np.arange(length), axis=1, mode="wrap")
        return repeated[None], np.zeros(1, dtype=np.int64)
    starts = np.arange(0, n_frames - length + 1, hop, dtype=np.int64)
    left_over = n_frames - (starts[-1] + length)
    if 2 * left_over >= length:
        starts = np.append(starts, n_frames - length)
    return np.stack([S[:, start : start + length] for start in starts]), starts

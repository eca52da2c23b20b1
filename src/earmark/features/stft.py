"""Power spectra of a signal's frames, a block at a time.

Window, frames and padding follow librosa's defaults: periodic Hann, frames centred on multiples of
the hop, zeros beyond the ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from earmark.types import FloatArray

# Frames at a time: few enough for the processor's cache and for numpy to stay on one thread.
_BLOCK = 32


def n_frames(n_samples: int, hop_length: int) -> int:
    """Number of frames of a signal."""
    return 1 + n_samples // hop_length


def power_blocks(y: FloatArray, n_fft: int, hop_length: int) -> Iterator[tuple[slice, FloatArray]]:
    """Squared magnitudes of the short-time Fourier transform of `y`.

    Parameters
    ----------
    y : ndarray of float32, shape (n_samples,)
    n_fft, hop_length : int

    Yields
    ------
    frames : slice
        Which of the `n_frames` come next.
    power : ndarray of float32, shape (number of those frames, 1 + n_fft // 2)
        Overwritten by the next block.
    """
    window = hann(n_fft)
    padded = np.pad(y, n_fft // 2)
    if padded.size < n_fft:
        padded = np.pad(padded, (0, n_fft - padded.size))
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop_length]
    # In double precision, as in librosa, and as fast: bins 100 dB below a loud tone come out right.
    # The arrays are used again for each block: fresh ones would cost as much as the transform.
    n_rows, n_bins = min(_BLOCK, len(frames)), 1 + n_fft // 2
    windowed = np.empty((n_rows, n_fft))
    spectrum = np.empty((n_rows, n_bins), dtype=np.complex128)
    power = np.empty((n_rows, n_bins), dtype=np.float32)
    parts = spectrum.view(np.float64)
    for start in range(0, len(frames), _BLOCK):
        rows = slice(0, min(_BLOCK, len(frames) - start))
        block = slice(start, start + rows.stop)
        np.multiply(frames[block], window, out=windowed[rows])
        np.fft.rfft(windowed[rows], out=spectrum[rows])
        np.square(parts, out=parts)
        np.add(parts[:, 0::2], parts[:, 1::2], out=power, casting="same_kind")
        yield block, power[rows]


@lru_cache(maxsize=8)
def hann(n_fft: int) -> NDArray[np.float64]:
    """The periodic Hann window, shape (n_fft,)."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)

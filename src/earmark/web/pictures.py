"""PNG of a spectrogram, in few bytes and without an imaging library: rows of indices, a palette."""

from __future__ import annotations

import struct
import zlib
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Palette = Literal["magma", "grey"]

# Every 32nd colour of matplotlib's magma (CC0), from nothing to the loudest; the rest lie between.
_MAGMA = (
    *((0, 0, 4), (28, 16, 68), (79, 18, 123), (129, 37, 129), (181, 54, 122)),
    *((229, 80, 100), (251, 135, 97), (254, 194, 135), (252, 253, 191)),
)


def png(S: NDArray[np.uint8], palette: Palette) -> bytes:
    """Draw levels, shape (n_bins, n_columns), with the lowest bin at the bottom."""
    n_rows, n_columns = S.shape
    # Each row starts with the number of its filter: none.
    rows = np.zeros((n_rows, n_columns + 1), dtype=np.uint8)
    rows[:, 1:] = S[::-1]
    header = struct.pack(">IIBBBBB", n_columns, n_rows, 8, 3, 0, 0, 0)
    chunks = (
        (b"IHDR", header),
        (b"PLTE", _colours(palette).tobytes()),
        (b"IDAT", zlib.compress(rows.tobytes(), 6)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _colours(palette: Palette) -> NDArray[np.uint8]:
    levels = np.arange(256)
    if palette == "grey":
        return np.repeat(levels[:, None], 3, axis=1).astype(np.uint8)
    known = np.linspace(0, 255, len(_MAGMA))
    channels = [np.interp(levels, known, channel) for channel in zip(*_MAGMA, strict=True)]
    colours: NDArray[np.uint8] = np.rint(np.stack(channels, axis=1)).astype(np.uint8)
    return colours


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

"""Changes of a file's bytes: worked out first, without touching the file, then carried out.

So what cannot be written is found by planning it, and an error half-way cannot leave half of it.
"""

from __future__ import annotations

import io
import os
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import BinaryIO

from earmark.tags.files import splice


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Bytes [start, end) of the file as it is become `data`."""

    start: int
    end: int
    data: bytes

    @property
    def shift(self) -> int:
        """By how much this moves what follows."""
        return len(self.data) - (self.end - self.start)


def carry_out(f: BinaryIO, edits: list[Edit]) -> None:
    """Make these changes, which must not overlap, in the open `f`."""
    for edit in sorted(edits, reverse=True):  # from the end, so that the places stay right
        splice(f, edit.start, edit.end, edit.data)


def read_at(f: BinaryIO, start: int, size: int) -> bytes:
    """Up to `size` bytes from `start` on."""
    f.seek(start)
    return f.read(size)


class View(io.RawIOBase):
    """A file made of pieces of an open one and of bytes in memory, for reading.

    Parameters
    ----------
    f : file
    pieces : list of (int, int) or bytes
        From where to where in `f`, or bytes that are not in it.
    """

    def __init__(self, f: BinaryIO, pieces: list[tuple[int, int] | bytes]) -> None:
        self._f, self._pieces, self._at = f, pieces, 0
        sizes = [len(p) if isinstance(p, bytes) else p[1] - p[0] for p in pieces]
        self._starts = list(accumulate(sizes, initial=0))
        self._size = self._starts.pop()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0, /) -> int:
        base = (0, self._at, self._size)[whence]
        if base + offset < 0:
            raise OSError("seek before the start")
        self._at = base + offset
        return self._at

    def read(self, size: int | None = -1, /) -> bytes:
        left = max(0, self._size - self._at)
        size = left if size is None or size < 0 else min(size, left)
        parts = []
        index = max(0, bisect_right(self._starts, self._at) - 1)
        while size > 0:
            piece, skip = self._pieces[index], self._at - self._starts[index]
            if isinstance(piece, bytes):
                data = piece[skip : skip + size]
            else:
                start, end = piece
                data = read_at(self._f, start + skip, min(size, end - start - skip))
                if not data and start + skip < end:
                    break  # the file has become shorter meanwhile
            parts.append(data)
            self._at += len(data)
            size -= len(data)
            index += 1
        return b"".join(parts)


def part(f: BinaryIO, start: int, end: int) -> View:
    """Bytes [start, end) of `f` as a file of its own, for libraries that want one."""
    return View(f, [(start, end)])


def preview(f: BinaryIO, edits: list[Edit]) -> View:
    """`f` as `carry_out` would leave it."""
    pieces: list[tuple[int, int] | bytes] = []
    at = 0
    for edit in sorted(edits):
        pieces += [(at, edit.start), edit.data]
        at = edit.end
    return View(f, [*pieces, (at, f.seek(0, os.SEEK_END))])

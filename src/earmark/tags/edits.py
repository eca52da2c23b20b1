"""Changes of a file's bytes: worked out first, without touching the file, then carried out.

So what cannot be written is found by planning it, and an error half-way cannot leave half of it.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
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


class Window(io.RawIOBase):
    """Bytes [start, end) of an open file as a file of its own, for libraries that want one."""

    def __init__(self, f: BinaryIO, start: int, end: int) -> None:
        self._f, self._start, self._size, self._at = f, start, end - start, 0

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
        data = read_at(self._f, self._start + self._at, size)
        self._at += len(data)
        return data

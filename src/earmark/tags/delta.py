"""Binary deltas that rebuild an old file, to the byte, from the new one.

A delta is a list of copies out of the new file and of literal bytes. Retagging moves the audio, a
20 MB picture or a table of offsets by some bytes, and renumbers the pages of an Ogg file; the
delta stays small because stretches are followed at their shift past short differences, and found
again by searching for a piece of them where that ends. A copy is only made of bytes that were
compared, so a delta is right by construction, however well or badly the search goes.

Format: `_HEADER`, then zlib: number of operations, operations (literal length, copy length, change
of the shift; variable-length integers), then the literal bytes of all of them.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

LIMIT = 8 << 20
"""Bytes that a delta may take, compressed."""

_HEADER = struct.Struct("<4sBQQ")  # magic, version, size of the old and of the new file
_MAGIC, _VERSION = b"EMKD", 1
_BLOCK = 1 << 20  # compared at a time
_MIN_RUN = 16  # shorter equal stretches are not worth an operation
_MAX_GAP = 256  # a longer difference ends a stretch, and a search begins
_PROBE = 32  # bytes searched for
_MAX_SEARCHES = 2048
_MAP_FROM = 32 << 20

Bytes = NDArray[np.uint8]


class DeltaError(ValueError):
    """A delta is damaged, or belongs to another file."""


@dataclass(slots=True)
class _Recipe:
    """Operations so far: bytes of the old file as (literal length, copy length, copy position)."""

    old: Bytes
    operations: list[tuple[int, int, int]] = field(default_factory=list)
    literals: list[bytes] = field(default_factory=list)
    done: int = 0  # bytes of the old file that are covered
    n_literal: int = 0

    def copy(self, start: int, end: int, shift: int) -> None:
        """Bytes [start, end) of the old file are found `shift` further on in the new one."""
        self.literals.append(self.old[self.done : start].tobytes())
        self.n_literal += start - self.done
        self.operations.append((start - self.done, end - start, start + shift))
        self.done = end


def make_delta(old: str | Path, new: str | Path, limit: int = LIMIT) -> bytes | None:
    """What rebuilds `old` from `new`.

    Parameters
    ----------
    old, new : str or Path
    limit : int
        Bytes that the delta may take.

    Returns
    -------
    bytes or None
        None where the files are so different that the delta would exceed `limit`.
    """
    a, b = _mapped(old), _mapped(new)
    return _make(np.frombuffer(a, np.uint8), np.frombuffer(b, np.uint8), b, limit)


def apply_delta(new: BinaryIO, delta: bytes, out: BinaryIO) -> None:
    """Write the old file into `out`, rebuilt from `new` and its `delta`.

    Raises
    ------
    DeltaError
        `delta` is damaged, or not one of `new`.
    """
    old_size, new_size, body = _open(delta)
    if new.seek(0, os.SEEK_END) != new_size:
        raise DeltaError("delta belongs to a file of another size")
    operations, at = _operations(body)
    position = written = 0
    for n_literal, n_copy, move in operations:
        out.write(body[at : at + n_literal])
        at += n_literal
        position += n_literal + _unzigzag(move)
        written += n_literal + n_copy
        if at > len(body) or not 0 <= position <= new_size - n_copy or written > old_size:
            raise DeltaError("delta is damaged")
        new.seek(position)
        position += n_copy
        while n_copy:
            chunk = new.read(min(n_copy, _BLOCK))
            if not chunk:
                raise DeltaError("the file was cut off meanwhile")
            out.write(chunk)
            n_copy -= len(chunk)
    if written != old_size:
        raise DeltaError("delta is damaged")


def _make(x: Bytes, y: Bytes, new: mmap.mmap | bytes, limit: int) -> bytes | None:
    recipe = _Recipe(x)
    prefix = _n_equal(x, y)
    suffix = _n_equal(x[prefix:][::-1], y[prefix:][::-1])
    if prefix:
        recipe.copy(0, prefix, 0)
    if not _follow_middle(recipe, x, y, new, len(x) - suffix, 8 * limit):
        return None
    # An empty copy takes up the literals before it.
    recipe.copy(len(x) - suffix, len(x), len(y) - len(x))
    packed = _pack(recipe, len(y))
    return packed if len(packed) <= limit else None


def _follow_middle(
    recipe: _Recipe, x: Bytes, y: Bytes, new: mmap.mmap | bytes, end: int, max_literal: int
) -> bool:
    """Cover the old file up to `end`, but for a last literal; False if there are too many."""
    shifts = [0, len(y) - len(x)]
    searches = _MAX_SEARCHES
    while recipe.done < end:
        start = recipe.done
        found = None
        at = start
        while found is None and at + _PROBE <= end:
            found = _at_known_shift(x, y, at, shifts)
            probe = x[at : at + _PROBE].tobytes()
            if found is None and searches and len(set(probe)) > 2:
                searches -= 1
                position = new.find(probe)
                found = position - at if position >= 0 else None
            if found is None:
                # Steps grow, so that a long literal costs few searches; going back afterwards
                # recovers what was stepped over.
                at += max(_PROBE // 2, (at - start) // 8)
        if found is None or recipe.n_literal + at - start > max_literal:
            return recipe.n_literal + end - recipe.done <= max_literal
        back = min(at - start, at + found)
        at -= _n_equal(x[at - back : at][::-1], y[at + found - back : at + found][::-1])
        _follow(recipe, x, y, at, end, found)
        shifts = [found, *(s for s in shifts if s != found)][:4]
    return True


def _at_known_shift(x: Bytes, y: Bytes, at: int, shifts: list[int]) -> int | None:
    for shift in shifts:
        if 0 <= at + shift <= len(y) - _PROBE and np.array_equal(
            x[at : at + _PROBE], y[at + shift : at + shift + _PROBE]
        ):
            return shift
    return None


def _follow(recipe: _Recipe, x: Bytes, y: Bytes, at: int, end: int, shift: int) -> None:
    """Copy equal runs from `at` on, at one shift, until there are none for a while."""
    end = min(end, len(y) - shift)
    while at < end:
        stop = min(at + _BLOCK, end)
        differing = np.flatnonzero(x[at:stop] != y[at + shift : stop + shift])
        starts = np.concatenate(([0], differing + 1))
        ends = np.concatenate((differing, [stop - at]))
        long = ends - starts >= _MIN_RUN
        starts, ends = starts[long], ends[long]
        gaps = starts - np.concatenate(([0], ends[:-1]))[: starts.size]
        lost = np.flatnonzero(gaps > _MAX_GAP)
        n_runs = int(lost[0]) if lost.size else starts.size
        for i in range(n_runs):
            recipe.copy(at + int(starts[i]), at + int(ends[i]), shift)
        if lost.size or not n_runs or stop == end or stop - recipe.done > _MAX_GAP:
            return
        at = recipe.done


def _n_equal(x: Bytes, y: Bytes) -> int:
    """Length of the common prefix."""
    n = min(len(x), len(y))
    for start in range(0, n, _BLOCK):
        stop = min(start + _BLOCK, n)
        differing = x[start:stop] != y[start:stop]
        first = int(differing.argmax())
        if differing[first]:
            return start + first
    return n


def _pack(recipe: _Recipe, new_size: int) -> bytes:
    numbers = [len(recipe.operations)]
    expected = 0
    for n_literal, n_copy, position in recipe.operations:
        numbers += [n_literal, n_copy, _zigzag(position - expected - n_literal)]
        expected = position + n_copy
    head = b"".join(map(_varint, numbers))
    body = b"".join([head, *recipe.literals])
    return _HEADER.pack(_MAGIC, _VERSION, len(recipe.old), new_size) + zlib.compress(body)


def _open(delta: bytes) -> tuple[int, int, bytes]:
    """Sizes of the old and the new file, and the unpacked body."""
    try:
        magic, version, old_size, new_size = _HEADER.unpack_from(delta)
        if magic != _MAGIC or version != _VERSION:
            raise DeltaError("delta is of an unknown kind")
        return old_size, new_size, zlib.decompress(delta[_HEADER.size :])
    except (struct.error, zlib.error) as e:
        raise DeltaError("delta is damaged") from e


def _varint(value: int) -> bytes:
    """Little-endian groups of seven bits; the high bit says that more follow."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _operations(body: bytes) -> tuple[list[tuple[int, int, int]], int]:
    """The operations, and where the literals start."""
    numbers: list[int] = []
    value = shift = 0
    for at, byte in enumerate(body, 1):
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            numbers.append(value)
            value = shift = 0
        if numbers and len(numbers) == 1 + 3 * numbers[0]:
            return list(zip(*[iter(numbers[1:])] * 3, strict=True)), at
    raise DeltaError("delta is damaged")


def _zigzag(value: int) -> int:
    return value << 1 if value >= 0 else (-value << 1) - 1


def _unzigzag(value: int) -> int:
    return value >> 1 if not value & 1 else -((value + 1) >> 1)


def _mapped(path: str | Path) -> mmap.mmap | bytes:
    """The file's content, mapped where it is large and the file system can.

    A map goes with the last that looks at it. To close it before would be refused while an
    interrupt, whose traceback holds the arrays, is on its way.
    """
    with Path(path).open("rb") as f:
        # Another program that shortens a mapped file kills this one.
        if os.fstat(f.fileno()).st_size > _MAP_FROM:
            with contextlib.suppress(OSError):
                return mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)
        return f.read()

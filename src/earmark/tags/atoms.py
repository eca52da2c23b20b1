"""Atoms of MP4 and QuickTime files: where they are, and how to replace some of them.

Where an atom grows, those that hold it do, and what follows moves: all offsets from the start of
the file are adjusted. Every count is bounded by the atom that it stands in.

References: ISO/IEC 14496-12 (atoms there are called boxes); Apple, QuickTime File Format.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from earmark.tags.edits import Edit, read_at
from earmark.tags.fields import DamagedTagError

_CONTAINERS = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf", b"mfra")
_MAX_ATOMS = 200_000


@dataclass(frozen=True, slots=True)
class Atom:
    """An atom in bytes [start, end) of the file, whose content starts at `content`."""

    name: bytes
    start: int
    content: int
    end: int
    open_ended: bool = False  # reaches to the end of the file, whatever that is


@dataclass(frozen=True, slots=True)
class Change:
    """Bytes [start, end) inside the atoms `parents` become `data`."""

    parents: tuple[Atom, ...]
    start: int
    end: int
    data: bytes

    @property
    def shift(self) -> int:
        return len(self.data) - (self.end - self.start)


def atoms(f: BinaryIO, start: int, end: int) -> Iterator[Atom]:
    """The atoms that follow each other in [start, end).

    Raises
    ------
    DamagedTagError
    """
    at = start
    n = 0
    while at + 8 <= end:
        head = read_at(f, at, 16)
        size, name, content = int.from_bytes(head[:4], "big"), head[4:8], at + 8
        open_ended = size == 0
        if size == 1:
            size, content = int.from_bytes(head[8:], "big"), at + 16
        elif size == 0:
            size = end - at
        if name == b"mdat" and at + size > end:
            size = end - at  # a download that broke off
        if size < content - at or at + size > end:
            raise DamagedTagError(f"MP4 atom {name!r} has an impossible size")
        n += 1
        if n > _MAX_ATOMS:
            raise DamagedTagError(f"it has more than {_MAX_ATOMS} atoms in a row")
        yield Atom(name, at, content, at + size, open_ended)
        at += size


def children(f: BinaryIO, atom: Atom, skip: int = 0) -> list[Atom]:
    """Atoms inside `atom`, from `skip` bytes on."""
    return list(atoms(f, atom.content + skip, atom.end))


def content(f: BinaryIO, atom: Atom) -> bytes:
    return read_at(f, atom.content, atom.end - atom.content)


def whole(f: BinaryIO, atom: Atom) -> bytes:
    return read_at(f, atom.start, atom.end - atom.start)


def render(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), name) + content


def edits(f: BinaryIO, top: list[Atom], changes: list[Change]) -> list[Edit]:
    """What makes these changes, with all sizes and offsets that depend on them.

    Parameters
    ----------
    top : list of Atom
        The file's own.
    changes : list of Change
        None within a table of offsets.

    Raises
    ------
    DamagedTagError
        A table is damaged, or too narrow for the larger file.
    """
    found = [Edit(change.start, change.end, change.data) for change in changes]
    grown: dict[Atom, int] = {}
    for change in changes:
        for parent in change.parents:
            grown[parent] = grown.get(parent, 0) + change.shift
    found += [_resized(atom, by) for atom, by in grown.items() if by and not atom.open_ended]
    moves = _Moves(changes)
    if moves.any:
        for atom in _with_descendants(f, top):
            found += _adjusted(f, atom, moves)
    return found


class _Moves:
    """Where changes move the bytes of the file."""

    def __init__(self, changes: list[Change]) -> None:
        self._changes = sorted((c.end, c.shift) for c in changes if c.shift)
        # Where all before is balanced by what comes later, as by padding, nothing moves behind.
        self.any = bool(self._changes)

    def __call__(self, offset: int) -> int:
        return offset + sum(shift for end, shift in self._changes if end <= offset)


def _resized(atom: Atom, by: int) -> Edit:
    wide = atom.content - atom.start == 16
    size = atom.end - atom.start + by
    if not wide and size >= 1 << 32:
        raise DamagedTagError("MP4 atom would exceed 4 GiB")
    at, width = (atom.start + 8, 8) if wide else (atom.start, 4)
    return Edit(at, at + width, size.to_bytes(width, "big"))


def _adjusted(f: BinaryIO, atom: Atom, moves: _Moves) -> list[Edit]:
    """The offsets in `atom`, if it is a table of such, after `moves`."""
    if atom.name in (b"stco", b"co64"):
        width = 4 if atom.name == b"stco" else 8
        return _table(f, atom, moves, at=8, count_at=4, step=width, width=width, first=0)
    if atom.name == b"saio":
        head = read_at(f, atom.content, 4)
        named = 8 if head[3:] and head[3] & 1 else 0
        width = 8 if head[:1] == b"\1" else 4
        return _table(
            f, atom, moves, at=8 + named, count_at=4 + named, step=width, width=width, first=0
        )
    if atom.name == b"tfra":
        head = read_at(f, atom.content, 12)
        if len(head) < 12 or atom.content + 12 > atom.end:
            raise DamagedTagError("MP4 index of fragments is cut off")
        width = 8 if head[0] == 1 else 4  # of a time and of an offset
        step = 2 * width + sum((head[11] >> bits & 3) + 1 for bits in (4, 2, 0))
        return _table(f, atom, moves, at=16, count_at=12, step=step, width=width, first=width)
    if atom.name == b"tfhd":
        head = read_at(f, atom.content, 16)
        if atom.content + 16 <= atom.end and head[3] & 1:
            # Offsets count from the start of the file, not of the fragment.
            return _number(atom.content + 8, head[8:16], moves)
    return []


def _table(
    f: BinaryIO,
    atom: Atom,
    moves: _Moves,
    *,
    at: int,
    count_at: int,
    step: int,
    width: int,
    first: int,
) -> list[Edit]:
    """A table in `atom`: entries of `step` bytes, with an offset of `width` bytes at `first`."""
    count = int.from_bytes(read_at(f, atom.content + count_at, 4), "big")
    start = atom.content + at
    if start + count * step > atom.end:
        raise DamagedTagError(f"MP4 table {atom.name.decode()} claims more than it holds")
    data = bytearray(read_at(f, start, count * step))
    for entry in range(first, len(data), step):
        offset = int.from_bytes(data[entry : entry + width], "big")
        data[entry : entry + width] = _moved(offset, width, moves)
    new = bytes(data)
    return [Edit(start, start + len(new), new)] if new != read_at(f, start, len(new)) else []


def _number(at: int, data: bytes, moves: _Moves) -> list[Edit]:
    new = _moved(int.from_bytes(data, "big"), len(data), moves)
    return [Edit(at, at + len(data), new)] if new != data else []


def _moved(offset: int, width: int, moves: _Moves) -> bytes:
    try:
        return moves(offset).to_bytes(width, "big")
    except OverflowError as e:
        raise DamagedTagError("MP4 file is too large for its table of chunk offsets") from e


def _with_descendants(f: BinaryIO, top: list[Atom]) -> Iterator[Atom]:
    for atom in top:
        yield atom
        if atom.name in _CONTAINERS:
            yield from _with_descendants(f, children(f, atom))

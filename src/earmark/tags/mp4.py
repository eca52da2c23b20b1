"""MP4 (M4A): the item list ``moov.udta.meta.ilst`` that iTunes introduced.

Several genres are several ``data`` atoms within one ``©gen``. The older ``gnre`` (a number) is
read, and goes when ``©gen`` is written: players would show both, or the wrong one.

The list is edited item by item; the others stay as they are, to the byte. Where it grows, a
``free`` atom behind it gives way; where that is not enough, what follows moves, and the tables of
chunk offsets are adjusted.

References: ISO/IEC 14496-12 (atoms there are called boxes); Apple, QuickTime File Format.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from mutagen.mp4 import MP4

from earmark.tags.fields import DamagedTagError, Family, Keys, Native, Reading, pick, rewound
from earmark.tags.files import splice

KEYS: Keys = {
    "genres": ("\xa9gen",),  # mutagen lists gnre there too, by name
    "artist": ("\xa9ART",),
    "album_artist": ("aART",),
    "album": ("\xa9alb",),
    "title": ("\xa9nam",),
    "moods": ("----:com.apple.iTunes:MOOD",),
    "groupings": ("\xa9grp",),
}
_GENRE_ATOMS = (b"\xa9gen", b"gnre")
_UTF8 = 1  # type of a data atom
_PADDING = 1024
_HANDLER = b"\0" * 8 + b"mdirappl" + b"\0" * 9


@dataclass(frozen=True, slots=True)
class Atom:
    """An atom in bytes [start, end) of the file, whose content starts at `content`."""

    name: bytes
    start: int
    content: int
    end: int


class Mp4Family(Family):
    """MP4, M4A and their like."""

    def read(self, f: BinaryIO) -> Reading:
        audio: Any = MP4(rewound(f))
        tags = audio.tags or {}

        def lookup(key: str) -> list[str]:
            # Free-form values are bytes. A file with gnre and ©gen may say the same twice.
            found = [
                v.decode("utf-8", "replace") if isinstance(v, bytes) else v
                for v in tags.get(key, ())
            ]
            return list(dict.fromkeys(found))

        return Reading(
            pick(KEYS, lookup), "" if audio.tags is None else "MP4 ilst", audio.info.length
        )

    def get(self, f: BinaryIO) -> Native:
        items = _items(f)
        return (
            {} if items is None else {"ilst": [raw for name, raw in items if name in _GENRE_ATOMS]}
        )

    def put(self, f: BinaryIO, native: Native) -> None:
        genre = native.get("ilst", [])
        items = _items(f)
        if items is None:
            if genre:
                _put_new(f, _render(b"ilst", b"".join(genre)))
            return
        at = next((i for i, (name, _) in enumerate(items) if name in _GENRE_ATOMS), len(items))
        kept = [raw for name, raw in items if name not in _GENRE_ATOMS]
        _put_existing(f, _render(b"ilst", b"".join([*kept[:at], *genre, *kept[at:]])))

    def write(self, f: BinaryIO, values: tuple[str, ...]) -> None:
        data = [_render(b"data", struct.pack(">II", _UTF8, 0) + v.encode()) for v in values]
        self.put(f, {"ilst": [_render(b"\xa9gen", b"".join(data))] if values else []})

    def others(self, f: BinaryIO) -> Any:
        return [raw for name, raw in _items(f) or [] if name not in _GENRE_ATOMS]


def _atoms(f: BinaryIO, start: int, end: int) -> Iterator[Atom]:
    """The atoms that follow each other in [start, end)."""
    at = start
    while at + 8 <= end:
        f.seek(at)
        head = f.read(16)
        size, name, content = int.from_bytes(head[:4], "big"), head[4:8], at + 8
        if size == 1:
            size, content = int.from_bytes(head[8:], "big"), at + 16
        elif size == 0:
            size = end - at
        if size < content - at or at + size > end:
            raise DamagedTagError(f"MP4 atom {name!r} has an impossible size")
        yield Atom(name, at, content, at + size)
        at += size


def _children(f: BinaryIO, atom: Atom | None, skip: int = 0) -> list[Atom]:
    """Atoms inside `atom`, or the file's own where it is None."""
    if atom is None:
        return list(_atoms(f, 0, f.seek(0, os.SEEK_END)))
    return list(_atoms(f, atom.content + skip, atom.end))


def _path(f: BinaryIO) -> list[Atom]:
    """As much of moov, udta, meta, ilst as there is."""
    path: list[Atom] = []
    for name in (b"moov", b"udta", b"meta", b"ilst"):
        parent = path[-1] if path else None
        skip = _meta_skip(f, parent) if parent and parent.name == b"meta" else 0
        child = next((a for a in _children(f, parent, skip) if a.name == name), None)
        if child is None:
            break
        path.append(child)
    if not path:
        raise DamagedTagError("MP4 file has no moov atom")
    return path


def _meta_skip(f: BinaryIO, meta: Atom) -> int:
    """4 bytes of version and flags precede the content of `meta`, save in QuickTime files."""
    f.seek(meta.content + 4)
    return 0 if f.read(4) == b"hdlr" else 4


def _items(f: BinaryIO) -> list[tuple[bytes, bytes]] | None:
    """Names and bytes of the item list's atoms; None where there is no such list."""
    path = _path(f)
    if path[-1].name != b"ilst":
        return None
    items = []
    for atom in _children(f, path[-1]):
        f.seek(atom.start)
        items.append((atom.name, f.read(atom.end - atom.start)))
    return items


def _put_existing(f: BinaryIO, ilst: bytes) -> None:
    path = _path(f)
    start, end = path[-1].start, path[-1].end
    siblings = _children(f, path[-2], _meta_skip(f, path[-2]))
    free = next((a for a in siblings if a.start == end and a.name == b"free"), None)
    room = (free.end if free else end) - start
    left = room - len(ilst)
    if left == 0 or left >= 8:
        padding = _render(b"free", b"\0" * (left - 8)) if left else b""
    else:
        padding = _render(b"free", b"\0" * _PADDING)
    _resize(f, path[:-1], start, start + room, ilst + padding)


def _put_new(f: BinaryIO, ilst: bytes) -> None:
    path = _path(f)
    data = ilst + _render(b"free", b"\0" * _PADDING)
    if path[-1].name == b"moov":
        meta = _render(b"meta", b"\0" * 4 + _render(b"hdlr", _HANDLER) + data)
        data = _render(b"udta", meta)
    elif path[-1].name == b"udta":
        data = _render(b"meta", b"\0" * 4 + _render(b"hdlr", _HANDLER) + data)
    end = path[-1].end
    if path[-1].name == b"udta":
        # QuickTime ends udta with four zero bytes that are no atom.
        f.seek(max(path[-1].content, end - 4))
        end -= 4 if f.read(4) == b"\0" * 4 and end - 4 >= path[-1].content else 0
    _resize(f, path, end, end, data)


def _resize(f: BinaryIO, parents: list[Atom], start: int, end: int, data: bytes) -> None:
    """Replace [start, end) by `data`; adjust sizes of `parents` and all offsets into the file."""
    shift = len(data) - (end - start)
    if shift:
        _shift_offsets(f, end, shift)
        for atom in parents:
            _write_size(f, atom, atom.end - atom.start + shift)
    splice(f, start, end, data)


def _write_size(f: BinaryIO, atom: Atom, size: int) -> None:
    f.seek(atom.start)
    wide = atom.content - atom.start == 16
    if not wide and f.read(4) == b"\0" * 4:  # reaches to the end of the file
        return
    if not wide and size >= 1 << 32:
        raise DamagedTagError("MP4 atom would exceed 4 GiB")
    f.seek(atom.start + 8 * wide)
    f.write(size.to_bytes(8 if wide else 4, "big"))


def _shift_offsets(f: BinaryIO, start: int, shift: int) -> None:
    """Add `shift` to every absolute offset of `start` or more."""
    for atom in _descendants(f, None):
        if atom.name in (b"stco", b"co64"):
            _shift_table(f, atom, ">I" if atom.name == b"stco" else ">Q", start, shift)
        elif atom.name == b"tfhd":
            f.seek(atom.content)
            if f.read(4)[3] & 1:  # offsets count from the start of the file, not of the fragment
                _shift_number(f, atom.content + 8, 8, start, shift)
        elif atom.name == b"tfra":
            f.seek(atom.content)
            head = f.read(16)
            width = 8 if head[0] == 1 else 4  # of a time and of an offset
            step = 2 * width + sum((head[11] >> bits & 3) + 1 for bits in (4, 2, 0))
            for i in range(int.from_bytes(head[12:], "big")):
                _shift_number(f, atom.content + 16 + i * step + width, width, start, shift)


def _shift_number(f: BinaryIO, at: int, width: int, start: int, shift: int) -> None:
    f.seek(at)
    offset = int.from_bytes(f.read(width), "big")
    if offset >= start:
        f.seek(at)
        f.write((offset + shift).to_bytes(width, "big"))


def _shift_table(f: BinaryIO, atom: Atom, number: str, start: int, shift: int) -> None:
    f.seek(atom.content + 4)
    (count,) = struct.unpack(">I", f.read(4))
    table = struct.Struct(f">{count}{number[1]}")
    if atom.content + 8 + table.size > atom.end:
        raise DamagedTagError("MP4 table of chunk offsets is damaged")
    offsets = table.unpack(f.read(table.size))
    try:
        data = table.pack(*(o + shift if o >= start else o for o in offsets))
    except struct.error as e:
        raise DamagedTagError("MP4 file is too large for its table of chunk offsets") from e
    f.seek(atom.content + 8)
    f.write(data)


_CONTAINERS = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf", b"mfra")


def _descendants(f: BinaryIO, atom: Atom | None) -> Iterator[Atom]:
    for child in _children(f, atom):
        yield child
        if child.name in _CONTAINERS:
            yield from _descendants(f, child)


def _render(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), name) + content

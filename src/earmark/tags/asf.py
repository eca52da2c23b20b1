"""ASF attributes: WMA. Several genres are several ``WM/Genre`` attributes, as the format says.

An attribute stands in the Extended Content Description object of the header; those of a name that
is taken there go to the Metadata Library object. Some programs use the Metadata object, or call
the attribute just ``Genre``: read, and gone when the genre is written. The header is edited
attribute by attribute: all others stay as they are, to the byte (mutagen would merge those whose
names FFmpeg writes twice), and so does what stands behind them.

Reference: Advanced Systems Format (ASF) Specification, revision 01.20.03, sections 3 and 7.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, BinaryIO
from uuid import UUID

from mutagen.asf import ASF

from earmark.tags import outer
from earmark.tags.edits import Edit, read_at
from earmark.tags.fields import (
    DamagedTagError,
    Family,
    Keys,
    Native,
    Reading,
    combine,
    numbered,
    pick,
)

KEYS: Keys = {
    "genres": ("WM/Genre", "Genre"),
    "artist": ("Author", "WM/AlbumArtist"),
    "album_artist": ("WM/AlbumArtist",),
    "album": ("WM/AlbumTitle",),
    "title": ("Title",),
    "moods": ("WM/Mood",),
    "groupings": ("WM/ContentGroupDescription",),
}
_NAME = "WM/Genre\0".encode("utf-16-le")

_EXTENDED = UUID("D2D0A440-E307-11D2-97F0-00A0C95EA850").bytes_le
_LIBRARY = UUID("44231C94-9498-49D1-A141-1D134E457054").bytes_le
_EXTENSION = UUID("5FBF03B5-A92E-11CF-8EE3-00C00C205365").bytes_le
_METADATA = UUID("C5F8CBEA-5BAF-4877-8467-AA8C44FA4CCA").bytes_le
_FILE_PROPERTIES = UUID("8CABDCA1-A947-11CF-8EE4-00C00C205365").bytes_le
# What precedes the objects inside a header extension, but for their size.
_EXTENSION_HEAD = UUID("ABD3D211-A9BA-11CF-8EE6-00C00C205365").bytes_le + b"\x06\0"

_HEADER = struct.Struct("<16sQI2s")  # GUID, size, number of objects, reserved
_OBJECT = struct.Struct("<16sQ")  # GUID, size
_RECORD = struct.Struct("<HHHHI")  # language, stream, name length, type, value length

Objects = list[tuple[bytes, bytes]]  # GUID, content

_KINDS = {_EXTENDED: "extended", _LIBRARY: "library", _METADATA: "metadata"}
_NAMES = ("wm/genre", "genre")
_MAX_SIZE = 1 << 28
_MAX_OBJECTS = 10_000


class AsfFamily(Family):
    """ASF, the container of WMA."""

    def read(self, f: BinaryIO) -> Reading:
        around = outer.find(f)
        audio: Any = ASF(around.inside(f))
        values = pick(KEYS, lambda key: map(str, audio.tags.get(key, ())))
        own = [("ASF", values)] if audio.tags else []
        return combine([*own, *outer.sources(around)], audio.info.length)

    def get(self, f: BinaryIO) -> Native:
        around = outer.find(f)
        native: Native = {}
        for lists in _read_header(f, around).lists.values():
            for found in lists:
                native[found.name] = [raw for raw in found.records if _is_genre(raw, found.kind)]
        return native | outer.get(around)

    def encode(self, f: BinaryIO, values: tuple[str, ...]) -> Native:
        texts = [(value + "\0").encode("utf-16-le") for value in values]
        return outer.in_step(outer.find(f), values) | {
            "extended": [
                struct.pack("<H", len(_NAME)) + _NAME + struct.pack("<HH", 0, len(text)) + text
                for text in texts[:1]
            ],
            "library": [
                _RECORD.pack(0, 0, len(_NAME), 0, len(text)) + _NAME + text for text in texts[1:]
            ],
        }

    def edits(self, f: BinaryIO, native: Native) -> list[Edit]:
        around = outer.find(f)
        outer.refuse_in_front(around, "WMA")
        header = _read_header(f, around)
        new = _render_header(header, native, _file_size(header, around))
        edit = Edit(around.start, around.start + header.size, new)
        changed = new != read_at(f, around.start, header.size)
        return ([edit] if changed else []) + outer.edits(around, native)

    def others(self, f: BinaryIO) -> Any:
        around = outer.find(f)
        header = _read_header(f, around)
        known = (*_KINDS, _EXTENSION, _FILE_PROPERTIES)
        kept = [
            (found.kind, other, found.rest)
            for lists in header.lists.values()
            for found in lists
            if (other := [raw for raw in found.records if not _is_genre(raw, found.kind)])
            or found.rest
        ]
        return (
            [o for o in header.objects if o[0] not in known],
            [o for o in header.extension if o[0] not in known],
            header.extension_head,
            header.extension_rest,
            kept,
            outer.others(around),
        )


@dataclass(frozen=True, slots=True)
class _List:
    """Attributes of one object, each as its raw bytes, and what is behind them."""

    kind: str
    name: str
    records: list[bytes]
    rest: bytes = b""


@dataclass(frozen=True, slots=True)
class _Header:
    """The header object of `size` bytes: its objects, those of its extension, and their lists.

    `lists` are by GUID, in the order in which they stand.
    """

    size: int
    guid: bytes
    reserved: bytes
    objects: Objects
    extension: Objects
    extension_head: bytes
    extension_rest: bytes
    lists: dict[bytes, list[_List]]


def _read_header(f: BinaryIO, around: outer.Outer) -> _Header:
    head = read_at(f, around.start, _HEADER.size)
    if len(head) < _HEADER.size:
        raise DamagedTagError("ASF header is cut off")
    guid, size, _, reserved = _HEADER.unpack(head)
    if not _HEADER.size <= size <= min(around.end - around.start, _MAX_SIZE):
        raise DamagedTagError("ASF header has an impossible size")
    data = read_at(f, around.start + _HEADER.size, size - _HEADER.size)
    objects = _objects(data)
    content = dict(reversed(objects)).get(_EXTENSION, b"")
    start = len(_EXTENSION_HEAD) + 4
    end = start + int.from_bytes(content[start - 4 : start], "little")
    extension = _objects(content[start:end])
    lists: dict[bytes, list[_List]] = {}
    for guid_, data in [*objects, *extension]:
        if kind := _KINDS.get(guid_):
            same = lists.setdefault(guid_, [])
            same.append(_List(kind, numbered(kind, len(same)), *_split(data, kind)))
    extension_head = content[: len(_EXTENSION_HEAD)] or _EXTENSION_HEAD
    return _Header(size, guid, reserved, objects, extension, extension_head, content[end:], lists)


def _file_size(header: _Header, around: outer.Outer) -> int:
    """The file's size where its header says so rightly, else 0."""
    properties = dict(header.objects).get(_FILE_PROPERTIES, b"")
    claimed = int.from_bytes(properties[16:24], "little")
    return claimed if claimed == around.end - around.start else 0


def _render_header(header: _Header, native: Native, file_size: int) -> bytes:
    """The header with the genre of `native`; as it was where that is what it has."""
    objects = _with_lists(header.objects, header, native, _EXTENDED)
    extension = _with_lists(header.extension, header, native, _LIBRARY)
    if extension != header.extension:
        data = _render(extension)
        content = header.extension_head + struct.pack("<I", len(data)) + data
        objects = _replaced(objects, _EXTENSION, content + header.extension_rest)
    body = _render(objects)
    size = _HEADER.size + len(body)
    if file_size and size != header.size:
        properties = dict(objects)[_FILE_PROPERTIES]
        new_size = struct.pack("<Q", file_size + size - header.size)
        properties = properties[:16] + new_size + properties[24:]
        body = _render(_replaced(objects, _FILE_PROPERTIES, properties))
    return _HEADER.pack(header.guid, size, len(objects), header.reserved) + body


def _with_lists(objects: Objects, header: _Header, native: Native, addable: bytes) -> Objects:
    """`objects`, their lists with the genre of `native`; one of `addable` where it is missing."""
    new: Objects = []
    seen: dict[bytes, int] = {}
    for guid, content in objects:
        if guid in _KINDS:
            found = header.lists[guid][seen.get(guid, 0)]
            seen[guid] = seen.get(guid, 0) + 1
            content = _merged(found, native.get(found.name, []), content)
        new.append((guid, content))
    kind = _KINDS[addable]
    if addable not in seen and native.get(kind):
        new.append((addable, _merged(_List(kind, kind, []), native[kind], b"")))
    return new


def _objects(data: bytes) -> Objects:
    found, at = [], 0
    while at < len(data):
        guid, size = _OBJECT.unpack_from(data, at)  # struct.error where it is cut off
        if size < _OBJECT.size or at + size > len(data):
            raise DamagedTagError("ASF header holds an object of an impossible size")
        found.append((guid, data[at + _OBJECT.size : at + size]))
        if len(found) > _MAX_OBJECTS:
            raise DamagedTagError(f"ASF header holds more than {_MAX_OBJECTS} objects")
        at += size
    return found


def _render(objects: Objects) -> bytes:
    return b"".join(
        _OBJECT.pack(guid, _OBJECT.size + len(content)) + content for guid, content in objects
    )


def _replaced(objects: Objects, guid: bytes, content: bytes) -> Objects:
    """`objects` with other content for the first one named `guid`, or with one more."""
    at = next((i for i, (found, _) in enumerate(objects) if found == guid), len(objects))
    return [*objects[:at], (guid, content), *objects[at + 1 :]]


def _split(content: bytes, kind: str) -> tuple[list[bytes], bytes]:
    """The attributes of an object that lists some, and what stands behind them."""
    records, at = [], 2
    for _ in range(int.from_bytes(content[:2], "little")):
        if kind == "extended":
            (name_length,) = struct.unpack_from("<H", content, at)
            (length,) = struct.unpack_from("<H", content, at + 4 + name_length)
            end = at + 6 + name_length + length
        else:
            _, _, name_length, _, length = _RECORD.unpack_from(content, at)
            end = at + _RECORD.size + name_length + length
        if end > len(content):
            raise DamagedTagError("ASF header holds a damaged attribute")
        records.append(content[at:end])
        at = end
    return records, content[at:]


def _is_genre(raw: bytes, kind: str) -> bool:
    if kind == "extended":
        length, start = struct.unpack_from("<H", raw)[0], 2
    else:
        length, start = struct.unpack_from("<H", raw, 4)[0], _RECORD.size
    name = raw[start : start + length].decode("utf-16-le", "replace")
    return name.strip("\0").lower() in _NAMES


def _merged(found: _List, genre: list[bytes], content: bytes) -> bytes:
    """The content of an object with this genre where the old one was, or else at the end."""
    flags = [_is_genre(raw, found.kind) for raw in found.records]
    if [raw for raw, flag in zip(found.records, flags, strict=True) if flag] == genre:
        return content
    at = flags.index(True) if True in flags else len(flags)
    kept = [raw for raw, flag in zip(found.records, flags, strict=True) if not flag]
    before = flags[:at].count(False)
    records = [*kept[:before], *genre, *kept[before:]]
    if len(records) > 0xFFFF:
        raise DamagedTagError("ASF header cannot hold that many attributes")
    return struct.pack("<H", len(records)) + b"".join(records) + found.rest

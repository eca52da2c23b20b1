"""ASF attributes: WMA. Several genres are several ``WM/Genre`` attributes, as the format says.

An attribute stands in the Extended Content Description object of the header; those of a name that
is taken there go to the Metadata Library object. The header is edited attribute by attribute: all
others stay as they are, to the byte (mutagen would merge those whose names FFmpeg writes twice).

Reference: Advanced Systems Format (ASF) Specification, revision 01.20.03, sections 3 and 7.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass, replace
from typing import Any, BinaryIO
from uuid import UUID

from mutagen.asf import ASF

from earmark.tags.fields import DamagedTagError, Family, Keys, Native, Reading, pick, rewound
from earmark.tags.files import splice

KEYS: Keys = {
    "genres": ("WM/Genre",),
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
_FILE_PROPERTIES = UUID("8CABDCA1-A947-11CF-8EE4-00C00C205365").bytes_le
# What precedes the objects inside a header extension, but for their size.
_EXTENSION_HEAD = UUID("ABD3D211-A9BA-11CF-8EE6-00C00C205365").bytes_le + b"\x06\0"

_HEADER = struct.Struct("<16sQI2s")  # GUID, size, number of objects, reserved
_OBJECT = struct.Struct("<16sQ")  # GUID, size
_RECORD = struct.Struct("<HHHHI")  # language, stream, name length, type, value length

Objects = list[tuple[bytes, bytes]]  # GUID, content


class AsfFamily(Family):
    """ASF, the container of WMA."""

    def read(self, f: BinaryIO) -> Reading:
        audio: Any = ASF(rewound(f))
        values = pick(KEYS, lambda key: map(str, audio.tags.get(key, ())))
        return Reading(values, "ASF" if audio.tags else "", audio.info.length)

    def get(self, f: BinaryIO) -> Native:
        header = _read_header(f)
        places = {"extended": header.extended, "library": header.library}
        return {
            place: [raw for raw in records if _is_genre(raw, place)]
            for place, records in places.items()
            if records is not None
        }

    def put(self, f: BinaryIO, native: Native) -> None:
        header = _read_header(f)
        new = replace(
            header,
            extended=_merged(header.extended, native.get("extended", []), "extended"),
            library=_merged(header.library, native.get("library", []), "library"),
        )
        _write_header(f, new)

    def write(self, f: BinaryIO, values: tuple[str, ...]) -> None:
        texts = [(value + "\0").encode("utf-16-le") for value in values]
        self.put(
            f,
            {
                "extended": [
                    struct.pack("<H", len(_NAME)) + _NAME + struct.pack("<HH", 0, len(text)) + text
                    for text in texts[:1]
                ],
                "library": [
                    _RECORD.pack(0, 0, len(_NAME), 0, len(text)) + _NAME + text
                    for text in texts[1:]
                ],
            },
        )

    def others(self, f: BinaryIO) -> Any:
        header = _read_header(f)
        return (
            [o for o in header.objects if o[0] not in (_EXTENDED, _EXTENSION, _FILE_PROPERTIES)],
            [o for o in header.extension if o[0] != _LIBRARY],
            [raw for raw in header.extended or () if not _is_genre(raw, "extended")],
            [raw for raw in header.library or () if not _is_genre(raw, "library")],
        )


@dataclass(frozen=True, slots=True)
class _Header:
    """The header object of `size` bytes, and the attributes in it, each as its raw bytes.

    `extended` and `library` are None where the file lacks the object.
    """

    size: int
    reserved: bytes
    objects: Objects
    extension: Objects
    extended: list[bytes] | None
    library: list[bytes] | None


def _read_header(f: BinaryIO) -> _Header:
    f.seek(0)
    head = f.read(_HEADER.size)
    if len(head) < _HEADER.size:
        raise DamagedTagError("ASF header is cut off")
    _, size, _, reserved = _HEADER.unpack(head)
    objects = _objects(f.read(size - _HEADER.size))
    content = dict(reversed(objects))
    extension = _objects(content.get(_EXTENSION, b"")[len(_EXTENSION_HEAD) + 4 :])
    library = dict(extension).get(_LIBRARY)
    extended = content.get(_EXTENDED)
    return _Header(
        size,
        reserved,
        objects,
        extension,
        None if extended is None else _split(extended, "extended"),
        None if library is None else _split(library, "library"),
    )


def _write_header(f: BinaryIO, header: _Header) -> None:
    objects = _with(header.objects, _EXTENDED, header.extended)
    extension = _render(_with(header.extension, _LIBRARY, header.library))
    if extension or _EXTENSION in dict(objects):
        content = _EXTENSION_HEAD + struct.pack("<I", len(extension)) + extension
        objects = _replaced(objects, _EXTENSION, content)
    body = _render(objects)
    size = _HEADER.size + len(body)
    file_size = f.seek(0, os.SEEK_END)
    properties = dict(objects).get(_FILE_PROPERTIES, b"")
    if properties[16:24] == struct.pack("<Q", file_size):
        new_size = struct.pack("<Q", file_size + size - header.size)
        properties = properties[:16] + new_size + properties[24:]
        body = _render(_replaced(objects, _FILE_PROPERTIES, properties))
    f.seek(0)
    guid = f.read(16)
    head = _HEADER.pack(guid, size, len(objects), header.reserved)
    splice(f, 0, header.size, head + body)


def _objects(data: bytes) -> Objects:
    found, at = [], 0
    while at < len(data):
        guid, size = _OBJECT.unpack_from(data, at)  # struct.error where it is cut off
        if size < _OBJECT.size or at + size > len(data):
            raise DamagedTagError("ASF header holds an object of an impossible size")
        found.append((guid, data[at + _OBJECT.size : at + size]))
        at += size
    return found


def _render(objects: Objects) -> bytes:
    return b"".join(
        _OBJECT.pack(guid, _OBJECT.size + len(content)) + content for guid, content in objects
    )


def _with(objects: Objects, guid: bytes, records: list[bytes] | None) -> Objects:
    """`objects`, the one of attributes holding these `records`."""
    if records is None:
        return objects
    return _replaced(objects, guid, struct.pack("<H", len(records)) + b"".join(records))


def _replaced(objects: Objects, guid: bytes, content: bytes) -> Objects:
    """`objects` with other content for the first one named `guid`, or with one more."""
    at = next((i for i, (found, _) in enumerate(objects) if found == guid), len(objects))
    return [*objects[:at], (guid, content), *objects[at + 1 :]]


def _split(content: bytes, place: str) -> list[bytes]:
    """The attributes of an Extended Content Description or Metadata Library object."""
    records, at = [], 2
    for _ in range(int.from_bytes(content[:2], "little")):
        if place == "library":
            _, _, name_length, _, length = _RECORD.unpack_from(content, at)
            end = at + _RECORD.size + name_length + length
        else:
            (name_length,) = struct.unpack_from("<H", content, at)
            (length,) = struct.unpack_from("<H", content, at + 4 + name_length)
            end = at + 6 + name_length + length
        if end > len(content):
            raise DamagedTagError("ASF header holds a damaged attribute")
        records.append(content[at:end])
        at = end
    return records


def _is_genre(raw: bytes, place: str) -> bool:
    if place == "library":
        length, start = struct.unpack_from("<H", raw, 4)[0], _RECORD.size
    else:
        length, start = struct.unpack_from("<H", raw)[0], 2
    name = raw[start : start + length].decode("utf-16-le", "replace")
    return name.strip("\0") == KEYS["genres"][0]


def _merged(records: list[bytes] | None, genre: list[bytes], place: str) -> list[bytes] | None:
    """`records` with this genre where the old one was, or else at the end."""
    if records is None:
        return genre or None
    at = next((i for i, raw in enumerate(records) if _is_genre(raw, place)), len(records))
    kept = [raw for raw in records if not _is_genre(raw, place)]
    return [*kept[:at], *genre, *kept[at:]]

"""Tags around a file's own container: ID3v2 and APEv2 in front, APEv2, Lyrics3 and ID3v1 behind.

MP3 has no others. Elsewhere programs put them there that take every file for an MP3: players read
them from FLAC, WavPack, Monkey's Audio, Musepack and Ogg, some before and some after the
container's own. So every family looks for them: they are read where the own tags say nothing,
and kept in step where they name a genre.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, BinaryIO

from earmark.tags import apev2, id3v1, id3v2, id3v2text
from earmark.tags.edits import Edit, part, read_at
from earmark.tags.fields import DamagedTagError, Native, Source, UnsafePlaceError, numbered

_MAX_TAGS = 32
_MAX_SIZE = 1 << 28  # of one tag: more than ID3v2 can say
_TAIL = 160  # bytes behind which nothing but a tag's end is looked for
_LYRICS = b"LYRICS200"
# Which kind says best, where several tags of one file differ.
_RANKS = {"id3v2": 0, "apev2": 1, "appended": 2, "id3v1+": 3, "id3v1": 4, "lyrics3": 5}
_ID3V2 = ("id3v2", "appended")  # the latter at the end, where hardly a player looks


@dataclass(frozen=True, slots=True)
class OuterTag:
    """A tag in bytes [start, end) of the file. `name` is its place's in `Native`."""

    kind: str
    name: str
    start: int
    end: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Outer:
    """The tags around what lies in bytes [start, end) of the file, best first."""

    tags: tuple[OuterTag, ...]
    start: int
    end: int

    def first(self, kind: str) -> OuterTag | None:
        return next((tag for tag in self.tags if tag.kind == kind), None)

    @property
    def in_front(self) -> bool:
        return self.start > 0

    def inside(self, f: BinaryIO) -> Any:
        """The file without the tags in front."""
        f.seek(0)
        return part(f, self.start, self.end) if self.start else f


def find(f: BinaryIO, prefix: str = "", best: str = "id3v2") -> Outer:
    """The tags around the file's own container.

    Parameters
    ----------
    prefix : str
        Put before the names of places, for a family that has an ID3v2 tag of its own.
    best : str
        The kind that comes first.

    Raises
    ------
    DamagedTagError
        A tag is longer than the file, or there is no end of them.
    """
    size = f.seek(0, os.SEEK_END)
    front, start = _front(f, size)
    back, end = _back(f, start, size)
    kinds: dict[str, int] = {}
    tags = []
    ranked = sorted([*front, *back], key=lambda span: (span[0] != best, _RANKS[span[0]]))
    for kind, first, last in ranked:
        if last - first > _MAX_SIZE:
            raise DamagedTagError("one of its tags is longer than 256 MiB")
        name = prefix + numbered(kind, kinds.get(kind, 0))
        kinds[kind] = kinds.get(kind, 0) + 1
        tags.append(OuterTag(kind, name, first, last, read_at(f, first, last - first)))
    return Outer(tuple(tags), start, end)


def front_end(f: BinaryIO) -> int:
    """Where the tags in front end."""
    return _front(f, f.seek(0, os.SEEK_END))[1]


def sources(outer: Outer) -> list[Source]:
    """What the tags say, best first."""
    found: list[Source] = []
    for tag in outer.tags:
        if tag.kind in _ID3V2:
            found += id3v2text.sources(tag.data)
        elif tag.kind == "apev2":
            found.append(("APEv2", apev2.texts(apev2.parse(tag.data))))
        elif tag.kind == "id3v1":
            found.append(("ID3v1", id3v1.texts(tag.data)))
        elif tag.kind == "id3v1+":
            found.append(("ID3v1", id3v1.extension_texts(tag.data)))
    return found


def get(outer: Outer) -> Native:
    native: Native = {}
    for tag in outer.tags:
        if tag.kind in _ID3V2:
            native |= id3v2text.get(tag.data, tag.name)
        elif tag.kind == "apev2":
            native[tag.name] = apev2.genre_items(apev2.parse(tag.data))
        elif tag.kind == "id3v1":
            native[tag.name] = [tag.data[-1:]]
        elif tag.kind == "id3v1+":
            native[tag.name] = [tag.data[id3v1.EXTENSION_GENRE]]
    return native


def in_step(outer: Outer, values: tuple[str, ...]) -> Native:
    """Native form of `values` for the tags that name a genre; nothing for those that do not.

    Of several tags of one kind the first gets it, and the others lose theirs: readers that look
    at both would show it twice.
    """
    native: Native = {}
    for tag in outer.tags:
        kept = values if tag is outer.first(tag.kind) else ()
        if tag.kind in _ID3V2 and any(id3v2text.get(tag.data, tag.name).values()):
            native[tag.name] = id3v2text.bodies(tag.data, kept)
        elif tag.kind == "apev2":
            parsed = apev2.parse(tag.data)
            if apev2.genre_items(parsed):
                native[tag.name] = apev2.encode_items(parsed, kept)
        elif tag.kind == "id3v1":
            named = tag.data[-1:] != id3v1.NONE
            native[tag.name] = [id3v1.encode(values) if named else id3v1.NONE]
    return native


def edits(outer: Outer, native: Native) -> list[Edit]:
    """What gives the tags that are there the genre of `native`."""
    found = []
    for tag in outer.tags:
        data = _changed(tag, native)
        if data != tag.data:
            found.append(Edit(tag.start, tag.end, data))
    return found


def others(outer: Outer) -> list[Any]:
    """All that the tags hold beside the genre."""
    found: list[Any] = []
    for tag in outer.tags:
        if tag.kind in _ID3V2:
            parsed = id3v2.parse(tag.data)
            found.append((tag.kind, id3v2.other_frames(parsed), parsed.junk))
        elif tag.kind == "apev2":
            found.append((tag.kind, apev2.others(apev2.parse(tag.data))))
        elif tag.kind == "id3v1":
            found.append((tag.kind, tag.data[:-1]))
        elif tag.kind == "id3v1+":
            genre = id3v1.EXTENSION_GENRE
            found.append((tag.kind, tag.data[: genre.start], tag.data[genre.stop :]))
        else:
            found.append((tag.kind, tag.data))
    return found


def refuse_in_front(outer: Outer, container: str) -> None:
    """For containers that players do not find behind a tag, or whose offsets it makes wrong.

    Raises
    ------
    UnsafePlaceError
    """
    if outer.in_front:
        kind = "an APEv2" if outer.first("id3v2") is None else "an ID3v2"
        raise UnsafePlaceError(
            f"{kind} tag stands in front of the {container} data, where most players cannot open "
            "it; remove that tag first"
        )


def _changed(tag: OuterTag, native: Native) -> bytes:
    if tag.kind in _ID3V2:
        data = id3v2text.changed(tag.data, native, tag.name)
        return id3v2.with_footer(data) if tag.kind == "appended" and data != tag.data else data
    if tag.kind == "apev2":
        return apev2.changed(apev2.parse(tag.data), native.get(tag.name, []))
    if tag.kind == "id3v1":
        return tag.data[:-1] + native.get(tag.name, [id3v1.NONE])[0]
    if tag.kind == "id3v1+":
        genre = id3v1.EXTENSION_GENRE
        new = b"".join(native.get(tag.name, []))[:30].ljust(30, b"\0")
        return tag.data[: genre.start] + new + tag.data[genre.stop :]
    return tag.data


Spans = list[tuple[str, int, int]]  # kind, start, end


def _front(f: BinaryIO, size: int) -> tuple[Spans, int]:
    spans: Spans = []
    at = 0
    while len(spans) < _MAX_TAGS:
        head = read_at(f, at, apev2.BLOCK_SIZE)
        if length := id3v2.tag_size(head[: id3v2.HEADER_SIZE]):
            kind = "id3v2"
        elif length := apev2.size_by_header(head):
            kind = "apev2"
        else:
            return spans, at
        if at + length > size:
            name = {"id3v2": "ID3v2", "apev2": "APEv2"}[kind]
            raise DamagedTagError(f"{name} tag is longer than the file")
        spans.append((kind, at, at + length))
        at += length
    raise DamagedTagError(f"it has more than {_MAX_TAGS} tags")


def _back(f: BinaryIO, start: int, size: int) -> tuple[Spans, int]:
    spans: Spans = []
    end = size
    while len(spans) < _MAX_TAGS:
        data = read_at(f, max(start, end - _TAIL), min(_TAIL, end - start))
        span = _last_tag(f, data, end)
        if span is None:
            return spans, end
        kind, length = span
        if not 0 < length <= end - start:
            if kind == "lyrics3":
                return spans, end
            raise DamagedTagError("APEv2 tag has an impossible size")
        spans.append((kind, end - length, end))
        end -= length
        at = end - id3v1.EXTENSION_SIZE
        if kind == "id3v1" and at >= start and read_at(f, at, 4) == b"TAG+":
            spans.append(("id3v1+", at, end))
            end = at
    raise DamagedTagError(f"it has more than {_MAX_TAGS} tags")


def _missing_header(f: BinaryIO, data: bytes, start: int) -> int:
    """Bytes by which an APEv2 tag is shorter than its footer claims: its header may be missing."""
    claimed = apev2.has_header(data[-apev2.BLOCK_SIZE :]) and start >= 0
    there = claimed and read_at(f, start, len(apev2.MAGIC)) == apev2.MAGIC
    return apev2.BLOCK_SIZE if claimed and not there else 0


def _last_tag(f: BinaryIO, data: bytes, end: int) -> tuple[str, int] | None:
    """Kind and size of the tag with which `data`, the bytes before `end`, ends."""
    # "TAG" is also part of the magic number of an APEv2 tag.
    if data[-128:-125] == b"TAG" and len(data) >= 128 and data[-131:-123] != apev2.MAGIC:
        return "id3v1", id3v1.SIZE
    if size := apev2.size_by_footer(data[-apev2.BLOCK_SIZE :]):
        return "apev2", size - _missing_header(f, data, end - size)
    if data.endswith(_LYRICS) and data[-15:-9].isdigit():
        return "lyrics3", int(data[-15:-9]) + 15
    if data[-10:-7] == b"3DI" and data[-7:-6] == b"\4":
        size = id3v2.tag_size(b"ID3" + data[-7:])
        if size <= end and read_at(f, end - size, 3) == b"ID3":
            return "appended", size
    return None

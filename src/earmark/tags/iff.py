"""Chunked audio with an ID3v2 tag in one of the chunks: WAV and AIFF.

A WAV file has its genre in two places: in an ID3v2 tag, and as IGNR in a list of texts (RIFF
INFO), beside which programs for DJs, Windows and FFmpeg read nothing. Both are read, ID3v2 first,
as it can hold several genres in an encoding that all agree on; both are written, whatever codec is
inside. In INFO several genres are joined by "; ". Of several such tags or lists the first is
written, and the others lose their genre, so that it does not matter which one a player reads.

Tags in front of the file or behind it are read, too; those behind are kept in step.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, BinaryIO

from mutagen.aiff import AIFFInfo

from earmark.tags import chunks, id3v2, id3v2text, outer
from earmark.tags.edits import Edit
from earmark.tags.fields import (
    DamagedTagError,
    Family,
    Keys,
    Native,
    Reading,
    Source,
    combine,
    numbered,
    pick,
)

INFO_KEYS: Keys = {
    "genres": ("IGNR",),
    "artist": ("IART",),
    "album": ("IPRD",),
    "title": ("INAM",),
}
_CHUNK_IDS = {"wav": (b"id3 ", b"ID3 "), "aiff": (b"ID3 ", b"id3 ")}
_NAMES = {"wav": "WAV", "aiff": "AIFF"}
_FORMAT = struct.Struct("<HHIIHH")  # codec, channels, rate, bytes a second, block, bits


@dataclass(frozen=True, slots=True)
class _Layout:
    """What a file consists of: tags around, chunks, ID3v2 tags in chunks, lists of texts."""

    around: outer.Outer
    form: chunks.Form
    tags: list[tuple[chunks.Chunk, bytes]]
    infos: list[chunks.Info]


class IffFamily(Family):
    """WAV and AIFF; `container` says which."""

    def __init__(self, container: str) -> None:
        self.container = container

    def read(self, f: BinaryIO) -> Reading:
        layout = self._layout(f)
        sources: list[Source] = []
        for _, data in layout.tags:
            sources += id3v2text.sources(_tag_of(data))
        # Where there are several lists, most readers let the last one win.
        sources += [("RIFF INFO", _info_texts(info)) for info in reversed(layout.infos)]
        return combine([*sources, *outer.sources(layout.around)], self._duration_s(f, layout))

    def get(self, f: BinaryIO) -> Native:
        layout = self._layout(f)
        native: Native = {}
        for i, (_, data) in enumerate(layout.tags):
            native |= id3v2text.get(_tag_of(data), numbered("id3v2", i))
        for i, info in enumerate(layout.infos):
            native[numbered("info", i)] = chunks.info_genre(info)
        return native | outer.get(layout.around)

    def encode(self, f: BinaryIO, values: tuple[str, ...]) -> Native:
        layout = self._layout(f)
        first = _tag_of(layout.tags[0][1]) if layout.tags else b""
        native = outer.in_step(layout.around, values)
        native["id3v2"] = id3v2text.bodies(first, values)
        if self.container == "wav" and values:
            native["info"] = ["; ".join(values).encode() + b"\0"]
        return native

    def edits(self, f: BinaryIO, native: Native) -> list[Edit]:
        layout = self._layout(f)
        outer.refuse_in_front(layout.around, _NAMES[self.container])
        replaced: dict[chunks.Chunk, bytes] = {}
        appended: list[tuple[bytes, bytes]] = []
        for i, (chunk, data) in enumerate(layout.tags):
            new = _changed(data, native, numbered("id3v2", i))
            if new != data:
                replaced[chunk] = new
        if not layout.tags and native.get("id3v2"):
            tag = id3v2.with_genre(id3v2.new_tag(), native["id3v2"])
            appended.append((_CHUNK_IDS[self.container][0], id3v2.render(tag)))
        for i, info in enumerate(layout.infos):
            genre = native.get(numbered("info", i), [])
            if genre != chunks.info_genre(info):
                replaced[info.chunk] = chunks.info_content(info, genre)
        if not layout.infos and native.get("info"):
            appended.append((b"LIST", chunks.info_content(None, native["info"])))
        return chunks.edits(layout.form, replaced, appended) + outer.edits(layout.around, native)

    def others(self, f: BinaryIO) -> Any:
        layout = self._layout(f)
        tags = [(id3v2.parse(_tag_of(data)), _behind(data)) for _, data in layout.tags]
        held = {chunk for chunk, _ in layout.tags} | {info.chunk for info in layout.infos}
        sound = layout.form.sound()  # compared packet by packet
        return (
            [(id3v2.other_frames(tag), tag.junk, rest) for tag, rest in tags] or [([], b"", b"")],
            [_other_texts(info) for info in layout.infos]
            or ([([], b"")] if self.container == "wav" else []),
            [
                (chunk.chunk_id, chunks.content(f, chunk))
                for chunk in layout.form.chunks
                if chunk not in held and chunk != sound
            ],
            outer.others(layout.around),
        )

    def _layout(self, f: BinaryIO) -> _Layout:
        around = outer.find(f, prefix="outer-")
        form = chunks.read(f, around.start, around.end)
        tags = [
            (chunk, data)
            for chunk in form.find(*_CHUNK_IDS[self.container])
            if id3v2.tag_size((data := chunks.content(f, chunk))[: id3v2.HEADER_SIZE])
        ]
        infos = chunks.infos(f, form) if self.container == "wav" else []
        return _Layout(around, form, tags, infos)

    def _duration_s(self, f: BinaryIO, layout: _Layout) -> float | None:
        if self.container == "aiff":
            return float(AIFFInfo(layout.around.inside(f)).length)
        described, sound = layout.form.find(b"fmt "), layout.form.sound()
        data = chunks.content(f, described[0]) if described else b""
        if len(data) < _FORMAT.size:
            raise DamagedTagError("the WAV file does not describe its sound")
        byte_rate = _FORMAT.unpack_from(data)[3]
        return (sound.end - sound.start) / byte_rate if sound and byte_rate else None


def _tag_of(data: bytes) -> bytes:
    """The ID3v2 tag with which a chunk starts."""
    return data[: id3v2.tag_size(data[: id3v2.HEADER_SIZE])]


def _behind(data: bytes) -> bytes:
    """What a chunk has behind its ID3v2 tag, but for zeros."""
    return data[len(_tag_of(data)) :].rstrip(b"\0")


def _changed(data: bytes, native: Native, name: str) -> bytes:
    """The chunk `data` with the genre of `native`, as long as it was if that suffices."""
    rest = data[len(_tag_of(data)) :]
    if rest.rstrip(b"\0"):
        return id3v2text.changed(_tag_of(data), native, name) + rest
    new = id3v2text.changed(_tag_of(data), native, name, room=len(data))
    return data if new == _tag_of(data) else new


def _info_texts(info: chunks.Info) -> dict[str, tuple[str, ...]]:
    found = {item_id.decode("latin-1"): chunks.info_text(text) for item_id, text, _ in info.items}
    return pick(INFO_KEYS, lambda key: [found.get(key, "")])


def _other_texts(info: chunks.Info) -> tuple[list[bytes], bytes]:
    return [raw for item_id, _, raw in info.items if item_id != b"IGNR"], info.junk

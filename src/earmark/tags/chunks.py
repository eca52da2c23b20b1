"""Chunks of RIFF (WAV) and IFF (AIFF) files: where they are, and how to replace some of them.

A chunk is an ID of four characters, a size, and that many bytes, with a zero byte after an odd
number of them. RIFF counts little-endian, IFF big-endian.

Programs that write to a pipe cannot know sizes and leave 0xFFFFFFFF or 0; a download that broke
off leaves sizes beyond the end. There the sound reaches to the end of the file; the sizes are put
right when the file is written, or nobody would find what comes behind the sound.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import BinaryIO, Literal

from earmark.tags.edits import Edit, read_at
from earmark.tags.fields import DamagedTagError, UnsafePlaceError

HEAD = 8
_MAX_CHUNKS = 10_000
_MAX_SIZE = (1 << 32) - 1
_SOUND = (b"data", b"SSND")


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk whose content is bytes [start, end) of the file; with its padding it ends later.

    `size` is what its head says, which may be more than there is.
    """

    chunk_id: bytes
    start: int
    end: int
    padded_end: int
    size: int


@dataclass(frozen=True, slots=True)
class Form:
    """A RIFF or IFF file in bytes [start, limit): its chunks, and where it claims to end."""

    start: int
    limit: int
    order: Literal["little", "big"]
    end: int
    chunks: tuple[Chunk, ...]

    @property
    def end_of_chunks(self) -> int:
        return self.chunks[-1].padded_end if self.chunks else self.start + 12

    def find(self, *chunk_ids: bytes) -> list[Chunk]:
        return [chunk for chunk in self.chunks if chunk.chunk_id in chunk_ids]

    def sound(self) -> Chunk | None:
        return next(iter(self.find(*_SOUND)), None)


def read(f: BinaryIO, start: int, limit: int) -> Form:
    """The chunks in bytes [start, limit) of `f`; the last one is cut where the file ends.

    The walk ends at bytes that are no ID: they are sound behind a chunk whose size lies.

    Raises
    ------
    DamagedTagError
        There is no end of them.
    """
    head = read_at(f, start, 12)
    order: Literal["little", "big"] = "big" if head[:4] == b"FORM" else "little"
    end = min(start + HEAD + int.from_bytes(head[4:8], order), limit)
    found: list[Chunk] = []
    at = start + 12
    while at + HEAD <= limit:
        head = read_at(f, at, HEAD)
        if not _is_id(head[:4]):
            break
        if len(found) == _MAX_CHUNKS:
            raise DamagedTagError(f"it has more than {_MAX_CHUNKS} chunks")
        size = int.from_bytes(head[4:], order)
        content = at + HEAD
        stop = content + size
        if not size and head[:4] in _SOUND and not _is_id(read_at(f, content, 4) or b"    "):
            stop = limit  # a size that was never filled in
        padded = min(stop + (stop - content) % 2, limit)
        found.append(Chunk(head[:4], content, min(stop, limit), padded, size))
        at = padded
    return Form(start, limit, order, end, tuple(found))


def content(f: BinaryIO, chunk: Chunk) -> bytes:
    return read_at(f, chunk.start, chunk.end - chunk.start)


def edits(
    form: Form, replaced: dict[Chunk, bytes], appended: list[tuple[bytes, bytes]]
) -> list[Edit]:
    """What gives the `replaced` chunks new content, and adds the `appended` ones at the end.

    Raises
    ------
    UnsafePlaceError
        The file would be longer than such a file can be.
    """
    found = [
        Edit(chunk.start - HEAD, chunk.padded_end, _render(chunk.chunk_id, data, form.order))
        for chunk, data in replaced.items()
    ]
    end = form.end_of_chunks
    if appended:
        last = form.chunks[-1] if form.chunks else None
        if last and last.size > last.end - last.start and last != form.sound():
            raise UnsafePlaceError("the file is cut off in the middle of its texts")
        unpadded = last is not None and last not in replaced and (last.end - last.start) % 2
        lead = b"\0" if unpadded and last and last.padded_end == last.end else b""
        new = b"".join(_render(chunk_id, data, form.order) for chunk_id, data in appended)
        found.append(Edit(end, end, lead + new))
    if not found:
        return []
    size = max(form.end, end) - form.start - HEAD + sum(edit.shift for edit in found)
    if size > _MAX_SIZE:
        raise UnsafePlaceError("the file would be longer than 4 GiB")
    at = form.start + 4
    found.append(Edit(at, at + 4, size.to_bytes(4, form.order)))
    sound = form.sound()
    if sound and sound.size != sound.end - sound.start:
        right = (sound.end - sound.start).to_bytes(4, form.order)
        found.append(Edit(sound.start - 4, sound.start, right))
    return found


def _render(chunk_id: bytes, data: bytes, order: Literal["little", "big"]) -> bytes:
    return chunk_id + len(data).to_bytes(4, order) + data + b"\0" * (len(data) % 2)


def _is_id(data: bytes) -> bool:
    return all(0x20 <= byte < 0x7F for byte in data)


# --- LIST/INFO, the texts of WAV files -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Info:
    """A LIST chunk of texts: (ID, text, the bytes of both as they stand), and what is behind."""

    chunk: Chunk
    items: tuple[tuple[bytes, bytes, bytes], ...]
    junk: bytes = field(default=b"")


def infos(f: BinaryIO, form: Form) -> list[Info]:
    """The lists of texts in a WAV file."""
    return [
        _parse_info(chunk, content(f, chunk))
        for chunk in form.find(b"LIST")
        if read_at(f, chunk.start, 4) == b"INFO"
    ]


def info_genre(info: Info) -> list[bytes]:
    return [text for item_id, text, _ in info.items if item_id == b"IGNR"]


def info_content(info: Info | None, genre: list[bytes]) -> bytes:
    """What a list becomes with this genre, where the old one was or else at the end."""
    items = info.items if info else ()
    at = next((i for i, item in enumerate(items) if item[0] == b"IGNR"), len(items))
    kept = [raw for item_id, _, raw in items if item_id != b"IGNR"]
    before = sum(item_id != b"IGNR" for item_id, _, _ in items[:at])
    new = [_render(b"IGNR", text, "little") for text in genre]
    return b"".join([b"INFO", *kept[:before], *new, *kept[before:], info.junk if info else b""])


def info_text(raw: bytes) -> str:
    raw = raw.split(b"\0")[0]
    try:
        return raw.decode()
    except UnicodeDecodeError:  # the standard names no encoding; Windows programs use this one
        return raw.decode("cp1252", "replace")


def _parse_info(chunk: Chunk, data: bytes) -> Info:
    items: list[tuple[bytes, bytes, bytes]] = []
    at = 4
    while at + HEAD <= len(data) and len(items) < _MAX_CHUNKS:
        size = int.from_bytes(data[at + 4 : at + HEAD], "little")
        text = data[at + HEAD : at + HEAD + size]
        if not _is_id(data[at : at + 4]) or len(text) < size:
            break
        end = at + HEAD + size + size % 2
        raw = data[at:end].ljust(end - at, b"\0")  # the last one may lack its padding
        items.append((data[at : at + 4], text, raw))
        at = end
    return Info(chunk, tuple(items), data[at:])

"""Chunks of RIFF (WAV) and IFF (AIFF) files: where they are, and how to replace one.

A chunk is an ID of four characters, a size, and that many bytes, with a zero byte after an odd
number of them. RIFF counts little-endian, IFF big-endian.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Literal

from earmark.tags.files import splice

_HEAD = 8


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk whose content is bytes [start, end) of the file."""

    chunk_id: bytes
    start: int
    end: int


def byte_order(f: BinaryIO) -> Literal["little", "big"]:
    f.seek(0)
    return "big" if f.read(4) == b"FORM" else "little"


def chunks(f: BinaryIO) -> Iterator[Chunk]:
    """The file's chunks; the last one is cut where the file ends.

    The walk ends at bytes that are no ID: they are audio behind a chunk whose size lies.
    """
    order = byte_order(f)
    file_end = f.seek(0, os.SEEK_END)
    at = 12
    while at + _HEAD <= file_end:
        f.seek(at)
        head = f.read(_HEAD)
        if not all(0x20 <= byte < 0x7F for byte in head[:4]):
            return
        start = at + _HEAD
        size = int.from_bytes(head[4:], order)
        yield Chunk(head[:4], start, min(start + size, file_end))
        at = start + size + size % 2


def find(f: BinaryIO, *chunk_ids: bytes) -> Chunk | None:
    return next((chunk for chunk in chunks(f) if chunk.chunk_id in chunk_ids), None)


def content(f: BinaryIO, chunk: Chunk) -> bytes:
    f.seek(chunk.start)
    return f.read(chunk.end - chunk.start)


def put(f: BinaryIO, chunk: Chunk | None, chunk_id: bytes, data: bytes) -> None:
    """Give `chunk` new content, or append a chunk where it is None."""
    order = byte_order(f)
    file_end = f.seek(0, os.SEEK_END)
    f.seek(4)
    form_size = int.from_bytes(f.read(4), order)
    form_end = min(_HEAD + form_size, file_end)
    if chunk is None:
        # The chunk before may lack its padding byte.
        lead, start, end = b"\0" * (form_end % 2), form_end, form_end
    else:
        lead, chunk_id, start = b"", chunk.chunk_id, chunk.start - _HEAD
        end = min(chunk.end + (chunk.end - chunk.start) % 2, file_end)
    new = lead + chunk_id + len(data).to_bytes(4, order) + data + b"\0" * (len(data) % 2)
    splice(f, start, end, new)
    f.seek(4)
    f.write((form_end - _HEAD + len(new) - (end - start)).to_bytes(4, order))
    f.flush()


# --- LIST/INFO, the texts of WAV files -----------------------------------------------------------


def info(f: BinaryIO) -> list[tuple[bytes, bytes]] | None:
    """IDs and bytes of the texts in a WAV file's INFO; None where it has none."""
    chunk = _info_chunk(f)
    if chunk is None:
        return None
    data, items, at = content(f, chunk), [], 4
    while at + _HEAD <= len(data):
        size = int.from_bytes(data[at + 4 : at + _HEAD], "little")
        items.append((data[at : at + 4], data[at + _HEAD : at + _HEAD + size]))
        at += _HEAD + size + size % 2
    return items


def put_info(f: BinaryIO, items: list[tuple[bytes, bytes]]) -> None:
    """Replace the texts of a WAV file that has INFO."""
    parts = [b"INFO"]
    for item_id, raw in items:
        parts += [item_id, len(raw).to_bytes(4, "little"), raw, b"\0" * (len(raw) % 2)]
    put(f, _info_chunk(f), b"LIST", b"".join(parts))


def info_text(raw: bytes) -> str:
    raw = raw.split(b"\0")[0]
    try:
        return raw.decode()
    except UnicodeDecodeError:  # the standard names no encoding; Windows programs use this one
        return raw.decode("cp1252", "replace")


def _info_chunk(f: BinaryIO) -> Chunk | None:
    for chunk in chunks(f):
        if chunk.chunk_id == b"LIST" and content(f, chunk)[:4] == b"INFO":
            return chunk
    return None

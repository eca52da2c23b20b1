"""Pages of an Ogg file: read their heads, walk them, lay packets out over new ones.

An Ogg file is a row of pages, each a piece of one logical stream, told by its number (`serial`).
Several streams may run side by side (a cover as a picture stream beside the sound), and one group
of streams may follow another (a chain, as recordings of radio are).

Reference: RFC 3533
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from earmark.tags.edits import read_at

CONTINUED, FIRST, LAST = 1, 2, 4
NO_END = (1 << 64) - 1  # the position of a page on which no packet ends

_HEAD = struct.Struct("<4sBBQIIIB")  # magic, version, flags, position, serial, sequence, CRC, n
_MAX_SEGMENTS = 255
_RESYNC = 1 << 17
_SHORT_TAIL = 1 << 14
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclass(frozen=True, slots=True)
class Page:
    """A page in bytes [start, end) of the file. `lacing` are the sizes of its segments."""

    start: int
    flags: int
    position: int
    serial: int
    sequence: int
    lacing: bytes

    @property
    def content(self) -> int:
        return self.start + _HEAD.size + len(self.lacing)

    @property
    def end(self) -> int:
        return self.content + sum(self.lacing)


def page_at(f: BinaryIO, at: int, limit: int) -> Page | None:
    """The page that starts at `at` and ends before `limit`, if one does."""
    head = read_at(f, at, _HEAD.size + _MAX_SEGMENTS)
    if len(head) < _HEAD.size or head[:5] != b"OggS\0":
        return None
    _, _, flags, position, serial, sequence, _, n = _HEAD.unpack_from(head)
    page = Page(at, flags, position, serial, sequence, head[_HEAD.size : _HEAD.size + n])
    return page if len(page.lacing) == n and page.end <= limit else None


def pages(f: BinaryIO, at: int, limit: int) -> Iterator[Page]:
    """The pages from `at` on; stray bytes between them are passed over."""
    while at < limit:
        page = page_at(f, at, limit)
        if page is None:
            skipped = read_at(f, at + 1, _RESYNC).find(b"OggS\0")
            if skipped < 0:
                return
            at += 1 + skipped
            continue
        yield page
        at = page.end


def last_page(f: BinaryIO, start: int, limit: int, n_bytes: int, serial: int | None) -> Page | None:
    """The last page of that stream, or of any, in the last `n_bytes` before `limit`."""
    size = min(n_bytes, _SHORT_TAIL)
    while True:
        first = max(start, limit - size)
        tail = read_at(f, first, limit - first)
        at = len(tail)
        while (at := tail.rfind(b"OggS\0", 0, at)) >= 0:
            page = page_at(f, first + at, limit)
            if page and serial in (None, page.serial) and page.position != NO_END:
                return page
        if size >= n_bytes or first == start:
            return None
        size = min(n_bytes, size * 8)


def payload(f: BinaryIO, page: Page) -> bytes:
    return read_at(f, page.content, page.end - page.content)


def lacing_of(size: int) -> bytes:
    """Sizes of the segments of a packet of that size."""
    return b"\xff" * (size // 255) + bytes([size % 255])


def relaid(old: list[Page], lacing: bytes, data: bytes) -> bytes:
    """New pages for segments of sizes `lacing` and the bytes in them, in the place of `old`.

    As they were laid out before, if the segments are the same.
    """
    if lacing == b"".join(page.lacing for page in old):
        layout = [(page.flags, page.position, page.lacing) for page in old]
    else:
        layout = list(_layout(old, lacing))
    found, at = [], 0
    for i, (flags, position, part) in enumerate(layout):
        size = sum(part)
        number = (old[0].serial, old[0].sequence + i)
        found.append(_render(flags, position, *number, part, data[at : at + size]))
        at += size
    return b"".join(found)


def _layout(old: list[Page], lacing: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Flags, position and segments of new pages, as full as they can be."""
    continued = old[0].flags & CONTINUED
    for at in range(0, len(lacing), _MAX_SEGMENTS):
        part = lacing[at : at + _MAX_SEGMENTS]
        last = at + _MAX_SEGMENTS >= len(lacing)
        position = old[-1].position if last else 0
        ends = any(segment < 255 for segment in part)
        flags = old[-1].flags & LAST if last else 0
        yield flags | continued, position if ends else NO_END, part
        continued = CONTINUED if part[-1] == 255 else 0


def n_relaid(old: list[Page], lacing: bytes) -> int:
    """How many pages `relaid` makes."""
    same = lacing == b"".join(page.lacing for page in old)
    return len(old) if same else -(-len(lacing) // _MAX_SEGMENTS)


def renumbered(f: BinaryIO, page: Page, sequence: int) -> bytes:
    """The page's bytes 18 to 26, its number and checksum, with another number."""
    data = _render(page.flags, page.position, page.serial, sequence, page.lacing, payload(f, page))
    return data[18:26]


def _render(
    flags: int, position: int, serial: int, sequence: int, lacing: bytes, data: bytes
) -> bytes:
    sequence &= 0xFFFFFFFF
    parts = (b"OggS", 0, flags, position, serial, sequence)
    head = _HEAD.pack(*parts, 0, len(lacing)) + lacing
    return _HEAD.pack(*parts, _crc(head + data), len(lacing)) + lacing + data


def _crc(data: bytes) -> int:
    """Ogg's checksum: the polynomial of zlib's, but its bits run the other way."""
    reflected = ~zlib.crc32(data.translate(_REVERSED), 0xFFFFFFFF) & 0xFFFFFFFF
    return int.from_bytes(reflected.to_bytes(4, "little").translate(_REVERSED), "big")

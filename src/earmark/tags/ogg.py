"""Ogg: Vorbis comments in the second packet of every stream.

Which streams count
    Those of sound, before those of pictures: FFmpeg puts a cover beside the sound as a stream of
    Theora. In a chain, players show the comments of each group of streams while it plays: all
    are read, the first that names a genre counts, and all are written. Streams of pictures are
    kept in step where they name a genre, and so are tags around the file.

Comments are edited in place where padding allows, else the pages behind are numbered anew. What
stands behind the comments and is no padding stays.

References: RFC 7845 (Opus), https://www.xiph.org/vorbis/doc/v-comment.html
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

from mutagen.oggtheora import OggTheora

from earmark.tags import outer, vorbis
from earmark.tags.edits import Edit
from earmark.tags.fields import (
    DamagedTagError,
    Family,
    Native,
    Reading,
    Source,
    UnsafePlaceError,
    combine,
    numbered,
)
from earmark.tags.oggpages import (
    FIRST,
    NO_END,
    Page,
    lacing_of,
    last_page,
    n_relaid,
    page_at,
    pages,
    payload,
    relaid,
    renumbered,
)

_CODECS = {  # start of a stream's first packet -> container
    b"\x01vorbis": "ogg",
    b"OpusHead": "opus",
    b"Speex   ": "speex",
    b"\x7fFLAC": "oggflac",
    b"\x80theora": "theora",
}
_LEADS = {  # what stands before the comments
    "ogg": b"\x03vorbis",
    "opus": b"OpusTags",
    "speex": b"",
    "oggflac": None,  # the head of a metadata block
    "theora": b"\x81theora",
}
_FLAC_HEAD = 4
_FRAMING = b"\1"
_PADDING = 1024  # later edits then need not number all pages anew
_MAX_COMMENTS = 1 << 26  # bytes
_MAX_STREAMS = 64
_MAX_LINKS = 1024
_TAIL, _LONG_TAIL = 1 << 17, 1 << 20


@dataclass(frozen=True, slots=True)
class Stream:
    """A logical stream: its first packet, and the pages up to the end of its comments."""

    codec: str
    serial: int
    first: bytes
    head: list[Page] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        return self.codec != "theora"


@dataclass(frozen=True, slots=True)
class Link:
    """Streams that run side by side, sound first; in a chain, one group of several.

    `pages` are all of them, where that was asked for; `last` is the file's last page, else.
    """

    streams: list[Stream]
    serials: frozenset[int]
    end_of_heads: int
    pages: list[Page] = field(default_factory=list)
    last: Page | None = None


class OggFamily(Family):
    """Ogg with `container` inside: one of the names in `_CODECS`."""

    def __init__(self, container: str) -> None:
        self.container = container

    def read(self, f: BinaryIO) -> Reading:
        around = outer.find(f)
        links = _links(f, around, every_page=False)
        sources: list[Source] = [
            (vorbis.DIALECT, vorbis.texts(_comments(f, stream))) for stream in _ordered(links)
        ]
        return combine([*sources, *outer.sources(around)], _duration_s(f, around, links))

    def get(self, f: BinaryIO) -> Native:
        around = outer.find(f)
        streams = _ordered(_links(f, around, every_page=False))
        native = {
            numbered("comments", i): vorbis.genre(_comments(f, stream))
            for i, stream in enumerate(streams)
        }
        return native | outer.get(around)

    def encode(self, f: BinaryIO, values: tuple[str, ...]) -> Native:
        around = outer.find(f)
        links = _links(f, around, every_page=False)
        native = outer.in_step(around, values)
        main = [next(iter(link.streams), None) for link in links]
        for i, stream in enumerate(_ordered(links)):
            comments = _comments(f, stream)
            if stream in main or vorbis.genre(comments):
                native[numbered("comments", i)] = vorbis.encode(comments, values)
        return native

    def edits(self, f: BinaryIO, native: Native) -> list[Edit]:
        around = outer.find(f)
        links = _links(f, around, every_page=True)
        found: list[Edit] = []
        for i, stream in enumerate(_ordered(links)):
            genre = native.get(numbered("comments", i), [])
            comments = _comments(f, stream)
            if genre != vorbis.genre(comments):
                link = next(link for link in links if stream in link.streams)
                found += _edits(f, link, stream, vorbis.with_genre(comments, genre))
        return found + outer.edits(around, native)

    def others(self, f: BinaryIO) -> Any:
        around = outer.find(f)
        links = _links(f, around, every_page=True)
        found: list[Any] = []
        for link in links:
            for stream in link.streams:
                comments = _comments(f, stream)
                framing, padding = _rest(stream, comments)
                _, behind = _packet(f, stream)
                found.append((comments.others, framing, padding.rstrip(b"\0"), behind))
            found.append(_digest(f, link))
        return found, outer.others(around)


def container(f: BinaryIO, start: int) -> str:
    """What is in the Ogg file that begins at `start`: the first sound, else a film, else empty."""
    codecs = []
    at = start
    for _ in range(_MAX_STREAMS):
        page = page_at(f, at, 1 << 62)
        if page is None or not page.flags & FIRST:
            break
        codecs.append(_codec(payload(f, page)))
        at = page.end
    known = [codec for codec in codecs if codec]
    return next((codec for codec in known if codec != "theora"), next(iter(known), ""))


def _links(f: BinaryIO, around: outer.Outer, every_page: bool) -> list[Link]:
    """The file's groups of streams.

    Walks all pages only where asked to, or where the file's last page is of no stream of the
    first group.
    """
    first = _link(f, around.start, around.end)
    last = last_page(f, around.start, around.end, _TAIL, None)
    if not every_page and (last is None or last.serial in first.serials):
        return [replace(first, last=last)]
    links = [first]
    known = set(first.serials)
    at = around.start
    skip_to = first.end_of_heads
    for page in pages(f, at, around.end):
        if page.flags & FIRST and page.start >= skip_to:
            links.append(_link(f, page.start, around.end))
            skip_to = links[-1].end_of_heads
            if links[-1].serials & known:
                raise UnsafePlaceError("two streams of its chain have the same number")
            if len(links) > _MAX_LINKS:
                raise DamagedTagError(f"it is a chain of more than {_MAX_LINKS} recordings")
            known |= links[-1].serials
        links[-1].pages.append(page)
    return links


def _link(f: BinaryIO, at: int, limit: int) -> Link:
    """The group of streams that begins at `at`."""
    streams: dict[int, Stream] = {}
    serials: set[int] = set()
    pending: set[int] = set()
    n_bytes = 0
    end = at
    for page in pages(f, at, limit):
        if page.flags & FIRST and not any(stream.head for stream in streams.values()):
            if len(serials) == _MAX_STREAMS:
                raise DamagedTagError(f"it has more than {_MAX_STREAMS} streams side by side")
            data = payload(f, page)
            serials.add(page.serial)
            if codec := _codec(data):
                streams[page.serial] = Stream(codec, page.serial, data)
                pending.add(page.serial)
        elif page.serial in pending:
            streams[page.serial].head.append(page)
            n_bytes += page.end - page.start
            if any(size < 255 for size in page.lacing):
                pending.discard(page.serial)
            if n_bytes > _MAX_COMMENTS:
                raise DamagedTagError("its comments are longer than 64 MiB")
        elif not streams:
            break
        end = page.end
        if streams and not pending:
            break
    if not streams or pending:
        raise DamagedTagError("its comments are missing or cut off")
    ordered = sorted(streams.values(), key=lambda stream: not stream.is_sound)
    return Link(ordered, frozenset(serials), end)


def _ordered(links: list[Link]) -> list[Stream]:
    """All streams, those of sound first."""
    streams = [stream for link in links for stream in link.streams]
    return sorted(streams, key=lambda stream: not stream.is_sound)


def _codec(first: bytes) -> str:
    return next((name for magic, name in _CODECS.items() if first.startswith(magic)), "")


# --- the packet of comments -----------------------------------------------------------------------


def _packet(f: BinaryIO, stream: Stream) -> tuple[bytes, bytes]:
    """The packet of comments, and what its last page holds behind it."""
    data = b"".join(payload(f, page) for page in stream.head)
    size = _size(stream)
    return data[:size], data[size:]


def _size(stream: Stream) -> int:
    size = 0
    for segment in b"".join(page.lacing for page in stream.head):
        size += segment
        if segment < 255:
            break
    return size


def _comments(f: BinaryIO, stream: Stream) -> vorbis.Comments:
    data, _ = _packet(f, stream)
    lead = _LEADS[stream.codec]
    if lead is None:
        if data[:1] not in (b"\x04", b"\x84"):
            raise DamagedTagError("its second packet holds no comments")
        return vorbis.parse(data[_FLAC_HEAD:])
    if not data.startswith(lead):
        raise DamagedTagError("its second packet holds no comments")
    return vorbis.parse(data[len(lead) :])


def _rest(stream: Stream, comments: vorbis.Comments) -> tuple[bytes, bytes]:
    """What stands behind the comments: the bit that ends them, and the rest."""
    framed = stream.codec in ("ogg", "theora") and comments.rest[:1] == _FRAMING
    return (_FRAMING, comments.rest[1:]) if framed else (b"", comments.rest)


def _new_packet(f: BinaryIO, stream: Stream, comments: vorbis.Comments) -> bytes:
    """The packet with these comments, as long as it was if its padding allows that."""
    old, _ = _packet(f, stream)
    framing, padding = _rest(stream, comments)
    lead = _LEADS[stream.codec]
    body = vorbis.render(replace(comments, rest=framing))
    if lead is None:
        body += padding
        if len(body) >= 1 << 24:
            raise DamagedTagError("its comments would be longer than 16 MiB")
        return old[:1] + len(body).to_bytes(3, "big") + body
    if padding.strip(b"\0"):  # no padding, then
        return lead + body + padding
    data = lead + body
    return data.ljust(len(old) if len(data) <= len(old) else len(data) + _PADDING, b"\0")


def _edits(f: BinaryIO, link: Link, stream: Stream, comments: vorbis.Comments) -> list[Edit]:
    """What gives `stream` these comments."""
    head = stream.head
    packet, (_, behind) = _new_packet(f, stream, comments), _packet(f, stream)
    old_lacing = b"".join(page.lacing for page in head)
    lacing = lacing_of(len(packet)) + old_lacing[len(lacing_of(_size(stream))) :]
    found = [Edit(head[0].start, head[0].end, relaid(head, lacing, packet + behind))]
    found += [Edit(page.start, page.end, b"") for page in head[1:]]
    shift = n_relaid(head, lacing) - len(head)
    if shift:
        found += [
            Edit(page.start + 18, page.start + 26, renumbered(f, page, page.sequence + shift))
            for page in link.pages
            if page.serial == stream.serial and page.start > head[-1].start
        ]
    return found


def _digest(f: BinaryIO, link: Link) -> bytes:
    """Hash of all pages but those of comments, without what changes when they are numbered anew."""
    heads = {page.start for stream in link.streams for page in stream.head}
    digest = hashlib.sha256()
    for page in link.pages:
        if page.start not in heads:
            digest.update(f"{page.flags} {page.position} {page.serial} ".encode())
            digest.update(page.lacing + payload(f, page))
    return digest.digest()


# --- duration -------------------------------------------------------------------------------------


def _duration_s(f: BinaryIO, around: outer.Outer, links: list[Link]) -> float | None:
    if not links[0].streams[0].is_sound:
        info: Any = OggTheora(around.inside(f)).info
        return float(info.length)
    total = 0.0
    for link in links:
        stream = link.streams[0]
        if link.last and link.last.serial == stream.serial:
            last: Page | None = link.last
        elif len(links) == 1:
            last = last_page(f, around.start, around.end, _LONG_TAIL, stream.serial)
        else:
            ends = (p for p in reversed(link.pages) if p.position != NO_END)
            last = next((page for page in ends if page.serial == stream.serial), None)
        total += _seconds(stream, last.position) if last and stream.is_sound else 0.0
    return total or None


def _seconds(stream: Stream, position: int) -> float:
    """How long a stream lasts whose last page is at `position`."""
    first = stream.first
    if stream.codec == "opus":
        return max(0, position - int.from_bytes(first[10:12], "little")) / 48000
    if stream.codec == "oggflac":
        rate = int.from_bytes(first[27:30], "big") >> 4
    else:
        at = 12 if stream.codec == "ogg" else 36
        rate = int.from_bytes(first[at : at + 4], "little")
    return position / rate if rate else 0.0

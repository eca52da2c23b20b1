"""APEv2 tags: Monkey's Audio, WavPack, Musepack, and at the end of many an MP3.

The tag is edited item by item: the others stay as they are, to the byte, in their order, and so
do its version, its flags and whatever stands behind the last item. How many items there are is
told from the items: some programs count wrongly. Several genres are one item whose values have
NULs between, as the format says.

Reference: https://wiki.hydrogenaud.io/index.php?title=APEv2_specification
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from earmark.tags.fields import DamagedTagError, Keys, Texts, pick, too_long

KEYS: Keys = {
    "genres": ("genre",),
    "artist": ("artist",),
    "album_artist": ("album artist", "albumartist"),
    "album": ("album",),
    "title": ("title",),
    "moods": ("mood",),
    "groupings": ("grouping",),
}
MAGIC = b"APETAGEX"
BLOCK_SIZE = 32

_HAS_HEADER, _IS_HEADER = 1 << 31, 1 << 29
_KIND = 6  # bits of an item's flags: 0 is text in UTF-8
_BLOCK = struct.Struct("<8sIIII8s")  # header or footer: magic, version, size, items, flags, zeros
_TEXT = 0
_MAX_ITEMS = 20_000
_FRAMES = {
    "title": "TIT2",
    "artist": "TPE1",
    "album": "TALB",
    "album artist": "TPE2",
    "composer": "TCOM",
    "year": "TYER",
    "track": "TRCK",
    "disc": "TPOS",
    "comment": "COMM",
}

Item = tuple[int, bytes, bytes]
"""Flags, key, value."""


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag: its bytes, its items, and what is behind the last of them."""

    raw: bytes
    items: tuple[Item, ...]
    junk: bytes
    version: int
    flags: int
    reserved: bytes
    has_header: bool
    has_footer: bool


def size_by_footer(block: bytes) -> int:
    """Bytes that the tag takes which ends with `block`; 0 where that is no footer."""
    if len(block) < BLOCK_SIZE or block[:8] != MAGIC:
        return 0
    _, _, size, _, flags, _ = _BLOCK.unpack(block)
    return 0 if flags & _IS_HEADER else size + BLOCK_SIZE * has_header(block)


def has_header(block: bytes) -> bool:
    """Whether the footer `block` says that there is a header."""
    return bool(_BLOCK.unpack(block)[4] & _HAS_HEADER)


def size_by_header(block: bytes) -> int:
    """Bytes that the tag takes which starts with `block`; 0 where that is no header."""
    if len(block) < BLOCK_SIZE or block[:8] != MAGIC:
        return 0
    _, _, size, _, flags, _ = _BLOCK.unpack(block[:BLOCK_SIZE])
    return BLOCK_SIZE + size if flags & _IS_HEADER else 0


def parse(raw: bytes) -> Tag:
    """Take apart a tag.

    Raises
    ------
    DamagedTagError
    """
    has_header = bool(size_by_header(raw[:BLOCK_SIZE]))
    has_footer = bool(size_by_footer(raw[-BLOCK_SIZE:]))
    if len(raw) < BLOCK_SIZE * (has_header + has_footer) or not (has_header or has_footer):
        raise DamagedTagError("APEv2 tag has an impossible size")
    block = raw[-BLOCK_SIZE:] if has_footer else raw[:BLOCK_SIZE]
    _, version, _, count, flags, reserved = _BLOCK.unpack(block)
    body = raw[BLOCK_SIZE * has_header : len(raw) - BLOCK_SIZE * has_footer]
    items: list[Item] = []
    at = 0
    while at < len(body):
        parsed = _parse_item(body, at)
        if parsed is None:
            if len(items) < count:
                raise DamagedTagError("APEv2 tag holds a damaged item")
            break
        item, at = parsed
        items.append(item)
        if len(items) > _MAX_ITEMS:
            raise DamagedTagError(f"APEv2 tag has more than {_MAX_ITEMS} items")
    return Tag(raw, tuple(items), body[at:], version, flags, reserved, has_header, has_footer)


def texts(tag: Tag) -> Texts:
    found = _text_items(tag)
    return pick(KEYS, lambda key: found.get(key, ()))


def as_id3v2(tag: Tag) -> Iterator[tuple[str, str]]:
    """What the tag says beside the genre, as ID3v2.3 frame names and texts."""
    found = _text_items(tag)
    for key, name in _FRAMES.items():
        if values := [value for value in found.get(key, ()) if value.strip()]:
            yield name, "; ".join(values)


def genre_items(tag: Tag | None) -> list[bytes]:
    """The genre's items, each as it stands in the file."""
    return [_render_item(*item) for item in tag.items if _is_genre(item)] if tag else []


def others(tag: Tag) -> tuple[object, ...]:
    """All that the tag holds beside the genre."""
    kept = [item for item in tag.items if not _is_genre(item)]
    return kept, tag.junk, tag.version, tag.flags, tag.reserved, tag.has_header, tag.has_footer


def encode_items(tag: Tag | None, values: tuple[str, ...]) -> list[bytes]:
    """A genre item of these values, under the key as the tag already spells it."""
    if not values:
        return []
    key = next((item[1] for item in tag.items if _is_genre(item)), b"Genre") if tag else b"Genre"
    return [_render_item(_TEXT, key, "\0".join(values).encode())]


def changed(tag: Tag, genre: list[bytes]) -> bytes:
    """The tag's bytes, with these items for the genre."""
    if genre_items(tag) == genre:
        return tag.raw
    new = [parsed[0] for raw in genre if (parsed := _parse_item(raw, 0))]
    at = next((i for i, item in enumerate(tag.items) if _is_genre(item)), len(tag.items))
    kept = [item for item in tag.items if not _is_genre(item)]
    items = [*kept[:at], *new, *kept[at:]]
    body = b"".join(_render_item(*item) for item in items) + tag.junk
    block = (MAGIC, tag.version, len(body) + BLOCK_SIZE * tag.has_footer, len(items))
    flags = tag.flags & ~_IS_HEADER
    header = _BLOCK.pack(*block, flags | _IS_HEADER, tag.reserved) if tag.has_header else b""
    return header + body + (_BLOCK.pack(*block, flags, tag.reserved) if tag.has_footer else b"")


def new(genre: list[bytes]) -> bytes:
    """A new tag with these items."""
    body = b"".join(genre)
    block = (MAGIC, 2000, len(body) + BLOCK_SIZE, len(genre))
    header = _BLOCK.pack(*block, _HAS_HEADER | _IS_HEADER, bytes(8))
    return header + body + _BLOCK.pack(*block, _HAS_HEADER, bytes(8))


def _is_genre(item: Item) -> bool:
    return item[1].lower() == b"genre"


def _text_items(tag: Tag) -> dict[str, list[str]]:
    """Keys in lower case, and the values of all text items of such a key."""
    found: dict[str, list[str]] = {}
    for flags, key, value in tag.items:
        name = key.decode("ascii", "replace").lower()
        if flags & _KIND == _TEXT and not too_long(name, len(value)):
            found.setdefault(name, []).extend(value.decode("utf-8", "replace").split("\0"))
    return found


def _parse_item(data: bytes, at: int) -> tuple[Item, int] | None:
    """The item at `at`, and where the next one starts; None where there is none."""
    key_end = data.find(b"\0", at + 8, at + 8 + 256)
    if key_end <= at + 8:
        return None
    size, flags = struct.unpack_from("<II", data, at)
    end = key_end + 1 + size
    if end > len(data):
        return None
    return (flags, data[at + 8 : key_end], data[key_end + 1 : end]), end


def _render_item(flags: int, key: bytes, value: bytes) -> bytes:
    return struct.pack("<II", len(value), flags) + key + b"\0" + value

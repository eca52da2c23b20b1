"""APEv2 tags: Monkey's Audio, WavPack, Musepack, and at the end of many an MP3.

The tag is edited item by item: the others stay as they are, to the byte, in their order, and so
does an ID3v1 tag behind (mutagen would delete that). Several genres are one item whose values
have NULs between, as the format says.

Reference: https://wiki.hydrogenaud.io/index.php?title=APEv2_specification
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import Any, BinaryIO

from mutagen.monkeysaudio import MonkeysAudioInfo
from mutagen.musepack import MusepackInfo
from mutagen.optimfrog import OptimFROGInfo
from mutagen.tak import TAKInfo
from mutagen.wavpack import WavPackInfo

from earmark.tags.fields import DamagedTagError, Family, Keys, Native, Reading, pick, rewound
from earmark.tags.files import splice

KEYS: Keys = {
    "genres": ("genre",),
    "artist": ("artist",),
    "album_artist": ("album artist", "albumartist"),
    "album": ("album",),
    "title": ("title",),
    "moods": ("mood",),
    "groupings": ("grouping",),
}
_INFO: dict[str, Any] = {
    "ape": MonkeysAudioInfo,
    "wavpack": WavPackInfo,
    "musepack": MusepackInfo,
    "optimfrog": OptimFROGInfo,
    "tak": TAKInfo,
}

_MAGIC = b"APETAGEX"
_HAS_HEADER, _IS_HEADER = 1 << 31, 1 << 29
_KIND = 6  # bits of an item's flags: 0 is text in UTF-8
_BLOCK = struct.Struct("<8sIIII8x")  # header or footer: magic, version, size, items, flags
_TEXT = 0


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag in bytes [start, end) of its file. Items are (flags, key, value)."""

    start: int
    end: int
    items: tuple[tuple[int, bytes, bytes], ...]


class ApeFamily(Family):
    """Containers whose own tag is APEv2."""

    def __init__(self, container: str) -> None:
        self.container = container

    def read(self, f: BinaryIO) -> Reading:
        tag = find(f)
        info = _INFO[self.container](rewound(f))
        return Reading(texts(tag) if tag else {}, "APEv2" if tag else "", info.length)

    def get(self, f: BinaryIO) -> Native:
        tag = find(f)
        return {"apev2": genre_items(tag)} if tag else {}

    def write(self, f: BinaryIO, values: tuple[str, ...]) -> None:
        put_items(f, encode_items(find(f), values))

    def put(self, f: BinaryIO, native: Native) -> None:
        put_items(f, native.get("apev2", []))

    def others(self, f: BinaryIO) -> Any:
        return other_items(find(f)), end_of_audio(f)[1]


# --- shared with the MP3s that carry such a tag ---------------------------------------------------


def find(f: BinaryIO) -> Tag | None:
    """The file's APEv2 tag: at its end, before an ID3v1 or Lyrics3 tag, or at its start.

    Raises
    ------
    DamagedTagError
        It is there and damaged.
    """
    tail_start, _ = end_of_audio(f)
    for at in (tail_start - _BLOCK.size, 0):
        if at < 0:
            continue
        f.seek(at)
        head = f.read(_BLOCK.size)
        if head[:8] == _MAGIC and len(head) == _BLOCK.size:
            return _parse(f, at, head)
    return None


def end_of_audio(f: BinaryIO) -> tuple[int, bytes]:
    """Where the ID3v1 and Lyrics3v2 tags at the file's end start, and their bytes."""
    size = f.seek(0, os.SEEK_END)
    f.seek(max(0, size - 160))
    data = f.read()
    start = size
    # "TAG" is also part of the magic number of an APEv2 header.
    if len(data) >= 128 and data[-128:-125] == b"TAG" and data[-131:-123] != _MAGIC:
        start = size - 128
        if data[-137:-128] == b"LYRICS200" and data[-143:-137].isdigit():
            start = max(0, start - 15 - int(data[-143:-137]))
    f.seek(start)
    return start, f.read()


def texts(tag: Tag) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for flags, key, value in tag.items:
        if flags & _KIND == _TEXT:
            text = value.decode("utf-8", "replace")
            found.setdefault(key.decode("ascii", "replace").lower(), []).extend(text.split("\0"))
    return pick(KEYS, lambda key: found.get(key, ()))


def genre_items(tag: Tag | None) -> list[bytes]:
    """The genre's items, each as it stands in the file."""
    return [_render_item(*item) for item in tag.items if _is_genre(item)] if tag else []


def other_items(tag: Tag | None) -> list[tuple[int, bytes, bytes]]:
    return [item for item in tag.items if not _is_genre(item)] if tag else []


def encode_items(tag: Tag | None, values: tuple[str, ...]) -> list[bytes]:
    """A genre item of these values, under the key as the tag already spells it."""
    if not values:
        return []
    key = next((item[1] for item in tag.items if _is_genre(item)), b"Genre") if tag else b"Genre"
    return [_render_item(_TEXT, key, "\0".join(values).encode())]


def put_items(f: BinaryIO, genre: list[bytes]) -> None:
    """Replace the genre's items by these; a tag is added where there is none and one is needed."""
    tag = find(f)
    if tag is None and not genre:
        return
    new = [_parse_item(raw, 0)[0] for raw in genre]
    items = list(tag.items) if tag else []
    at = next((i for i, item in enumerate(items) if _is_genre(item)), len(items))
    kept = [item for item in items if not _is_genre(item)]
    data = _render([*kept[:at], *new, *kept[at:]])
    start, end = (tag.start, tag.end) if tag else (end_of_audio(f)[0],) * 2
    splice(f, start, end, data)


def _is_genre(item: tuple[int, bytes, bytes]) -> bool:
    return item[1].lower() == b"genre"


def _parse(f: BinaryIO, at: int, head: bytes) -> Tag:
    """The tag whose header or footer is at `at`."""
    _, _, size, n_items, flags = _BLOCK.unpack(head)  # size: items and footer
    if flags & _IS_HEADER:
        start, data, end = at, at + _BLOCK.size, at + _BLOCK.size + size
    else:
        data, end = at + _BLOCK.size - size, at + _BLOCK.size
        start = data - _BLOCK.size if flags & _HAS_HEADER else data
    if start < 0 or size < _BLOCK.size or end > f.seek(0, os.SEEK_END):
        raise DamagedTagError("APEv2 tag has an impossible size")
    f.seek(data)
    body = f.read(end - _BLOCK.size - data)
    items, position = [], 0
    for _ in range(n_items):
        if position >= len(body):  # some programs count wrongly
            break
        item, position = _parse_item(body, position)
        items.append(item)
    return Tag(start, end, tuple(items))


def _parse_item(data: bytes, at: int) -> tuple[tuple[int, bytes, bytes], int]:
    """The item at `at`, and where the next one starts."""
    key_end = data.find(b"\0", at + 8)
    if key_end < 0:
        raise DamagedTagError("APEv2 tag holds a damaged item")
    size, flags = struct.unpack_from("<II", data, at)
    end = key_end + 1 + size
    if end > len(data):
        raise DamagedTagError("APEv2 tag holds a damaged item")
    return (flags, data[at + 8 : key_end], data[key_end + 1 : end]), end


def _render_item(flags: int, key: bytes, value: bytes) -> bytes:
    return struct.pack("<II", len(value), flags) + key + b"\0" + value


def _render(items: list[tuple[int, bytes, bytes]]) -> bytes:
    body = b"".join(_render_item(*item) for item in items)
    block = (_MAGIC, 2000, len(body) + _BLOCK.size, len(items))
    return _BLOCK.pack(*block, _HAS_HEADER | _IS_HEADER) + body + _BLOCK.pack(*block, _HAS_HEADER)

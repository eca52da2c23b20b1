"""What ID3v2 tags say, and their genre in native form, wherever in a file such a tag stands.

A genre stands in TCON. Some programs write it to TXXX under the name GENRE, which FFmpeg and its
like show as the genre where TCON is missing: that is read after TCON, and goes when TCON is
written.

Frames are taken apart here and not by a tag library: what they may hold, inflated or not, is
bounded, so that no small file costs minutes or gigabytes, and pictures are not looked at.
"""

from __future__ import annotations

import zlib
from itertools import chain

from mutagen.id3 import ID3

from earmark.tags import id3v2
from earmark.tags.fields import MAX_TEXT, Keys, Native, Source, Texts, pick, too_long

KEYS: Keys = {
    "genres": ("TCON",),
    "artist": ("TPE1",),
    "album_artist": ("TPE2",),
    "album": ("TALB",),
    "title": ("TIT2",),
    "moods": ("TMOO", "TXXX:mood"),
    "groupings": ("TIT1", "GRP1"),
}
_USER_KEYS: Keys = {"genres": ("TXXX:genre",)}
_OLD_NAMES = {  # of v2.2, also found in tags of v2.3
    b"TCO": "TCON",
    b"TP1": "TPE1",
    b"TP2": "TPE2",
    b"TAL": "TALB",
    b"TT2": "TIT2",
    b"TT1": "TIT1",
    b"TXX": "TXXX",
}
_NAMES = {name[:4].encode(): name[:4] for keys in KEYS.values() for name in keys} | _OLD_NAMES
# Bits of a frame's flags, by version: compressed, encrypted, of a group.
_FLAGS = {2: (0, 0, 0), 3: (0x80, 0x40, 0x20), 4: (0x08, 0x04, 0x40)}
_LENGTH_FLAG, _UNSYNCHRONISED_FLAG = 0x01, 0x02  # of a v2.4 frame
_LENGTH_FIELD = 4  # bytes before compressed data, which say how long it will be


def sources(data: bytes) -> list[Source]:
    """What the tag in `data` says, its own genre field before that of other programs.

    Raises
    ------
    DamagedTagError
        The tag cannot be taken apart, or its genre is longer than any.
    """
    if not data:
        return []
    tag = id3v2.parse(data)
    frames: dict[str, list[list[str]]] = {}
    for frame in tag.frames:
        name = _NAMES.get(frame.frame_id.rstrip(b"\0"))
        if name:
            key, values = _key_and_values(name, _body(tag, frame))
            frames.setdefault(key, []).append(values)
    # Several frames of one name may say the same.
    found = {k: v[0] if len(v) == 1 else dict.fromkeys(chain(*v)) for k, v in frames.items()}
    result = [(tag.dialect, pick(KEYS, lambda key: found.get(key, ())))]
    if "TXXX:genre" in found:
        result.append((tag.dialect, pick(_USER_KEYS, lambda key: found.get(key, ()))))
    return result


def texts(tags: ID3) -> Texts:
    """What a tag says that mutagen has parsed."""
    return pick(KEYS, lambda key: [str(v) for frame in tags.getall(key) for v in frame.text])


def get(data: bytes, name: str = "id3v2") -> Native:
    """The genre of the tag in `data`, as the places `name` and, for TXXX, `name`.user."""
    if not data:
        return {}
    tag = id3v2.parse(data)
    frames = id3v2.genre_frames(tag)
    native: Native = {name: [frame.body for frame in frames]}
    if any(frame.flags for frame in frames):  # compressed, say: the values are what counts
        native[name] = bodies(data, sources(data)[0][1].get("genres", ()))
    if users := [frame.body for frame in tag.frames if id3v2.is_user_genre(frame)]:
        native[f"{name}.user"] = users
    return native


def changed(data: bytes, native: Native, name: str = "id3v2", room: int = 0) -> bytes:
    """The tag in `data`, or the same bytes, with the genre that `native` has for `name`.

    Filled up to `room` bytes where they suffice, else to as many as it had.
    """
    wanted = {name: native.get(name, []), f"{name}.user": native.get(f"{name}.user", [])}
    now = get(data, name)
    if all(now.get(place, []) == found for place, found in wanted.items()):
        return data
    tag = id3v2.with_genre(id3v2.parse(data), *wanted.values())
    return id3v2.render(tag, size=room)


def bodies(data: bytes, values: tuple[str, ...]) -> list[bytes]:
    """Bodies of the genre's frames for `values`, in the version of the tag `data`, if any."""
    version = data[3] if data else id3v2.NEW_VERSION
    return [id3v2.text_body(version, values)] if values else []


def _key_and_values(name: str, body: bytes) -> tuple[str, list[str]]:
    if too_long("genre" if name == "TCON" else name, len(body)):
        return name, []
    values = id3v2.text_values(body)
    if name == "TXXX":  # the user's own name of it comes first
        return f"TXXX:{values[0].lower()}", values[1:]
    return name, values


def _body(tag: id3v2.Tag, frame: id3v2.Frame) -> bytes:
    """The text in a frame: inflated, as far as it may be read; empty where it cannot be."""
    size = len(frame.raw) - frame.head
    if not frame.flags and not (tag.version == 4 and tag.flags & id3v2.UNSYNCHRONISED):
        return frame.body if size <= MAX_TEXT else frame.raw[: MAX_TEXT + 1]
    compressed, encrypted, grouped = (bool(frame.flags & bit) for bit in _FLAGS[tag.version])
    body = frame.body
    if encrypted:
        return b""
    if tag.version == 3:
        body = body[_LENGTH_FIELD * compressed + grouped :]
    elif tag.version == 4:
        body = body[grouped + _LENGTH_FIELD * bool(frame.flags & _LENGTH_FLAG) :]
        if frame.flags & _UNSYNCHRONISED_FLAG or tag.flags & id3v2.UNSYNCHRONISED:
            body = body.replace(b"\xff\x00", b"\xff")
    if compressed:
        try:
            return zlib.decompressobj().decompress(body, MAX_TEXT + 1)
        except zlib.error:
            return b""
    return body

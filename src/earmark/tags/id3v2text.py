"""What ID3v2 tags say, and their genre in native form, wherever in a file such a tag stands.

A genre stands in TCON. Some programs write it to TXXX under the name GENRE, which FFmpeg and its
like show as the genre where TCON is missing: that is read after TCON, and goes when TCON is
written.

mutagen reads the few frames that are wanted; pictures and lyrics are not handed to it. What a
frame may hold is bounded, inflated or not, so that no small file costs minutes or gigabytes.
"""

from __future__ import annotations

import zlib
from io import BytesIO

from mutagen.id3 import ID3, Frames

from earmark.tags import id3v2
from earmark.tags.fields import DamagedTagError, Keys, Native, Source, Texts, pick

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
_FRAMES = {name: Frames[name] for name in {key[:4] for keys in KEYS.values() for key in keys}}
_FRAMES |= {old.__name__: old for new in _FRAMES.values() for old in new.__subclasses__()}  # v2.2
_WANTED = {name.encode() for name in _FRAMES}
_MAX_TEXT = 1 << 16  # bytes of a frame that are read as text
_COMPRESSED = {3: 0x80, 4: 0x08}  # bit of a frame's flags
_LENGTH_FIELD = 4  # bytes before compressed data, which say how long it will be
_LENGTH_FLAG, _UNSYNCHRONISED_FLAG = 0x01, 0x02  # of a v2.4 frame


def sources(data: bytes) -> list[Source]:
    """What the tag in `data` says, its own genre field before that of other programs."""
    if not data:
        return []
    tag = id3v2.parse(data)
    small = id3v2.reduced(tag, [frame for f in tag.frames if (frame := _readable(tag, f))])
    # Untranslated: mutagen would resolve "(17)" and split "(17)Rock".
    loaded = ID3(BytesIO(small), translate=False, load_v1=False, known_frames=_FRAMES)
    found = [(tag.dialect, texts(loaded))]
    if any(map(id3v2.is_user_genre, tag.frames)):
        found.append((tag.dialect, pick(_USER_KEYS, lambda key: _lookup(loaded, key))))
    return found


def texts(tags: ID3) -> Texts:
    """What a tag says that mutagen has parsed."""
    return pick(KEYS, lambda key: _lookup(tags, key))


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


def _lookup(tags: ID3, key: str) -> list[str]:
    if key.startswith("TXXX:"):
        frames = [frame for frame in tags.getall("TXXX") if f"TXXX:{frame.desc.lower()}" == key]
    else:
        frames = tags.getall(key)
    return [str(value) for frame in frames for value in frame.text]


def _readable(tag: id3v2.Tag, frame: id3v2.Frame) -> id3v2.Frame | None:
    """`frame` as mutagen may have it; None where it is not wanted, or too long for a text.

    Raises
    ------
    DamagedTagError
        It is the genre, and too long.
    """
    if frame.frame_id.rstrip(b"\0") not in _WANTED:
        return None
    body = frame.body
    if frame.flags & _COMPRESSED.get(tag.version, 0):
        frame = _inflated(tag, frame)
        body = frame.body
    if len(body) <= _MAX_TEXT:
        return frame
    if frame.frame_id in id3v2.GENRE_IDS:
        raise DamagedTagError(f"its genre is longer than {_MAX_TEXT >> 10} KiB")
    return None


def _inflated(tag: id3v2.Tag, frame: id3v2.Frame) -> id3v2.Frame:
    """A compressed frame, or as much of it as may be read; as it is where it is damaged."""
    body, flags = frame.body, frame.flags
    if tag.version == 4:
        if flags & _UNSYNCHRONISED_FLAG or tag.flags & id3v2.UNSYNCHRONISED:
            body = body.replace(b"\xff\x00", b"\xff")
        body = body[_LENGTH_FIELD:] if flags & _LENGTH_FLAG else body
    else:
        body = body[_LENGTH_FIELD:]
    try:
        body = zlib.decompressobj().decompress(body, _MAX_TEXT + 1)
    except zlib.error:
        return id3v2.make_frame(tag.version, frame.frame_id.decode("latin-1"), b"")
    return id3v2.make_frame(tag.version, frame.frame_id.decode("latin-1"), body)

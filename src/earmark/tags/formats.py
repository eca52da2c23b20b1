"""Which container a file is, by its content, and what its tags say.

The name's suffix counts only where the content says nothing: an MP3 with junk before its first
frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import mutagen
from mutagen.id3 import ID3

from earmark.errors import EarmarkError, TagError
from earmark.tags import id3v2text, ogg, outer
from earmark.tags.ape import ApeFamily
from earmark.tags.asf import AsfFamily
from earmark.tags.edits import read_at
from earmark.tags.fields import (
    DamagedTagError,
    Family,
    Reading,
    UnsafePlaceError,
    clean,
    rewound,
)
from earmark.tags.files import open_regular, reason
from earmark.tags.flac import FlacFamily
from earmark.tags.id3 import Id3Family
from earmark.tags.iff import IffFamily
from earmark.tags.mp4 import Mp4Family
from earmark.tags.ogg import OggFamily
from earmark.types import Tags

FAMILIES: dict[str, Family] = {
    **{name: Id3Family(name) for name in ("mp3", "aac", "tta")},
    **{name: IffFamily(name) for name in ("wav", "aiff")},
    **{name: OggFamily(name) for name in ("ogg", "opus", "speex", "oggflac", "theora")},
    "flac": FlacFamily(),
    **{name: ApeFamily(name) for name in ("ape", "wavpack", "musepack", "optimfrog", "tak")},
    "mp4": Mp4Family(),
    "asf": AsfFamily(),
}
"""Containers whose tags can be read and written, and the family that does it."""

_MAGIC = {
    b"fLaC": "flac",
    b"MAC ": "ape",
    b"wvpk": "wavpack",
    b"MPCK": "musepack",
    b"MP+": "musepack",
    b"TTA": "tta",
    b"OFR ": "optimfrog",
    b"tBaK": "tak",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c": "asf",
}
_UNREADABLE = (b"\x1a\x45\xdf\xa3", b"RF64", b"BW64")  # Matroska and WebM; WAV of over 4 GiB
_IN_FRONT = (b"ID3", b"APETAGEX")


def read_tags(path: str | Path) -> Tags:
    """What the tags of the file at `path` say.

    Values are as in the file: ``"(17)Rock"`` and ``"17"`` are not resolved, ``"Rock/Pop"`` is not
    split; `earmark.genres` does that. Where a container holds several values as several, they
    come as several.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    Tags
        Without values and with an empty `dialect` where there are no tags.

    Raises
    ------
    TagError
        The file is missing, not a regular file, of no known type, or its tags are damaged.
    """
    path = str(path)
    with open_regular(path) as f:
        return tags_of(f, path)


def tags_of(f: BinaryIO, path: str) -> Tags:
    """`read_tags` of an open file; `path` is for messages."""
    with tag_errors(path):
        container = identify(f, path)
        if container in FAMILIES:
            reading = FAMILIES[container].read(rewound(f))
        else:
            reading, container = _read_unknown(f, path)
    values = reading.values
    artist, album_artist, album, title = (
        "; ".join(dict.fromkeys(values.get(field, ())))
        for field in ("artist", "album_artist", "album", "title")
    )
    return Tags(
        genres=values.get("genres", ()),
        artist=artist,
        album_artist=album_artist,
        album=album,
        title=title,
        moods=values.get("moods", ()),
        groupings=values.get("groupings", ()),
        duration_s=reading.duration_s if reading.duration_s and reading.duration_s > 0 else None,
        container=container,
        dialect=reading.dialect,
    )


def identify(f: BinaryIO, path: str) -> str:
    """The container, one of `FAMILIES`; empty for any other.

    Raises
    ------
    TagError
        The file is empty.
    """
    head = rewound(f).read(128)
    if not head:
        raise TagError(path, "the file is empty")
    start = outer.front_end(f) if head.startswith(_IN_FRONT) else 0
    if start:
        # Anything can follow a tag; most often it is MPEG audio, perhaps after padding.
        return _by_magic(f, start, read_at(f, start, 128)) or "mp3"
    return _by_magic(f, 0, head) or ("mp3" if Path(path).suffix.lower() == ".mp3" else "")


def _by_magic(f: BinaryIO, start: int, head: bytes) -> str:
    if head[:4] == b"OggS":
        return ogg.container(f, start)
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "wav"
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "aiff"
    if head[4:8] == b"ftyp":
        return "mp4"
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        return "aac" if head[1] & 0xF6 == 0xF0 else "mp3"
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), "")


def _read_unknown(f: BinaryIO, path: str) -> tuple[Reading, str]:
    """Tags of the rarer types that mutagen knows; they can be read and not written."""
    if rewound(f).read(4) in _UNREADABLE:
        raise TagError(path, "its tags cannot be read by Earmark")
    audio: Any = mutagen.File(rewound(f))
    if audio is None:
        raise TagError(path, "not a music file of a known type")
    container = type(audio).__name__.lower()
    values = {}
    if isinstance(audio.tags, ID3):
        values = id3v2text.texts(audio.tags)
    duration_s = getattr(audio.info, "length", None)
    return Reading(values, type(audio.tags).__name__ if audio.tags else "", duration_s), container


@contextmanager
def tag_errors(path: str) -> Iterator[None]:
    """Whatever goes wrong inside becomes a `TagError` about `path`.

    This is a documented boundary: mutagen and struct meet damaged bytes with nearly every built-in
    exception, and one damaged file must never end a run.
    """
    try:
        yield
    except EarmarkError:
        raise
    except Exception as e:
        cause = _os_error(e)
        if cause is not None:
            raise TagError(path, reason(cause)) from e
        if isinstance(e, UnsafePlaceError):
            raise TagError(path, str(e)) from e
        text = clean(str(e)) if isinstance(e, DamagedTagError | mutagen.MutagenError) else ""
        raise TagError(path, f"its tags or headers are damaged{f': {text}' if text else ''}") from e


def _os_error(error: BaseException) -> OSError | None:
    """The error of the operating system behind `error`, if any: mutagen wraps them."""
    for candidate in (error, error.__cause__, error.__context__):
        if isinstance(candidate, OSError) and candidate.errno:
            return candidate
    return None

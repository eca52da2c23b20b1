"""Vorbis comments: FLAC, and Ogg with Vorbis, Opus, Speex, FLAC or Theora inside.

Several genres are several ``GENRE`` comments, as the format says; the key stays spelled as it was.
mutagen lays out the blocks and pages, while the comments pass through as the bytes they were: it
would mend those that are no valid UTF-8 or lack a key, and so change other fields than the genre.

Reference: https://www.xiph.org/vorbis/doc/v-comment.html
"""

from __future__ import annotations

from typing import Any, BinaryIO

from mutagen.flac import FLAC, VCFLACDict
from mutagen.oggflac import OggFLAC
from mutagen.oggopus import OggOpus
from mutagen.oggspeex import OggSpeex
from mutagen.oggtheora import OggTheora
from mutagen.oggvorbis import OggVorbis

from earmark.tags.fields import DamagedTagError, Family, Keys, Native, Reading, pick, rewound

KEYS: Keys = {
    "genres": ("genre",),
    "artist": ("artist",),
    "album_artist": ("albumartist", "album artist", "album_artist"),
    "album": ("album",),
    "title": ("title",),
    "moods": ("mood",),
    "groupings": ("grouping",),
}
_PADDING_CODE = 1


class _RawComments:
    """Mixed into mutagen's comment classes: keeps the comments' bytes, and writes them.

    Attributes
    ----------
    vendor_bytes : bytes
    comments : list of bytes
        Each ``KEY=value``, as in the file.
    framed : bool
        Whether a set bit follows the comments, as in Ogg Vorbis and Theora.
    """

    framed = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.vendor_bytes = b""
        self.comments: list[bytes] = []
        super().__init__(*args, **kwargs)

    def load(self, data: Any, *args: Any, **kwargs: Any) -> None:
        start = data.tell()
        self.vendor_bytes = _chunk(data)
        self.comments = [_chunk(data) for _ in range(_uint32(data))]
        data.seek(start)
        super().load(data, *args, **kwargs)  # type: ignore[misc]

    def write(self, framing: bool | None = None) -> bytes:
        parts = [_prefixed(self.vendor_bytes), len(self.comments).to_bytes(4, "little")]
        parts += map(_prefixed, self.comments)
        if self.framed if framing is None else framing:
            parts.append(b"\1")
        return b"".join(parts)


class _FLACComments(_RawComments, VCFLACDict):  # type: ignore[misc]
    framed = False


class _FLAC(FLAC):
    METADATA_BLOCKS = [  # noqa: RUF012  # mutagen declares it so
        _FLACComments if block is VCFLACDict else block for block in FLAC.METADATA_BLOCKS
    ]

    def add_tags(self) -> None:
        self.tags = _FLACComments()
        self.tags.vendor_bytes = self.tags.vendor.encode()
        self.metadata_blocks.append(self.tags)


def _raw(ogg: Any) -> Any:
    """`ogg`, a mutagen class, with raw comments."""
    comments = type("Comments", (_RawComments, ogg._Tags), {})
    return type(ogg.__name__, (ogg,), {"_Tags": comments})


_READERS: dict[str, Any] = {
    "flac": FLAC,
    "ogg": OggVorbis,
    "opus": OggOpus,
    "speex": OggSpeex,
    "oggflac": OggFLAC,
    "theora": OggTheora,
}
_EDITORS: dict[str, Any] = {
    name: _FLAC if name == "flac" else _raw(kind) for name, kind in _READERS.items()
}


class VorbisFamily(Family):
    """Containers with Vorbis comments; `container` is a key of `_READERS`."""

    def __init__(self, container: str) -> None:
        self.container = container

    def read(self, f: BinaryIO) -> Reading:
        audio: Any = _READERS[self.container](rewound(f))
        found: dict[str, list[str]] = {}
        for key, value in audio.tags or ():
            found.setdefault(key.lower(), []).append(value)
        values = pick(KEYS, lambda key: found.get(key, ()))
        return Reading(values, "" if audio.tags is None else "Vorbis comments", audio.info.length)

    def get(self, f: BinaryIO) -> Native:
        audio: Any = _EDITORS[self.container](rewound(f))
        if audio.tags is None:
            return {}
        return {"comments": [comment for comment in audio.tags.comments if _is_genre(comment)]}

    def write(self, f: BinaryIO, values: tuple[str, ...]) -> None:
        now = self.get(f).get("comments", [])
        key = now[0].split(b"=", 1)[0] if now else b"GENRE"
        self.put(f, {"comments": [key + b"=" + value.encode() for value in values]})

    def put(self, f: BinaryIO, native: Native) -> None:
        audio: Any = _EDITORS[self.container](rewound(f))
        genre = native.get("comments", [])
        if audio.tags is None:
            if not genre:
                return
            audio.add_tags()
        old = audio.tags.comments
        at = next((i for i, comment in enumerate(old) if _is_genre(comment)), len(old))
        kept = [comment for comment in old if not _is_genre(comment)]
        audio.tags.comments = [*kept[:at], *genre, *kept[at:]]
        audio.save(rewound(f))

    def others(self, f: BinaryIO) -> Any:
        audio: Any = _EDITORS[self.container](rewound(f))
        comments = [] if audio.tags is None else audio.tags.comments
        blocks = [
            (block.code, block.write())
            for block in getattr(audio, "metadata_blocks", ())  # FLAC's
            if block.code != _PADDING_CODE and block is not audio.tags
        ]
        return [comment for comment in comments if not _is_genre(comment)], blocks


def _is_genre(comment: bytes) -> bool:
    return comment.split(b"=", 1)[0].lower() == b"genre" and b"=" in comment


def _uint32(data: Any) -> int:
    return int.from_bytes(_exactly(data, 4), "little")


def _chunk(data: Any) -> bytes:
    return _exactly(data, _uint32(data))


def _exactly(data: Any, size: int) -> bytes:
    found = bytes(data.read(size))
    if len(found) != size:
        raise DamagedTagError("its Vorbis comments are cut off")
    return found


def _prefixed(data: bytes) -> bytes:
    return len(data).to_bytes(4, "little") + data

"""Vorbis comments, as FLAC and Ogg hold them: taken apart into raw bytes, and put together again.

Several genres are several ``GENRE`` comments, as the format says; the key stays spelled as it was.
The other comments stay the bytes they were, those that are no valid UTF-8 or lack a key among
them, and so does whatever stands behind the last one.

Reference: https://www.xiph.org/vorbis/doc/v-comment.html
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from earmark.tags.fields import DamagedTagError, Keys, Texts, pick, too_long

KEYS: Keys = {
    "genres": ("genre",),
    "artist": ("artist",),
    "album_artist": ("albumartist", "album artist", "album_artist"),
    "album": ("album",),
    "title": ("title",),
    "moods": ("mood",),
    "groupings": ("grouping",),
}
DIALECT = "Vorbis comments"
_MAX_COMMENTS = 20_000


@dataclass(frozen=True, slots=True)
class Comments:
    """A block of comments: who wrote it, each ``KEY=value`` as in the file, what is behind."""

    vendor: bytes = b"Earmark"
    comments: tuple[bytes, ...] = ()
    rest: bytes = b""

    @property
    def others(self) -> tuple[bytes, tuple[bytes, ...]]:
        """All but the genre; what is behind may be padding, so that it is left to the container."""
        return self.vendor, tuple(c for c in self.comments if not is_genre(c))


def parse(data: bytes) -> Comments:
    """Take apart a block of comments.

    Raises
    ------
    DamagedTagError
        It is cut off, or has more comments than any file.
    """
    vendor, at = _chunk(data, 0)
    count = int.from_bytes(data[at : at + 4], "little")
    if len(data) < at + 4:
        raise DamagedTagError("its Vorbis comments are cut off")
    if count > _MAX_COMMENTS:
        raise DamagedTagError(f"it has more than {_MAX_COMMENTS} Vorbis comments")
    at += 4
    found = []
    for _ in range(count):
        comment, at = _chunk(data, at)
        found.append(comment)
    return Comments(vendor, tuple(found), data[at:])


def render(comments: Comments) -> bytes:
    parts = [_prefixed(comments.vendor), len(comments.comments).to_bytes(4, "little")]
    return b"".join([*parts, *map(_prefixed, comments.comments), comments.rest])


def texts(comments: Comments) -> Texts:
    found: dict[str, list[str]] = {}
    for comment in comments.comments:
        key, separator, value = comment.partition(b"=")
        name = key.decode("ascii", "replace").lower()
        if separator and not too_long(name, len(value)):
            found.setdefault(name, []).append(value.decode("utf-8", "replace"))
    return pick(KEYS, lambda key: found.get(key, ()))


def genre(comments: Comments) -> list[bytes]:
    return [comment for comment in comments.comments if is_genre(comment)]


def encode(comments: Comments | None, values: tuple[str, ...]) -> list[bytes]:
    """Comments of these genres, under the key as it is spelled already."""
    now = genre(comments) if comments else []
    key = now[0].split(b"=", 1)[0] if now else b"GENRE"
    return [key + b"=" + value.encode() for value in values]


def with_genre(comments: Comments, genre: list[bytes]) -> Comments:
    """`comments` with these for the genre, where the old ones were or else at the end."""
    old = comments.comments
    at = next((i for i, comment in enumerate(old) if is_genre(comment)), len(old))
    kept = [comment for comment in old if not is_genre(comment)]
    return replace(comments, comments=(*kept[:at], *genre, *kept[at:]))


def is_genre(comment: bytes) -> bool:
    return comment.split(b"=", 1)[0].lower() == b"genre" and b"=" in comment


def _chunk(data: bytes, at: int) -> tuple[bytes, int]:
    """The bytes with their length in front that start at `at`, and where they end."""
    start = at + 4
    end = start + int.from_bytes(data[at:start], "little")
    if start > len(data) or end > len(data):
        raise DamagedTagError("its Vorbis comments are cut off")
    return data[start:end], end


def _prefixed(data: bytes) -> bytes:
    return len(data).to_bytes(4, "little") + data

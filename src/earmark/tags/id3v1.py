"""ID3v1: 128 bytes at the end of a file, whose genre is one number.

Its text is cut after 30 characters and of no declared encoding (Latin-1 is assumed), so the tag
is read only where no better one says anything. Writing changes the genre's byte alone, in tags that
are already there: to the number of the genre if the list has it, else to 255, "none".

The rare extension TAG+, 227 bytes in front of it, has the genre as a text of 30 characters.
"""

from __future__ import annotations

from collections.abc import Iterator

from mutagen.id3 import TCON

from earmark.tags.fields import Texts, clean

GENRES: list[str] = TCON.GENRES
NONE = b"\xff"
SIZE = 128
EXTENSION_SIZE = 227
EXTENSION_GENRE = slice(185, 215)
_TEXTS = {"title": (3, 33), "artist": (33, 63), "album": (63, 93)}
_FRAMES = {"TIT2": (3, 33), "TPE1": (33, 63), "TALB": (63, 93), "TYER": (93, 97)}
_COMMENT = 97


def texts(tag: bytes) -> Texts:
    found = {"genres": genres(tag[-1:])}
    for field, (start, end) in _TEXTS.items():
        found[field] = tuple(filter(None, [_text(tag[start:end])]))
    return {field: values for field, values in found.items() if values}


def extension_texts(tag: bytes) -> Texts:
    """What TAG+ says of the genre; its other fields are the rest of those in ID3v1."""
    genre = clean(_text(tag[EXTENSION_GENRE]))
    return {"genres": (genre,)} if genre else {}


def genres(genre: bytes) -> tuple[str, ...]:
    """What the genre's byte stands for; a number beyond the list is given as it is."""
    number = genre[0]
    if genre == NONE:
        return ()
    return (GENRES[number] if number < len(GENRES) else str(number),)


def encode(values: tuple[str, ...]) -> bytes:
    """The genre's byte for the first of `values`."""
    return bytes([GENRES.index(values[0])]) if values and values[0] in GENRES else NONE


def as_id3v2(tag: bytes) -> Iterator[tuple[str, str]]:
    """What the tag says beside the genre, as ID3v2.3 frame names and texts.

    A file that gets its first ID3v2 tag gets these along: many players look no further than
    the first tag that they find, and would show no title any more.
    """
    for name, (start, end) in _FRAMES.items():
        if _text(tag[start:end]):
            yield name, _text(tag[start:end])
    if comment := _text(tag[_COMMENT:-1]):
        yield "COMM", comment
    if tag[125] == 0 and tag[126]:
        yield "TRCK", str(tag[126])


def _text(raw: bytes) -> str:
    return raw.split(b"\0")[0].decode("latin-1").strip()

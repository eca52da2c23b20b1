"""Audio whose own tag is ID3: MP3, ADTS AAC, True Audio.

Which genre counts
    That of ID3v2, then APEv2 (many MP3s carry one at their end), then ID3v1: the first that says
    something. Of two ID3v2 tags the first is better.

Which version is written
    The one that the file has: v2.2, v2.3 and v2.4 stay what they are. A file without ID3v2 gets
    v2.3, which all players read, and with it the other fields of its APEv2 and ID3v1 tags: many
    players look no further than the first tag. Only a file that has an ID3v1 tag which can hold
    the genre keeps doing without. Further tags that name a genre are kept in step, so that no
    player shows the old one.

Several genres
    Become one TCON frame with a NUL between them. This is the standard in v2.4. In v2.3 and v2.2 it
    is the convention that mutagen, TagLib, foobar2000, Mp3tag and getID3 share; their
    standards know several genres only as numbers, "(17)(20)", which most genres do not have. A
    slash is no separator there (it is part of genres such as "Pop/Funk", and v2.3 names the
    frames that it separates in: TCON is not one of them), and is never taken for one.
"""

from __future__ import annotations

from typing import Any, BinaryIO

from mutagen.aac import AACInfo
from mutagen.mp3 import MPEGInfo
from mutagen.trueaudio import TrueAudioInfo

from earmark.tags import apev2, id3v1, id3v2, id3v2text, outer
from earmark.tags.edits import Edit
from earmark.tags.fields import Family, Native, Reading, combine, rewound

_INFO: dict[str, Any] = {"mp3": MPEGInfo, "aac": AACInfo, "tta": lambda f: TrueAudioInfo(f, 0)}


class Id3Family(Family):
    """Audio with ID3v2 in front, and perhaps APEv2 and ID3v1 behind: MP3 and its like."""

    def __init__(self, container: str) -> None:
        self.container = container

    def read(self, f: BinaryIO) -> Reading:
        around = outer.find(f)
        # mutagen finds the first frame of an MP3 by itself, behind junk too.
        inside = rewound(f) if self.container == "mp3" else around.inside(f)
        info = _INFO[self.container](inside)
        return combine(outer.sources(around), info.length)

    def get(self, f: BinaryIO) -> Native:
        return outer.get(outer.find(f))

    def encode(self, f: BinaryIO, values: tuple[str, ...]) -> Native:
        around = outer.find(f)
        native = outer.in_step(around, values)
        own, v1 = around.first("id3v2"), around.first("id3v1")
        held = not values
        if v1:
            native[v1.name] = [id3v1.encode(values)]
            held = held or id3v1.genres(native[v1.name][0]) == values
        if own or not held:
            native["id3v2"] = id3v2text.bodies(own.data if own else b"", values)
        return native

    def edits(self, f: BinaryIO, native: Native) -> list[Edit]:
        around = outer.find(f)
        found = outer.edits(around, native)
        bodies = native.get("id3v2")
        if bodies and around.first("id3v2") is None:
            new = id3v2.render(id3v2.with_genre(_new_tag(around), bodies))
            found.append(Edit(0, 0, new))
        return found

    def others(self, f: BinaryIO) -> Any:
        around = outer.find(f)
        found = outer.others(around)
        if around.first("id3v2") is None:
            found.insert(0, ("id3v2", id3v2.other_frames(_new_tag(around)), b""))
        return found


def _new_tag(around: outer.Outer) -> id3v2.Tag:
    """The tag that a file without ID3v2 gets before the genre."""
    texts: dict[str, str] = {}
    if ape := around.first("apev2"):
        texts |= apev2.as_id3v2(apev2.parse(ape.data))
    if v1 := around.first("id3v1"):
        texts = dict(id3v1.as_id3v2(v1.data)) | texts
    return id3v2.new_tag(texts.items())

"""ID3 tags: at the start (MP3, ADTS AAC, True Audio) or in a chunk (WAV, AIFF).

Which genre counts
    The first of ID3v2, APEv2 (many MP3s carry one at their end), ID3v1, RIFF INFO that has one.

Which version is written
    The one that the file has: v2.2, v2.3 and v2.4 stay what they are. A file without any tag gets
    v2.3, which all players read. A file with nothing but ID3v1 keeps nothing but ID3v1 as long as
    that can hold the genre; else it gets v2.3 with the other fields copied, see
    `earmark.tags.id3v1`. A file whose only tag is APEv2 has its genre written there. Further tags
    of the file that name a genre are kept in step, so that no player shows the old one. A WAV
    file gets a chunk with an ID3 tag even where it has INFO: that holds one text, in no
    encoding that all agree on. A genre in INFO is kept in step, several joined by "; ".

Several genres
    Become one TCON frame with a NUL between them. This is the standard in v2.4. In v2.3 and v2.2 it
    is the convention that mutagen, TagLib, foobar2000, Mp3tag and getID3 share; their
    standards know several genres only as numbers, "(17)(20)", which most genres do not have. A
    slash is no separator there (it is part of genres such as "Pop/Funk", and v2.3 names the
    frames that it separates in: TCON is not one of them), and is never taken for one.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any, BinaryIO

from mutagen.aac import AACInfo
from mutagen.aiff import AIFFInfo
from mutagen.id3 import ID3, Frames
from mutagen.mp3 import MPEGInfo
from mutagen.trueaudio import TrueAudioInfo
from mutagen.wave import WaveStreamInfo

from earmark.tags import apev2, chunks, id3v1, id3v2
from earmark.tags.fields import Family, Keys, Native, Reading, fill, pick, rewound
from earmark.tags.files import splice

KEYS: Keys = {
    "genres": ("TCON",),
    "artist": ("TPE1",),
    "album_artist": ("TPE2",),
    "album": ("TALB",),
    "title": ("TIT2",),
    "moods": ("TMOO", "TXXX:MOOD", "TXXX:mood"),
    "groupings": ("TIT1", "GRP1"),
}
# All that is parsed: decoding pictures and lyrics would take longer than all the rest.
_FRAMES = {name: Frames[name] for name in {key[:4] for keys in KEYS.values() for key in keys}}
_FRAMES |= {old.__name__: old for new in _FRAMES.values() for old in new.__subclasses__()}  # v2.2

INFO_KEYS: Keys = {
    "genres": ("IGNR",),
    "artist": ("IART",),
    "album": ("IPRD",),
    "title": ("INAM",),
}
_INFO: dict[str, Any] = {
    "mp3": MPEGInfo,
    "aac": AACInfo,
    "tta": lambda f: TrueAudioInfo(f, id3v2.tag_size(f.read(id3v2.HEADER_SIZE))),
    "wav": WaveStreamInfo,
    "aiff": AIFFInfo,
}
_INFO_GENRE = b"IGNR"
_CHUNK_IDS = {"wav": (b"id3 ", b"ID3 "), "aiff": (b"ID3 ",)}

Texts = dict[str, tuple[str, ...]]


class Id3Family(Family):
    """Audio with ID3v2 in front, and perhaps APEv2 and ID3v1 behind: MP3 and its like."""

    def __init__(self, container: str) -> None:
        self.container = container

    def read(self, f: BinaryIO) -> Reading:
        return _reading(self._sources(f), self.container, f)

    def get(self, f: BinaryIO) -> Native:
        native = _get_id3v2(self._tag_bytes(f))
        ape, v1 = apev2.find(f), id3v1.find(f)
        if ape:
            native["apev2"] = apev2.genre_items(ape)
        if v1:
            native["id3v1"] = [v1[-1:]]
        return native

    def put(self, f: BinaryIO, native: Native) -> None:
        self._put_id3v2(f, native.get("id3v2", []))
        apev2.put_items(f, native.get("apev2", []))
        id3v1.put(f, native.get("id3v1", [id3v1.NONE])[0])

    def write(self, f: BinaryIO, values: tuple[str, ...]) -> None:
        now = self.get(f)
        native: Native = {}
        held = not values
        if "id3v1" in now:
            native["id3v1"] = [id3v1.encode(values)]
            held = held or id3v1.genres(native["id3v1"][0]) == values
        if "apev2" in now and (now["apev2"] or "id3v2" not in now):
            native["apev2"] = apev2.encode_items(apev2.find(f), values)
            held = True
        if "id3v2" in now or not held:
            native["id3v2"] = _bodies(self._tag_bytes(f), values)
        self.put(f, native)

    def others(self, f: BinaryIO) -> Any:
        tag, v1 = self._tag(f), id3v1.find(f)
        return id3v2.other_frames(tag), tag.junk, v1 and v1[:-1], apev2.other_items(apev2.find(f))

    def _sources(self, f: BinaryIO) -> list[tuple[str, Texts]]:
        """What each of the file's tags says, best first, with their names."""
        sources = _id3v2_source(self._tag_bytes(f))
        ape, v1 = apev2.find(f), id3v1.find(f)
        if ape:
            sources.append(("APEv2", apev2.texts(ape)))
        if v1:
            sources.append(("ID3v1", id3v1.texts(v1)))
        return sources

    def _tag_bytes(self, f: BinaryIO) -> bytes:
        """The ID3v2 tag, padding included; empty where there is none."""
        f.seek(0)
        header = f.read(id3v2.HEADER_SIZE)
        size = id3v2.tag_size(header)
        return header + f.read(size - len(header)) if size else b""

    def _tag(self, f: BinaryIO) -> id3v2.Tag:
        """The ID3v2 tag, or the one that a file without gets before the genre."""
        data, v1 = self._tag_bytes(f), id3v1.find(f)
        if data:
            return id3v2.parse(data)
        return id3v2.new_tag(id3v1.as_id3v2(v1) if v1 else ())

    def _put_id3v2(self, f: BinaryIO, bodies: list[bytes]) -> None:
        tag = self._tag(f)
        if tag.size or bodies:
            splice(f, 0, tag.size, id3v2.render(id3v2.with_genre(tag, bodies)))


class Id3ChunkFamily(Family):
    """Chunked audio with ID3v2 in one of the chunks: WAV and AIFF."""

    def __init__(self, container: str) -> None:
        self.container = container

    def read(self, f: BinaryIO) -> Reading:
        sources = _id3v2_source(self._tag_bytes(f))
        info = self._info(f)
        if info is not None:
            found = {item_id.decode("latin-1"): chunks.info_text(raw) for item_id, raw in info}
            sources.append(("RIFF INFO", pick(INFO_KEYS, lambda key: [found.get(key, "")])))
        return _reading(sources, self.container, f)

    def get(self, f: BinaryIO) -> Native:
        native, info = _get_id3v2(self._tag_bytes(f)), self._info(f)
        if info is not None:
            native["info"] = [raw for item_id, raw in info if item_id == _INFO_GENRE]
        return native

    def put(self, f: BinaryIO, native: Native) -> None:
        data, bodies = self._tag_bytes(f), native.get("id3v2", [])
        if data or bodies:
            tag = id3v2.parse(data) if data else id3v2.new_tag()
            chunk = self._chunk(f)
            room = chunk.end - chunk.start if chunk else 0
            data = id3v2.render(id3v2.with_genre(tag, bodies), size=room)
            chunks.put(f, chunk, _CHUNK_IDS[self.container][0], data)
        info, genre = self._info(f), native.get("info", [])
        if info is not None and [raw for item_id, raw in info if item_id == _INFO_GENRE] != genre:
            kept = [item for item in info if item[0] != _INFO_GENRE]
            chunks.put_info(f, [*kept, *((_INFO_GENRE, raw) for raw in genre)])

    def write(self, f: BinaryIO, values: tuple[str, ...]) -> None:
        native: Native = {"id3v2": _bodies(self._tag_bytes(f), values)}
        if self.get(f).get("info") and values:
            native["info"] = ["; ".join(values).encode() + b"\0"]
        self.put(f, native)

    def others(self, f: BinaryIO) -> Any:
        data = self._tag_bytes(f)
        tag = id3v2.parse(data) if data else id3v2.new_tag()
        info = [item for item in self._info(f) or () if item[0] != _INFO_GENRE]
        return id3v2.other_frames(tag), tag.junk, info

    def _info(self, f: BinaryIO) -> list[tuple[bytes, bytes]] | None:
        return chunks.info(f) if self.container == "wav" else None

    def _chunk(self, f: BinaryIO) -> chunks.Chunk | None:
        return chunks.find(f, *_CHUNK_IDS[self.container])

    def _tag_bytes(self, f: BinaryIO) -> bytes:
        chunk = self._chunk(f)
        data = chunks.content(f, chunk) if chunk else b""
        return data if id3v2.tag_size(data[: id3v2.HEADER_SIZE]) else b""


def texts(tags: ID3) -> Texts:
    """What a tag says that mutagen has parsed."""
    return pick(KEYS, lambda key: [str(v) for frame in tags.getall(key) for v in frame.text])


def _reading(sources: list[tuple[str, Texts]], container: str, f: BinaryIO) -> Reading:
    """The best of `sources` for every field; the dialect is the one that holds the genre."""
    values: Texts = {}
    for _, found in sources:
        fill(values, found)
    with_genre = [dialect for dialect, found in sources if "genres" in found]
    dialect = next(iter(with_genre or [dialect for dialect, _ in sources]), "")
    return Reading(values, dialect, _INFO[container](rewound(f)).length)


def _id3v2_source(data: bytes) -> list[tuple[str, Texts]]:
    return [(f"ID3v2.{data[3]}", _parsed(data))] if data else []


def _parsed(data: bytes) -> Texts:
    # Untranslated: mutagen would resolve "(17)" and split "(17)Rock".
    return texts(ID3(BytesIO(data), translate=False, load_v1=False, known_frames=_FRAMES))


def _get_id3v2(data: bytes) -> Native:
    if not data:
        return {}
    frames = id3v2.genre_frames(id3v2.parse(data))
    if any(frame.flags for frame in frames):  # compressed, say: the values are what counts
        return {"id3v2": _bodies(data, _parsed(data).get("genres", ()))}
    return {"id3v2": [frame.body for frame in frames]}


def _bodies(data: bytes, values: tuple[str, ...]) -> list[bytes]:
    """Bodies of the genre's frames for `values`, in the version of the tag `data`, if any."""
    version = data[3] if data else id3v2.NEW_VERSION
    return [id3v2.text_body(version, values)] if values else []

"""Tiny real music files that say "Jazz" in one place of many, or in several that differ.

`PLACES` maps a name, "container: place", to the suffix, the maker, and which programs do not
read that kind of file.
"""

from __future__ import annotations

import shutil
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mutagen
from mutagen.id3 import ID3, TXXX
from mutagen.mp4 import MP4
from mutagen.ogg import OggPage

from tests.audiofiles import DATA, sample
from tests.tagmakers import (
    ape,
    append,
    bare_flac,
    bare_m4a,
    bare_mp3,
    chunked,
    encode,
    flac,
    gnre_m4a,
    id3_header,
    id3v1,
    m4a,
    make_ape,
    prepend,
    vorbis,
    wma,
)

JAZZ = 8  # ID3v1's number


@dataclass(frozen=True)
class Place:
    suffix: str
    make: Callable[[Path], object]
    blind: tuple[str, ...] = ()  # programs that do not open such a file, or read no tags of it


def id3(genre: str | None, title: str = "Title") -> bytes:
    """An ID3v2.3 tag."""
    frames = {"TIT2": title} | ({"TCON": genre} if genre else {})
    body = b"".join(
        name.encode() + struct.pack(">IH", len(text) + 1, 0) + b"\0" + text.encode()
        for name, text in frames.items()
    )
    return id3_header(3, 0, body + bytes(20))


# --- MP3 ------------------------------------------------------------------------------------------


def _mp3(front: bytes = b"", back: bytes = b"") -> Callable[[Path], object]:
    return lambda path: append(prepend(bare_mp3(path), front), back)


def _user_text(path: Path) -> None:
    tags = ID3()
    tags.add(TXXX(encoding=1, desc="Genre", text=["Jazz"]))
    tags.save(bare_mp3(path), v2_version=3)


def _appended_id3(path: Path) -> None:
    body = b"TCON\0\0\0\5\0\0\3Jazz"
    header = id3_header(4, 0x10, body)
    append(bare_mp3(path), header + b"3DI" + header[3:10])


def enhanced_id3v1() -> bytes:
    fields = (b"TAG+", b"Title", b"Trio", b"Live", b"\0", b"Jazz", b"000:00", b"000:00")
    return struct.pack("4s60s60s60s1s30s6s6s", *fields) + id3v1(255)


def lyrics3() -> bytes:
    content = b"LYRICSBEGIN" + b"IND0000200" + b"EAL00004Live"
    return content + f"{len(content):06d}".encode() + b"LYRICS200" + id3v1(JAZZ)


MP3GAIN = {"MP3GAIN_MINMAX": "089,210", "REPLAYGAIN_TRACK_GAIN": "-3.2 dB"}


# --- FLAC -----------------------------------------------------------------------------------------


def comment_block(*comments: bytes, rest: bytes = b"") -> bytes:
    parts = [struct.pack("<I", 4) + b"odd!" + struct.pack("<I", len(comments))]
    parts += [struct.pack("<I", len(c)) + c for c in comments]
    return b"".join([*parts, rest])


def flac_of(path: Path, *blocks: tuple[int, bytes]) -> Path:
    """A FLAC file with these metadata blocks (kind, content) behind the first."""
    bare_flac(path)
    data = path.read_bytes()
    at = 4
    while True:
        last, size = data[at] & 0x80, int.from_bytes(data[at + 1 : at + 4], "big")
        at += 4 + size
        if last:
            break
    parts = [b"fLaC\0", (34).to_bytes(3, "big"), data[8:42]]
    for i, (kind, content) in enumerate(blocks):
        flag = 0x80 if i == len(blocks) - 1 else 0
        parts += [bytes([kind | flag]), len(content).to_bytes(3, "big"), content]
    path.write_bytes(b"".join(parts) + data[at:])
    return path


# --- Ogg ------------------------------------------------------------------------------------------


def ogg_pages(path: Path) -> list[OggPage]:
    pages = []
    with path.open("rb") as f:
        while True:
            try:
                pages.append(OggPage(f))
            except EOFError:
                return pages


def with_cover(path: Path, container: str, cover_genre: str = "", *genres: str) -> None:
    """Sound, with a cover as a stream of Theora in front, as FFmpeg lays it out."""
    film = shutil.copy(DATA / "cover.ogv", path.with_suffix(".ogv"))
    if cover_genre:
        audio: Any = mutagen.File(film)
        audio["genre"] = [cover_genre]
        audio.save()
    cover = [page.write() for page in ogg_pages(Path(film))]
    Path(film).unlink()
    vorbis(path, container, *genres)
    pages = [page.write() for page in ogg_pages(path)]
    path.write_bytes(cover[0] + pages[0] + b"".join([*cover[1:-1], *pages[1:], cover[-1]]))


def chain(path: Path, container: str, *genres: str) -> None:
    """Recordings one after the other, each with its genre, or none where that is empty."""
    parts: list[bytes] = []
    for genre in genres:
        vorbis(path, container, *([genre] if genre else []))
        pages = ogg_pages(path)
        for page_ in pages:
            page_.serial = 1000 + len(parts)
        parts.append(b"".join(page_.write() for page_ in pages))
    path.write_bytes(b"".join(parts))


# --- MP4 ------------------------------------------------------------------------------------------


def atom(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + name + content


def _free_form(path: Path, *own: str, name: str = "GENRE") -> None:
    m4a(path, *own)
    audio: Any = MP4(path)
    audio[f"----:com.apple.iTunes:{name}"] = [b"Jazz"]
    audio.save()


def keyed_meta() -> bytes:
    """A list of keys as QuickTime writes it."""
    handler = atom(b"hdlr", bytes(8) + b"mdta" + bytes(13))
    names = (b"com.apple.quicktime.title", b"com.apple.quicktime.genre")
    keys = bytes(4) + struct.pack(">I", len(names)) + b"".join(atom(b"mdta", n) for n in names)
    items = b"".join(
        atom(struct.pack(">I", i), atom(b"data", struct.pack(">II", 1, 0) + text))
        for i, text in enumerate((b"Song", b"Jazz"), start=1)
    )
    return atom(b"meta", handler + atom(b"keys", keys) + atom(b"ilst", items))


def in_moov(path: Path, *new: bytes) -> None:
    """An M4A whose moov atom, behind the sound, ends with these."""
    encode(path, "ipod", "aac", "fltp")
    data = path.read_bytes()
    moov = data.index(b"moov") - 4
    size = int.from_bytes(data[moov : moov + 4], "big")
    assert moov + size == len(data)
    content = data[moov + 8 :].replace(b"udta", b"skip", 1)
    path.write_bytes(data[:moov] + atom(b"moov", content + b"".join(new)))


def _muxed(muxer: str, **options: str) -> Callable[[Path], object]:
    """As FFmpeg writes it."""

    def make(path: Path) -> None:
        import av

        encode(path.with_suffix(".wav"), "wav", "pcm_s16le", "s16")
        with (
            av.open(str(path.with_suffix(".wav"))) as source,
            av.open(str(path), "w", format=muxer, options=options) as out,
        ):
            out.metadata.update({"genre": "Jazz", "title": "Song"})
            stream: Any = out.add_stream("aac", rate=44100, layout="stereo")
            for frame in source.decode(audio=0):
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
        path.with_suffix(".wav").unlink()

    return make


# --- WAV and AIFF ---------------------------------------------------------------------------------


def info_list(*items: tuple[bytes, bytes]) -> bytes:
    content = b"".join(
        name + struct.pack("<I", len(text)) + text + bytes(len(text) % 2) for name, text in items
    )
    return b"LIST" + struct.pack("<I", 4 + len(content)) + b"INFO" + content


def with_chunks(path: Path, codec: str, *chunks: bytes) -> Path:
    """A WAV file of that codec, with chunks behind the sound and no others."""
    plain = path.with_suffix(".raw.wav")
    fmt = {"libmp3lame": "s16p", "adpcm_ima_wav": "s16p"}.get(codec, "s16")
    encode(plain, "wav", codec, fmt)
    data = plain.read_bytes()
    plain.unlink()
    kept, at = [], 12
    while at + 8 <= len(data):
        size = struct.unpack_from("<I", data, at + 4)[0]
        if data[at : at + 4] != b"LIST":
            kept.append(data[at : at + 8 + size + size % 2])
        at += 8 + size + size % 2
    body = b"WAVE" + b"".join(kept) + b"".join(chunks)
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    return path


def _wav_of(codec: str) -> Callable[[Path], object]:
    return lambda path: with_chunks(path, codec, info_list((b"IGNR", b"Jazz\0")))


def id3_chunk(tag: bytes) -> bytes:
    return b"id3 " + struct.pack("<I", len(tag)) + tag + bytes(len(tag) % 2)


def _two_aiff_tags(path: Path) -> None:
    chunked(path, "aiff", 3)
    tag = id3("Jazz")
    chunk = b"ID3 " + struct.pack(">I", len(tag)) + tag + bytes(len(tag) % 2)
    data = path.read_bytes() + chunk
    path.write_bytes(data[:4] + struct.pack(">I", len(data) - 8) + data[8:])


# --- WMA ------------------------------------------------------------------------------------------


def _wma(name: str, in_metadata: bool = False) -> Callable[[Path], object]:
    def make(path: Path) -> None:
        from mutagen.asf._attrs import ASFUnicodeAttribute

        wma(path)
        audio: Any = mutagen.File(path)
        # mutagen puts what names a stream into the Metadata object.
        audio[name] = [ASFUnicodeAttribute("Jazz", stream=1 if in_metadata else None)]
        audio.save()

    return make


# --- Monkey's Audio, WavPack, Musepack ------------------------------------------------------------


def _tagged(container: str) -> Callable[[Path], object]:
    return lambda path: ape(path, container, "Jazz")


def _untagged(container: str, back: bytes) -> Callable[[Path], object]:
    return lambda path: append(sample(path, container), back)


# FFmpeg finds APEv2 only where no ID3v1 tag stands behind it.
_BLIND = {
    "wavpack: APEv2": ("exiftool",),
    "wavpack: ID3v1": ("ffprobe", "exiftool"),
    "wavpack: APEv2 Other, ID3v1": ("ffprobe", "exiftool"),
    "ape: APEv2": ("mediainfo",),
    "ape: ID3v1": ("ffprobe",),
    "ape: APEv2 Other, ID3v1": ("ffprobe",),
    "musepack: APEv2": ("exiftool",),
    "musepack: ID3v1": ("ffprobe", "exiftool"),
    "musepack: APEv2 Other, ID3v1": ("ffprobe", "exiftool"),
}
_AROUND: dict[str, Place] = {}
for _name, _suffix in (("wavpack", ".wv"), ("ape", ".ape"), ("musepack", ".mpc")):
    _other = make_ape({"Genre": "Other"}) + id3v1(JAZZ)
    for _kind, _maker in {
        "APEv2": _tagged(_name),
        "ID3v1": _untagged(_name, id3v1(JAZZ)),
        "APEv2 Other, ID3v1": _untagged(_name, _other),
    }.items():
        _place = f"{_name}: {_kind}"
        _AROUND[_place] = Place(_suffix, _maker, _BLIND[_place])

_OPUS_THEORA = ("kid3-cli", "opusinfo")
PLACES: dict[str, Place] = {
    "mp3: ID3v2": Place(".mp3", _mp3(id3("Jazz"))),
    "mp3: second ID3v2": Place(".mp3", _mp3(id3(None) + id3("Jazz"))),
    "mp3: ID3v2 Other, second ID3v2": Place(".mp3", _mp3(id3("Other") + id3("Jazz"))),
    "mp3: two ID3v2 that differ": Place(".mp3", _mp3(id3("Jazz") + id3("Polka"))),
    "mp3: TXXX": Place(".mp3", _user_text),
    "mp3: appended ID3v2": Place(".mp3", _appended_id3),
    "mp3: APEv2": Place(".mp3", _mp3(b"", make_ape({"Title": "T", "Genre": "Jazz"}))),
    "mp3: APEv2 in front": Place(".mp3", _mp3(make_ape({"Title": "T", "Genre": "Jazz"}))),
    "mp3: ID3v1": Place(".mp3", _mp3(b"", id3v1(JAZZ))),
    "mp3: two ID3v1": Place(".mp3", _mp3(b"", id3v1(JAZZ) + id3v1(JAZZ))),
    "mp3: TAG+": Place(".mp3", _mp3(b"", enhanced_id3v1())),
    "mp3: ID3v1 behind Lyrics3": Place(".mp3", _mp3(b"", lyrics3())),
    "mp3: ID3v2 Other, ID3v1": Place(".mp3", _mp3(id3("Other"), id3v1(JAZZ))),
    "mp3: APEv2 Other, ID3v1": Place(".mp3", _mp3(b"", make_ape({"Genre": "Other"}) + id3v1(JAZZ))),
    "mp3: APEv2 of gains, ID3v1": Place(".mp3", _mp3(b"", make_ape(MP3GAIN) + id3v1(JAZZ))),
    "flac: comments": Place(".flac", lambda p: flac(p, "Jazz")),
    "flac: second comments": Place(
        ".flac", lambda p: flac_of(p, (4, comment_block()), (4, comment_block(b"GENRE=Jazz")))
    ),
    "flac: comments Other, second comments": Place(
        ".flac",
        lambda p: flac_of(
            p, (4, comment_block(b"GENRE=Other")), (4, comment_block(b"Genre=Jazz")), (1, bytes(99))
        ),
    ),
    "flac: ID3v2": Place(".flac", lambda p: prepend(flac_of(p, (1, bytes(9))), id3("Jazz"))),
    "flac: ID3v1": Place(".flac", lambda p: append(flac_of(p, (1, bytes(9))), id3v1(JAZZ))),
    "flac: APEv2": Place(
        ".flac", lambda p: append(flac_of(p, (1, b"")), make_ape({"Genre": "Jazz"}))
    ),
    "ogg: comments": Place(".ogg", lambda p: vorbis(p, "ogg", "Jazz")),
    "ogg: beside a cover": Place(".ogg", lambda p: with_cover(p, "ogg", "", "Jazz")),
    "ogg: in a cover's comments": Place(".ogg", lambda p: with_cover(p, "ogg", "Jazz")),
    "ogg: chain": Place(".ogg", lambda p: chain(p, "ogg", "Jazz", "Polka")),
    "ogg: second of a chain": Place(".ogg", lambda p: chain(p, "ogg", "", "Jazz", "")),
    "ogg: ID3v2": Place(".ogg", lambda p: prepend(_silent(p, "ogg"), id3("Jazz"))),
    "ogg: ID3v1": Place(".ogg", lambda p: append(_silent(p, "ogg"), id3v1(JAZZ))),
    "opus: comments": Place(".opus", lambda p: vorbis(p, "opus", "Jazz")),
    "opus: beside a cover": Place(
        ".opus", lambda p: with_cover(p, "opus", "", "Jazz"), _OPUS_THEORA
    ),
    "opus: chain": Place(".opus", lambda p: chain(p, "opus", "Jazz", "Jazz")),
    "opus: ID3v2": Place(".opus", lambda p: prepend(_silent(p, "opus"), id3("Jazz"))),
    "oggflac: comments": Place(".oga", lambda p: _ogg_flac(p), ("mediainfo",)),
    "mp4: ©gen": Place(".m4a", lambda p: m4a(p, "Jazz")),
    "mp4: gnre": Place(".m4a", gnre_m4a),
    "mp4: free-form": Place(".m4a", _free_form),
    "mp4: free-form in lower case": Place(".m4a", lambda p: _free_form(p, name="genre")),
    "mp4: ©gen Other, free-form": Place(".m4a", lambda p: _free_form(p, "Other")),
    "mp4: free-form that differs": Place(".m4a", lambda p: _free_form(p, "Jazz", name="Genre")),
    "mp4: keys in udta": Place(".m4a", _muxed("ipod", movflags="use_metadata_tags")),
    "mp4: keys in moov": Place(".m4a", lambda p: in_moov(p, keyed_meta()), ("AtomicParsley",)),
    "mp4: QuickTime": Place(".mov", _muxed("mov"), ("kid3-cli", "AtomicParsley")),
    "mp4: 3GP": Place(".3gp", _muxed("3gp"), ("kid3-cli", "AtomicParsley")),
    "mp4: QuickTime's udta in M4A": Place(
        ".m4a",
        lambda p: in_moov(
            p, atom(b"udta", atom(b"\xa9gen", struct.pack(">HH", 4, 0x55C4) + b"Jazz"))
        ),
    ),
    "mp4: ID3v1": Place(".m4a", lambda p: append(_bare_m4a(p), id3v1(JAZZ))),
    **{
        f"wav: INFO of {codec}": Place(".wav", _wav_of(codec))
        for codec in ("pcm_s16le", "adpcm_ms", "adpcm_ima_wav", "pcm_mulaw", "libmp3lame")
    },
    "wav: second INFO": Place(
        ".wav",
        lambda p: with_chunks(
            p, "pcm_s16le", info_list((b"INAM", b"T\0")), info_list((b"IGNR", b"Jazz\0"))
        ),
    ),
    "wav: two INFO that differ": Place(
        ".wav",
        lambda p: with_chunks(
            p, "pcm_s16le", info_list((b"IGNR", b"Polka")), info_list((b"IGNR", b"Jazz\0"))
        ),
    ),
    "wav: ID3v2": Place(".wav", lambda p: with_chunks(p, "pcm_s16le", id3_chunk(id3("Jazz")))),
    "wav: ID3v2 Other, INFO": Place(
        ".wav",
        lambda p: with_chunks(
            p, "pcm_s16le", id3_chunk(id3("Other")), info_list((b"IGNR", b"Jazz\0"))
        ),
    ),
    "wav: second ID3v2": Place(
        ".wav",
        lambda p: with_chunks(p, "pcm_s16le", id3_chunk(id3(None)), id3_chunk(id3("Jazz"))),
    ),
    "wav: ID3v1": Place(".wav", lambda p: append(with_chunks(p, "pcm_s16le"), id3v1(JAZZ))),
    "aiff: ID3v2": Place(".aiff", lambda p: chunked(p, "aiff", 3, "Jazz")),
    "aiff: second ID3v2": Place(".aiff", _two_aiff_tags),
    "aiff: ID3v1": Place(".aiff", lambda p: append(sample(p, "aiff"), id3v1(JAZZ))),
    "asf: WM/Genre": Place(".wma", lambda p: wma(p, "Jazz")),
    "asf: Genre": Place(".wma", _wma("Genre")),
    "asf: metadata": Place(".wma", _wma("WM/Genre", in_metadata=True)),
    "asf: ID3v1": Place(".wma", lambda p: append(_bare_wma(p), id3v1(JAZZ))),
    **_AROUND,
}


def _silent(path: Path, container: str) -> Path:
    """Ogg with comments that name no genre."""
    vorbis(path, container)
    return path


def _ogg_flac(path: Path) -> None:
    encode(path, "ogg", "flac", "s16")
    audio: Any = mutagen.File(path)
    audio["genre"] = ["Jazz"]
    audio.save()


def _bare_wma(path: Path) -> Path:
    wma(path)
    return path


def _bare_m4a(path: Path) -> Path:
    bare_m4a(path)
    return path


# --- tags in front, where players do not find what is behind --------------------------------------

IN_FRONT = {
    "wav": ".wav",
    "aiff": ".aiff",
    "m4a": ".m4a",
    "wma": ".wma",
    "wavpack": ".wv",
    "ape": ".ape",
    "musepack": ".mpc",
}

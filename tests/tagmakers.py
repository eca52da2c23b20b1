"""Makers of tiny real music files with tags in one dialect each, by mutagen or by hand."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import av
import mutagen
import numpy as np
from mutagen.apev2 import APEv2
from mutagen.asf import ASF
from mutagen.flac import FLAC, Picture
from mutagen.id3 import APIC, COMM, ID3, TALB, TCON, TIT2, TPE1, TPE2, TXXX, UFID
from mutagen.mp4 import MP4, MP4Cover

from tests.audiofiles import sample, synth

COVER = np.random.default_rng(7).bytes(200_000)


# --- ID3 ------------------------------------------------------------------------------------------


def bare_mp3(path: Path) -> Path:
    sample(path, "mp3")
    mutagen.id3.delete(path)
    return path


def id3_frames(*genres: str) -> list[Any]:
    frames: list[Any] = [
        TIT2(encoding=3, text="Título"),
        TPE1(encoding=0, text="Trio"),
        TPE2(encoding=1, text="Various Artists"),
        TALB(encoding=0, text="Live"),
        TXXX(encoding=3, desc="mine", text=["a", "b"]),
        COMM(encoding=3, lang="eng", desc="", text="a note"),
        UFID(owner="http://example.org", data=b"\xff\xe0\x00id"),
        APIC(encoding=0, mime="image/jpeg", type=3, desc="", data=COVER),
    ]
    return [*frames, TCON(encoding=3, text=list(genres))] if genres else frames


def add_id3(path: Path, version: int, *genres: str) -> Path:
    tags = ID3()
    for frame in id3_frames(*genres):
        tags.add(frame)
    tags.save(path, v2_version=version, v23_sep=None)
    return path


def id3v1(genre: int) -> bytes:
    fields = (b"TAG", b"Title", b"Trio", b"Live", b"1999", b"a note", b"\0", b"\7", bytes([genre]))
    return struct.pack("3s30s30s30s4s28sccc", *fields)


def append(path: Path, data: bytes) -> Path:
    with path.open("ab") as f:
        f.write(data)
    return path


def prepend(path: Path, data: bytes) -> Path:
    path.write_bytes(data + path.read_bytes())
    return path


def id3_header(version: int, flags: int, body: bytes) -> bytes:
    size = bytes(len(body) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return struct.pack(">3sBBB", b"ID3", version, 0, flags) + size + body


def v22(*frames: tuple[bytes, bytes]) -> bytes:
    body = b"".join(name + len(data).to_bytes(3, "big") + data for name, data in frames)
    return id3_header(2, 0, body + bytes(20))


def v22_mp3(path: Path) -> None:
    picture = b"\0JPG\x03\0" + COVER
    text = [(b"TT2", b"\0Title"), (b"TP1", b"\0Trio"), (b"TAL", b"\0Live"), (b"TCO", b"\0(8)Jazz")]
    prepend(bare_mp3(path), v22(*text, (b"PIC", picture), (b"XYZ", b"unknown")))


def unsynchronised_mp3(path: Path) -> None:
    frames = b"".join(
        name + len(data).to_bytes(4, "big") + b"\0\0" + data
        for name, data in (
            (b"TIT2", b"\1\xff\xfe" + "Ünsynch".encode("utf-16-le")),
            (b"PRIV", b"me\0\xff\x00\xff\xff\xe1\xff"),
            (b"TCON", b"\1\xff\xfe" + "Jazz".encode("utf-16-le")),
            (b"TXXX", b"\0end\0\xff"),
        )
    )
    safe = frames.replace(b"\xff", b"\xff\x00")
    prepend(bare_mp3(path), id3_header(3, 0x80, safe + bytes(10)))


def itunes_v24_mp3(path: Path) -> None:
    """Sizes of v2.4 frames as plain numbers, as an old iTunes wrote them."""
    frames = ((b"APIC", b"\0image/jpeg\0\3\0" + COVER[:300]), (b"TCON", b"\3Jazz"))
    body = b"".join(n + len(d).to_bytes(4, "big") + b"\0\0" + d for n, d in frames)
    prepend(bare_mp3(path), id3_header(4, 0, body + bytes(10)))


def extended_v24_mp3(path: Path) -> None:
    """An extended header with a checksum in front, a footer behind."""
    extended = bytes([0, 0, 0, 12, 1, 0x20, 5, 1, 2, 3, 4, 5])
    body = b"TCON" + bytes([0, 0, 0, 5]) + b"\0\0\3Jazz"
    header = id3_header(4, 0x50, extended + body)
    prepend(bare_mp3(path), header + b"3DI" + header[3:10])


def compressed_mp3(path: Path) -> None:
    import zlib

    text = b"\0Jazz"
    packed = len(text).to_bytes(4, "big") + zlib.compress(text)
    frame = b"TCON" + len(packed).to_bytes(4, "big") + b"\0\x80" + packed
    prepend(bare_mp3(path), id3_header(3, 0, frame + bytes(10)))


def ape_tag(genre: str | None = "Jazz") -> bytes:
    items = {"Title": "Title", "Replaygain_Track_Gain": "-3 dB"}
    return make_ape({**items, "Genre": genre} if genre else items)


def make_ape(items: dict[str, str]) -> bytes:
    import io

    tag = APEv2()
    for key, value in items.items():
        tag[key] = value
    buffer = io.BytesIO()
    tag.save(buffer)
    return buffer.getvalue()


# --- the others -----------------------------------------------------------------------------------


def encode(path: Path, muxer: str, codec: str, fmt: str, **options: str) -> Path:
    """A second of music in what `tests.audiofiles` does not know."""
    y = np.round(synth("music", 1.0) * 30000).astype(np.int16)
    planar = fmt.endswith("p")
    data = y if planar else y.T.reshape(1, -1)
    if fmt.startswith("flt"):
        data = (data / 32768).astype(np.float32)
    with av.open(str(path), "w", format=muxer, options=options) as out:
        stream: Any = out.add_stream(codec, rate=44100, layout="stereo", format=fmt)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(data), fmt, "stereo")
        frame.sample_rate, frame.pts = 44100, 0
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def vorbis(path: Path, container: str, *genres: str) -> None:
    sample(path, container)
    audio: Any = mutagen.File(path)
    audio["artist"] = ["Trio", "Quartet"]
    audio["Title"] = "Título"
    if genres:
        audio["Genre"] = list(genres)
    audio.save()


def flac(path: Path, *genres: str) -> None:
    vorbis(path, "flac", *genres)
    audio = FLAC(path)
    picture = Picture()
    picture.data, picture.mime, picture.type = COVER, "image/jpeg", 3
    audio.add_picture(picture)
    audio.save()


def untidy_flac(path: Path) -> None:
    """Comments that a strict reader would mend: no UTF-8, no key, a key out of range."""
    sample(path, "flac")
    odd = [b"ARTIST=caf\xe9", b"no key", b"~=tilde", b"", b"GENRE=Jazz", b"genre=Jazz"]
    comments = b"".join(len(c).to_bytes(4, "little") + c for c in [*odd, b"TITLE=T"])
    block = (4).to_bytes(4, "little") + b"odd!" + (len(odd) + 1).to_bytes(4, "little") + comments
    data = path.read_bytes()
    info_end = 4 + 4 + 34
    first = data[4:info_end]
    header = bytes([0x84]) + len(block).to_bytes(3, "big")
    at = info_end
    while True:  # drop the other blocks
        last, size = data[at] & 0x80, int.from_bytes(data[at + 1 : at + 4], "big")
        at += 4 + size
        if last:
            break
    path.write_bytes(b"fLaC" + bytes([first[0] & 0x7F]) + first[1:] + header + block + data[at:])


def flac_with_id3(path: Path) -> None:
    flac(path, "Jazz")
    prepend(path, id3_header(3, 0, b"TCON\0\0\0\5\0\0\0Rock"))


def bare_flac(path: Path) -> None:
    sample(path, "flac")
    audio = FLAC(path)
    audio.delete()


def m4a(path: Path, *genres: str, container: str = "m4a") -> None:
    sample(path, container)
    tag_m4a(path, *genres)


def tag_m4a(path: Path, *genres: str) -> None:
    audio: Any = MP4(path)
    audio["\xa9nam"] = "Título"
    audio["\xa9ART"] = ["Trio", "Quartet"]
    audio["trkn"] = [(3, 9)]
    audio["covr"] = [MP4Cover(COVER, MP4Cover.FORMAT_PNG)]
    audio["----:com.apple.iTunes:mine"] = [b"a", b"b"]
    if genres:
        audio["\xa9gen"] = list(genres)
    audio.save()


def gnre_m4a(path: Path) -> None:
    """A numeric genre, 9 for Jazz (counted from 1), which mutagen cannot write."""
    m4a(path, "JJJJJJ")
    old = b"\xa9gen" + struct.pack(">I4sII", 22, b"data", 1, 0) + b"JJJJJJ"
    new = b"gnre" + struct.pack(">I4sIIH", 18, b"data", 0, 0, 9)
    data = path.read_bytes()
    assert data.count(old) == 1
    at = data.index(old) - 4
    atom = struct.pack(">I", 8 + 18) + new
    path.write_bytes(data[:at] + atom + data[at + 4 + len(old) :])
    _grow_free(path, 4 + len(old) - len(atom))


def _grow_free(path: Path, missing: int) -> None:
    """Give `missing` bytes that the item list lost to the free atom behind it."""
    data = bytearray(path.read_bytes())
    ilst = data.index(b"ilst") - 4
    size = int.from_bytes(data[ilst : ilst + 4], "big") - missing
    data[ilst : ilst + 4] = size.to_bytes(4, "big")
    free = ilst + size
    assert data[free + 4 : free + 8] == b"free"
    free_size = int.from_bytes(data[free : free + 4], "big")
    data[free : free + 4] = (free_size + missing).to_bytes(4, "big")
    data[free + free_size : free + free_size] = bytes(missing)
    path.write_bytes(data)


def bare_m4a(path: Path) -> None:
    """No udta at all, and the audio behind moov, so that every offset has to move."""
    encode(path, "ipod", "aac", "fltp", movflags="faststart")
    path.write_bytes(path.read_bytes().replace(b"udta", b"skip", 1))


def fragmented_m4a(path: Path) -> None:
    """Fragments behind moov, with absolute offsets in each and in an index at the end."""
    flags = "frag_every_frame+empty_moov"
    encode(path, "mp4", "aac", "fltp", movflags=flags)
    data = path.read_bytes()
    assert data.count(b"tfhd") > 9
    assert b"tfra" in data


def faststart_m4a(path: Path) -> None:
    """No padding behind the item list: the audio moves, and its offsets with it."""
    encode(path, "ipod", "aac", "fltp", movflags="faststart")
    tag_m4a(path, "Jazz")
    MP4(path).save(padding=lambda _: 0)
    assert b"free" in path.read_bytes()


def wav(path: Path, *, odd: bool = False) -> None:
    sample(path, "wav_u8" if odd else "wav")
    if odd:  # drop one sample byte and the padding, as careless programs do
        data = bytearray(path.read_bytes())
        at = data.index(b"data")
        size = int.from_bytes(data[at + 4 : at + 8], "little") - 1
        data = data[: at + 8 + size]
        data[at + 4 : at + 8] = size.to_bytes(4, "little")
        data[4:8] = (len(data) - 8).to_bytes(4, "little")
        path.write_bytes(data)


def chunked(path: Path, container: str, version: int, *genres: str) -> None:
    sample(path, container)
    audio: Any = mutagen.File(path)
    if audio.tags is None:
        audio.add_tags()
    for frame in id3_frames(*genres):
        audio.tags.add(frame)
    audio.save(v2_version=version, **({"v23_sep": None} if version == 3 else {}))


def wma(path: Path, *genres: str) -> None:
    sample(path, "wma", {"artist": "Trio", "title": "Title"})
    audio: Any = ASF(path)
    audio["WM/Mood"] = ["Calm", "Blue"]
    audio["WM/Picture"] = COVER
    if genres:
        audio["WM/Genre"] = list(genres)
    audio.save()


def ape(path: Path, container: str, *genres: str, v1: bool = False) -> None:
    sample(path, container)
    tag: Any = APEv2()
    tag["Artist"] = ["Trio", "Quartet"]
    tag["Cover Art (Front)"] = COVER
    if genres:
        tag["GENRE"] = list(genres)
    tag.save(path)
    if v1:
        append(path, id3v1(8))

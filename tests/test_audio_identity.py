"""`audio_id` and `packet_hash`: blind to names and tags, not to sound."""

from __future__ import annotations

import base64
import contextlib
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mutagen
import numpy as np
import pytest
from mutagen.apev2 import APEBinaryValue, APEv2
from mutagen.asf import ASF
from mutagen.asf._attrs import ASFByteArrayAttribute
from mutagen.flac import FLAC, Picture
from mutagen.id3 import APIC, ID3, TCON
from mutagen.mp4 import MP4, MP4Cover

from earmark.audio import audio_id, packet_hash, regions
from earmark.audio.identity import _codec_header
from earmark.errors import AudioError
from tests.audiofiles import SAMPLES, sample, synth, write

COVER = b"\x89PNG\r\n\x1a\n" + np.random.default_rng(0).bytes(200_000)
TAGGABLE = [name for name, spec in SAMPLES.items() if spec.taggable]


def make(tmp_path: Path, container: str) -> Path:
    return sample(tmp_path / f"song{SAMPLES[container].suffix}", container)


def retag(path: Path) -> None:
    """Two genres and a big picture, as each container keeps them."""
    file: Any = mutagen.File(path)
    picture = Picture()
    picture.data, picture.mime, picture.type = COVER, "image/png", 3
    if file.tags is None:
        file.add_tags()
    if isinstance(file, MP4):
        file["\xa9gen"] = ["Folk", "Jazz"]
        file["covr"] = [MP4Cover(COVER, MP4Cover.FORMAT_PNG)]
    elif isinstance(file, ASF):
        file["WM/Genre"] = ["Folk", "Jazz"]
        header = b"\x03" + struct.pack("<I", len(COVER)) + "image/png\0\0".encode("utf-16le")
        file["WM/Picture"] = [ASFByteArrayAttribute(header + COVER)]
    elif isinstance(file.tags, ID3):
        file.tags.add(TCON(encoding=3, text=["Folk", "Jazz"]))
        file.tags.add(APIC(encoding=3, mime="image/png", type=3, desc="", data=COVER))
    elif isinstance(file.tags, APEv2):
        file.tags["Genre"] = ["Folk", "Jazz"]
        file.tags["Cover Art (Front)"] = APEBinaryValue(b"cover.png\0" + COVER)
    else:
        file["genre"] = ["Folk", "Jazz"]
        if isinstance(file, FLAC):
            file.add_picture(picture)
        else:
            file["metadata_block_picture"] = base64.b64encode(picture.write()).decode()
    file.save()


@pytest.mark.parametrize("identify", [audio_id, packet_hash])
@pytest.mark.parametrize("container", TAGGABLE)
def test_tags_and_pictures_change_nothing(
    container: str, identify: Callable[[Path], str], tmp_path: Path
) -> None:
    path = make(tmp_path, container)
    before, size = identify(path), path.stat().st_size
    retag(path)
    assert path.stat().st_size > size + 0.9 * len(COVER)
    assert identify(path) == before
    mutagen.File(path).delete()
    assert identify(path) == before


@pytest.mark.parametrize("identify", [audio_id, packet_hash])
@pytest.mark.parametrize("container", SAMPLES)
def test_a_name_is_32_hexadecimal_digits_and_the_files_name_is_no_part_of_it(
    container: str, identify: Callable[[Path], str], tmp_path: Path
) -> None:
    path = make(tmp_path, container)
    name = identify(path)
    assert len(name) == 32
    int(name, 16)
    assert identify(path.rename(tmp_path / "renamed.mp3")) == name


@pytest.mark.parametrize("identify", [audio_id, packet_hash])
@pytest.mark.parametrize("container", [c for c in SAMPLES if SAMPLES[c].muxer])
def test_other_sound_has_another_name(
    container: str, identify: Callable[[Path], str], tmp_path: Path
) -> None:
    sr = 48000 if container == "opus" else 44100
    names = {
        identify(write(tmp_path / "song", synth("music", 2.0, sr, seed=seed), sr, container))
        for seed in range(4)
    }
    assert len(names) == 4


def id3v1(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"TAG" + bytes(125))


def apev2(path: Path) -> None:
    tags = APEv2()
    tags["Genre"] = "Folk"
    tags["Cover Art (Front)"] = APEBinaryValue(b"cover.png\0" + COVER)
    tags.save(path)


def lyrics3(path: Path) -> None:
    body = b"LYRICSBEGININD00002" + b"00" + b"LYR00005la la"
    path.write_bytes(path.read_bytes() + body + b"%06dLYRICS200" % len(body))


def appended_id3v2(path: Path) -> None:
    body = bytes(300)
    head = b"\x04\x00\x10" + bytes([0, 0, len(body) >> 7, len(body) & 0x7F])
    path.write_bytes(path.read_bytes() + b"ID3" + head + body + b"3DI" + head)


def second_id3v2(path: Path) -> None:
    head = b"ID3\x03\x00\x00" + bytes([0, 0, 2, 0])
    path.write_bytes(head + bytes(256) + path.read_bytes())


AT_THE_END: list[list[Callable[[Path], None]]] = [
    [id3v1],
    [apev2],
    [lyrics3],
    [appended_id3v2],
    [apev2, lyrics3, id3v1],
]


@pytest.mark.parametrize("identify", [audio_id, packet_hash])
@pytest.mark.parametrize(
    ("container", "tags"),
    [(c, tags) for c in ("mp3", "flac", "adts", "wavpack") for tags in AT_THE_END]
    + [(c, [second_id3v2]) for c in ("mp3", "flac", "adts")],
    ids=lambda value: value if isinstance(value, str) else "+".join(t.__name__ for t in value),
)
def test_every_kind_of_tag_around_bare_audio(
    container: str,
    tags: list[Callable[[Path], None]],
    identify: Callable[[Path], str],
    tmp_path: Path,
) -> None:
    path = make(tmp_path, container)
    before = identify(path)
    for tag in tags:
        tag(path)
    assert identify(path) == before


def test_mp4_index_before_or_behind_the_sound(tmp_path: Path) -> None:
    import av

    behind = make(tmp_path, "m4a")
    before = tmp_path / "fast.m4a"
    with (
        av.open(str(behind)) as source,
        av.open(str(before), "w", format="ipod", options={"movflags": "faststart"}) as out,
    ):
        stream = out.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    assert before.read_bytes().index(b"moov") < before.read_bytes().index(b"mdat")
    assert behind.read_bytes().index(b"moov") > behind.read_bytes().index(b"mdat")
    assert audio_id(before) == audio_id(behind)
    assert packet_hash(before) == packet_hash(behind)


def test_a_damaged_index_is_noticed(tmp_path: Path) -> None:
    """MP4 keeps places of samples in its index: the same bytes read from elsewhere."""
    path = make(tmp_path, "m4a")
    before = packet_hash(path)
    content = bytearray(path.read_bytes())
    at = content.index(b"stco") + 12
    offset = struct.unpack_from(">I", content, at)[0]
    struct.pack_into(">I", content, at, offset + 1)
    path.write_bytes(content)
    assert packet_hash(path) != before


def test_a_single_flipped_bit_is_noticed(tmp_path: Path) -> None:
    path = make(tmp_path, "flac")
    before = packet_hash(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert packet_hash(path) != before


def test_pcm_of_another_rate_is_another_recording(tmp_path: Path) -> None:
    y = synth("noise", 1.0, 22050)
    slow = write(tmp_path / "slow.wav", y, 22050, "wav")
    fast = write(tmp_path / "fast.wav", y, 44100, "wav")
    assert audio_id(slow) != audio_id(fast)


def test_audio_id_reads_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "song.wav", synth("noise", 60.0), 44100, "wav")
    n_read = 0
    read_at = regions.read_at

    def counting(file: Any, offset: int, n: int) -> bytes:
        nonlocal n_read
        n_read += n
        return read_at(file, offset, n)

    monkeypatch.setattr(regions, "read_at", counting)
    monkeypatch.setattr("earmark.audio.identity.read_at", counting)
    audio_id(path)
    assert 60_000 < n_read < 70_000


def test_garbage_before_the_first_frame_has_a_name_too(tmp_path: Path) -> None:
    """It is no container that is known; the packets are hashed, before and after tagging."""
    path = make(tmp_path, "mp3")
    content = path.read_bytes()
    path.write_bytes(bytes(777) + content[content.index(b"\xff\xfb") :])
    before = audio_id(path)
    retag(path)
    assert audio_id(path) == before


def test_vorbis_comments_are_no_part_of_the_codec_header() -> None:
    identification, comments, setup = b"i" * 30, b"c" * 600, b"s" * 4000
    header = b"\x02" + b"\x1e" + b"\xff\xff\x5a" + identification + comments + setup
    assert _codec_header("vorbis", header) == identification + setup
    assert _codec_header("aac", header) == header
    assert _codec_header("vorbis", b"\x02") == b""


@pytest.mark.parametrize("identify", [audio_id, packet_hash])
def test_files_without_audio_have_no_name(identify: Callable[[Path], str], tmp_path: Path) -> None:
    text = tmp_path / "notes.mp3"
    text.write_text("no music\n" * 1000)
    with pytest.raises(AudioError, match="not a music file"):
        identify(text)
    with pytest.raises(AudioError, match="no such file"):
        identify(tmp_path / "missing.mp3")


@pytest.mark.parametrize("container", ["mp3", "flac", "ogg", "m4a", "wav", "aiff", "wma"])
def test_damaged_headers_never_raise_anything_else(container: str, tmp_path: Path) -> None:
    content = make(tmp_path, container).read_bytes()
    rng = np.random.default_rng(7)
    path = tmp_path / "damaged"
    for _ in range(60):
        damaged = bytearray(content[: rng.integers(1, 3000)])
        for at in rng.integers(0, len(damaged), 8):
            damaged[at] = rng.integers(0, 256)
        path.write_bytes(damaged)
        with contextlib.suppress(AudioError):
            audio_id(path)

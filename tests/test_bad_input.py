"""The zoo: files that are not what they should be, each with its right answer or its own line."""

from __future__ import annotations

import errno
import http.server
import io
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soxr
from mutagen.flac import FLAC, Picture
from mutagen.id3 import APIC, ID3

from earmark.audio import audio_id, packet_hash, probe, read_excerpts, reading, source
from earmark.errors import AudioError
from earmark.types import Excerpt, ExcerptConfig
from tests.audiofiles import FloatArray, sample, synth, write, write_silent_film

SR = 22050
UNIX_ONLY = pytest.mark.skipif(os.name == "nt", reason="Unix file system")


def read(path: str | Path) -> list[Excerpt]:
    return read_excerpts(path, ExcerptConfig(), SR)


def assert_refused(path: str | Path, reason: str) -> None:
    """Reading gives one line: the path, then `reason`."""
    with pytest.raises(AudioError) as caught:
        read(path)
    assert reason in caught.value.reason
    line = str(caught.value)
    assert line.startswith(f"{os.fspath(path)}: ")
    assert "\n" not in line


def assert_right_places(excerpts: list[Excerpt], track: FloatArray, sr: int) -> None:
    """Each excerpt is what `track`, mono, has at its `start_s`."""
    mono = soxr.resample(track, sr, SR)
    for excerpt in excerpts:
        first = round(excerpt.start_s * SR)
        inner = slice(200, -200)
        expected = mono[first : first + excerpt.signal.y.size]
        assert expected.size == excerpt.signal.y.size
        assert np.corrcoef(expected[inner], excerpt.signal.y[inner])[0, 1] > 0.98


# --- not a regular file ---------------------------------------------------------------------------


def test_missing(tmp_path: Path) -> None:
    assert_refused(tmp_path / "song.mp3", "no such file")


def test_zero_bytes(tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    path.touch()
    assert_refused(path, "empty file (zero bytes)")


def test_folder_named_like_music(tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    path.mkdir()
    assert_refused(path, "a folder, not a music file")


@UNIX_ONLY
def test_pipe_never_hangs(tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    os.mkfifo(path)
    code = (
        "import sys\n"
        "from earmark.audio import audio_id, packet_hash, probe\n"
        "from earmark.errors import AudioError\n"
        "for look in (audio_id, packet_hash, probe):\n"
        "    try:\n"
        "        look(sys.argv[1])\n"
        "    except AudioError as e:\n"
        "        print(e.reason)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.splitlines() == ["a named pipe, not a music file"] * 3


@UNIX_ONLY
def test_pipe_that_takes_the_place_of_a_file_never_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = sample(tmp_path / "song.mp3", "mp3")
    regular = path.stat()
    path.unlink()
    os.mkfifo(path)
    monkeypatch.setattr(Path, "stat", lambda self: regular)
    with pytest.raises(AudioError):
        read(path)


@UNIX_ONLY
def test_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # names of sockets have to be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("song.mp3")
        assert_refused("song.mp3", "a socket, not a music file")


@UNIX_ONLY
def test_device() -> None:
    assert_refused("/dev/zero", "a device, not a music file")


@UNIX_ONLY
def test_link_in_circles(tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    path.symlink_to(path)
    assert_refused(path, "a link that leads in circles")


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = sample(tmp_path / "song.mp3", "mp3")

    def refuse(*args: object) -> int:
        # Root may read everything: the refusal itself is what cannot be set up everywhere.
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    assert_refused(path, "no permission to read it")


# --- not music ------------------------------------------------------------------------------------

SUBTITLES = "1\n00:00:01,000 --> 00:00:02,000\nla la la\n\n"
SESSION = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n"


@pytest.mark.parametrize(
    "content",
    [b"no music, just words\n" * 100, SUBTITLES.encode() * 50, SESSION.encode(), b"x", b"ID3"],
    ids=["text", "subtitles", "session", "byte", "tag"],
)
def test_text_named_mp3(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    path.write_bytes(content)
    assert_refused(path, "not a music file, or damaged beyond reading")


@pytest.mark.parametrize("codec", ["png", "mjpeg", "gif", "bmp"])
def test_picture_named_mp3(codec: str, tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    context: Any = av.CodecContext.create(codec, "w")
    context.width = context.height = 64
    context.pix_fmt = {"png": "rgb24", "mjpeg": "yuvj420p", "gif": "rgb8", "bmp": "bgr24"}[codec]
    context.time_base = Fraction(1)
    frame = av.VideoFrame(64, 64, context.pix_fmt)
    packets = [*context.encode(frame), *context.encode(None)]
    path.write_bytes(b"".join(bytes(packet) for packet in packets))
    assert_refused(path, "not a music file")


@pytest.mark.parametrize("content", [np.random.default_rng(0).bytes(200_000), bytes(200_000)])
def test_noise_named_mp3(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    path.write_bytes(content)
    with pytest.raises(AudioError, match=r"not a music file|cannot be decoded|damaged"):
        read(path)


def test_film_without_sound(tmp_path: Path) -> None:
    path = write_silent_film(tmp_path / "film.mp4")
    assert_refused(path, "holds no sound, only pictures or other data")


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    """An address, and what was asked for there."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}", asked
        httpd.shutdown()


PLAYLISTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{target}\n#EXT-X-ENDLIST\n",
    "hls_map": '#EXTM3U\n#EXT-X-MAP:URI="{target}"\n#EXTINF:9,\n{target}\n#EXT-X-ENDLIST\n',
    "m3u": "#EXTM3U\n#EXTINF:9,Secret\n{target}\n",
    "concat": "ffconcat version 1.0\nfile {target}\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period>'
    "<AdaptationSet><Representation><BaseURL>{target}</BaseURL></Representation></AdaptationSet>"
    "</Period></MPD>",
    "smil": '<smil><body><audio src="{target}"/></body></smil>',
    "pls": "[playlist]\nFile1={target}\n",
}


@pytest.mark.parametrize("kind", PLAYLISTS)
def test_playlists_open_nothing(kind: str, tmp_path: Path, server: tuple[str, list[str]]) -> None:
    address, asked = server
    secret = sample(tmp_path / "secret.mp3", "mp3")
    path = tmp_path / "song.mp3"
    for target in ("secret.mp3", secret, f"file:{secret}", f"{address}/secret.mp3"):
        path.write_text(PLAYLISTS[kind].format(target=target))
        assert_refused(path, "not a music file")
    assert asked == []


def test_names_that_look_like_addresses_are_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sample(tmp_path / "secret.wav", "wav")
    for name in ("file:secret.wav", "concat:secret.wav|secret.wav", "http://127.0.0.1/x.mp3", "-"):
        assert_refused(name, "no such file")


# --- truncated and damaged ------------------------------------------------------------------------


@pytest.mark.parametrize("container", ["flac", "mp3", "ogg", "wav", "aiff", "wavpack", "adts"])
def test_truncated(container: str, tmp_path: Path) -> None:
    """Half a file: excerpts all over the half, in their right places."""
    y = synth("music", 60.0)
    path = write(tmp_path / "song", y, 44100, container)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    excerpts = read(path)
    assert len(excerpts) == 5
    assert excerpts[0].start_s == pytest.approx(3, abs=0.5)
    assert excerpts[-1].start_s == pytest.approx(24, abs=2)
    if container not in ("mp3", "adts"):  # they lie some samples off, which `y` would not match
        assert_right_places(excerpts, y.mean(axis=0), 44100)


def test_m4a_without_its_index(tmp_path: Path) -> None:
    path = write(tmp_path / "song.m4a", synth("music", 20.0), 44100, "m4a")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert_refused(path, "not a music file, or damaged beyond reading")


@pytest.mark.parametrize("n_bytes", [100, 5_000, 60_000])
def test_garbage_before_the_first_frame(n_bytes: int, tmp_path: Path) -> None:
    content = write(tmp_path / "song.mp3", synth("music", 30.0), 44100, "mp3").read_bytes()
    path = tmp_path / "garbage.mp3"
    # Without a sync word in the garbage, as left behind by cut-off downloads and broken taggers.
    garbage = np.random.default_rng(1).integers(0, 255, n_bytes, dtype=np.uint8).tobytes()
    path.write_bytes(garbage + content[content.index(b"\xff\xfb") :])
    excerpts = read(path)
    assert len(excerpts) == 5
    for excerpt in excerpts:
        assert 0.3 < np.abs(excerpt.signal.y).max() < 1


def lie_in_mp3(content: bytearray, factor: float) -> None:
    at = content.index(b"Info") + 8
    (n_frames,) = struct.unpack_from(">I", content, at)
    struct.pack_into(">I", content, at, round(n_frames * factor))
    content[at - 8 : at - 4] = b"Xing"  # variable bit rate


def lie_in_flac(content: bytearray, factor: float) -> None:
    # The last 36 bits before the MD5 sum of the stream info block.
    at = 4 + 4 + 10
    (packed,) = struct.unpack_from(">Q", content, at)
    n_samples = packed & (1 << 36) - 1
    packed += round(n_samples * factor) - n_samples
    struct.pack_into(">Q", content, at, packed)


def lie_in_wav(content: bytearray, factor: float) -> None:
    at = content.index(b"data") + 4
    (size,) = struct.unpack_from("<I", content, at)
    struct.pack_into("<I", content, at, round(size * factor) // 4 * 4)


@pytest.mark.parametrize("factor", [10.0, 0.2], ids=["too_long", "too_short"])
@pytest.mark.parametrize(
    ("container", "lie"), [("mp3", lie_in_mp3), ("flac", lie_in_flac), ("wav", lie_in_wav)]
)
def test_lying_headers(
    container: str, lie: Callable[[bytearray, float], None], factor: float, tmp_path: Path
) -> None:
    y = synth("music", 60.0)
    path = write(tmp_path / "song", y, 44100, container)
    content = bytearray(path.read_bytes())
    lie(content, factor)
    path.write_bytes(content)
    excerpts = read(path)
    assert excerpts
    assert sum(e.signal.y.size for e in excerpts) / SR > 5
    assert all(0.3 < np.abs(e.signal.y).max() < 1 for e in excerpts)
    if container != "mp3":
        assert_right_places(excerpts, y.mean(axis=0), 44100)


@pytest.mark.parametrize("container", ["mp3", "flac", "ogg", "opus", "m4a", "wma", "wavpack"])
def test_holes_and_noise_never_raise_anything_else(container: str, tmp_path: Path) -> None:
    sr = 48000 if container == "opus" else 44100
    content = write(tmp_path / "song", synth("music", 25.0, sr), sr, container).read_bytes()
    rng = np.random.default_rng(3)
    path = tmp_path / "damaged"
    for _ in range(12):
        damaged = bytearray(content)
        for at in rng.integers(0, len(damaged), 200):
            damaged[at] = rng.integers(0, 256)
        hole = rng.integers(0, len(damaged))
        damaged[hole : hole + 20_000] = bytes(len(damaged[hole : hole + 20_000]))
        path.write_bytes(damaged)
        try:
            excerpts = read(path)
        except AudioError:
            continue
        assert all(np.isfinite(e.signal.y).all() for e in excerpts)


# --- too little, too quiet, not numbers -----------------------------------------------------------


@pytest.mark.parametrize("container", ["wav", "wav_f32", "flac", "aiff", "wavpack"])
def test_no_samples(container: str, tmp_path: Path) -> None:
    path = write(tmp_path / "song", synth("tone", 0.0), 44100, container)
    with pytest.raises(AudioError, match=r"holds no audio samples|not a music file"):
        read(path)


def test_no_samples_in_a_wav_is_said_so(tmp_path: Path) -> None:
    assert_refused(write(tmp_path / "song.wav", synth("tone", 0.0)), "holds no audio samples")


@pytest.mark.parametrize("container", ["wav", "wav_f64", "flac", "mp3"])
@pytest.mark.parametrize("n_samples", [1, 3000])
def test_too_short(container: str, n_samples: int, tmp_path: Path) -> None:
    y = synth("tone", 1.0)[:, 100 : 100 + n_samples]
    path = write(tmp_path / "song", y, 44100, container)
    assert_refused(path, "too short to judge")


def test_half_a_second_is_enough(tmp_path: Path) -> None:
    path = write(tmp_path / "song.wav", synth("music", reading.MIN_LENGTH_S), 44100, "wav")
    assert len(read(path)) == 1


@pytest.mark.parametrize("container", ["wav", "wav_u8", "wav_f32", "flac", "mp3", "opus", "m4a"])
@pytest.mark.parametrize("seconds", [2.0, 20.0])
def test_silence(container: str, seconds: float, tmp_path: Path) -> None:
    sr = 48000 if container == "opus" else 44100
    path = write(tmp_path / "song", synth("silence", seconds, sr), sr, container)
    assert_refused(path, "silent: nothing above -70 dBFS")


@pytest.mark.parametrize("container", ["wav", "wav_u8", "wav_f64", "flac"])
def test_a_constant_is_silence(container: str, tmp_path: Path) -> None:
    path = write(tmp_path / "song", synth("dc", 20.0), 44100, container)
    assert_refused(path, "silent")


@pytest.mark.parametrize(("level_dbfs", "silent"), [(-75.0, True), (-65.0, False)])
def test_where_silence_ends(level_dbfs: float, silent: bool, tmp_path: Path) -> None:
    y = synth("tone", 2.0, n_channels=1) / 0.5 * 10 ** (level_dbfs / 20)
    path = write(tmp_path / "song.wav", y.astype(np.float32), 44100, "wav_f32")
    if silent:
        assert_refused(path, "silent")
    else:
        assert len(read(path)) == 1


def test_music_on_top_of_a_constant_is_left_alone(tmp_path: Path) -> None:
    y = synth("tone", 2.0, SR, 1) + np.float32(0.25)
    (excerpt,) = read(write(tmp_path / "song.wav", y, SR, "wav_f32"))
    assert excerpt.signal.y.mean() == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("container", ["wav_f32", "wav_f64"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e38, 32767.0])
def test_samples_that_are_not_numbers(container: str, bad: float, tmp_path: Path) -> None:
    y = synth("music", 2.0, SR)
    y[:, ::500] = bad
    assert_refused(write(tmp_path / "song", y, SR, container), "damaged samples: 0.2")


@pytest.mark.parametrize("bad", [np.nan, np.inf, 3e38])
def test_a_trace_of_damage_is_zeroed(bad: float, tmp_path: Path) -> None:
    y = synth("music", 2.0, SR)
    y[0, 1000:1010] = bad
    (excerpt,) = read(write(tmp_path / "song.wav", y, SR, "wav_f32"))
    assert (excerpt.signal.y[1000:1010] == 0).all()
    np.testing.assert_allclose(excerpt.signal.y[2000:], y.mean(axis=0)[2000:], atol=1e-6)


def test_doubles_that_floats_cannot_hold(tmp_path: Path) -> None:
    path = write(tmp_path / "song.wav", synth("music", 1.0, SR), SR, "wav_f64")
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 8
    content[at : at + 8 * 400] = struct.pack("<d", 1e300) * 400
    path.write_bytes(content)
    assert_refused(path, "damaged samples")


@pytest.mark.parametrize(("sr", "n_channels"), [(1, 2), (2_000_000_000, 2)])
def test_absurd_headers(sr: int, n_channels: int, tmp_path: Path) -> None:
    path = write(tmp_path / "song.wav", synth("music", 1.0), 44100, "wav")
    content = bytearray(path.read_bytes())
    struct.pack_into("<HI", content, content.index(b"fmt ") + 10, n_channels, sr)
    path.write_bytes(content)
    assert_refused(path, "damaged header")


# --- much around the sound ------------------------------------------------------------------------


def test_twenty_megabytes_of_cover(tmp_path: Path) -> None:
    y = synth("music", 20.0)
    cover = np.random.default_rng(0).bytes(20_000_000)
    mp3 = write(tmp_path / "song.mp3", y, 44100, "mp3")
    plain = [e.signal.y for e in read(mp3)]
    tags = ID3(mp3)
    tags.add(APIC(encoding=3, mime="image/jpeg", type=3, desc="", data=cover))
    tags.save(mp3)
    for excerpt, expected in zip(read(mp3), plain, strict=True):
        np.testing.assert_array_equal(excerpt.signal.y, expected)

    flac = write(tmp_path / "song.flac", y, 44100, "flac")
    file = FLAC(flac)
    picture = Picture()
    picture.data, picture.mime, picture.type = cover[:16_000_000], "image/jpeg", 3
    file.add_picture(picture)
    file.save()
    assert_right_places(read(flac), y.mean(axis=0), 44100)


@pytest.mark.parametrize("container", ["mp4_video", "mkv_video"])
def test_film_with_sound(container: str, tmp_path: Path) -> None:
    path = write(tmp_path / "film", synth("music", 25.0), 44100, container)
    assert len(read(path)) == 5
    assert probe(path).codec == "aac"


# --- gone in the middle ---------------------------------------------------------------------------


def test_vanishes_between_two_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = sample(tmp_path / "song.mp3", "mp3")
    monkeypatch.setattr(reading, "_read_by_seeking", lambda path, config: path.unlink())
    assert_refused(path, "no such file")


def test_emptied_while_it_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "song.wav", synth("noise", 60.0), 44100, "wav")
    with source.Source(path) as opened:
        os.truncate(path, 0)
        assert sum(packet.size for packet in opened.packets()) < 500_000


class Failing(io.FileIO):
    """A disk that gives up after some reads."""

    n_left = 0

    def read(self, n: int | None = -1) -> bytes:
        if Failing.n_left <= 0:
            raise OSError(errno.EIO, "Input/output error")
        Failing.n_left -= 1
        return super().read(-1 if n is None else n)


@pytest.mark.parametrize("look", [read, probe, audio_id, packet_hash])
@pytest.mark.parametrize("n_reads", [0, 1, 2, 5, 20])
def test_disk_errors_become_audio_errors(
    look: Callable[[Path], object], n_reads: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "song.flac", synth("noise", 60.0), 44100, "flac")
    monkeypatch.setattr(io, "FileIO", Failing)
    Failing.n_left = n_reads
    try:
        look(path)
    except AudioError as e:
        assert "read" in e.reason or "decoded" in e.reason or "damaged" in e.reason  # noqa: PT017
    else:
        assert Failing.n_left > 0 or n_reads >= 5


# --- quiet ----------------------------------------------------------------------------------------


def test_ffmpeg_never_talks(tmp_path: Path) -> None:
    content = write(tmp_path / "song.mp3", synth("music", 20.0), 44100, "mp3").read_bytes()
    for name, start in (("half.mp3", 0), ("late.mp3", 3333)):
        (tmp_path / name).write_bytes(content[start : len(content) // 2])
    (tmp_path / "text.mp3").write_text("words " * 999)
    code = (
        "import sys\n"
        "from earmark.audio import read_excerpts\n"
        "from earmark.errors import AudioError\n"
        "from earmark.types import ExcerptConfig\n"
        "for path in sys.argv[1:]:\n"
        "    try:\n"
        "        read_excerpts(path, ExcerptConfig(), 22050)\n"
        "    except AudioError:\n"
        "        pass\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *sorted(tmp_path.iterdir())],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("", "")

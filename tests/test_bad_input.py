"""The zoo: files that are not what they should be, each with its right answer or its own line."""

from __future__ import annotations

import errno
import http.server
import io
import os
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
from mutagen.flac import FLAC, Picture
from mutagen.id3 import APIC, ID3

from earmark.audio import audio_id, packet_hash, probe, reading, source
from earmark.errors import AudioError
from tests.audiofiles import sample, synth, write, write_silent_film
from tests.refusals import assert_refused, assert_right_places, read
from tests.systems import make_pipe, unix_socket

UNIX_ONLY = pytest.mark.skipif(os.name == "nt", reason="Unix file system")


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
    make_pipe(path)
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
    make_pipe(path)
    monkeypatch.setattr(Path, "stat", lambda self: regular)
    reader = threading.Thread(target=assert_refused, args=(path, ""), daemon=True)
    reader.start()
    reader.join(timeout=10)
    assert not reader.is_alive()


@UNIX_ONLY
def test_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # names of sockets have to be short
    with unix_socket() as listener:
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


@pytest.mark.parametrize(
    ("container", "known", "unknown"),
    [
        ("mkv_video", b"A_AAC", b"A_XYZ"),
        ("wav", b"fmt \x10\0\0\0\x01\0", b"fmt \x10\0\0\0\x99\x99"),
    ],
)
def test_unknown_coding(container: str, known: bytes, unknown: bytes, tmp_path: Path) -> None:
    path = sample(tmp_path / "song", container)
    content = path.read_bytes()
    assert known in content
    path.write_bytes(content.replace(known, unknown))
    assert_refused(path, "its sound is of a coding that is not known")


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
    monkeypatch.setattr(reading, "_read_by_seeking", lambda path, *_: path.unlink())
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


@pytest.mark.parametrize("look", [read, audio_id, packet_hash])
@pytest.mark.parametrize("n_reads", [0, 1, 2, 5, 9])
def test_disk_errors_become_audio_errors(
    look: Callable[[Path], object],
    n_reads: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    path = write(tmp_path / "song.flac", synth("noise", 60.0), 44100, "flac")
    monkeypatch.setattr(io, "FileIO", Failing)
    Failing.n_left = n_reads
    with pytest.raises(AudioError, match="cannot be read: Input/output error"):
        look(path)
    assert capfd.readouterr().err == ""


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

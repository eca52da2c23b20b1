"""Covers: those in files go by way of the disk, and too large ones nowhere."""

from __future__ import annotations

import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from mutagen.id3 import APIC, ID3

from tests.audiofiles import synth, write
from tests.web.servers import Server, serving

MIB = 1 << 20
JPEG = b"\xff\xd8\xff\xe0" + b"\x11" * 200


def song_with_cover(path: Path, picture: bytes) -> Path:
    write(path, synth("music", 2.0), 44100, "mp3")
    tags = ID3()
    tags.add(APIC(mime="image/jpeg", type=3, data=picture))
    tags.save(path)
    return path


def cover_url(server: Server, name: str) -> str:
    answer = server.client.post("/libraries/music/classify", json={"paths": [name]})
    return f"/libraries/music/files/{answer.json()['results'][0]['file_id']}/cover"


def test_a_cover_is_as_it_is_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "music").mkdir()
    song = song_with_cover(tmp_path / "music" / "a.mp3", JPEG)
    with serving(tmp_path / "home", libraries=[str(tmp_path / "music")]) as server:
        url = cover_url(server, "a.mp3")
        for _ in range(2):
            answer = server.client.get(url)
            assert (answer.status_code, answer.content) == (200, JPEG)
            assert answer.headers["content-type"] == "image/jpeg"
            assert answer.headers["cache-control"] == "private, max-age=3600"
        # Another picture in the file is another cover.
        song_with_cover(song, JPEG + b"\x22")
        assert server.client.get(url).content == JPEG + b"\x22"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how much memory it was")
@pytest.mark.parametrize(("size", "status"), [(150 * MIB, 404), (19 * MIB, 200)])
def test_many_large_covers_do_not_fill_the_memory(tmp_path: Path, size: int, status: int) -> None:
    (tmp_path / "music").mkdir()
    song_with_cover(tmp_path / "music" / "a.mp3", JPEG + bytes(size))
    with serving(tmp_path / "home", libraries=[str(tmp_path / "music")], n_workers=1) as server:
        url = cover_url(server, "a.mp3")
        before = peak_bytes(server)

        def ask(_: int) -> int:
            with server.client.stream("GET", url) as answer:
                return sum(map(len, answer.iter_bytes())) if answer.status_code == 200 else 0

        with ThreadPoolExecutor(8) as threads:
            sizes = list(threads.map(ask, range(8)))
        assert sizes == [size + len(JPEG) if status == 200 else 0] * 8
        assert peak_bytes(server) - before < 60 * MIB


def peak_bytes(server: Server) -> int:
    """The most memory that the process that answers has held so far."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found
    return int(found[1]) * 1024

"""Music and a server that the tests of a module share: each start takes seconds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.audiofiles import synth, write
from tests.web.pagefixtures import chromium, library, open_page, plain_server  # noqa: F401
from tests.web.servers import Server, serving

pytest.importorskip("fastapi", reason="needs earmark[web]")


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small library: three albums, one track with a genre, a title that is markup."""
    root = tmp_path_factory.mktemp("lib") / "My Music"
    for i, (artist, genre) in enumerate([("Ann", ""), ("Bob", "Jazz"), ("Cee", "")]):
        album = root / artist / "First"
        album.mkdir(parents=True)
        for n in (1, 2):
            kind = "mp3" if n == 1 else "flac"
            title = "<script>alert(1)</script>" if artist == "Ann" and n == 1 else f"Song {n}"
            tags = {"artist": artist, "album": "First", "title": title}
            if genre:
                tags["genre"] = genre
            write(album / f"0{n}.{kind}", synth("music", 8.0, seed=2 * i + n), 44100, kind, tags)
    return root


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, music: Path) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("web")
    with serving(home, libraries=[str(music)], allow_write=True, n_workers=1) as running:
        yield running

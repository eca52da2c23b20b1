"""The demo library: credited, small, decodable, and partly without genres, as the demo needs it."""

import runpy
import tomllib
from pathlib import Path
from typing import Any

import av
import mutagen
import numpy as np
import pytest
from mutagen.id3 import ID3
from mutagen.mp4 import MP4Tags

EXAMPLES = Path(__file__).parents[1] / "examples"
MUSIC = EXAMPLES / "music"
SUFFIXES = {".mp3", ".flac", ".ogg", ".opus", ".m4a", ".wav"}
FILES = sorted(path for path in MUSIC.rglob("*") if path.suffix in SUFFIXES)
LICENCES = {
    "CC0-1.0", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-SA-3.0", "MIT", "LicenseRef-public-domain",
}  # fmt: skip
FIELDS = {
    "TPE1": "artist", "TALB": "album", "TIT2": "title", "TCON": "genre",
    "\xa9ART": "artist", "\xa9alb": "album", "\xa9nam": "title", "\xa9gen": "genre",
}  # fmt: skip


def credit_rows() -> dict[str, dict[str, str]]:
    """Return the table of CREDITS.md: file name to column name to cell."""
    lines = (MUSIC / "CREDITS.md").read_text(encoding="utf-8").splitlines()
    cells = [[c.strip() for c in line.strip("|").split(" | ")] for line in lines if line[:1] == "|"]
    columns, _, *rows = cells
    return {row[0].strip("`"): dict(zip(columns, row, strict=True)) for row in rows}


def fields(path: Path) -> set[str]:
    """Return the names of the tags in a file; what is none of the four keeps its own name."""
    tags: Any = mutagen.File(path).tags
    if isinstance(tags, ID3 | MP4Tags):
        return {FIELDS.get(key, key) for key in tags}
    return {key.lower() for key in dict(tags)}


def name(path: Path) -> str:
    return path.relative_to(MUSIC).as_posix()


def test_every_file_is_credited_and_every_credit_has_its_file() -> None:
    assert set(credit_rows()) == {name(path) for path in FILES}


def test_nothing_else_lies_there() -> None:
    others = {name(path) for path in MUSIC.rglob("*") if path.is_file() and path not in FILES}
    assert others == {"CREDITS.md", "SOURCES.toml", "CC-BY-SA-3.0.txt"}


def test_credits_are_what_the_table_of_sources_says() -> None:
    script = runpy.run_path(str(EXAMPLES / "make_music.py"))
    table = tomllib.loads((MUSIC / "SOURCES.toml").read_text(encoding="utf-8"))
    tracks = [script["Track"](**entry) for entry in table["tracks"]]
    page = (MUSIC / "CREDITS.md").read_text(encoding="utf-8")
    assert script["credits_page"](table, tracks) == page


def test_every_licence_allows_a_changed_excerpt_to_be_passed_on() -> None:
    named = {file: row["licence"].split("]")[0].strip("[") for file, row in credit_rows().items()}
    assert {file for file, licence in named.items() if licence not in LICENCES} == set()
    assert "not under Earmark's MIT licence" in (MUSIC / "CREDITS.md").read_text(encoding="utf-8")


def test_it_is_small_and_of_many_formats() -> None:
    assert sum(path.stat().st_size for path in MUSIC.rglob("*") if path.is_file()) <= 8_000_000
    assert {path.suffix for path in FILES} == SUFFIXES


def test_it_is_laid_out_as_a_person_would() -> None:
    assert any(not name(path).isascii() for path in FILES)
    assert any(path.parent == MUSIC for path in FILES)
    assert sum(path.parent.parent.parent == MUSIC for path in FILES) >= len(FILES) - 1


@pytest.mark.parametrize("path", FILES, ids=name)
def test_it_decodes_to_sound(path: Path) -> None:
    with av.open(str(path), mode="r") as container:
        rate = container.streams.audio[0].rate
        frames = list(container.decode(audio=0))
    n_samples = sum(frame.samples for frame in frames)
    assert 10 <= n_samples / rate <= 25.1
    assert max(float(np.ptp(frame.to_ndarray())) for frame in frames) > 0


def test_every_file_has_artist_album_and_title_and_nothing_beyond_a_genre() -> None:
    required = {"artist", "album", "title"}
    wrong = {name(p): f for p in FILES if (f := fields(p)) not in (required, required | {"genre"})}
    assert wrong == {}


def test_the_credits_tell_which_files_have_a_genre() -> None:
    tagged = {name(path) for path in FILES if "genre" in fields(path)}
    assert tagged == {file for file, row in credit_rows().items() if row["tag"][0] != "–"}
    assert 0.5 <= len(tagged) / len(FILES) <= 0.7

"""Every place where a genre may stand: read, written where players look, no old one left, undone.

What other programs then read is compared, for those that the machine has: see `tests.tagreaders`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from earmark.tags import Journal, read_tags
from tests.tagfiles import decoded, leftovers, tags_after, undo, write
from tests.tagplaces import PLACES, Place
from tests.tagreaders import genres_by_others, missing_readers

places = pytest.mark.parametrize("name", PLACES)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "data") as journal:
        yield journal


def make(folder: Path, name: str) -> tuple[Path, Place]:
    place = PLACES[name]
    path = folder / f"song{place.suffix}"
    place.make(path)
    return path, place


@places
def test_genre_is_read_from_every_place(tmp_path: Path, name: str) -> None:
    path, _ = make(tmp_path, name)
    tags = read_tags(path)
    assert tags.genres == ("Jazz",)
    assert tags.dialect
    assert tags.container == name.partition(":")[0]


@places
def test_genre_is_written_to_every_place(tmp_path: Path, journal: Journal, name: str) -> None:
    path, place = make(tmp_path, name)
    before, sound = path.read_bytes(), decoded(path)

    assert tags_after(write(journal, path, "Zydeco")).genres == ("Zydeco",)

    for program, found in genres_by_others(path, read_tags(path).container).items():
        assert set(found) <= {"Zydeco"}, program
        assert found or program in place.blind, program
    assert b"Jazz" not in path.read_bytes()
    assert decoded(path) == sound
    write(journal, path, "Rock", "Größe 東京")
    assert read_tags(path).genres == ("Rock", "Größe 東京")
    for run_id in (2, 1):
        assert undo(journal, run_id) == []
    assert path.read_bytes() == before
    assert leftovers(tmp_path) == []


@places
def test_genre_is_taken_from_every_place(tmp_path: Path, journal: Journal, name: str) -> None:
    path, _ = make(tmp_path, name)
    before = path.read_bytes()
    assert tags_after(write(journal, path)).genres == ()
    assert b"Jazz" not in path.read_bytes()
    undo(journal)
    assert path.read_bytes() == before


def test_programs_to_compare_with() -> None:
    """Says which programs were not there to compare with."""
    missing = missing_readers()
    if missing:
        pytest.skip(f"not compared with {', '.join(missing)}: not installed")

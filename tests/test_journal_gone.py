"""A journal that is deleted or replaced while files are written: the run ends there, says so, and
what was written can still be taken back."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from earmark.errors import LibraryError
from earmark.events import Event, Note, Progress
from earmark.library import Catalogue
from earmark.tags import Journal, read_tags
from earmark.workflows.apply import apply_changes, undo_run
from tests.cli import earmark
from tests.tagfiles import leftovers, plan, undo
from tests.tagmakers import add_id3, bare_mp3


@pytest.fixture
def songs(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "music"
    folder.mkdir()
    return [add_id3(bare_mp3(folder / f"{i}.mp3"), 3, "Jazz") for i in range(4)]


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    with Catalogue.open(tmp_path / "catalogue.sqlite") as catalogue:
        yield catalogue


def interrupted_by(
    deed: Callable[[], object], flow: Iterator[Event], n_before: int
) -> tuple[list[Event], LibraryError]:
    """Do the deed after `n_before` files; what is said, and what ends the run."""
    events: list[Event] = []
    try:
        for event in flow:
            events.append(event)
            if isinstance(event, Progress) and event.done == n_before:
                deed()
    except LibraryError as e:
        return events, e
    raise AssertionError("the run went on")


def genres(songs: list[Path]) -> list[str]:
    return ["".join(read_tags(song).genres) for song in songs]


@pytest.mark.parametrize("gone", ["home", "journal.sqlite", "journal.sqlite-wal"])
def test_a_journal_deleted_in_mid_run_comes_back(
    earmark_home: Path, songs: list[Path], catalogue: Catalogue, gone: str
) -> None:
    before = [song.read_bytes() for song in songs]

    def delete() -> None:
        if gone == "home":
            shutil.rmtree(earmark_home)
        else:
            (earmark_home / gone).unlink()

    with Journal(earmark_home) as journal:
        flow = apply_changes([plan(song, "Rock") for song in songs], journal, catalogue)
        _, error = interrupted_by(delete, flow, 2)
    assert "was deleted or replaced while it was in use" in error.reason
    assert genres(songs) == ["Rock", "Rock", "Jazz", "Jazz"]
    assert leftovers(songs[0].parent) == []
    assert "2 files were written before; `earmark undo 1` takes them back" in error.hint
    ran = earmark("undo", "1")
    assert ran.code == 0, ran.err
    assert "2 files restored" in ran.out
    assert [song.read_bytes() for song in songs] == before


def test_runs_from_before_are_saved_too(
    earmark_home: Path, songs: list[Path], catalogue: Catalogue
) -> None:
    with Journal(earmark_home) as journal:
        for after in ("Rock", "Pop"):
            for _ in apply_changes([plan(songs[0], after)], journal, catalogue):
                pass
        flow = apply_changes([plan(song, "Rock") for song in songs], journal, catalogue)
        interrupted_by(lambda: shutil.rmtree(earmark_home), flow, 1)
    with Journal(earmark_home) as journal:
        assert [run.counts for run in journal.runs()] == [{"done": 1}] * 3
        for run_id in (3, 2, 1):
            assert undo(journal, run_id) == []
    assert genres(songs) == ["Jazz"] * 4


def test_a_journal_that_took_its_place_is_left_alone(
    earmark_home: Path, songs: list[Path], catalogue: Catalogue
) -> None:
    path = earmark_home / "journal.sqlite"

    def replace() -> None:
        for file in earmark_home.glob("journal.*"):
            file.unlink()
        with Journal(earmark_home) as other:
            other.new_run("tag", "another")

    with Journal(earmark_home) as journal:
        flow = apply_changes([plan(song, "Rock") for song in songs], journal, catalogue)
        _, error = interrupted_by(replace, flow, 3)
    with Journal(earmark_home) as other:
        assert [run.note for run in other.runs()] == ["another"]
    assert "`EARMARK_HOME=" in error.hint
    (saved,) = earmark_home.glob("journal-*/journal.sqlite")
    assert path.exists()
    with Journal(saved.parent) as journal:
        assert undo(journal, 1) == []
    assert genres(songs) == ["Jazz"] * 4


def test_what_cannot_be_taken_back_is_named(
    earmark_home: Path, songs: list[Path], catalogue: Catalogue
) -> None:
    """Nowhere to save the records: a file stands where the home was."""

    def delete() -> None:
        shutil.rmtree(earmark_home)
        earmark_home.write_bytes(b"")

    with Journal(earmark_home) as journal:
        flow = apply_changes([plan(song, "Rock") for song in songs], journal, catalogue)
        events, error = interrupted_by(delete, flow, 2)
    assert "2 files were written before, which cannot be taken back" in error.hint
    notes = [event for event in events if isinstance(event, Note)]
    assert notes == [Note("written, and cannot be taken back", str(song)) for song in songs[:2]]
    assert genres(songs) == ["Rock", "Rock", "Jazz", "Jazz"]


def test_an_undoing_ends_there_and_goes_on_later(
    earmark_home: Path, songs: list[Path], catalogue: Catalogue
) -> None:
    with Journal(earmark_home) as journal:
        for _ in apply_changes([plan(song, "Rock") for song in songs], journal, catalogue):
            pass
        flow = undo_run(journal, lambda: nullcontext(catalogue))
        _, error = interrupted_by(lambda: shutil.rmtree(earmark_home), flow, 1)
    assert "1 file was restored before; `earmark undo 1` goes on" in error.hint
    assert genres(songs) == ["Rock", "Rock", "Rock", "Jazz"]
    assert earmark("undo", "1").code == 0
    assert genres(songs) == ["Jazz"] * 4


def test_nothing_is_said_of_files_where_none_was_written(
    earmark_home: Path, songs: list[Path], catalogue: Catalogue
) -> None:
    with Journal(earmark_home) as journal:
        shutil.rmtree(earmark_home)
        with pytest.raises(LibraryError, match="deleted or replaced") as caught:
            list(apply_changes([plan(songs[0], "Rock")], journal, catalogue))
    assert "written" not in caught.value.hint
    assert genres(songs[:1]) == ["Jazz"]


def test_reading_needs_no_file(earmark_home: Path, songs: list[Path], catalogue: Catalogue) -> None:
    with Journal(earmark_home) as journal:
        for _ in apply_changes([plan(songs[0], "Rock")], journal, catalogue):
            pass
        shutil.rmtree(earmark_home)
        assert journal.runs()[0].counts == {"done": 1}
        with pytest.raises(LibraryError, match="deleted or replaced"):
            journal.recover()
        assert journal.runs()[0].counts == {"done": 1}
    with sqlite3.connect(earmark_home / "journal.sqlite") as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()

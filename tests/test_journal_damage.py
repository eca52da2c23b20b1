"""Records that a failing disk or a hand has damaged: each costs its own file at most, and what is
left of it is used."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import pytest

from earmark.events import FileSkipped, run
from earmark.library import Catalogue
from earmark.tags import ChangeState, Journal, apply_change, read_tags
from earmark.workflows.apply import ApplyReport, undo_run
from tests.cli import earmark
from tests.tagfiles import by_mutagen, edit_title, leftovers, plan
from tests.tagmakers import add_id3, bare_mp3

NO_TEXT = b"\xff\xfe\x00"
DEEP = "[" * 100_000


@pytest.fixture
def songs(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "music"
    folder.mkdir()
    first = add_id3(bare_mp3(folder / "0.mp3"), 4, "Jazz")
    return [first, *(Path(shutil.copy2(first, folder / f"{i}.mp3")) for i in (1, 2))]


@pytest.fixture
def journal(earmark_home: Path, songs: list[Path]) -> Iterator[Journal]:
    """After a run over all songs."""
    with Journal(earmark_home) as journal:
        run_id = journal.new_run("tag", "/music")
        for song in songs:
            apply_change(journal, run_id, plan(song, "Rock"))
        journal.finish_run(run_id)
        yield journal


def damage(journal: Journal, table: str, column: str, value: Any, as_text: bool = False) -> None:
    """Put a value into the second change, or into the run."""
    with closing(sqlite3.connect(journal.path)) as db, db:
        new = "CAST(? AS TEXT)" if as_text else "?"
        sql = f"UPDATE {table} SET {column} = {new} WHERE rowid = ?"
        db.execute(sql, (value, 2 if table == "changes" else 1))


def take_back(journal: Journal) -> tuple[ApplyReport, list[FileSkipped]]:
    events: list[Any] = []
    report = run(undo_run(journal, lambda: nullcontext(_NoCatalogue())), events.append)
    return report, [event for event in events if isinstance(event, FileSkipped)]


class _NoCatalogue(Catalogue):
    def __init__(self) -> None:
        """Knows of no files."""

    def refresh(self, *args: Any) -> None:
        """Nothing to be told."""


@pytest.mark.parametrize("value", [5, "", "relative.mp3", "/with\0nul", 1.5, b"\0"])
def test_a_change_without_a_path_is_told_and_the_rest_goes_on(
    journal: Journal, songs: list[Path], value: Any
) -> None:
    damage(journal, "changes", "path", value)
    report, skipped = take_back(journal)
    assert [read_tags(song).genres for song in songs] == [("Jazz",), ("Rock",), ("Jazz",)]
    assert report.n_written == 2
    (event,) = skipped
    assert event.path == "(change 2 of the journal)"
    assert "its record in the journal is damaged (path)" in event.reason
    assert journal.runs()[0].counts == {"undone": 2, "done": 1}
    assert journal.runs()[0].undone is None


@pytest.mark.parametrize("column", ["native", "before", "after"])
@pytest.mark.parametrize(
    "value", ["", "no JSON", DEEP, NO_TEXT, '{"id3v2": 5}', "[5]", "5", '{"id3v2": ["%"]}', 5, 0.5]
)
def test_what_rebuilds_the_file_suffices(
    journal: Journal, songs: list[Path], column: str, value: Any
) -> None:
    damage(journal, "changes", column, value)
    report, skipped = take_back(journal)
    assert (report.n_written, skipped) == (3, [])
    assert [read_tags(song).genres for song in songs] == [("Jazz",)] * 3


@pytest.mark.parametrize("column", ["native", "before", "after"])
def test_a_genre_that_the_record_has_lost_is_not_guessed(
    journal: Journal, songs: list[Path], column: str
) -> None:
    """Another program has edited the file, so that the genre alone could come back."""
    edit_title(by_mutagen(songs[1]))
    damage(journal, "changes", column, NO_TEXT)
    edited = songs[1].read_bytes()
    report, skipped = take_back(journal)
    assert report.n_written == 2
    assert [event.path for event in skipped] == [str(songs[1])]
    assert f"its record in the journal is damaged ({column})" in skipped[0].reason
    assert songs[1].read_bytes() == edited
    assert leftovers(songs[0].parent) == []


@pytest.mark.parametrize("value", ["text", b"bytes", 5, None, b""])
def test_a_delta_that_is_none(journal: Journal, songs: list[Path], value: Any) -> None:
    """Nothing in its place means that the genre alone comes back."""
    damage(journal, "changes", "delta", value)
    report, skipped = take_back(journal)
    if value is None:
        assert (report.n_written, skipped) == (3, [])
    else:
        assert report.n_written == 2
        assert "the old file could not be rebuilt; it stays as it is" in skipped[0].reason
        assert read_tags(songs[1]).genres == ("Rock",)


@pytest.mark.parametrize("column", ["old_sha", "new_sha"])
@pytest.mark.parametrize("value", ["text", b"short", 5, None])
def test_checksums_that_are_none(
    journal: Journal, songs: list[Path], column: str, value: Any
) -> None:
    """The file is not compared with what is not known; its genre comes back."""
    damage(journal, "changes", column, value)
    report, skipped = take_back(journal)
    assert (report.n_written, skipped) == (3, [])
    assert [read_tags(song).genres for song in songs] == [("Jazz",)] * 3


@pytest.mark.parametrize("column", ["path", "old_sha", "new_sha", "delta", "temp"])
def test_text_where_bytes_belong_says_the_same(
    journal: Journal, songs: list[Path], column: str
) -> None:
    with closing(sqlite3.connect(journal.path)) as db, db:
        db.execute(f"UPDATE changes SET {column} = CAST({column} AS TEXT)")
    report, skipped = take_back(journal)
    assert (report.n_written, skipped) == (3, [])


@pytest.mark.parametrize("column", ["native", "before", "after", "state", "field", "reason"])
def test_bytes_where_text_belongs_say_the_same(
    journal: Journal, songs: list[Path], column: str
) -> None:
    with closing(sqlite3.connect(journal.path)) as db, db:
        db.execute(f"UPDATE changes SET {column} = CAST({column} AS BLOB)")
    assert journal.runs()[0].counts == {"done": 3}
    report, skipped = take_back(journal)
    assert (report.n_written, skipped) == (3, [])
    assert journal.runs()[0].counts == {"undone": 3}


@pytest.mark.parametrize("value", ["nonsense", NO_TEXT, 5, ""])
def test_a_state_that_is_none_is_found_out_from_the_file(
    journal: Journal, songs: list[Path], value: Any
) -> None:
    damage(journal, "changes", "state", value)
    assert journal.runs()[0].counts == {"done": 2, "unknown": 1}
    report, skipped = take_back(journal)
    assert (report.n_written, skipped) == (3, [])


@pytest.mark.parametrize("value", ["soon", NO_TEXT, 0.5])
def test_a_modification_time_that_is_none_stays(
    journal: Journal, songs: list[Path], value: Any
) -> None:
    damage(journal, "changes", "old_mtime_ns", value)
    assert take_back(journal)[0].n_written == 3


def test_a_modification_time_past_sqlites_integers(earmark_home: Path, songs: list[Path]) -> None:
    far = 10_413_792_000_000_000_000  # in the year 2300
    os.utime(songs[0], ns=(far, far))
    if songs[0].stat().st_mtime_ns != far:
        pytest.skip("this file system knows no times after 2262")
    before = songs[0].read_bytes()
    with Journal(earmark_home) as journal:
        apply_change(journal, journal.new_run(), plan(songs[0], "Rock"))
        assert take_back(journal)[0].n_written == 1
    assert (songs[0].read_bytes(), songs[0].stat().st_mtime_ns) == (before, far)


def test_a_crash_of_which_the_record_is_damaged(journal: Journal, songs: list[Path]) -> None:
    damage(journal, "changes", "state", "ready")
    damage(journal, "changes", "path", 5)
    (change,) = journal.recover()
    assert change.state is ChangeState.UNKNOWN
    assert "its record in the journal is damaged" in change.reason
    assert journal.recover() == []
    report, skipped = take_back(journal)
    assert (report.n_written, len(skipped)) == (2, 1)


@pytest.mark.parametrize("value", [5, NO_TEXT, "", "/with\0nul"])
def test_a_temporary_copy_without_a_name(journal: Journal, songs: list[Path], value: Any) -> None:
    damage(journal, "changes", "state", "ready")
    damage(journal, "changes", "temp", value)
    assert [change.state for change in journal.recover()] == [ChangeState.DONE]


def test_damaged_runs_are_listed(journal: Journal, songs: list[Path]) -> None:
    values: dict[str, tuple[Any, ...]] = {
        "started": ("soon", NO_TEXT, 1e300, -1e300, float("inf")),
        "finished": ("soon", NO_TEXT, 1e300),
        "undone": ("soon", NO_TEXT, 1e300),
        "note": (5, NO_TEXT, b"a note"),
        "kind": (5, NO_TEXT, b"tag"),
    }
    pairs = [(column, value) for column, found in values.items() for value in found]
    runs = [journal.new_run("tag", "fine") for _ in pairs]
    with closing(sqlite3.connect(journal.path)) as db, db:
        for run_id, (column, value) in zip(runs, pairs, strict=True):
            db.execute(f"UPDATE runs SET {column} = ? WHERE run_id = ?", (value, run_id))
    journal.close()
    listed = earmark("undo", "--list")
    assert listed.code == 0, listed.err
    assert len(listed.out.splitlines()) == 1 + len(pairs) + 1
    assert "3 done" in listed.out
    assert earmark("undo").code == 0
    assert [read_tags(song).genres for song in songs] == [("Jazz",)] * 3


def test_text_that_is_none_does_not_end_a_listing(journal: Journal, songs: list[Path]) -> None:
    for column in ("before", "field", "reason", "state"):
        damage(journal, "changes", column, NO_TEXT, as_text=True)
    damage(journal, "runs", "note", NO_TEXT, as_text=True)
    assert [change.path for change in journal.changes(1)] == [str(song) for song in songs]
    assert journal.changes(1)[1].damaged == ("before",)
    assert json.dumps(journal.runs()[0].note)
    assert take_back(journal)[0].n_written == 3

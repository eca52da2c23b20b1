"""The journal: what it tells of runs, what it settles after a crash, what undo does and refuses."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import mutagen
import pytest

from earmark.errors import FileChangedError, LibraryError
from earmark.tags import Journal, apply_change, read_tags, undo_change
from tests.tagfiles import leftovers, plan, undo
from tests.tagmakers import add_id3, bare_mp3


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "data") as journal:
        yield journal


def tracks(folder: Path, n: int) -> list[Path]:
    first = add_id3(bare_mp3(folder / "0.mp3"), 3, "Jazz")
    return [first, *(Path(shutil.copy2(first, folder / f"{i}.mp3")) for i in range(1, n))]


def tag(journal: Journal, paths: list[Path], *after: str, finish: bool = True) -> int:
    run_id = journal.new_run("tag", note="/music")
    for path in paths:
        apply_change(journal, run_id, plan(path, *after))
    if finish:
        journal.finish_run(run_id)
    return run_id


# --- runs -----------------------------------------------------------------------------------------


def test_runs_and_changes_are_told(tmp_path: Path, journal: Journal) -> None:
    paths = tracks(tmp_path, 3)
    first = tag(journal, paths, "Rock")
    second = tag(journal, paths[:1], "Pop", finish=False)
    latest, earliest = journal.runs()
    assert (latest.run_id, earliest.run_id) == (second, first)
    assert (earliest.kind, earliest.note, earliest.counts) == ("tag", "/music", {"done": 3})
    assert earliest.finished is not None
    assert earliest.finished >= earliest.started
    assert latest.finished is None
    changes = journal.changes(first)
    assert [change.path for change in changes] == [str(path) for path in paths]
    assert {(change.before, change.after, change.state) for change in changes} == {
        (("Jazz",), ("Rock",), "done")
    }
    assert changes[0].native == {"id3v2": [b"\1\xff\xfe" + "Jazz\0".encode("utf-16-le")]}


def test_journal_outlives_the_program(tmp_path: Path) -> None:
    paths = tracks(tmp_path, 2)
    with Journal(tmp_path / "data") as journal:
        tag(journal, paths, "Rock")
    with Journal(tmp_path / "data") as journal:
        assert journal.runs()[0].counts == {"done": 2}
        undo(journal)
        assert journal.runs()[0].undone is not None
    assert read_tags(paths[0]).genres == ("Jazz",)


def test_undo_takes_the_latest_run_once(tmp_path: Path, journal: Journal) -> None:
    with pytest.raises(LibraryError, match="there is nothing to undo"):
        journal.run_to_undo()
    paths = tracks(tmp_path, 2)
    first, second = tag(journal, paths, "Rock"), tag(journal, paths, "Pop")
    assert journal.new_run() == second + 1  # a run that wrote nothing does not count
    assert undo(journal) == []
    assert read_tags(paths[0]).genres == ("Rock",)
    with pytest.raises(
        LibraryError, match=rf"run {second} is undone already.*earmark undo {first}"
    ):
        journal.run_to_undo()
    assert undo(journal, first) == []
    assert read_tags(paths[0]).genres == ("Jazz",)
    for run_id, reason in {
        None: "is undone already",
        first: "is undone already",
        second + 1: "wrote nothing",
        99: "no run 99",
    }.items():
        with pytest.raises(LibraryError, match=reason):
            journal.run_to_undo(run_id)


def test_only_earlier_runs_are_called_so(tmp_path: Path, journal: Journal) -> None:
    paths = tracks(tmp_path, 2)
    first, second = tag(journal, paths[:1], "Rock"), tag(journal, paths[1:], "Pop")
    assert journal.earlier_hint(second).endswith(f"earmark undo {first}")
    assert undo(journal, first) == []
    assert journal.earlier_hint(second) == ""
    with pytest.raises(LibraryError) as caught:
        journal.run_to_undo(first)
    assert caught.value.hint == ""


def test_earlier_run_cannot_be_undone_past_a_later_one(tmp_path: Path, journal: Journal) -> None:
    (path,) = tracks(tmp_path, 1)
    first = tag(journal, [path], "Rock")
    tag(journal, [path], "Pop")
    assert undo(journal, first) == ["another program has changed its genre since"]
    assert read_tags(path).genres == ("Pop",)
    assert journal.runs()[1].counts == {"done": 1}
    assert journal.runs()[1].undone is None


def test_interrupted_undo_can_be_run_again(tmp_path: Path, journal: Journal) -> None:
    paths = tracks(tmp_path, 3)
    before = paths[0].read_bytes()
    run_id = tag(journal, paths, "Rock")
    undo_change(journal, journal.changes_to_undo(run_id)[0])
    assert journal.runs()[0].counts == {"done": 2, "undone": 1}
    assert undo(journal) == []
    assert [path.read_bytes() for path in paths] == [before] * 3


# --- undo meets a changed world -------------------------------------------------------------------


def test_moved_file_is_told_and_the_rest_goes_on(tmp_path: Path, journal: Journal) -> None:
    paths = tracks(tmp_path, 3)
    tag(journal, paths, "Rock")
    moved = paths[1].rename(tmp_path / "elsewhere.mp3")
    assert undo(journal) == ["it is no longer there"]
    assert [read_tags(paths[i]).genres for i in (0, 2)] == [("Jazz",), ("Jazz",)]
    assert journal.changes(1)[1].reason == "it is no longer there"
    moved.rename(paths[1])
    assert undo(journal) == []
    assert read_tags(paths[1]).genres == ("Jazz",)
    assert journal.changes(1)[1].reason == ""


def test_genre_changed_by_another_program_stays(tmp_path: Path, journal: Journal) -> None:
    (path,) = tracks(tmp_path, 1)
    tag(journal, [path], "Rock")
    tags = mutagen.id3.ID3(path)
    tags["TCON"].text = ["Polka"]
    tags.save()
    with pytest.raises(FileChangedError, match="another program has changed its genre"):
        undo_change(journal, journal.changes_to_undo(1)[0])
    assert read_tags(path).genres == ("Polka",)


def test_file_that_is_back_already_counts_as_undone(tmp_path: Path, journal: Journal) -> None:
    (path,) = tracks(tmp_path, 1)
    backup = shutil.copy2(path, tmp_path / "backup")
    tag(journal, [path], "Rock")
    shutil.copy2(backup, path)
    written = undo_change(journal, journal.changes_to_undo(1)[0])
    assert not written.changed
    assert journal.runs()[0].counts == {"undone": 1}


def test_without_a_delta_the_genre_comes_back_alone(
    tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = tracks(tmp_path, 1)
    monkeypatch.setattr("earmark.tags.apply.make_delta", lambda old, new: None)
    tag(journal, [path], "Rock")
    assert undo(journal) == []
    assert read_tags(path).genres == ("Jazz",)


def test_delta_that_lies_is_not_believed(tmp_path: Path, journal: Journal) -> None:
    paths = tracks(tmp_path, 1)
    tag(journal, paths, "Rock")
    after = paths[0].read_bytes()
    with sqlite3.connect(journal.path) as db:
        db.execute("UPDATE changes SET old_sha = ?", (b"\0" * 32,))
    db.close()
    assert undo(journal) == ["the old file could not be rebuilt; it stays as it is"]
    assert paths[0].read_bytes() == after
    assert leftovers(tmp_path) == []


# --- recovery -------------------------------------------------------------------------------------


def crash(journal: Journal, paths: list[Path], *states: str) -> None:
    """Files whose change is left in these states, with their temporary copies."""
    tag(journal, paths, "Rock")
    changes = journal.changes(journal.runs()[0].run_id)
    with sqlite3.connect(journal.path) as db:
        for change, state in zip(changes, states, strict=True):
            Path(change.temp).write_bytes(b"half a file")
            sql = "UPDATE changes SET state = ? WHERE change_id = ?"
            db.execute(sql, (state, change.change_id))
    db.close()


def test_recovery_says_what_became_of_each_file(tmp_path: Path, journal: Journal) -> None:
    paths = tracks(tmp_path, 5)
    old = paths[0].read_bytes()
    crash(journal, paths, *["ready"] * 4, "undoing")
    new = paths[0].read_bytes()
    paths[1].write_bytes(old)
    paths[2].write_bytes(old + b"x")
    paths[3].unlink()
    settled = [(change.state, change.reason) for change in journal.recover()]
    assert settled == [
        ("done", ""),
        ("abandoned", "interrupted before it was written"),
        ("unknown", "interrupted while it was written; another program has changed it since"),
        ("unknown", "interrupted while it was written; no such file"),
        ("done", "undo was interrupted"),
    ]
    assert leftovers(tmp_path) == []
    assert journal.recover() == []
    # What was unknown may turn out to be known after all.
    paths[3].write_bytes(new)
    assert undo(journal) == ["another program has changed its genre since"]
    assert [path.read_bytes() for path in paths] == [old, old, old + b"x", old, old]


def test_recovery_waits_for_an_unplugged_disk(tmp_path: Path, journal: Journal) -> None:
    music = tmp_path / "music"
    music.mkdir()
    crash(journal, tracks(music, 1), "ready")
    music.rename(tmp_path / "unplugged")
    assert [change.state for change in journal.recover()] == ["ready"]
    (tmp_path / "unplugged").rename(music)
    assert [change.state for change in journal.recover()] == ["done"]
    assert [p.name for p in music.iterdir()] == ["0.mp3"]


def test_new_run_and_undo_recover_first(tmp_path: Path, journal: Journal) -> None:
    paths = tracks(tmp_path, 2)
    crash(journal, paths[:1], "ready")
    journal.new_run()
    assert journal.runs()[1].counts == {"done": 1}
    crash(journal, paths[1:], "ready")
    assert undo(journal) == []
    assert read_tags(paths[1]).genres == ("Jazz",)


# --- two writers, a damaged journal ---------------------------------------------------------------


def test_two_writers_do_not_interleave(tmp_path: Path) -> None:
    (path,) = tracks(tmp_path, 1)
    with Journal(tmp_path / "data") as first, Journal(tmp_path / "data") as second:
        run_id = tag(first, [path], "Rock")
        change = first.changes(run_id)[0]
        for write in (
            second.new_run,
            second.recover,
            second.run_to_undo,
            lambda: undo_change(second, change),
            lambda: apply_change(second, run_id, plan(path, "Pop")),
        ):
            with pytest.raises(LibraryError, match="another earmark is writing tags"):
                write()
        assert second.runs() == first.runs()  # reading is free
        assert read_tags(path).genres == ("Rock",)
        assert leftovers(tmp_path) == []
        first.close()
        assert undo(second) == []


def test_lock_dies_with_its_process(tmp_path: Path) -> None:
    code = (
        "import os, sys; from earmark.tags import Journal; "
        "Journal(sys.argv[1]).new_run(); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert done.returncode == -9
    with Journal(tmp_path) as journal:
        assert journal.new_run() == 2


def test_journal_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").write_bytes(b"This is no database.\n" * 100)
    with pytest.raises(LibraryError, match="cannot be used: file is not a database"):
        Journal(tmp_path)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(LibraryError, match="cannot be opened"):
        Journal(tmp_path / "file")


def test_journal_of_a_newer_version(tmp_path: Path) -> None:
    Journal(tmp_path).close()
    with sqlite3.connect(tmp_path / "journal.sqlite") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(LibraryError, match="newer version"):
        Journal(tmp_path)

"""Disks that are full, failing or read-only: the file stays as it was, and the reason is told."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from earmark.errors import LibraryError, TagError
from earmark.events import Progress, Workflow, run
from earmark.library import Catalogue
from earmark.tags import ChangeState, Journal, apply_change
from earmark.workflows.apply import ApplyReport, apply_changes, undo_run
from tests.faultylayer import KINDS, Fault, FaultyLayer
from tests.systems import limit_file_size
from tests.tagfiles import leftovers, make, plan, undo
from tests.tagmakers import add_id3, bare_mp3


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "data") as journal:
        yield journal


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    with Catalogue.open(tmp_path / "catalogue.sqlite") as catalogue:
        yield catalogue


@pytest.fixture
def file_size_limit() -> Iterator[Any]:
    """Sets the largest size that a file may grow to: the kernel refuses to write more."""
    yield limit_file_size
    limit_file_size(None)


def test_no_room_for_the_copy(tmp_path: Path, journal: Journal, file_size_limit: Any) -> None:
    path = make(tmp_path, "mp3_v23")
    before, change, run_id = path.read_bytes(), plan(path, "Rock"), journal.new_run()
    assert len(before) > 200_000
    file_size_limit(150_000)
    with pytest.raises(TagError, match="would exceed the allowed size"):
        apply_change(journal, run_id, change)
    file_size_limit(None)
    assert path.read_bytes() == before
    assert journal.runs()[0].counts == {"failed": 1}
    assert leftovers(tmp_path) == []
    apply_change(journal, run_id, change)
    file_size_limit(150_000)
    assert undo(journal) == ["the file would exceed the allowed size"]
    file_size_limit(None)
    assert undo(journal) == []
    assert path.read_bytes() == before


def test_no_room_for_the_journal(tmp_path: Path, journal: Journal, file_size_limit: Any) -> None:
    """Nothing is written that could not be undone, and no further file is tried."""
    path = make(tmp_path, "mp3_v23")
    before, change, run_id = path.read_bytes(), plan(path, "Rock"), journal.new_run()
    file_size_limit(journal.path.with_name("journal.sqlite-wal").stat().st_size)
    with pytest.raises(LibraryError, match=r"journal .* cannot be used"):
        apply_change(journal, run_id, change)
    file_size_limit(None)
    assert path.read_bytes() == before
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("step", ["copy", "finish", "swap"])
@pytest.mark.parametrize(
    ("code", "reason"), [(errno.ENOSPC, "the disk is full"), (errno.EIO, "reports an error")]
)
def test_failing_disk(
    tmp_path: Path,
    journal: Journal,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    code: int,
    reason: str,
) -> None:
    path = make(tmp_path, "flac")
    before = path.read_bytes()

    def fail(*args: object) -> None:
        raise OSError(code, os.strerror(code))

    module = "apply" if step == "swap" else "rewrite"
    monkeypatch.setattr(f"earmark.tags.{module}.{step}", fail)
    with pytest.raises(TagError, match=reason):
        apply_change(journal, journal.new_run(), plan(path, "Rock"))
    assert path.read_bytes() == before
    assert reason in journal.changes(1)[0].reason
    assert leftovers(tmp_path) == []


def test_after_the_rename_nothing_fails_a_change(tmp_path: Path, journal: Journal) -> None:
    """Neither a folder that cannot be flushed, nor a disk that has become read-only."""
    music = tmp_path / "music"
    music.mkdir()
    path = make(music, "flac")
    before, stat = path.read_bytes(), path.stat()
    change = plan(path, "Rock")
    with FaultyLayer(music) as layer:
        apply_change(journal, journal.new_run(), change)
    assert undo(journal) == []
    rename = layer.operations.index("rename") + 1
    later = [
        Fault(n, how)
        for n, kind in enumerate(layer.operations[rename:], start=rename + 1)
        for how in KINDS[kind]
    ]
    assert {layer.operations[fault.at - 1] for fault in later} >= {"open", "fsync"}
    remarks = set()
    for fault in [*later, Fault(rename, "EIO late")]:
        with FaultyLayer(music, fault):
            written = apply_change(journal, journal.new_run(), change)
        assert path.read_bytes() != before
        assert (written.size, written.mtime_ns) == (path.stat().st_size, path.stat().st_mtime_ns)
        (noted,) = journal.changes(journal.runs()[0].run_id)
        assert (noted.state, noted.reason) == (ChangeState.DONE, written.remark)
        remarks.add(written.remark)
        assert leftovers(music) == []
        assert undo(journal) == []
        assert (path.read_bytes(), path.stat().st_mtime_ns) == (before, stat.st_mtime_ns)
    assert remarks == {
        "",
        *(
            f"a power cut might still lose what was written: {reason}"
            for reason in ("the disk reports an error", "the disk is full")
        ),
        "a power cut might still lose what was written: the file system is read-only",
        "a power cut might still lose what was written: Too many open files",
    }


def test_a_rename_of_which_nothing_can_be_told(tmp_path: Path, journal: Journal) -> None:
    """The disk fails for good while it renames: the journal leaves it open, and finds out later."""
    music = tmp_path / "music"
    music.mkdir()
    path = make(music, "flac")
    before, change = path.read_bytes(), plan(path, "Rock")
    with FaultyLayer(music) as layer:
        apply_change(journal, journal.new_run(), change)
    assert undo(journal) == []
    at = layer.operations.index("rename") + 1
    for how, state in (("EIO late*", ChangeState.DONE), ("EIO*", ChangeState.ABANDONED)):
        run_id = journal.new_run()
        with FaultyLayer(music, Fault(at, how)):
            with pytest.raises(TagError, match="whether it was written cannot be told"):
                apply_change(journal, run_id, change)
            assert journal.changes(run_id)[0].state is ChangeState.READY
        assert [found.state for found in journal.recover()] == [state]
        assert leftovers(music) == []
        assert state is ChangeState.ABANDONED or undo(journal) == []
        assert path.read_bytes() == before


def test_one_failing_file_does_not_end_a_run(
    tmp_path: Path, journal: Journal, catalogue: Catalogue
) -> None:
    music = tmp_path / "music"
    music.mkdir()
    first = make(music, "flac")
    paths = [first, *(Path(shutil.copy2(first, music / f"{i}.flac")) for i in range(2))]
    changes = [plan(path, "Rock") for path in paths]
    with FaultyLayer(music) as layer:
        run(apply_changes(changes, journal, catalogue))
    assert undo(journal) == []
    n_each = layer.operations.index("rename") + 1
    for how in ("EIO", "EROFS*"):
        events: list[object] = []
        with FaultyLayer(music, Fault(len(layer.operations) // 3 + n_each, how)):
            report = run(apply_changes(changes, journal, catalogue), events.append)
        assert (report.n_written, len(report.skipped)) == ((2, 1) if how == "EIO" else (1, 2))
        assert undo(journal) == []
        for left in leftovers(music):  # nothing could be removed either
            assert how == "EROFS*"
            assert any(f"its temporary copy {left} stays" in why for _, why in report.skipped)
            left.unlink()
    assert len({path.read_bytes() for path in paths}) == 1


@pytest.mark.parametrize("n_before", [1, 2, 3])
def test_a_journal_full_in_mid_run_says_which_run_takes_its_files_back(
    tmp_path: Path, journal: Journal, catalogue: Catalogue, n_before: int
) -> None:
    first = make(tmp_path, "mp3_v23")
    paths = [first, *(Path(shutil.copy2(first, tmp_path / f"{i}.mp3")) for i in range(3))]
    before = [path.read_bytes() for path in paths]
    genre = "Rock " * 2000 + "Rock"  # for which the journal has to grow
    flow = apply_changes([plan(path, genre) for path in paths], journal, catalogue)
    with pytest.raises(LibraryError, match="database or disk is full") as caught:
        _fill_after(n_before, flow, journal)
    many = "1 file was" if n_before == 1 else f"{n_before} files were"
    assert caught.value.hint == (
        f"make room on the disk; {many} written before; `earmark undo 1` takes them back"
    )
    assert leftovers(tmp_path) == []
    journal._db.execute("PRAGMA max_page_count = 1000000")
    flow = undo_run(journal, lambda: nullcontext(catalogue), 1)
    assert run(flow).n_written == n_before
    assert [path.read_bytes() for path in paths] == before


def _fill_after(n_before: int, flow: Workflow[ApplyReport], journal: Journal) -> None:
    for event in flow:
        if isinstance(event, Progress) and event.done == n_before:
            # As SQLite sees it, the disk is full from here on.
            journal._db.execute("PRAGMA max_page_count = 1")


_AS_NOBODY = """
import os, sys
from pathlib import Path
from earmark.errors import TagError
from earmark.tags import Journal, apply_change, read_tags
from earmark.types import TagChange

def write(path, after, data="data"):
    tags, stat = read_tags(path), path.stat()
    change = TagChange(str(path), "genre", tags.genres, (after,), stat.st_size, stat.st_mtime_ns)
    with Journal(folder / data) as journal:
        apply_change(journal, journal.new_run(), change)

folder = Path(sys.argv[1])
write(folder / "warm-up.mp3", "Rock", "other-data")  # imports what is imported late
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
for name in sys.argv[2:]:
    try:
        write(folder / name, "Rock")
        print("written")
    except TagError as e:
        print(e.reason)
"""


def test_what_permissions_forbid() -> None:
    """As an ordinary user, whom permissions bind: root would be let through."""
    if sys.platform == "win32":
        pytest.skip("permissions are other ones on Windows")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        folder.chmod(0o755)
        nobody = 65534 if os.geteuid() == 0 else os.geteuid()
        for part in ("data", "open", "closed"):
            (folder / part).mkdir()
        for part in ("warm-up.mp3", "open/mine.mp3", "open/locked.mp3", "closed/mine.mp3"):
            add_id3(bare_mp3(folder / part), 3, "Jazz")
        (folder / "open" / "locked.mp3").chmod(0o444)
        (folder / "closed").chmod(0o555)
        if os.geteuid() == 0:
            foreign = add_id3(bare_mp3(folder / "open" / "foreign.mp3"), 3, "Jazz")
            for path in folder.rglob("*"):
                if path != foreign:
                    os.chown(path, nobody, nobody)
            foreign.chmod(0o666)
        files = ["open/mine.mp3", "open/locked.mp3", "closed/mine.mp3"]
        expected = ["written", "the file is read-only", "its folder is read-only"]
        if os.geteuid() == 0:
            files.append("open/foreign.mp3")
            expected.append("its owner or group could not be kept")
        done = subprocess.run(
            [sys.executable, "-c", _AS_NOBODY, str(folder), *files],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout.splitlines() == expected, done.stderr
        assert leftovers(folder) == []
        (folder / "closed").chmod(0o755)

"""Disks that are full, failing or read-only: the file stays as it was, and the reason is told."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from earmark.errors import LibraryError, TagError
from earmark.tags import Journal, apply_change
from tests.systems import limit_file_size
from tests.tagfiles import leftovers, make, plan, undo
from tests.tagmakers import add_id3, bare_mp3


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "data") as journal:
        yield journal


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

"""Kill the writer before each of its operations on files and journal, and look at what is left.

``python -m tests.killer SCENARIO SPECIMEN FOLDER`` forks a child for every n, which SIGKILLs itself
before its n-th operation, until one gets through. After each kill the file has to be whole, and
what a crash leaves has to be settled, undone and finished by the ordinary means. Prints the
operations as JSON; any violation is an AssertionError.

A process of its own, since forking wants one without threads.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from earmark.errors import LibraryError
from earmark.tags import Journal, read_tags, undo_change
from tests.systems import SIGKILL
from tests.tagfiles import SPECIMENS, by_mutagen, edit_title, make, write

assert sys.platform != "win32"  # which cannot fork

AFTER = ("Zydeco", "Größe")
# What can leave something behind. Reading is no operation, nor is work in memory.
OPERATIONS = {
    "open", "write", "truncate", "flush", "close", "fsync", "utime", "chmod", "chown", "setxattr",
    "replace", "rename", "unlink", "mkdir", "flock", "execute", "fetchall",
}  # fmt: skip
IN_MEMORY = ("str.", "bytes.", "bytearray.", "BytesIO.")


def apply(folder: Path, path: Path) -> None:
    with Journal(folder / "data") as journal:
        write(journal, path, *AFTER)


def undo(folder: Path, path: Path) -> None:
    with Journal(folder / "data") as journal:
        run = journal.run_to_undo()
        for change in journal.changes_to_undo(run.run_id):
            undo_change(journal, change)
        journal.finish_undo(run.run_id)


def nothing(folder: Path, path: Path) -> None:
    """No preparation."""


def apply_and_edit(folder: Path, path: Path) -> None:
    """Another program edits the file after us, so that undo restores the field only."""
    apply(folder, path)
    edit_title(by_mutagen(path))


def crash(folder: Path, path: Path) -> None:
    """A writer that was killed right before the file would have been replaced."""
    assert _killed(lambda _, name: name == "replace", lambda: apply(folder, path))


SCENARIOS: dict[str, tuple[Callable[[Path, Path], None], Callable[[Path, Path], None]]] = {
    "apply": (nothing, apply),
    "undo": (apply, undo),
    "undo_field": (apply_and_edit, undo),
    "recover": (crash, apply),
}


def run(scenario: str, specimen: str, folder: Path) -> list[str]:
    """All operations of the scenario, each of which was once the last that did not happen."""
    prepare, operate = SCENARIOS[scenario]
    master = folder / "master"
    master.mkdir()
    path = make(master, specimen)
    prepare(master, path)
    before = _state(path)
    whole = _copy(master, folder / "whole") / path.name
    operate(whole.parent, whole)
    after = _state(whole)
    assert before != after

    operations: list[str] = []
    while True:
        work = _copy(master, folder / f"kill-{len(operations)}")
        killed_before = _killed(_nth(len(operations) + 1), partial(operate, work, work / path.name))
        if killed_before is None:
            assert _state(work / path.name)[0] == after[0]
            return operations
        operations.append(killed_before)
        _check(operate, SPECIMENS[specimen].genres, work, path.name, before, after)
        shutil.rmtree(work)


def _check(
    operate: Callable[[Path, Path], None],
    genres: tuple[str, ...],
    work: Path,
    name: str,
    before: tuple[bytes, int],
    after: tuple[bytes, int],
) -> None:
    path = work / name
    found = _state(path)
    assert found[0] in (before[0], after[0]), "the file is neither the old nor the new one"
    assert found[0] == after[0] or found == before

    with Journal(work / "data") as journal:
        journal.recover()
        states = {state for run in journal.runs() for state in run.counts}
        assert not [p for p in work.iterdir() if p.name.startswith(".earmark-")], "leftovers"
        if operate is apply:
            assert states & {"done"} == ({"done"} if found[0] == after[0] else set())
            assert states <= {"done", "abandoned"}
        else:
            assert states == ({"undone"} if found[0] == after[0] else {"done"})
        assert journal.recover() == []

    if operate is apply:
        if found[0] == before[0]:
            apply(work, path)  # run again
        assert path.read_bytes() == after[0]
        undo(work, path)
        assert _state(path) == before
    else:
        try:
            undo(work, path)  # run again
        except LibraryError as e:
            assert "nothing to undo" in str(e) and found[0] == after[0]  # noqa: PT017, PT018
        assert path.read_bytes() == after[0]
        assert read_tags(path).genres == genres
    assert not [p for p in work.iterdir() if p.name.startswith(".earmark-")], "leftovers"


def _nth(last: int) -> Callable[[int, str], bool]:
    return lambda n, _: n == last


def _killed(at: Callable[[int, str], bool], operate: Callable[[], None]) -> str | None:
    """Run `operate` in a child that dies before the operation, by number and name, that `at` names.

    Returns the operation, or None where the child got through.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        sys.setprofile(_killer(at, writing))
        operate()
        sys.setprofile(None)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        name = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == SIGKILL
        return name
    assert os.WEXITSTATUS(status) == 0
    return None


def _killer(at: Callable[[int, str], bool], pipe: int) -> Callable[[FrameType, str, Any], None]:
    count = 0

    def profile(frame: FrameType, event: str, arg: Any) -> None:
        nonlocal count
        if event != "c_call" or arg.__name__ not in OPERATIONS:
            return
        if not arg.__qualname__.startswith(IN_MEMORY):
            count += 1
            if at(count, arg.__name__):
                sys.setprofile(None)
                os.write(pipe, arg.__qualname__.encode())
                os.kill(os.getpid(), SIGKILL)

    return profile


def _copy(master: Path, to: Path) -> Path:
    """A copy of the folder; the journal's paths lead into it."""
    shutil.copytree(master, to)
    database = to / "data" / "journal.sqlite"
    if database.exists():
        db = sqlite3.connect(database)
        for change_id, *paths in db.execute("SELECT change_id, path, temp FROM changes").fetchall():
            new = [os.fsencode(to / Path(os.fsdecode(path)).name) for path in paths]
            sql = "UPDATE changes SET path = ?, temp = ? WHERE change_id = ?"
            db.execute(sql, (*new, change_id))
        db.commit()
        db.close()
    return to


def _state(path: Path) -> tuple[bytes, int]:
    return path.read_bytes(), path.stat().st_mtime_ns


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1], sys.argv[2], Path(sys.argv[3]))))  # noqa: T201

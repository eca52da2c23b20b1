"""The journal: what was written where, kept so that it can be undone, after a crash too.

A change is recorded before the first byte of it is written, with all that is needed to take it
back. It passes through these states::

    writing ──> ready ──> done <──> undoing ──> undone
       │          │
       ├──────────┴──> failed       an error; the file is as it was
       └──────────┴──> abandoned    a crash; the file is as it was
                  └──> unknown      a crash, then somebody else changed the file

*writing*: a temporary copy is being made. *ready*: it is complete and on the disk, and so are the
hashes of both files and the delta between them; from here on, the file may be either one. A
journal is one SQLite file in the program's data folder, shared by all music folders; one
process at a time may write.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from filelock import BaseFileLock

from earmark.errors import LibraryError, TagError
from earmark.locking import try_lock
from earmark.moments import to_column
from earmark.tags.fields import Native
from earmark.tags.files import open_regular, reason, remove_temp, sha256
from earmark.tags.records import COLUMNS, SCHEMA, Change, Run, dump_native, read_change

FILE_NAME = "journal.sqlite"
_VERSION = 1
_PENDING = "state IN ('writing', 'ready', 'undoing')"


class Journal:
    """The journal in `folder`, which is created where it is missing.

    Use it as a context manager, or `close` it. Any number of processes may read; the first call
    that writes takes a lock, which is held until the journal is closed.

    Raises
    ------
    LibraryError
        From every method: the journal cannot be read or written, or another process is writing.
    """

    def __init__(self, folder: str | Path) -> None:
        self.path = Path(folder) / FILE_NAME
        self._lock: BaseFileLock | None = None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self.path, timeout=30, isolation_level=None)
        except (OSError, sqlite3.Error) as e:
            raise LibraryError(f"the journal {self.path} cannot be opened: {e}") from e
        try:
            self._prepare()
        except LibraryError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._db.close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    # --- runs -------------------------------------------------------------------------------------

    def new_run(self, kind: str = "tag", note: str = "") -> int:
        """Begin a run, after settling what a crash has left; its number."""
        self.recover()
        sql = "INSERT INTO runs (kind, note, started) VALUES (?, ?, ?) RETURNING run_id"
        return int(self._query(sql, kind, note, time.time())[0][0])

    def finish_run(self, run_id: int) -> None:
        """Note that the run came to its end."""
        self._query("UPDATE runs SET finished = ? WHERE run_id = ?", time.time(), run_id)

    def runs(self) -> list[Run]:
        """All runs, latest first."""
        counts: dict[int, dict[str, int]] = {}
        sql = "SELECT run_id, state, count(*) FROM changes GROUP BY run_id, state"
        for run_id, state, n in self._query(sql):
            counts.setdefault(run_id, {})[state] = n
        sql = "SELECT run_id, kind, note, started, finished, undone FROM runs ORDER BY run_id DESC"
        return [
            Run(run_id, kind, note, started, finished, undone, counts.get(run_id, {}))
            for run_id, kind, note, started, finished, undone in self._query(sql)
        ]

    def run(self, run_id: int) -> Run:
        """The run of that number.

        Raises
        ------
        LibraryError
            There is no such run.
        """
        for run in self.runs():
            if run.run_id == run_id:
                return run
        raise LibraryError(f"there is no run {run_id}", "list them: earmark undo --list")

    def run_to_undo(self, run_id: int | None = None) -> Run:
        """The run of that number, or else the latest that wrote anything, if it can be undone.

        Raises
        ------
        LibraryError
            There is no such run, or nothing of it is left to undo.
        """
        self.recover()
        wrote = [r for r in self.runs() if {"done", "unknown", "undone"} & set(r.counts)]
        if run_id is None:
            if not wrote:
                raise LibraryError("there is nothing to undo")
            run = wrote[0]
        else:
            run = self.run(run_id)
        if not {"done", "unknown"} & set(run.counts):
            state = "is undone already" if "undone" in run.counts else "wrote nothing"
            raise LibraryError(
                f"there is nothing to undo: run {run.run_id} {state}",
                self.earlier_hint(run.run_id),
            )
        return run

    def earlier_hint(self, run_id: int) -> str:
        """How to undo the run before this one that can be undone; empty where there is none."""
        for run in self.runs():
            if run.run_id < run_id and {"done", "unknown"} & set(run.counts):
                return f"earlier runs are undone by number: earmark undo {run.run_id}"
        return ""

    def finish_undo(self, run_id: int) -> None:
        """Mark the run as undone, if nothing of it is left in force."""
        sql = (
            "UPDATE runs SET undone = ? WHERE run_id = ? AND NOT EXISTS (SELECT 1 FROM changes "
            "WHERE changes.run_id = runs.run_id AND state IN ('done', 'unknown'))"
        )
        self._query(sql, time.time(), run_id)

    # --- changes ----------------------------------------------------------------------------------

    def changes(self, run_id: int) -> list[Change]:
        """Changes of a run in the order they were made."""
        return self._changes("run_id = ?", run_id)

    def changes_to_undo(self, run_id: int) -> list[Change]:
        """Changes of a run that are in force, or may be, latest first."""
        return self._changes("run_id = ? AND state IN ('done', 'unknown')", run_id)[::-1]

    def delta(self, change_id: int) -> bytes | None:
        """What rebuilds the old file from the new one."""
        found = self._query("SELECT delta FROM changes WHERE change_id = ?", change_id)
        return found[0][0] if found else None

    def recover(self) -> list[Change]:
        """Settle what a crash has left: say what became of each file, remove temporary copies.

        Returns
        -------
        list of Change
            The changes in question, in their new state. Those whose folder is not there now (an
            unplugged disk) stay as they are, for a later time.
        """
        self._take_lock()
        settled = []
        for change in self._changes(_PENDING):
            if Path(change.path).parent.is_dir():
                state, why = _settle(change)
                self._set(change.change_id, state=state, reason=why)
            settled += self._changes("change_id = ?", change.change_id)
        return settled

    # --- one change's way, called by earmark.tags.apply -------------------------------------------

    def begin(
        self,
        run_id: int,
        path: str,
        field: str,
        before: tuple[str, ...],
        after: tuple[str, ...],
        native: Native,
        old_mtime_ns: int,
        temp: str,
    ) -> int:
        """Record a change that is about to be written; its number."""
        self._take_lock()
        sql = (
            "INSERT INTO changes (run_id, path, field, before, after, native, old_mtime_ns, temp, "
            "state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'writing') RETURNING change_id"
        )
        values = (json.dumps(before), json.dumps(after), dump_native(native))
        row = (
            run_id,
            os.fsencode(path),
            field,
            *values,
            to_column(old_mtime_ns),
            os.fsencode(temp),
        )
        return int(self._query(sql, *row)[0][0])

    def ready(self, change_id: int, old_sha: bytes, new_sha: bytes, delta: bytes | None) -> None:
        self._set(change_id, state="ready", old_sha=old_sha, new_sha=new_sha, delta=delta)

    def done(self, change_id: int) -> None:
        self._set(change_id, state="done", lazily=True)

    def failed(self, change_id: int, reason: str) -> None:
        self._set(change_id, state="failed", reason=reason, lazily=True)

    def undoing(self, change_id: int, temp: str, undo_sha: bytes | None) -> None:
        """The old file, of SHA-256 `undo_sha` where that is known, is about to come back."""
        self._set(change_id, state="undoing", temp=os.fsencode(temp), undo_sha=undo_sha)

    def not_undone(self, change: Change, reason: str) -> None:
        """The change stays in force; `reason` says why."""
        self._set(change.change_id, state=change.state, reason=reason, lazily=True)

    def undone(self, change_id: int) -> None:
        self._set(change_id, state="undone", reason="", lazily=True)

    # --- below ------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        self._query("PRAGMA journal_mode = WAL")
        self._query("PRAGMA synchronous = FULL")
        if self._version() == 0:
            self._query("BEGIN IMMEDIATE")
            if self._version() == 0:  # unless another process was faster
                for statement in filter(str.strip, SCHEMA.split(";")):
                    self._query(statement)
                self._query(f"PRAGMA user_version = {_VERSION}")
            self._query("COMMIT")
        if self._version() > _VERSION:
            raise LibraryError(
                f"the journal {self.path} was written by a newer version", "upgrade earmark"
            )

    def _version(self) -> int:
        return int(self._query("PRAGMA user_version")[0][0])

    def _take_lock(self) -> None:
        if self._lock is not None:
            return
        path = self.path.with_suffix(".lock")
        try:
            self._lock = try_lock(path)
        except OSError as e:
            raise LibraryError(f"{path}: {reason(e)}") from e
        if self._lock is None:
            raise LibraryError("another earmark is writing tags", "wait until it has finished")

    def _query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as e:
            raise LibraryError(f"the journal {self.path} cannot be used: {e}") from e

    def _set(self, change_id: int, *, lazily: bool = False, **columns: Any) -> None:
        """Update a change. `lazily`: it may reach the disk with the next one, since `recover`
        would find out the same after a power cut."""
        self._take_lock()
        names = ", ".join(f"{name} = ?" for name in columns)
        if lazily:
            self._query("PRAGMA synchronous = NORMAL")
        sql = f"UPDATE changes SET {names} WHERE change_id = ?"
        self._query(sql, *columns.values(), change_id)
        if lazily:
            self._query("PRAGMA synchronous = FULL")

    def _changes(self, condition: str, *values: Any) -> list[Change]:
        sql = f"SELECT {COLUMNS} FROM changes WHERE {condition} ORDER BY change_id"
        return [read_change(row) for row in self._query(sql, *values)]


def _settle(change: Change) -> tuple[str, str]:
    """State and reason of a change that a crash has left half-way; its copy is removed."""
    leftover = ""
    try:
        remove_temp(change.temp)
    except OSError as e:
        leftover = f"; its temporary copy {change.temp} stays: {reason(e)}"
    if change.state == "writing":
        return "abandoned", "interrupted before it was written" + leftover
    try:
        with open_regular(change.path) as f:
            found = sha256(f)
    except (TagError, OSError) as e:
        found, problem = b"", e.reason if isinstance(e, TagError) else reason(e)
    else:
        problem = "another program has changed it since"
    if change.state == "undoing":
        state = ("undone", "") if found == change.undo_sha else ("done", "undo was interrupted")
    elif found == change.new_sha:
        state = ("done", "")
    elif found == change.old_sha:
        state = ("abandoned", "interrupted before it was written")
    else:
        state = ("unknown", f"interrupted while it was written; {problem}")
    return state[0], state[1] + leftover

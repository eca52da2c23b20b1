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
process at a time may write. Nothing is written without a journal: one that is deleted or replaced
while it is open takes no further change.
"""

from __future__ import annotations

import json
import os
import shlex
import sqlite3
import time
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from filelock import BaseFileLock

from earmark.errors import LibraryError, TagError
from earmark.locking import try_lock
from earmark.moments import to_column
from earmark.tags.fields import Native
from earmark.tags.files import open_regular, reason, remove_temp, sha256
from earmark.tags.records import (
    COLUMNS,
    IN_FORCE,
    PENDING,
    SCHEMA,
    Change,
    ChangeState,
    Run,
    dump_native,
    in_sql,
    read_bytes,
    read_change,
    read_run,
    read_state,
    text_of,
)
from earmark.tags.rescue import Inode, inodes, save

FILE_NAME = "journal.sqlite"
_VERSION = 1


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
        self._gone = False
        self._home: Path | None = self.path.parent
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._db = _connect(self.path)
        except (OSError, sqlite3.Error) as e:
            raise LibraryError(f"the journal {self.path} cannot be opened: {e}") from e
        try:
            self._prepare()
            self._inodes = self._look()
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
        counts: dict[int, Counter[ChangeState]] = {}
        sql = "SELECT run_id, state, count(*) FROM changes GROUP BY run_id, state"
        for run_id, state, n in self._query(sql):
            counts.setdefault(run_id, Counter())[read_state(state)] += n
        sql = "SELECT run_id, kind, note, started, finished, undone FROM runs ORDER BY run_id DESC"
        return [read_run(row, counts.get(row[0], {})) for row in self._query(sql)]

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
        wrote = [r for r in self.runs() if r.can_undo or ChangeState.UNDONE in r.counts]
        if run_id is None:
            if not wrote:
                raise LibraryError("there is nothing to undo")
            run = wrote[0]
        else:
            run = self.run(run_id)
        if not run.can_undo:
            state = "is undone already" if run in wrote else "wrote nothing"
            raise LibraryError(
                f"there is nothing to undo: run {run.run_id} {state}",
                self.earlier_hint(run.run_id),
            )
        return run

    def earlier_hint(self, run_id: int) -> str:
        """How to undo the run before this one that can be undone; empty where there is none."""
        for run in self.runs():
            if run.run_id < run_id and run.can_undo:
                return f"earlier runs are undone by number: earmark undo {run.run_id}"
        return ""

    def finish_undo(self, run_id: int) -> None:
        """Mark the run as undone, if nothing of it is left in force."""
        if not self.changes_to_undo(run_id):
            self._query("UPDATE runs SET undone = ? WHERE run_id = ?", time.time(), run_id)

    def undo_command(self, run_id: int) -> str:
        """What a person types to take the run back; empty where its records are lost."""
        if self._home is None:
            return ""
        elsewhere = self._home != self.path.parent
        home = f"EARMARK_HOME={shlex.quote(str(self._home))} " if elsewhere else ""
        return f"{home}earmark undo {run_id}"

    # --- changes ----------------------------------------------------------------------------------

    def changes(self, run_id: int) -> list[Change]:
        """Changes of a run in the order they were made."""
        return self._changes("run_id = ?", run_id)

    def changes_to_undo(self, run_id: int) -> list[Change]:
        """Changes of a run that are in force, or may be, latest first."""
        return [change for change in self.changes(run_id) if change.state in IN_FORCE][::-1]

    def delta(self, change_id: int) -> bytes | None:
        """What rebuilds the old file from the new one."""
        found = self._query("SELECT delta FROM changes WHERE change_id = ?", change_id)
        return read_bytes(found[0][0]) if found and found[0][0] is not None else None

    def recover(self) -> list[Change]:
        """Settle what a crash has left: say what became of each file, remove temporary copies.

        Returns
        -------
        list of Change
            The changes in question, in their new state. Those whose folder is not there now (an
            unplugged disk) stay as they are, for a later time.
        """
        self._may_write()
        settled = []
        for change in self._changes(f"state IN ({in_sql(PENDING)})"):
            if "path" in change.damaged or _is_folder(Path(change.path).parent):
                state, why = _settle(change)
                self._set(change.change_id, state, reason=why)
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
        self._may_write()
        sql = (
            "INSERT INTO changes (run_id, path, field, before, after, native, old_mtime_ns, temp, "
            "state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING change_id"
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
        return int(self._query(sql, *row, ChangeState.WRITING)[0][0])

    def ready(self, change_id: int, old_sha: bytes, new_sha: bytes, delta: bytes | None) -> None:
        state = ChangeState.READY
        self._set(change_id, state, old_sha=old_sha, new_sha=new_sha, delta=delta)

    def done(self, change_id: int, remark: str = "") -> None:
        """The file holds the change; `remark` says what went wrong after that."""
        self._set(change_id, ChangeState.DONE, reason=remark, lazily=True)

    def failed(self, change_id: int, reason: str) -> None:
        self._set(change_id, ChangeState.FAILED, reason=reason, lazily=True)

    def undoing(self, change_id: int, temp: str, undo_sha: bytes | None) -> None:
        """The old file, of SHA-256 `undo_sha` where that is known, is about to come back."""
        self._set(change_id, ChangeState.UNDOING, temp=os.fsencode(temp), undo_sha=undo_sha)

    def not_undone(self, change: Change, reason: str) -> None:
        """The change stays in force; `reason` says why."""
        self._set(change.change_id, change.state, reason=reason, lazily=True)

    def undone(self, change_id: int, remark: str = "") -> None:
        self._set(change_id, ChangeState.UNDONE, reason=remark, lazily=True)

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

    def _may_write(self) -> None:
        """Take the lock, and see that what is written would be found again."""
        if self._lock is None:
            self._take_lock()
        if not self._gone and self._look() != self._inodes:
            self._gone = True
            self._rescue()
        if self._gone:
            raise LibraryError(
                f"the journal {self.path} was deleted or replaced while it was in use",
                f"what it held is in {self._home} again" if self._home else "what it held is lost",
            )

    def _look(self) -> tuple[Inode | None, Inode | None]:
        try:
            return inodes(self.path)
        except OSError as e:
            raise LibraryError(f"the journal {self.path}: {reason(e)}") from e

    def _rescue(self) -> None:
        """Save what the open file holds, and go over to where it was saved."""
        saved = save(self._db, self.path, self._inodes[0])
        self._home = saved and saved.parent
        if saved:
            self._db.close()
            self._db = _connect(saved)

    def _take_lock(self) -> None:
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
            full = getattr(e, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
            hint = "make room on the disk" if full else ""
            raise LibraryError(f"the journal {self.path} cannot be used: {e}", hint) from e

    def _set(
        self, change_id: int, state: ChangeState, *, lazily: bool = False, **columns: Any
    ) -> None:
        """Update a change. `lazily`: it may reach the disk with the next one, since `recover`
        would find out the same after a power cut."""
        self._may_write()
        names = "".join(f", {name} = ?" for name in columns)
        if lazily:
            self._query("PRAGMA synchronous = NORMAL")
        sql = f"UPDATE changes SET state = ?{names} WHERE change_id = ?"
        self._query(sql, state, *columns.values(), change_id)
        if lazily:
            self._query("PRAGMA synchronous = FULL")

    def _changes(self, condition: str, *values: Any) -> list[Change]:
        sql = f"SELECT {COLUMNS} FROM changes WHERE {condition} ORDER BY change_id"
        return [read_change(row) for row in self._query(sql, *values)]


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=30, isolation_level=None)
    db.text_factory = text_of
    return db


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _settle(change: Change) -> tuple[ChangeState, str]:
    """State and reason of a change that a crash has left half-way; its copy is removed."""
    leftover = ""
    try:
        remove_temp(change.temp)
    except OSError as e:
        leftover = f"; its temporary copy {change.temp} stays: {reason(e)}"
    if change.state is ChangeState.WRITING:
        return ChangeState.ABANDONED, "interrupted before it was written" + leftover
    found, problem = b"", "its record in the journal is damaged"
    if "path" not in change.damaged:
        try:
            with open_regular(change.path) as f:
                found = sha256(f)
            problem = "another program has changed it since"
        except (TagError, OSError) as e:
            problem = e.reason if isinstance(e, TagError) else reason(e)
    state, why = _by_content(change, found, problem)
    return state, why + leftover


def _by_content(change: Change, found: bytes, problem: str) -> tuple[ChangeState, str]:
    """State and reason of a change whose file has the SHA-256 `found`."""
    if change.state is ChangeState.UNDOING:
        if found == change.undo_sha:
            return ChangeState.UNDONE, ""
        return ChangeState.DONE, "undo was interrupted"
    if found == change.new_sha:
        return ChangeState.DONE, ""
    if found == change.old_sha:
        return ChangeState.ABANDONED, "interrupted before it was written"
    return ChangeState.UNKNOWN, f"interrupted while it was written; {problem}"

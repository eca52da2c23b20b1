"""What the server remembers across restarts, in one SQLite file: jobs, their events, settings.

An open store belongs to its thread. The server and the process of each job open their own.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from earmark import jsontext
from earmark.errors import LibraryError

_VERSION = 1
_SCHEMA = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE jobs (
    job_id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    root TEXT NOT NULL,
    title TEXT NOT NULL,
    request TEXT NOT NULL,
    created_at REAL NOT NULL,
    started_at REAL,
    finished_at REAL,
    n_starts INTEGER NOT NULL DEFAULT 0,
    n_skipped INTEGER NOT NULL DEFAULT 0,
    progress TEXT,
    error TEXT,
    result TEXT
);
CREATE INDEX jobs_by_state ON jobs (state);
CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id INTEGER NOT NULL REFERENCES jobs ON DELETE CASCADE,
    kind TEXT NOT NULL,
    data TEXT NOT NULL
);
CREATE INDEX events_by_job ON events (job_id, seq);
CREATE TABLE plans (
    plan_id INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id INTEGER NOT NULL UNIQUE,
    root TEXT NOT NULL,
    mode TEXT NOT NULL,
    join_with TEXT,
    model_id TEXT NOT NULL,
    model_name TEXT NOT NULL,
    labels TEXT NOT NULL,
    created_at REAL NOT NULL
);
CREATE TABLE plan_items (
    plan_id INTEGER NOT NULL REFERENCES plans ON DELETE CASCADE,
    item_id INTEGER NOT NULL,
    album_id INTEGER NOT NULL,
    path TEXT NOT NULL,
    action TEXT NOT NULL,
    confidence REAL NOT NULL,
    genres TEXT NOT NULL,
    item TEXT NOT NULL,
    edited INTEGER NOT NULL DEFAULT 0,
    choice TEXT NOT NULL DEFAULT 'open',
    written INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (plan_id, item_id)
) WITHOUT ROWID;
CREATE INDEX plan_items_by_album ON plan_items (plan_id, album_id);
CREATE INDEX plan_items_by_action ON plan_items (plan_id, action, confidence);
"""

ACTIVE = ("queued", "running", "cancelling")
FINISHED = ("done", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job as it is stored; `root` is its library's folder, as JSON text."""

    job_id: int
    kind: str
    state: str
    root: str
    title: str
    request: dict[str, Any]
    created_at: float
    started_at: float | None
    finished_at: float | None
    n_starts: int
    n_skipped: int
    progress: dict[str, Any] | None
    error: str | None
    result: dict[str, Any] | None


_JOB = ", ".join(JobRow.__slots__)


@dataclass(frozen=True, slots=True)
class EventRow:
    seq: int
    kind: str
    data: str


class Store:
    """An open store; a context manager that closes it."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._db = connection
        self.path = path

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a store, created where there is none.

        Raises
        ------
        LibraryError
            It cannot be opened, or is of a newer version.
        """
        with _explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            db = sqlite3.connect(path, timeout=30, isolation_level=None)
            try:
                db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA synchronous = NORMAL")
                db.execute("PRAGMA foreign_keys = ON")
                _prepare(db, path)
            except BaseException:
                db.close()
                raise
        return cls(db, path)

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with _explained(self.path):
            return self._db.execute(sql, values).fetchall()

    def change(self, sql: str, *values: Any) -> int:
        """Run one statement; the number of rows that it changed."""
        with _explained(self.path):
            return self._db.execute(sql, values).rowcount

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is done within happens at once, or not at all."""
        self.change("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.change("ROLLBACK")
            raise
        self.change("COMMIT")

    def add_rows(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        with _explained(self.path):
            self._db.executemany(sql, rows)

    # --- settings ---------------------------------------------------------------------------

    def setting(self, name: str) -> str:
        """Empty where it was never set."""
        rows = self.query("SELECT value FROM settings WHERE name = ?", name)
        return str(rows[0][0]) if rows else ""

    def set_setting(self, name: str, value: str) -> None:
        self.change("INSERT OR REPLACE INTO settings VALUES (?, ?)", name, value)

    # --- jobs -------------------------------------------------------------------------------

    def add_job(self, kind: str, root: str, title: str, request: dict[str, Any]) -> int:
        """Queue a job; its number."""
        sql = (
            "INSERT INTO jobs (kind, state, root, title, request, created_at)"
            " VALUES (?, 'queued', ?, ?, ?, ?) RETURNING job_id"
        )
        rows = self.query(
            sql, kind, jsontext.dumps(root), title, jsontext.dumps(request), time.time()
        )
        return int(rows[0][0])

    def job(self, job_id: int) -> JobRow | None:
        rows = self.query(f"SELECT {_JOB} FROM jobs WHERE job_id = ?", job_id)
        return _job(rows[0]) if rows else None

    def jobs(self, where: str = "1", *values: Any, limit: int = 1000) -> list[JobRow]:
        """Latest first."""
        sql = f"SELECT {_JOB} FROM jobs WHERE {where} ORDER BY job_id DESC LIMIT ?"
        return [_job(row) for row in self.query(sql, *values, limit)]

    def set_job(self, job_id: int, **columns: Any) -> None:
        """Change columns; dictionaries are stored as JSON."""
        names, values = _assignments(columns)
        self.change(f"UPDATE jobs SET {names} WHERE job_id = ?", *values, job_id)

    def move_job(self, job_id: int, before: Sequence[str], after: str, **columns: Any) -> bool:
        """Change a job's state, and columns with it, if the state is one of `before`."""
        names, values = _assignments({"state": after, **columns})
        marks = ", ".join("?" * len(before))
        sql = f"UPDATE jobs SET {names} WHERE job_id = ? AND state IN ({marks})"
        return self.change(sql, *values, job_id, *before) == 1

    def add_event(self, job_id: int, kind: str, data: dict[str, Any]) -> None:
        sql = "INSERT INTO events (job_id, kind, data) VALUES (?, ?, ?)"
        self.change(sql, job_id, kind, jsontext.dumps(data))

    def events(self, job_id: int, after: int, limit: int = 1000) -> list[EventRow]:
        """Events of a job that came after the one numbered `after`, oldest first."""
        sql = "SELECT seq, kind, data FROM events WHERE job_id = ? AND seq > ? ORDER BY seq LIMIT ?"
        rows = self.query(sql, job_id, after, limit)
        return [EventRow(seq, kind, jsontext.dumps(from_json(data))) for seq, kind, data in rows]


def from_json(text: str) -> Any:
    """What was stored; earlier versions may have written ``NaN``, which is null now."""
    return json.loads(text, parse_constant=lambda _: None)


def _assignments(columns: Mapping[str, Any]) -> tuple[str, list[Any]]:
    values = [jsontext.dumps(v) if isinstance(v, dict) else v for v in columns.values()]
    return ", ".join(f"{name} = ?" for name in columns), values


def _job(row: tuple[Any, ...]) -> JobRow:
    values = dict(zip(JobRow.__slots__, row, strict=True))
    values["root"] = json.loads(values["root"])
    for name in ("request", "progress", "result"):
        if values[name] is not None:
            values[name] = from_json(values[name])
    return JobRow(**values)


def _prepare(db: sqlite3.Connection, path: Path) -> None:
    def version() -> int:
        return int(db.execute("PRAGMA user_version").fetchone()[0])

    if version() == 0:
        db.execute("BEGIN IMMEDIATE")
        if version() == 0:  # unless another process was faster
            for statement in filter(str.strip, _SCHEMA.split(";")):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {_VERSION}")
        db.execute("COMMIT")
    if version() > _VERSION:
        raise LibraryError(f"{path} was written by a newer version", "upgrade earmark")


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as e:
        hint = "is its folder writable, the disk full?"
        raise LibraryError(f"{path} cannot be used: {e}", hint) from e
    except sqlite3.DatabaseError as e:
        raise LibraryError(f"{path} is damaged: {e}", "move it away") from e
    except OSError as e:
        raise LibraryError(f"{path} cannot be used: {e.strerror}") from e

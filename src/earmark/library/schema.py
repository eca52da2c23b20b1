"""The catalogue's tables, and how an older catalogue becomes a newer one."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from earmark.errors import LibraryError

# "ERMK" in SQLite's header tells our file from another program's.
_APPLICATION_ID = 0x45524D4B
_SWITCH_TIMEOUT_S = 30.0

# Entry n takes the schema from version n to n + 1. Never edit one that was released: append.
_MIGRATIONS = (
    """
    CREATE TABLE tracks (
        track_id     INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given out again
        path         BLOB NOT NULL UNIQUE,               -- bytes: names need not be text
        size         INTEGER NOT NULL,
        mtime_ns     INTEGER NOT NULL,
        container    TEXT NOT NULL,
        dialect      TEXT NOT NULL,
        artist       TEXT NOT NULL,
        album_artist TEXT NOT NULL,
        album        TEXT NOT NULL,
        title        TEXT NOT NULL,
        genres       TEXT NOT NULL,                      -- JSON lists: files hold several
        moods        TEXT NOT NULL,
        groupings    TEXT NOT NULL,
        duration_s   REAL,
        error        TEXT NOT NULL,
        audio_id     TEXT NOT NULL
    );
    CREATE TABLE listens (
        audio_id     TEXT NOT NULL,
        model_id     TEXT NOT NULL,
        start_s      BLOB NOT NULL,                      -- little-endian float32
        proba        BLOB NOT NULL,                      -- the same, slice after slice
        PRIMARY KEY (audio_id, model_id)
    );
    """,
    # A genre is looked for in more places than before: what was read then is read once more,
    # or a plan made from it would be refused when it is carried out. What was heard stays.
    """
    UPDATE tracks SET mtime_ns = -1;
    """,
)


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Make a checked file ready for writing: create the tables, or bring them up to date."""
    _use_write_ahead_log(connection)
    if check(connection, path) == len(_MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    # Another process may have been faster; only now is its work seen for sure.
    for migration in _MIGRATIONS[check(connection, path) :]:
        for statement in migration.split(";\n"):
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")
    connection.execute("COMMIT")


def check(connection: sqlite3.Connection, path: Path) -> int:
    """The schema's version, 0 for an empty file.

    Raises
    ------
    LibraryError
        The file is another program's, or of a newer version of Earmark.
    """
    # Tables first: where there are some, whoever made them has set the other two as well.
    n_tables, application, version = (
        connection.execute(query).fetchone()[0]
        for query in (
            "SELECT count(*) FROM sqlite_master",
            "PRAGMA application_id",
            "PRAGMA user_version",
        )
    )
    if n_tables and application != _APPLICATION_ID:
        raise LibraryError(
            f"{path} is a database of another program", "move it away and scan again"
        )
    if version > len(_MIGRATIONS):
        raise LibraryError(
            f"{path} was written by a newer version of earmark",
            "upgrade earmark, or move the file away and scan again",
        )
    return int(version)


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another connection was in the way."""
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Let others read while one writes; the file remembers it."""
    deadline = time.monotonic() + _SWITCH_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError as e:
            # Unlike any other statement, this one does not wait by itself for another process.
            if not is_busy(e) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
    connection.execute("PRAGMA synchronous = NORMAL")

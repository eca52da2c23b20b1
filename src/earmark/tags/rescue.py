"""What can still be done for a journal whose file was deleted or replaced while it was open.

The open connection goes on reading and writing a file that nobody will find again. It still holds
all records, of earlier runs, too.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

Inode = tuple[int, int]


def inodes(path: Path) -> tuple[Inode | None, Inode | None]:
    """Which files lie where the journal and its write-ahead log belong; None where there is none.

    Raises
    ------
    OSError
        That cannot be told.
    """
    return _inode(path), _inode(_beside(path, "-wal"))


def save(db: sqlite3.Connection, path: Path, opened: Inode | None) -> Path | None:
    """Copy what the connection holds to `path`, or into a folder beside it where that is taken.

    Parameters
    ----------
    db : sqlite3.Connection
    path : Path
    opened : (int, int) or None
        The journal's file when it was opened. Where it is there still, its log alone is gone, and
        what was in that goes into the journal.

    Returns
    -------
    Path or None
        Where it lies now; None where it could not be saved.
    """
    if opened is not None and _inode(path) == opened and _without_log(db):
        return path
    aside = path.parent / time.strftime("journal-%Y%m%d-%H%M%S") / path.name
    for target in (path, aside):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch(exist_ok=False)
        except OSError:
            continue
        try:
            # Left by the file that is gone: SQLite would take them for the new one's.
            for suffix in ("-wal", "-shm"):
                _beside(target, suffix).unlink(missing_ok=True)
            with closing(sqlite3.connect(target)) as copy:
                db.backup(copy)
        except (OSError, sqlite3.Error):
            target.unlink(missing_ok=True)
        else:
            return target
    return None


def _without_log(db: sqlite3.Connection) -> bool:
    """Bring all that is in the log into the file itself; whether it is."""
    try:
        (busy, *_) = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error:
        return False
    return not busy


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _inode(path: Path) -> Inode | None:
    try:
        st = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return st.st_dev, st.st_ino

"""Locks, so that two runs of the program do not write the same file at once."""

from __future__ import annotations

from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout


def try_lock(path: Path) -> BaseFileLock | None:
    """Lock the file at `path`, made for that alone, until `release` or until the process ends.

    Returns
    -------
    filelock.BaseFileLock or None
        None where somebody else has it. To be kept: a lock that nobody refers to is released.

    Raises
    ------
    OSError
        The file cannot be made.
    """
    lock = FileLock(path, thread_local=False)
    try:
        lock.acquire(blocking=False)
    except Timeout:  # an OSError, too
        return None
    return lock

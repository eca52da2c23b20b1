"""Advisory locks, so that two runs of the program do not write the same file at once."""

from __future__ import annotations

try:
    import fcntl
except ModuleNotFoundError:  # not on Windows, where nothing keeps two runs apart
    fcntl = None  # type: ignore[assignment]


def lock(fd: int, *, wait: bool) -> bool:
    """Lock an open file for this process, until `unlock` or until it is closed.

    Returns
    -------
    bool
        False where another process has it and `wait` is False.
    """
    if fcntl is None:
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


def unlock(fd: int) -> None:
    """Give an open file free again."""
    if fcntl is not None:
        fcntl.flock(fd, fcntl.LOCK_UN)

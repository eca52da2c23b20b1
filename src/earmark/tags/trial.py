"""Could a file be written? Asked while planning, so that a plan promises what can be kept."""

from __future__ import annotations

import array
import os
import stat
import sys
from pathlib import Path

from earmark.errors import TagError
from earmark.tags.apply import check_writable
from earmark.tags.files import open_regular, os_errors

_GET_FLAGS = 0x80086601  # FS_IOC_GETFLAGS of Linux
_LOCKED = 0x10 | 0x20  # immutable, append-only
_SPARE = 1 << 20  # for a larger tag, and what the file system itself needs


def check_could_write(path: str) -> None:
    """Refuse what writing would refuse, as things are now. Writes nothing.

    That is what `check_writable` looks at (read-only files and folders, hard links, containers and
    tags that cannot be edited), files that are locked, whose owner could not be kept or that only
    their owner may replace, and disks that are read-only or have no room for the copy that a safe
    write makes.

    Raises
    ------
    TagError
    """
    real = os.path.realpath(path)
    with os_errors(path):
        status, folder = Path(real).stat(), Path(real).parent.stat()
        if stat.S_ISREG(status.st_mode):
            _check_disk(real, status)
            _check_lock(real, status)
    check_writable(real)
    _check_owner(real, status, folder)


def _check_disk(path: str, status: os.stat_result) -> None:
    if sys.platform == "win32":
        return
    disk = os.statvfs(path)
    if disk.f_flag & os.ST_RDONLY:
        raise TagError(path, "the file system is read-only")
    if disk.f_blocks and disk.f_bavail * disk.f_frsize < status.st_size + _SPARE:
        raise TagError(
            path, "the disk has no room for the copy that a safe write makes", "free some space"
        )


def _check_lock(path: str, status: os.stat_result) -> None:
    locked = bool(getattr(status, "st_flags", 0) & _locked_on_macos())
    if sys.platform == "linux":
        import fcntl

        flags = array.array("l", [0])
        with open_regular(path) as f:
            try:
                fcntl.ioctl(f.fileno(), _GET_FLAGS, flags)
            except OSError:  # a file system without such flags
                return
        locked = bool(flags[0] & _LOCKED)
    if locked:
        raise TagError(path, "the file is locked against changes", "unlock it first")


def _locked_on_macos() -> int:
    names = ("UF_IMMUTABLE", "UF_APPEND", "SF_IMMUTABLE", "SF_APPEND")
    return sum(getattr(stat, name) for name in names)


def _check_owner(path: str, status: os.stat_result, folder: os.stat_result) -> None:
    """The copy takes the file's place with its owner and group; only root may give files away."""
    if sys.platform == "win32" or os.geteuid() == 0:
        return
    me, groups = os.geteuid(), {os.getegid(), *os.getgroups()}
    if folder.st_mode & stat.S_ISVTX and me not in (status.st_uid, folder.st_uid):
        raise TagError(path, "in its folder only its owner may replace it", "run as its owner")
    # In such a folder, new files get the folder's group by themselves.
    inherited = folder.st_mode & stat.S_ISGID and folder.st_gid == status.st_gid
    if status.st_uid != me or not (inherited or status.st_gid in groups):
        raise TagError(path, "its owner or group could not be kept", "run as its owner")

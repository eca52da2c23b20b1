"""Operations on files that never leave a half-written one behind."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from earmark.errors import FileChangedError, FileError, TagError

CHUNK = 1 << 20
TEMP_PREFIX = ".earmark-"  # hidden, so that library scanners pass by

_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file would exceed the allowed size",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "not permitted",
    errno.EPERM: "not permitted",
    errno.ENOENT: "no such file",
    errno.EIO: "the disk reports an error",
    errno.EISDIR: "is a folder",
    errno.ELOOP: "symbolic links form a loop",
    errno.ENAMETOOLONG: "the name is too long",
}


def reason(error: OSError) -> str:
    """What `error` means, in plain words."""
    return _REASONS.get(error.errno or 0) or error.strerror or str(error)


# Of a folder, by file systems that cannot flush one, and where it may not be read.
_NO_FLUSHING = {
    errno.EINVAL,
    errno.ENOTSUP,
    errno.EOPNOTSUPP,
    errno.ENOSYS,
    errno.EBADF,
    errno.EACCES,
    errno.EPERM,
}


class UnclearError(TagError):
    """A rename failed, and the disk does not tell whether it took place all the same."""


@contextmanager
def os_errors(path: str) -> Iterator[None]:
    """Errors of the operating system inside become a `TagError` about `path`."""
    try:
        yield
    except OSError as e:
        raise TagError(path, reason(e)) from e


def open_regular(path: str) -> BinaryIO:
    """Open a regular file for reading; a FIFO or a device is refused instead of waited for.

    Raises
    ------
    TagError
        It is something else, or cannot be opened.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with os_errors(path):
        fd = os.open(path, flags)
        try:
            if stat.S_ISREG(os.fstat(fd).st_mode):
                return os.fdopen(fd, "rb")
        except OSError:
            os.close(fd)
            raise
        os.close(fd)
    raise TagError(path, "not a regular file")


def check_replaceable(path: str) -> os.stat_result:
    """Its `stat`, if the file may be replaced by an edited copy of itself.

    A file without write permission is left alone although its folder would allow the
    replacement: its owner asked for that. A file with several hard links is left alone because
    the other names would keep the old content.

    Raises
    ------
    TagError
    """
    try:
        st = Path(path).lstat()
        if not stat.S_ISREG(st.st_mode):
            raise TagError(path, "not a regular file")
        if not st.st_mode & 0o222 or not os.access(path, os.W_OK):
            raise TagError(path, "the file is read-only", "allow writing to it first")
    except OSError as e:
        raise TagError(path, reason(e)) from e
    if not os.access(Path(path).parent, os.W_OK | os.X_OK):
        raise TagError(path, "its folder is read-only", "allow writing to the folder first")
    if st.st_nlink > 1:
        raise TagError(
            path,
            f"it has {st.st_nlink} hard links, and a safe write would part this name from the rest",
            "replace the other names by symbolic links or copies",
        )
    return st


def temp_name(path: str) -> str:
    """Path of a temporary file beside `path`, not created yet. The suffix stays, for decoders."""
    original = Path(path)
    suffix = original.suffix if len(original.suffix) <= 8 else ""  # "1. Title" has a long one
    return str(original.with_name(f"{TEMP_PREFIX}{secrets.token_hex(6)}{suffix}"))


def remove_temp(temp: str) -> None:
    """Remove a temporary file that `temp_name` named, if it is there."""
    if Path(temp).name.startswith(TEMP_PREFIX):
        Path(temp).unlink(missing_ok=True)


@contextmanager
def removed_on_error(temp: str) -> Iterator[None]:
    """Leave no temporary copy behind where something is raised inside."""
    try:
        yield
    except BaseException as e:
        try:
            remove_temp(temp)
        except OSError as leftover:
            if isinstance(e, FileError):
                e.reason += f"; its temporary copy {temp} stays: {reason(leftover)}"
        raise


def create(temp: str) -> BinaryIO:
    """A new file for writing and reading; fails if it exists."""
    return os.fdopen(
        os.open(temp, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600), "w+b"
    )


def copy(source: BinaryIO, target: BinaryIO) -> bytes:
    """Copy all of `source`; the SHA-256 of what was copied."""
    digest = hashlib.sha256()
    source.seek(0)
    while chunk := source.read(CHUNK):
        digest.update(chunk)
        target.write(chunk)
    target.flush()
    return digest.digest()


def sha256(f: BinaryIO) -> bytes:
    f.seek(0)
    return hashlib.file_digest(f, "sha256").digest()  # type: ignore[arg-type]


def splice(f: BinaryIO, start: int, end: int, data: bytes) -> None:
    """Replace bytes [start, end) of `f` by `data`, moving what follows."""
    size = f.seek(0, os.SEEK_END)
    shift = len(data) - (end - start)
    tail = range(end, size, CHUNK)
    for at in reversed(tail) if shift > 0 else tail if shift < 0 else ():
        f.seek(at)
        chunk = f.read(CHUNK)
        f.seek(at + shift)
        f.write(chunk)
    if shift < 0:
        f.truncate(size + shift)
    f.seek(start)
    f.write(data)
    f.flush()


def finish(source: BinaryIO, path: str, f: BinaryIO, temp: str, mtime_ns: int | None) -> None:
    """Give the open `temp` the attributes of the open `path`, and flush it to the disk.

    Owner, mode and extended attributes (ACLs among them) are kept. The modification time becomes
    `mtime_ns`, or stays where that is None.

    Raises
    ------
    TagError
        The owner cannot be kept, because the file belongs to somebody else.
    """
    f.flush()
    st, written = os.fstat(source.fileno()), os.fstat(f.fileno())
    if hasattr(os, "chown") and (written.st_uid, written.st_gid) != (st.st_uid, st.st_gid):
        try:
            os.chown(temp, st.st_uid, st.st_gid)
        except PermissionError as e:
            raise TagError(path, "its owner or group could not be kept", "run as its owner") from e
    shutil.copystat(path, temp)
    mtime_ns = written.st_mtime_ns if mtime_ns is None else mtime_ns
    os.utime(temp, ns=(st.st_atime_ns, mtime_ns))
    os.fsync(f.fileno())


def swap(temp: str, path: str, st: os.stat_result) -> tuple[os.stat_result, str]:
    """Put `temp` in the place of `path`, unless that is no longer the file of `st`.

    The rename is atomic; it has reached the disk when this returns, where the system can tell.
    Once it has taken place, nothing is raised.

    Returns
    -------
    os.stat_result
        Of `path` as it is now.
    str
        What went wrong after the rename; empty where nothing did.

    Raises
    ------
    FileChangedError
        Another program has written to `path`, or replaced it, meanwhile.
    UnclearError
        The disk reports errors, and `path` may be the old file or the new one.
    OSError
        The rename failed; `path` is the old file.
    """
    if not same_file(st, Path(path).lstat()):
        raise FileChangedError(path, "another program changed it while it was being written")
    now = Path(temp).lstat()
    try:
        Path(temp).replace(path)
    except OSError as e:
        # A network disk may report an error for what it has done.
        try:
            found = Path(path).lstat()
        except OSError:
            raise UnclearError(
                path,
                f"{reason(e)}, and whether it was written cannot be told",
                "when the disk is well again, `earmark undo` finds out",
            ) from e
        if not same_file(now, found):
            raise
    return now, _flush_folder(Path(path).parent)


def _flush_folder(folder: Path) -> str:
    """What went wrong; empty where nothing did, or where folders cannot be flushed at all."""
    if os.name != "posix":
        return ""
    try:
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
    except OSError as e:
        if e.errno in _NO_FLUSHING:
            return ""
        return f"a power cut might still lose what was written: {reason(e)}"
    return ""


def same_file(a: os.stat_result, b: os.stat_result) -> bool:
    return (a.st_ino, a.st_size, a.st_mtime_ns) == (b.st_ino, b.st_size, b.st_mtime_ns)

"""A layer over files whose n-th operation fails, as those of a dying, full or read-only disk do.

It stands where Python calls the operating system, for everything below one folder, and where the
journal calls SQLite. In between all is real: buffers, mutagen, FFmpeg (which reads through Python),
the files themselves::

    with FaultyLayer(music, Fault(17, "EIO")) as layer:
        apply_change(...)
    layer.operations  # what was called, in order
"""

from __future__ import annotations

import errno
import io
import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

# What can go wrong with each operation. "short": only a part is read or written, which no program
# may mind. "late": it is done, and reported as failed. A name with a star: so do all later ones.
KINDS: dict[str, tuple[str, ...]] = {
    "open": ("EIO", "EIO*", "EMFILE"),
    "create": ("EIO", "ENOSPC", "EROFS*"),
    "read": ("EIO", "EIO*", "EINTR", "short"),
    "write": ("EIO", "EIO*", "ENOSPC*", "EROFS*", "EINTR", "short"),
    "truncate": ("EIO", "ENOSPC"),
    "close": ("EIO late",),
    "fsync": ("EIO", "EIO*", "ENOSPC", "EROFS*"),
    "stat": ("EIO", "EIO*", "EACCES"),
    "chmod": ("EIO", "EROFS*"),
    "chown": ("EIO", "EPERM"),
    "utime": ("EIO", "EROFS*"),
    "xattr": ("EIO", "ENOTSUP", "ENOSPC"),
    "rename": ("EIO", "EIO late", "EIO late*", "EROFS*", "EACCES"),
    "unlink": ("EIO", "EIO*", "EROFS*"),
    "access": ("EACCES",),
    "journal": ("disk I/O error", "disk I/O error*", "database or disk is full*"),
    "journal write": (
        "disk I/O error",
        "disk I/O error late",
        "disk I/O error*",
        "database or disk is full*",
    ),
}
_CHANGING = {"create", "write", "truncate", "chmod", "chown", "utime", "xattr", "rename", "unlink"}
# Which operations a lasting fault is one of.
_SPREAD = {
    "ENOSPC": {"create", "write", "truncate"},
    "EROFS": _CHANGING,
    "EIO": _CHANGING | {"open", "read", "fsync", "stat"},
}
_REAL_FILE: Callable[..., io.FileIO] = io.FileIO
_REAL_OPEN: Callable[..., Any] = io.open


@dataclass(frozen=True)
class Fault:
    """The operation number `at`, counted from 1, fails in the way named `how`, one of `KINDS`."""

    at: int
    how: str

    def strikes(self, n: int, kind: str) -> bool:
        """Whether the operation number `n`, of that kind, fails."""
        if n <= self.at or not self.how.endswith("*"):
            return n == self.at
        if "journal" in kind:
            return self.text in KINDS["journal"][0] or "full" in self.text
        return kind in _SPREAD.get(self.text, ())

    @property
    def text(self) -> str:
        return self.how.removesuffix("*").removesuffix(" late")

    @property
    def late(self) -> bool:
        return " late" in self.how


class FaultyLayer:
    """The layer, in place while its ``with`` statement lasts.

    Parameters
    ----------
    folder : Path
        What lies below it passes the layer.
    fault : Fault, optional
        None only counts.
    """

    def __init__(self, folder: Path, fault: Fault | None = None) -> None:
        self.operations: list[str] = []
        self._folder = os.fspath(folder)
        self._fault = fault
        self._fds: set[int] = set()
        self._undo: list[tuple[Any, str, Any]] = []

    def __enter__(self) -> Self:
        real = os.open
        self._put(os, "open", lambda *a, **k: self._open(real, *a, **k))
        for name, kind in {
            **dict.fromkeys(("stat", "lstat", "fstat"), "stat"),
            **dict.fromkeys(("replace", "rename"), "rename"),
            **dict.fromkeys(("unlink", "remove"), "unlink"),
            **dict.fromkeys(("listxattr", "getxattr", "setxattr"), "xattr"),
            **{name: name for name in ("chmod", "chown", "utime", "fsync", "access")},
        }.items():
            if hasattr(os, name):
                self._put(os, name, self._watched(kind, getattr(os, name)))
        self._put(os, "fdopen", self._fdopen)
        self._put(io, "open", self._io_open)
        self._put(io, "FileIO", self._raw)
        connect = sqlite3.connect
        self._put(sqlite3, "connect", lambda *a, **k: connect(*a, factory=self._connection(), **k))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None
    ) -> None:
        for owner, name, real in reversed(self._undo):
            setattr(owner, name, real)

    def call(self, kind: str, do: Callable[[], Any]) -> Any:
        """Count an operation, and do it unless it is the one to fail."""
        self.operations.append(kind)
        fault = self._fault
        if fault is None or fault.how == "short" or not fault.strikes(len(self.operations), kind):
            return do()
        if fault.late and len(self.operations) == fault.at:
            do()
        if kind == "access":
            return False
        if "journal" in kind:
            raise sqlite3.OperationalError(fault.text)
        code = getattr(errno, fault.text)
        raise OSError(code, os.strerror(code))

    def is_short(self) -> bool:
        """Whether the operation that comes next is to do only a part."""
        fault = self._fault
        return fault is not None and fault.how == "short" and len(self.operations) + 1 == fault.at

    # --- what stands in for the system's ----------------------------------------------------------

    def _put(self, owner: Any, name: str, stand_in: Any) -> None:
        self._undo.append((owner, name, getattr(owner, name)))
        setattr(owner, name, stand_in)

    def _concerns(self, what: Any) -> bool:
        if isinstance(what, int):
            return what in self._fds
        try:
            return os.fsdecode(what).startswith(self._folder)
        except TypeError:
            return False

    def _watched(self, kind: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def stand_in(*args: Any, **options: Any) -> Any:
            if args and self._concerns(args[0]):
                return self.call(kind, lambda: real(*args, **options))
            return real(*args, **options)

        return stand_in

    def _open(self, real: Callable[..., int], path: Any, flags: int, *args: Any, **k: Any) -> int:
        if not self._concerns(path):
            return real(path, flags, *args, **k)
        opened: list[int] = []
        self.call(
            "create" if flags & os.O_CREAT else "open",
            lambda: opened.append(real(path, flags, *args, **k)),
        )
        self._fds.add(opened[0])
        return opened[0]

    def _raw(self, file: Any, mode: str = "r", *args: Any, **options: Any) -> io.FileIO:
        if not isinstance(file, int) and self._concerns(file):
            file = os.open(file, os.O_RDONLY)  # as is counted
        if isinstance(file, int) and file in self._fds:
            return _FaultyFile(self, file, mode)
        return _REAL_FILE(file, mode, *args, **options)

    def _fdopen(self, fd: int, mode: str = "r", *args: Any, **options: Any) -> Any:
        if fd not in self._fds:
            return _REAL_OPEN(fd, mode, *args, **options)
        raw = self._raw(fd, mode.replace("b", ""))
        return io.BufferedRandom(raw) if "+" in mode else io.BufferedReader(raw)

    def _io_open(self, file: Any, mode: str = "r", *args: Any, **options: Any) -> Any:
        if mode == "rb" and self._concerns(file):
            return io.BufferedReader(self._raw(file))
        return _REAL_OPEN(file, mode, *args, **options)

    def closed(self, fd: int) -> None:
        self._fds.discard(fd)

    def _connection(self) -> type[sqlite3.Connection]:
        layer = self

        class Connection(sqlite3.Connection):
            def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
                writes = sql.startswith(("INSERT", "UPDATE"))
                run = super().execute
                cursor: sqlite3.Cursor = layer.call(
                    "journal write" if writes else "journal", lambda: run(sql, *args)
                )
                return cursor

        return Connection


class _FaultyFile(io.FileIO):
    """An open file of the layer."""

    def __init__(self, layer: FaultyLayer, fd: int, mode: str) -> None:
        super().__init__(fd, mode)
        self._layer = layer

    def readinto(self, buffer: Any) -> Any:
        read = super().readinto
        with memoryview(buffer).cast("B") as view:
            part = view[: self._part(len(view))]
            return self._layer.call("read", lambda: read(part))

    def read(self, size: int | None = -1) -> Any:
        if size is None or size < 0:
            return self.readall()
        read, part = super().read, self._part(size)
        return self._layer.call("read", lambda: read(part))

    def readall(self) -> Any:
        return self._layer.call("read", super().readall)

    def write(self, data: Any) -> Any:
        write = super().write
        with memoryview(data).cast("B") as view:
            part = view[: self._part(len(view))]
            return self._layer.call("write", lambda: write(part))

    def truncate(self, size: int | None = None) -> Any:
        truncate = super().truncate
        return self._layer.call("truncate", lambda: truncate(size))

    def close(self) -> None:
        if self.closed:
            return
        fd, close = self.fileno(), super().close
        try:
            self._layer.call("close", close)
        finally:
            self._layer.closed(fd)

    def _part(self, size: int) -> int:
        return size // 2 if size > 1 and self._layer.is_short() else size

"""What only some systems can do; a test that asks for it is skipped on the others."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SIGKILL = 9
"""Windows knows the number, not the name: it ends a process without a last word by it, too."""

KILLED = SIGKILL if sys.platform == "win32" else -SIGKILL
"""Exit code of a process that was ended by `SIGKILL`, as `subprocess` tells it."""


def make_pipe(path: Path) -> None:
    """A named pipe."""
    if sys.platform == "win32":
        pytest.skip("files cannot be pipes on Windows")
    os.mkfifo(path)


def unix_socket() -> socket.socket:
    """A socket with a name among files."""
    if sys.platform == "win32":
        pytest.skip("files cannot be sockets on Windows")
    return socket.socket(socket.AF_UNIX)


def limit_file_size(n_bytes: int | None) -> None:
    """The kernel lets no file of this process grow beyond that any more; None: as far as it can."""
    if sys.platform == "win32":
        pytest.skip("the sizes of files cannot be limited on Windows")
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard if n_bytes is None else n_bytes, hard))


@contextmanager
def limited_file_size(n_bytes: int) -> Iterator[None]:
    """The same, for a while: as on a disk that is full."""
    limit_file_size(n_bytes)
    try:
        yield
    finally:
        limit_file_size(None)

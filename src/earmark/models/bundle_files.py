"""Files of a bundle as they come from strangers: regular ones only, none read beyond a bound."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from earmark.errors import BundleError

_GET_AGAIN = "get the model again"
_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_BINARY", 0)
    # A pipe that takes the file's place is not waited for, and a link not followed.
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOFOLLOW", 0)
)


def read(path: Path, most: int) -> bytes:
    """Contents of a regular file.

    Parameters
    ----------
    path : Path
    most : int
        Bytes; a file with more is refused.

    Raises
    ------
    BundleError
        It is a link, a folder, a pipe or a device; missing, unreadable or too large.
    """
    try:
        if path.is_symlink():
            raise BundleError(
                f"{path} is a link", "a model's files lie in its folder: put a copy there"
            )
        # Opened once it is known to be regular: opening a device may do something already.
        if stat.S_ISREG(path.lstat().st_mode):
            with os.fdopen(os.open(path, _FLAGS), "rb") as file:
                status = os.fstat(file.fileno())
                if status.st_size > most:
                    raise BundleError(
                        f"{path} is too large: {status.st_size / 1e6:,.1f} MB, at most"
                        f" {most / 1e6:,.1f} MB are read",
                        _GET_AGAIN,
                    )
                if stat.S_ISREG(status.st_mode):
                    return file.read(status.st_size)
    except (OSError, ValueError) as e:
        raise BundleError(f"{path} cannot be read", _GET_AGAIN) from e
    except MemoryError as e:
        raise BundleError(f"{path} does not fit into memory", _GET_AGAIN) from e
    raise BundleError(f"{path} is not a regular file", _GET_AGAIN)

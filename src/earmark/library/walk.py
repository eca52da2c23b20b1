"""Finding music files below a folder."""

# os.path keeps to the text that the system gives, and takes half the time of pathlib.
# ruff: noqa: PTH100, PTH110, PTH116, PTH122, PTH206

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from earmark.errors import LibraryError

_EXTENSIONS = """
.aac .ac3 .aif .aifc .aiff .ape .asf .dsf .flac .m4a .m4b .mka .mp+ .mp2 .mp3 .mp4 .mpc .oga .ogg
.opus .spx .tta .wav .wave .webm .wma .wv
"""
AUDIO_EXTENSIONS = frozenset(_EXTENSIONS.split())

# Kept by other programs for themselves. Names with a leading dot are passed over as well, with
# the "._song.mp3" that macOS leaves on foreign disks among them.
_NOT_FOR_PEOPLE = frozenset(
    {
        "#recycle",
        "$RECYCLE.BIN",
        "@eaDir",
        "System Volume Information",
        "__MACOSX",
        "lost+found",
    }
)


@dataclass(frozen=True, slots=True)
class Found:
    """A music file, with its size in bytes and its modification time."""

    path: str
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class WalkProblem:
    """A file or folder that could not be looked at; `is_dir` where all below it is missing too."""

    path: str
    reason: str
    is_dir: bool = False


def walk(root: str | os.PathLike[str]) -> Iterator[Found | WalkProblem]:
    """Find the music files below a folder, or the one file that `root` is.

    Known by their extension; no file is opened. Hidden ones are passed over. Links are followed,
    to a folder once only; a link to what is found below `root` anyway is passed over.

    Yields
    ------
    Found or WalkProblem
        In an order that depends on the names alone: files before folders, both by name.

    Raises
    ------
    LibraryError
        `root` is empty, does not exist or cannot be read.
    """
    if not os.fspath(root):  # as from a variable that is not set; it would be the current folder
        raise LibraryError("the name of the folder is empty", 'the current one is "."')
    start = os.path.abspath(root)
    try:
        status = os.stat(start)
        if stat.S_ISDIR(status.st_mode):
            os.scandir(start).close()
    except OSError as e:
        raise LibraryError(f"{start} cannot be read: {e.strerror}", "is the disk there?") from e
    if stat.S_ISDIR(status.st_mode):
        return _walk_below(start)
    if not stat.S_ISREG(status.st_mode):
        raise LibraryError(f"{start} is neither a folder nor a file")
    return iter([Found(start, status.st_size, status.st_mtime_ns)])


def _walk_below(root: str) -> Iterator[Found | WalkProblem]:
    real_root = os.path.realpath(root)
    visited: set[tuple[int, int]] = set()
    pending = [root]
    while pending:
        folder = pending.pop()
        try:
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in visited:
                continue
            visited.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as scanned:
                entries = sorted(scanned, key=lambda entry: entry.name)
        except OSError as e:
            yield WalkProblem(folder, f"folder cannot be read: {e.strerror}", is_dir=True)
            continue
        below = []
        for entry in entries:
            if _is_hidden(entry.name) or (entry.is_symlink() and _is_found(entry.path, real_root)):
                continue
            if _is_dir(entry):
                below.append(entry.path)
            elif os.path.splitext(entry.name)[1].lower() in AUDIO_EXTENSIONS:
                yield _look_at(entry)
        pending.extend(reversed(below))


def _look_at(entry: os.DirEntry[str]) -> Found | WalkProblem:
    try:
        status = entry.stat()
    except OSError as e:
        what = "broken link" if entry.is_symlink() else "cannot be read"
        return WalkProblem(entry.path, f"{what}: {e.strerror}")
    if not stat.S_ISREG(status.st_mode):
        return WalkProblem(entry.path, "not a regular file")
    return Found(entry.path, status.st_size, status.st_mtime_ns)


def _is_dir(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle, or into a folder that is closed to us
        return False


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name in _NOT_FOR_PEOPLE


def _is_found(link: str, real_root: str) -> bool:
    """Whether a link leads to something below `real_root`, and not hidden there."""
    # Outside of it, the relative path starts with "..", which passes for hidden.
    try:
        relative = os.path.relpath(os.path.realpath(link), real_root)
    except OSError:  # a link that may not be read
        return False
    return os.path.exists(link) and not any(map(_is_hidden, relative.split(os.sep)))

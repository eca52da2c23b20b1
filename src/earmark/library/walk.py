"""Finding music files below a folder."""

# os.path keeps to the text that the system gives, and takes half the time of pathlib.
# ruff: noqa: PTH100, PTH110, PTH116, PTH122, PTH206

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from earmark.errors import LibraryError
from earmark.library.passed_over import Kind, why_passed_over

_EXTENSIONS = """
.aac .ac3 .aif .aifc .aiff .ape .asf .dsf .flac .m4a .m4b .mka .mp+ .mp2 .mp3 .mp4 .mpc .oga .ogg
.opus .spx .tta .wav .wave .webm .wma .wv
"""
AUDIO_EXTENSIONS = frozenset(_EXTENSIONS.split())


@dataclass(frozen=True, slots=True)
class Found:
    """A music file, with its size in bytes and its modification time.

    `linked`: reached through a link, and so perhaps outside of the folder.
    """

    path: str
    size: int
    mtime_ns: int
    linked: bool = False


@dataclass(frozen=True, slots=True)
class WalkProblem:
    """A file or folder that could not be looked at; `is_dir` where all below it is missing too."""

    path: str
    reason: str
    is_dir: bool = False


def walk(
    root: str | os.PathLike[str], passed_over: Counter[Kind] | None = None
) -> Iterator[Found | WalkProblem]:
    """Find the music files below a folder, or the one file that `root` is.

    Known by their extension; no file is opened. What is not meant for people is passed over, see
    `earmark.library.passed_over`. Links are followed, to a folder once only; a link to what is
    found below `root` anyway is left out.

    Parameters
    ----------
    root : path-like
        Looked into whatever it is called: somebody has named it.
    passed_over : Counter, optional
        Told the kind of every folder that is passed over, and of every file that would count as
        music by its extension.

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
        return _walk_below(start, Counter() if passed_over is None else passed_over)
    if not stat.S_ISREG(status.st_mode):
        raise LibraryError(f"{start} is neither a folder nor a file")
    return iter([Found(start, status.st_size, status.st_mtime_ns)])


def _walk_below(root: str, passed_over: Counter[Kind]) -> Iterator[Found | WalkProblem]:
    real_root = os.path.realpath(root)
    visited: set[tuple[int, int]] = set()
    pending = [(root, False)]
    while pending:
        folder, linked = pending.pop()
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
            is_dir = _is_dir(entry)
            if not is_dir and os.path.splitext(entry.name)[1].lower() not in AUDIO_EXTENSIONS:
                continue
            linked_here = linked or entry.is_symlink()
            if kind := why_passed_over(entry.name, is_dir=is_dir):
                passed_over[kind] += 1
            elif entry.is_symlink() and _is_found(entry.path, real_root, is_dir):
                continue
            elif is_dir:
                below.append((entry.path, linked_here))
            else:
                yield _look_at(entry, linked_here)
        pending.extend(reversed(below))


def _look_at(entry: os.DirEntry[str], linked: bool) -> Found | WalkProblem:
    try:
        status = entry.stat()
    except OSError as e:
        what = "broken link" if entry.is_symlink() else "cannot be read"
        return WalkProblem(entry.path, f"{what}: {e.strerror}")
    if not stat.S_ISREG(status.st_mode):
        return WalkProblem(entry.path, "not a regular file")
    return Found(entry.path, status.st_size, status.st_mtime_ns, linked)


def _is_dir(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle, or into a folder that is closed to us
        return False


def _is_found(link: str, real_root: str, is_dir: bool) -> bool:
    """Whether a link leads to something that is found below `real_root` in its own place."""
    try:
        relative = os.path.relpath(os.path.realpath(link), real_root)
    except OSError:  # a link that may not be read
        return False
    *folders, name = relative.split(os.sep)
    if os.pardir in (*folders, name) or not os.path.exists(link):
        return False
    hidden = any(why_passed_over(folder, is_dir=True) for folder in folders)
    if hidden or why_passed_over(name, is_dir=is_dir):
        return False
    return is_dir or os.path.splitext(name)[1].lower() in AUDIO_EXTENSIONS

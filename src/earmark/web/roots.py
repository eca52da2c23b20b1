"""The libraries that may be looked into, and the only way from a request to a file in one.

A file is named by its path below the library's folder. Whatever such a name says (``..``, an
absolute path, a link that leads away), it is the place where it really leads that has to lie
within the folder.
"""

# Paths stay text as the system gives it, undecodable bytes and all.
# ruff: noqa: PTH116, PTH117, PTH118, PTH119, PTH122, PTH206

from __future__ import annotations

import base64
import binascii
import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from earmark.library import AUDIO_EXTENSIONS, why_passed_over
from earmark.web.faults import Refused, not_found, readable


@dataclass(frozen=True, slots=True)
class Root:
    """A library: `path` is its folder with links resolved."""

    library_id: str
    path: str

    @property
    def name(self) -> str:
        return readable(os.path.basename(self.path) or self.path)

    def holds(self, path: str) -> bool:
        """Whether a path really leads to something within this library."""
        return _is_below(os.path.realpath(path), self.path)

    def shown(self, path: str) -> str:
        """A path as text, without the library's folder where it lies in there."""
        return readable(path.removeprefix(self.path.rstrip(os.sep) + os.sep))

    def file_id(self, path: str) -> str:
        """The name of a file, by the path that a walk has found it under, in URLs."""
        relative = os.fsencode(os.path.relpath(path, self.path))
        return base64.urlsafe_b64encode(relative).decode("ascii").rstrip("=")

    def by_id(self, file_id: str) -> str:
        """The file of a `file_id`; see `by_name`."""
        try:
            padded = file_id + "=" * (-len(file_id) % 4)
            relative = os.fsdecode(base64.b64decode(padded, altchars=b"-_", validate=True))
        except (ValueError, binascii.Error) as e:
            raise not_found("such file") from e
        return self.by_name(relative)

    def by_name(self, relative: str) -> str:
        """The path of a music file, links resolved, by its path below the library's folder.

        Raises
        ------
        Refused
            It lies outside (403), is not there, hidden, or no music file (404): the same answer
            whether or not something is there.
        """
        if "\0" in relative or os.path.isabs(relative) or ".." in relative.split(os.sep):
            raise _outside()
        try:
            found = os.path.realpath(os.path.join(self.path, relative))
            if not _is_below(found, self.path):
                raise _outside()
            suffix = os.path.splitext(found)[1].lower()
            hidden = map(_is_hidden, (relative, os.path.relpath(found, self.path)))
            if any(hidden) or suffix not in AUDIO_EXTENSIONS:
                raise not_found("such music file in the library")
            status = os.stat(found)
        except (OSError, ValueError) as e:
            raise not_found("such music file in the library") from e
        if not stat.S_ISREG(status.st_mode):
            raise not_found("such music file in the library")
        return found


class Roots:
    """All libraries that are served."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.all: dict[str, Root] = {}
        for folder in folders:
            path = os.fspath(folder)
            slug = re.sub(r"[^a-z0-9]+", "-", folder.name.lower()).strip("-")[:40] or "library"
            name, n = slug, 1
            while name in self.all:
                n += 1
                name = f"{slug}-{n}"
            self.all[name] = Root(name, path)

    def __getitem__(self, library_id: str) -> Root:
        try:
            return self.all[library_id]
        except KeyError as e:
            raise not_found("such library") from e

    def of(self, folder: str) -> Root | None:
        """The library of that very folder."""
        return next((root for root in self.all.values() if root.path == folder), None)

    def around(self, path: str) -> Root | None:
        """The library that a path really leads into."""
        return next((root for root in self.all.values() if root.holds(path)), None)


def _is_hidden(relative: str) -> bool:
    """Whether a walk of the library would pass over a file of that path below it."""
    *folders, name = relative.split(os.sep)
    hidden = any(why_passed_over(folder, is_dir=True) for folder in folders)
    return hidden or why_passed_over(name, is_dir=False) is not None


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _outside() -> Refused:
    return Refused(403, "that lies outside the library", code="outside")

"""The fields that Earmark reads, and the shape that every family of containers has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

Keys = Mapping[str, tuple[str, ...]]
"""Field of `earmark.types.Tags` to native keys, most telling first."""

Native = dict[str, list[bytes]]
"""Place in the file (``id3v2``, ``id3v1``, ``apev2``, …) to the raw values that it holds.

A place that the file does not have is missing; one that holds no genre has an empty list.
"""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a family found: field to values, kind of tag, duration in seconds or None."""

    values: dict[str, tuple[str, ...]]
    dialect: str
    duration_s: float | None


class DamagedTagError(ValueError):
    """The tag is broken, or of a kind that cannot be edited safely; the text says how."""


class Family(ABC):
    """One kind of tag, such as ID3 or Vorbis comments, and the containers that use it.

    `get` and `put` speak the same native form, so that bringing an old genre back is the same
    operation as writing a new one. Files are open in binary mode, for `put` and `write` also for
    writing.
    """

    @abstractmethod
    def read(self, f: BinaryIO) -> Reading:
        """Values of all fields, as text."""

    @abstractmethod
    def get(self, f: BinaryIO) -> Native:
        """The genre as it stands in the file, in its native bytes."""

    @abstractmethod
    def put(self, f: BinaryIO, native: Native) -> None:
        """Make the genre what `get` once returned. Nothing else changes."""

    @abstractmethod
    def write(self, f: BinaryIO, values: tuple[str, ...]) -> None:
        """Make the genre `values`. Nothing else changes."""

    @abstractmethod
    def others(self, f: BinaryIO) -> Any:
        """All that `put` and `write` must leave alone, comparable with ``==``."""


def clean(value: str) -> str:
    """`value` without NULs, and without what no encoding can hold (lone surrogates)."""
    value = value.replace("\0", "")
    try:
        value.encode()
    except UnicodeEncodeError:
        value = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def pick(keys: Keys, lookup: Callable[[str], Iterable[str]]) -> dict[str, tuple[str, ...]]:
    """Values of every field, from the first of its keys under which `lookup` finds any."""
    values: dict[str, tuple[str, ...]] = {}
    for field, names in keys.items():
        for name in names:
            found = tuple(v for v in map(clean, lookup(name)) if v.strip())
            if found:
                values[field] = found
                break
    return values


def fill(values: dict[str, tuple[str, ...]], more: Mapping[str, tuple[str, ...]]) -> None:
    """Add to `values` the fields of `more` that it lacks."""
    for field, found in more.items():
        values.setdefault(field, found)


def rewound(f: BinaryIO) -> BinaryIO:
    """`f` at its start, where mutagen expects a file."""
    f.seek(0)
    return f

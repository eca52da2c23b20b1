"""The fields that Earmark reads, and the shape that every family of containers has.

A file has several places where a genre may stand: tags in front and behind, several blocks,
chunks or streams, fields of other programs. Each family lists its places, the one that most
players read first. Reading takes the first that says something; writing sets the one that
players read, and leaves no other that says the old genre.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from earmark.genres import is_missing
from earmark.tags.edits import Edit, carry_out, preview

Keys = Mapping[str, tuple[str, ...]]
"""Field of `earmark.types.Tags` to native keys, most telling first."""

Native = dict[str, list[bytes]]
"""Place in the file (``id3v2``, ``id3v1``, ``apev2``, …) to the raw values that it holds.

A place that the file does not have is missing; one that holds no genre has an empty list. Further
places of a kind are numbered: ``id3v2-2``.
"""

Texts = dict[str, tuple[str, ...]]
"""Field of `earmark.types.Tags` to what one place says of it."""

MAX_TEXT = 1 << 16
"""Bytes of a value that are read as text: no small file may cost minutes or gigabytes."""

Source = tuple[str, Texts]
"""Kind of tag, as `earmark.types.Tags.dialect` calls it, and what one such tag says."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a family found: field to values, kind of tag, duration in seconds or None."""

    values: Texts
    dialect: str
    duration_s: float | None


class DamagedTagError(ValueError):
    """The tag is broken, or of a kind that cannot be edited safely; the text says how."""


class UnsafePlaceError(DamagedTagError):
    """The file may be sound, but its genre cannot be written safely; the text is the reason."""


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
        """The genre as it stands in every place of the file, in its native bytes."""

    @abstractmethod
    def encode(self, f: BinaryIO, values: tuple[str, ...]) -> Native:
        """What `put` has to be given so that the file says `values`, and nothing else, anywhere."""

    @abstractmethod
    def edits(self, f: BinaryIO, native: Native) -> list[Edit]:
        """What has to change in the bytes of `f` so that `get` will return `native`."""

    @abstractmethod
    def others(self, f: BinaryIO) -> Any:
        """All that `put` and `write` must leave alone, comparable with ``==``."""

    def put(self, f: BinaryIO, native: Native) -> None:
        """Make the genre what `get` once returned. Nothing else changes."""
        carry_out(f, self.edits(f, native))

    def write(self, f: BinaryIO, values: tuple[str, ...]) -> None:
        """Make the genre `values`. Nothing else changes."""
        self.put(f, self.encode(f, values))

    def check(self, f: BinaryIO) -> None:
        """Refuse what `write` would refuse for being the file that it is. Changes nothing.

        Raises
        ------
        DamagedTagError
        """
        genres = ("Genre", "Größe")
        new: Any = preview(f, self.edits(f, self.encode(f, genres)))
        if self.others(new) != self.others(f):
            raise UnsafePlaceError("writing the genre would change other tags: they are damaged")
        if self.read(new).values.get("genres") != genres:
            raise UnsafePlaceError("a genre would not be found again: its tags are damaged")


def clean(value: str) -> str:
    """`value` without NULs, and without what no encoding can hold (lone surrogates)."""
    value = value.replace("\0", "")
    try:
        value.encode()
    except UnicodeEncodeError:
        value = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def pick(keys: Keys, lookup: Callable[[str], Iterable[str]]) -> Texts:
    """Values of every field, from the first of its keys under which `lookup` finds any."""
    values: Texts = {}
    for field, names in keys.items():
        for name in names:
            found = tuple(v for v in map(clean, lookup(name)) if v.strip())
            if found:
                values[field] = found
                break
    return values


def combine(sources: list[Source], duration_s: float | None) -> Reading:
    """What a file says in all, from what its places say, best first.

    Every field comes from the first place that has it; a genre that says nothing ("Other") does
    not hide one that stands in a later place. The dialect is the one that holds the genre.
    """
    values: Texts = {}
    for _, found in sources:
        for field, texts in found.items():
            values.setdefault(field, texts)
    with_genre = [source for source in sources if "genres" in source[1]]
    best = next((s for s in with_genre if len(with_genre) == 1 or _speaks(s[1]["genres"])), None)
    best = best or next(iter(with_genre or sources), ("", {}))
    if "genres" in best[1]:
        values["genres"] = best[1]["genres"]
    return Reading(values, best[0], duration_s)


@functools.lru_cache(maxsize=4096)
def _speaks(values: tuple[str, ...]) -> bool:
    return not is_missing(values)


def too_long(key: str, size: int) -> bool:
    """Whether a text of `size` bytes is longer than is read, under the lower-case name `key`.

    Raises
    ------
    DamagedTagError
        It is the genre.
    """
    if size > MAX_TEXT and key == "genre":
        raise DamagedTagError(f"its genre is longer than {MAX_TEXT >> 10} KiB")
    return size > MAX_TEXT


def numbered(kind: str, n: int) -> str:
    """The name of the `n`-th place of its kind, counted from 0, in `Native`."""
    return kind if n == 0 else f"{kind}-{n + 1}"


def rewound(f: BinaryIO) -> BinaryIO:
    """`f` at its start, where mutagen expects a file."""
    f.seek(0)
    return f

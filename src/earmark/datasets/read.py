"""From the name of a source to labelled tracks."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from earmark.datasets.fma import SUBSETS, read_fma
from earmark.datasets.folders import read_folders
from earmark.datasets.gtzan import VARIANTS, note_gtzan, read_gtzan
from earmark.datasets.library import from_library
from earmark.datasets.manifest import read_manifest
from earmark.datasets.mir import read_mirdata
from earmark.datasets.tracks import LabelledTrack, present
from earmark.errors import ConfigError, DataError
from earmark.types import Track


@dataclass(frozen=True, slots=True)
class Query:
    """What a reader is asked for; as the parameters of `read`, and what follows the colon."""

    source: str
    variant: str
    root: str | os.PathLike[str]
    tracks: Iterable[Track]
    field: str
    meta: str | os.PathLike[str] | None


@dataclass(frozen=True, slots=True)
class Reader:
    """How to read a source.

    Attributes
    ----------
    read : callable
    variants : tuple of str
        What can follow the source's name and a colon; ``""``: nothing has to.
    from_catalogue : bool
        Whether it needs the catalogue's tracks.
    only_genres : bool
        Whether it has no other labels.
    note : callable
        What a person should know of a variant; empty: nothing.
    """

    read: Callable[[Query], list[LabelledTrack]]
    variants: tuple[str, ...] = ("",)
    from_catalogue: bool = False
    only_genres: bool = False
    note: Callable[[str], str] = lambda _: ""


READERS = {
    "tags": Reader(lambda q: from_library(q.tracks, q.field), from_catalogue=True),
    "folders": Reader(
        lambda q: read_folders(q.root, q.tracks), from_catalogue=True, only_genres=True
    ),
    "gtzan": Reader(
        lambda q: read_gtzan(q.root, q.variant, q.meta), VARIANTS, only_genres=True, note=note_gtzan
    ),
    "fma": Reader(lambda q: read_fma(q.root, q.variant, q.field, q.meta), ("", *SUBSETS)),
    "mirdata": Reader(lambda q: read_mirdata(q.variant, q.root, q.field), ("NAME",)),
}
"""By the name of the source; a new one is a module and a line here."""

_MANIFEST = Reader(lambda q: read_manifest(q.source, q.field, below=q.root))

FROM_CATALOGUE = tuple(name for name, reader in READERS.items() if reader.from_catalogue)
"""Sources that need the catalogue's tracks."""

SOURCES = (
    *(f"{name}:{v}".removesuffix(":") for name, reader in READERS.items() for v in reader.variants),
    "FILE.csv",
)
"""All sources, as a person gives them."""

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Collection:
    """What a source gave.

    Attributes
    ----------
    tracks : list of LabelledTrack
        Those whose files are there.
    notes : tuple of str
        What a person should know: files that have vanished, tracks left out.
    """

    tracks: list[LabelledTrack]
    notes: tuple[str, ...]


def read(
    source: str,
    root: str | os.PathLike[str],
    *,
    tracks: Iterable[Track] = (),
    field: str = "genre",
    meta: str | os.PathLike[str] | None = None,
) -> Collection:
    """Labelled tracks of a source.

    Parameters
    ----------
    source : str
        One of `SOURCES`: a name of `READERS`, or a manifest's path.
    root : path-like
        Folder with the music. A manifest's other rows are left out.
    tracks : iterable of Track
        What the catalogue has below `root`; used by the sources in `FROM_CATALOGUE` alone.
    field : str
        What is the label: ``genre``, a tag, a column, an attribute, as the source has them.
    meta : path-like, optional
        Folder with the lists of GTZAN or the tables of FMA, where they are not beside the audio.

    Raises
    ------
    ConfigError
        If there is no such source, or it has no such field.
    DataError
        If the source cannot be read, or none of its files is there.
    MissingExtraError
        If mirdata is needed and not installed.
    """
    reader, variant = _find(source)
    if reader.only_genres and field != "genre":
        raise ConfigError(f"{source} has no field {field!r}", "its only labels are genres")
    found = reader.read(Query(source, variant, root, tracks, field, meta))
    kept, gone = present(found)
    if gone and not kept:
        raise DataError(
            f"none of the {len(gone)} files that {source} lists is there, e.g. {gone[0]}",
            "is the folder the right one, the disk mounted?",
        )
    notes = [*_gone_note(kept, gone), *filter(None, [reader.note(variant)])]
    return Collection([_legible(track) for track in kept], tuple(notes))


def _find(source: str) -> tuple[Reader, str]:
    """The source's reader, and what follows the colon."""
    name, _, variant = source.partition(":")
    reader = READERS.get(name)
    if reader is not None and ("" in reader.variants if not variant else any(reader.variants)):
        return reader, variant
    if Path(source).suffix.lower() == ".csv" or Path(source).is_file():
        return _MANIFEST, ""
    raise ConfigError(f"no source {source!r} of labels", f"known are: {', '.join(SOURCES)}")


def _legible(track: LabelledTrack) -> LabelledTrack:
    """With labels that can be written: names of folders and tables may be no valid Unicode."""
    values = tuple(value.encode("utf-8", "replace").decode("utf-8") for value in track.values)
    return dataclasses.replace(track, values=values)


def _gone_note(kept: Sequence[LabelledTrack], gone: Sequence[str]) -> list[str]:
    if not gone:
        return []
    more = f" and {len(gone) - _SHOWN} more" if len(gone) > _SHOWN else ""
    return [
        f"{len(gone)} of {len(kept) + len(gone)} listed files are not there:"
        f" {', '.join(gone[:_SHOWN])}{more}"
    ]

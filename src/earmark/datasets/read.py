"""From the name of a source to labelled tracks."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from earmark.datasets.fma import SUBSETS, read_fma
from earmark.datasets.folders import read_folders
from earmark.datasets.gtzan import VARIANTS, known_faults, read_gtzan
from earmark.datasets.library import from_library
from earmark.datasets.manifest import read_manifest
from earmark.datasets.mir import read_mirdata
from earmark.datasets.tracks import LabelledTrack, present
from earmark.errors import ConfigError, DataError
from earmark.types import Track

FROM_CATALOGUE = ("tags", "folders")
"""Sources that need the catalogue's tracks."""

SOURCES = (
    *FROM_CATALOGUE,
    *(f"gtzan:{v}".removesuffix(":") for v in VARIANTS),
    "fma",
    *(f"fma:{s}" for s in SUBSETS),
    "mirdata:NAME",
    "FILE.csv",
)

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
        One of `SOURCES`.
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
    name, _, rest = source.partition(":")
    if source == "tags":
        found = from_library(tracks, field)
    elif name == "mirdata" and rest:
        found = read_mirdata(rest, root, field)
    elif name == "fma":
        found = read_fma(root, rest, field, meta)
    elif Path(source).suffix.lower() == ".csv" or Path(source).is_file():
        found = read_manifest(source, field, below=root)
    elif field != "genre":
        raise ConfigError(f"{source} has no field {field!r}", "its only labels are genres")
    elif source == "folders":
        found = read_folders(root, tracks)
    elif name == "gtzan":
        found = read_gtzan(root, rest, meta)
    else:
        raise ConfigError(f"no source {source!r} of labels", f"known are: {', '.join(SOURCES)}")
    kept, gone = present(found)
    if gone and not kept:
        raise DataError(
            f"none of the {len(gone)} files that {source} lists is there, e.g. {gone[0]}",
            "is the folder the right one, the disk mounted?",
        )
    return Collection([_legible(track) for track in kept], tuple(_notes(source, kept, gone)))


def _legible(track: LabelledTrack) -> LabelledTrack:
    """With labels that can be written: names of folders and tables may be no valid Unicode."""
    values = tuple(value.encode("utf-8", "replace").decode("utf-8") for value in track.values)
    return dataclasses.replace(track, values=values)


def _notes(source: str, kept: Sequence[LabelledTrack], gone: Sequence[str]) -> list[str]:
    notes = []
    if gone:
        more = f" and {len(gone) - _SHOWN} more" if len(gone) > _SHOWN else ""
        notes.append(
            f"{len(gone)} of {len(kept) + len(gone)} listed files are not there:"
            f" {', '.join(gone[:_SHOWN])}{more}"
        )
    if source == "gtzan":
        notes.append(
            f"of GTZAN, {len(known_faults())} tracks known as repeated, distorted or corrupt are"
            " left out where they are there; gtzan:all keeps them"
        )
    return notes

"""A CSV table of labelled tracks, with columns ``path`` and ``genre`` (or another label).

``artist``, ``album``, ``album_artist``, ``title`` and ``split`` (train, valid, test) are used where
present; other columns are ignored. Several values in a cell are parted by ``;``. Relative paths
start at the manifest's folder.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path

from earmark.datasets.tracks import LabelledTrack, named_split
from earmark.errors import DataError

_TEXTS = ("artist", "album", "title", "album_artist")


def read_manifest(
    path: str | os.PathLike[str], field: str = "genre", below: str | os.PathLike[str] | None = None
) -> list[LabelledTrack]:
    """Read a manifest.

    A track whose artist and album are both unknown is a group of its own.

    Parameters
    ----------
    path : path-like
    field : str
        Column that holds the label; its plural (``genres``) will do.
    below : path-like, optional
        Keep only tracks in this folder.

    Raises
    ------
    DataError
        If it cannot be read, lacks a column, or a row makes no sense; with the line number.
    """
    manifest = Path(path)
    base = manifest.absolute().parent
    try:
        with manifest.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            reader = csv.DictReader(file)
            column = _label_column(manifest, reader.fieldnames or [], field)
            tracks = [
                _track(row, f"{manifest}, line {reader.line_num}", base, column) for row in reader
            ]
    except OSError as e:
        raise DataError(f"{manifest} cannot be read: {e.strerror}") from e
    except csv.Error as e:
        raise DataError(f"{manifest} is not a CSV table: {e}") from e
    if below is not None:
        folder = Path(os.path.abspath(below))  # noqa: PTH100 - resolve() would follow links
        tracks = [t for t in tracks if Path(t.path).is_relative_to(folder)]
    if not tracks:
        raise DataError(f"{manifest} lists no tracks" + (f" below {below}" if below else ""))
    return tracks


def _label_column(manifest: Path, columns: Sequence[str], field: str) -> str:
    """Which column holds the labels, all that are needed being there."""
    column = field if field in columns or f"{field}s" not in columns else f"{field}s"
    missing = [name for name in ("path", column) if name not in columns]
    if missing:
        raise DataError(
            f"{manifest} has no column {' and no column '.join(missing)}",
            f"its columns are: {', '.join(columns) or 'none'}",
        )
    return column


def _track(row: dict[str, str | None], where: str, base: Path, column: str) -> LabelledTrack:
    path = row["path"] or ""
    if not path:
        raise DataError(f"{where}: the path is empty")
    split = named_split(row.get("split") or "")
    if split is None:
        raise DataError(f"{where}: split {row['split']!r} is none of train, valid, test")
    return LabelledTrack(
        path=os.path.normpath(base / path),
        values=tuple(v.strip() for v in (row[column] or "").split(";") if v.strip()),
        split=split,
        **{name: (row.get(name) or "").strip() for name in _TEXTS},
    )

"""A CSV table of labelled tracks, with columns ``path`` and ``genre`` (or another label).

``artist``, ``album`` and ``split`` (train, valid, test) are used where present; other columns
are ignored. Several values in a cell are parted by ``;``. Relative paths start at the manifest's
folder.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path

from earmark.datasets.tracks import LabelledTrack, group_of
from earmark.errors import DataError

_SPLITS = {
    "": "", "train": "train", "training": "train", "valid": "valid", "validation": "valid",
    "dev": "valid", "test": "test", "testing": "test",
}  # fmt: skip


def read_manifest(
    path: str | os.PathLike[str], field: str = "genre", below: str | None = None
) -> list[LabelledTrack]:
    """Read a manifest.

    A track whose artist and album are both unknown is a group of its own.

    Parameters
    ----------
    path : path-like
    field : str
        Column that holds the label.
    below : str, optional
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
            _check_columns(manifest, reader.fieldnames or [], field)
            tracks = [
                _track(row, f"{manifest}, line {reader.line_num}", base, field) for row in reader
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


def _check_columns(manifest: Path, columns: list[str] | tuple[str, ...], field: str) -> None:
    missing = [name for name in ("path", field) if name not in columns]
    if missing:
        raise DataError(
            f"{manifest} has no column {' and no column '.join(missing)}",
            f"its columns are: {', '.join(columns) or 'none'}",
        )


def _track(row: dict[str, str | None], where: str, base: Path, field: str) -> LabelledTrack:
    path = row["path"] or ""
    if not path:
        raise DataError(f"{where}: the path is empty")
    split = (row.get("split") or "").strip().lower()
    if split not in _SPLITS:
        raise DataError(f"{where}: split {split!r} is none of train, valid, test")
    full = os.path.normpath(base / path)
    values = tuple(v.strip() for v in (row[field] or "").split(";") if v.strip())
    group = group_of(row.get("artist") or "", row.get("album") or "", f"track:{full}")
    return LabelledTrack(full, values, group, _SPLITS[split])

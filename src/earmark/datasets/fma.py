"""FMA: Creative Commons music in three sizes (Defferrard et al., "FMA", ISMIR 2017).

Audio as it is unpacked, ``fma_small/000/000002.mp3`` (or ``fma_medium``, ``fma_large``,
``fma_full``); ``tracks.csv`` and ``genres.csv`` in ``fma_metadata`` beside it:
https://github.com/mdeff/fma
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from earmark.datasets.tracks import LabelledTrack, named_split
from earmark.errors import ConfigError, DataError

SUBSETS = ("small", "medium", "large")
"""Each holds those before it."""

# Untrimmed audio of the tracks of `large`.
_FOLDERS = (*SUBSETS, "full")
_COLUMNS = (
    ("set", "split"),
    ("set", "subset"),
    ("track", "genre_top"),
    ("track", "genres"),
    ("track", "title"),
    ("artist", "name"),
    ("album", "title"),
)
# Cells with artists' biographies are longer than the csv module takes by default.
_CELL_LIMIT = 1 << 24

Row = Mapping[tuple[str, str], str]


def read_fma(
    root: str | os.PathLike[str],
    subset: str = "",
    field: str = "genre",
    meta: str | os.PathLike[str] | None = None,
) -> list[LabelledTrack]:
    """Read FMA with its official split (80/10/10, by artist).

    Parameters
    ----------
    root : path-like
        Folder that holds ``fma_small`` (or a larger one), or that folder itself.
    subset : {'', 'small', 'medium', 'large'}
        Which tracks; by default those of the largest audio folder that is there.
    field : {'genre', 'genres'}
        ``genre``: the track's top genre or, where FMA does not decide for one, all top genres of
        those it has. ``genres``: all it has, as fine as they are.
    meta : path-like, optional
        Folder with ``tracks.csv`` and ``genres.csv``; by default looked for beside the audio.

    Returns
    -------
    list of LabelledTrack
        All tracks that the table has for the subset; see `present` for those without a file.

    Raises
    ------
    ConfigError
        If there is no such subset or field.
    DataError
        If audio or tables are missing, or a table is not as FMA's.
    """
    if subset not in ("", *SUBSETS):
        raise ConfigError(f"no subset {subset!r} of FMA", f"known are: {', '.join(SUBSETS)}")
    if field not in ("genre", "genres"):
        raise ConfigError(f"no field {field!r} in FMA", "use genre or genres")
    base = Path(os.path.abspath(root))  # noqa: PTH100 - resolve() would follow links
    audio, size = _audio_folder(base, subset)
    tables = _table_folder(base, None if meta is None else Path(meta))
    wanted = SUBSETS[: SUBSETS.index(subset or size) + 1]
    genres = _Genres(tables / "genres.csv")
    return [
        _track(audio, number, row, genres.labels(row, field))
        for number, row in _rows(tables / "tracks.csv")
        if row["set", "subset"] in wanted
    ]


def _track(audio: Path, number: str, row: Row, values: tuple[str, ...]) -> LabelledTrack:
    name = f"{number:0>6}"
    return LabelledTrack(
        path=str(audio / name[:3] / f"{name}.mp3"),
        values=values,
        artist=row["artist", "name"].strip(),
        album=row["album", "title"].strip(),
        title=row["track", "title"].strip(),
        split=named_split(row["set", "split"]) or "",
    )


def _audio_folder(base: Path, subset: str) -> tuple[Path, str]:
    """Where the audio is, and of which subset it is."""
    sizes = _FOLDERS if not subset else _FOLDERS[SUBSETS.index(subset) :]
    # Without a wish the most there is; else the least that has it all.
    for size in sizes if subset else reversed(sizes):
        for folder in (base / f"fma_{size}", base):
            if folder.name == f"fma_{size}" and folder.is_dir():
                return folder, "large" if size == "full" else size
    raise DataError(
        f"{base} has no folder {' or '.join(f'fma_{size}' for size in sizes)}",
        "unpack the archive of that name there",
    )


def _table_folder(base: Path, meta: Path | None) -> Path:
    homes = (base / "fma_metadata", base.parent / "fma_metadata", base)
    for folder in homes if meta is None else (meta, meta / "fma_metadata"):
        if (folder / "tracks.csv").is_file():
            return folder
    raise DataError(
        f"no fma_metadata/tracks.csv in or beside {meta or base}", "unpack fma_metadata.zip there"
    )


def _rows(path: Path) -> Iterator[tuple[str, Row]]:
    """Track number and its cells, by the table's two rows of column names."""
    records = _records(path)
    upper, lower = next(records, []), next(records, [])
    names = list(zip(upper, lower, strict=False))
    missing = [".".join(name) for name in _COLUMNS if name not in names]
    if missing:
        raise DataError(
            f"{path} has no column {', '.join(missing)}", "use the tracks.csv of fma_metadata.zip"
        )
    places = {name: names.index(name) for name in _COLUMNS}
    for record in records:
        # The third row names the index, "track_id".
        if record and record[0].isdigit():
            if len(record) < len(names):
                raise DataError(f"{path}: track {record[0]} lacks cells", "is the file complete?")
            yield record[0], {name: record[place] for name, place in places.items()}


class _Genres:
    """FMA's tree of genres."""

    def __init__(self, path: Path) -> None:
        records = _records(path)
        header = next(records, [])
        missing = [name for name in ("genre_id", "title", "top_level") if name not in header]
        if missing:
            raise DataError(
                f"{path} has no column {', '.join(missing)}",
                "use the genres.csv of fma_metadata.zip",
            )
        rows = [dict(zip(header, record, strict=False)) for record in records]
        self._title = {row["genre_id"]: row["title"] for row in rows}
        self._top = {row["genre_id"]: row["top_level"] for row in rows}

    def labels(self, row: Row, field: str) -> tuple[str, ...]:
        numbers = re.findall(r"\d+", row["track", "genres"])
        if field == "genre":
            if row["track", "genre_top"]:
                return (row["track", "genre_top"],)
            numbers = [self._top.get(number, "") for number in numbers]
        titles = (self._title.get(number, "") for number in numbers)
        return tuple(dict.fromkeys(title for title in titles if title))


def _records(path: Path) -> Iterator[list[str]]:
    limit = csv.field_size_limit(_CELL_LIMIT)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            yield from csv.reader(file)
    except OSError as e:
        raise DataError(f"{path} cannot be read: {e.strerror}") from e
    except (csv.Error, UnicodeDecodeError) as e:
        raise DataError(f"{path} is not a CSV table: {e}") from e
    finally:
        csv.field_size_limit(limit)

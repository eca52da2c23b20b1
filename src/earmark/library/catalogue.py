"""The catalogue: what is known of every music file, in one SQLite file of the user's data folder.

Nothing in it is precious: moved away, it is built again by scanning and listening. Tracks are read
a page at a time, so that a library of any size takes little memory, and may be changed while it is
read. Several processes may read while one writes.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from earmark.errors import LibraryError
from earmark.library.schema import check, is_busy, prepare
from earmark.moments import from_column, to_column
from earmark.types import SliceProbs, Tags, Track

_PAGE = 1000
_BUSY_TIMEOUT_S = 30.0
_TEXTS = ("container", "dialect", "artist", "album_artist", "album", "title")
_LISTS = ("genres", "moods", "groupings")
_TAGS = (*_TEXTS, *_LISTS, "duration_s")
_COLUMNS = ("path", "size", "mtime_ns", *_TAGS, "error", "audio_id")
_SELECT = f"SELECT {', '.join(_COLUMNS)}, track_id FROM tracks"
_UPSERT = (
    f"INSERT INTO tracks ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"
    f" ON CONFLICT (path) DO UPDATE SET {', '.join(f'{c} = excluded.{c}' for c in _COLUMNS[1:])}"
)

FILE_NAME = "catalogue.sqlite"
"""Of the catalogue in Earmark's home."""


@dataclass(frozen=True, slots=True)
class Summary:
    """A library in figures.

    Attributes
    ----------
    n_tracks : int
        All files, the unreadable among them.
    duration_s : float
    containers : Counter of str
        Readable files of each container.
    genres : Counter of tuple of str
        Readable files with each combination of genre values, as written in the files.
    unreadable : list of (str, str)
        Path and reason.
    """

    n_tracks: int
    duration_s: float
    containers: Counter[str]
    genres: Counter[tuple[str, ...]]
    unreadable: list[tuple[str, str]]


class Catalogue:
    """An open catalogue; a context manager that closes it. Use `Catalogue.open`."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, read_only: bool = False) -> Self:
        """Open a catalogue, created where there is none.

        Parameters
        ----------
        path : path-like
            The SQLite file.
        read_only : bool
            For worker processes: the file has to exist, and is not changed.

        Raises
        ------
        LibraryError
            The file cannot be opened, is damaged, of a newer version, or no catalogue at all.
        """
        path = Path(path).absolute()
        with _explained(path):
            if not read_only:
                path.parent.mkdir(parents=True, exist_ok=True)
            uri = f"{path.as_uri()}?mode={'ro' if read_only else 'rwc'}"
            connection = sqlite3.connect(
                uri, uri=True, timeout=_BUSY_TIMEOUT_S, isolation_level=None
            )
            try:
                check(connection, path)
                if not read_only:
                    prepare(connection, path)
            except BaseException:
                connection.close()
                raise
        return cls(connection, path)

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    # --- tracks -----------------------------------------------------------------------------

    def tracks(self, root: str | os.PathLike[str]) -> Iterator[Track]:
        """Tracks at or below `root`, by path; those whose tags could not be read among them."""
        low, high = _range(root)
        query = f"{_SELECT} WHERE path >= ? AND path < ? ORDER BY path LIMIT {_PAGE}"
        yield from self._tracks(f"{_SELECT} WHERE path = ?", (_absolute(root),))
        while page := list(self._tracks(query, (low, high))):
            yield from page
            low = os.fsencode(page[-1].path) + b"\0"  # the next path there can be

    def track(self, path: str | os.PathLike[str]) -> Track | None:
        """The track of one file."""
        return next(self._tracks(f"{_SELECT} WHERE path = ?", (_absolute(path),)), None)

    def stats(self, root: str | os.PathLike[str]) -> dict[str, tuple[int, int]]:
        """Path -> (size, mtime_ns) of all tracks at or below `root`, as last read."""
        query = "SELECT path, size, mtime_ns FROM tracks WHERE path = ? OR path >= ? AND path < ?"
        rows = self._rows(query, (_absolute(root), *_range(root)))
        return {os.fsdecode(path): (size, from_column(time)) for path, size, time in rows}

    def summary(self, root: str | os.PathLike[str]) -> Summary:
        """Count what is at or below `root`."""
        here = (_absolute(root), *_range(root))
        below = "FROM tracks WHERE (path = ? OR path >= ? AND path < ?)"
        ok = f"{below} AND error = ''"
        totals = f"SELECT count(*), coalesce(sum(duration_s), 0) {below}"
        ((n_tracks, duration_s),) = self._rows(totals, here)
        containers = self._rows(f"SELECT container, count(*) {ok} GROUP BY container", here)
        genres = self._rows(f"SELECT genres, count(*) {ok} GROUP BY genres", here)
        errors = self._rows(f"SELECT path, error {below} AND error != '' ORDER BY path", here)
        return Summary(
            n_tracks=n_tracks,
            duration_s=duration_s,
            containers=Counter(dict(containers)),
            genres=Counter({tuple(json.loads(values)): n for values, n in genres}),
            unreadable=[(os.fsdecode(path), error) for path, error in errors],
        )

    def upsert_many(self, tracks: Iterable[Track]) -> None:
        """Store tracks by path, in place of what was known of them; a path keeps its `track_id`."""
        self._write(_UPSERT, map(_to_row, tracks))

    def remove(self, paths: Iterable[str]) -> None:
        """Forget tracks. What was heard of their audio is kept: they may turn up elsewhere."""
        self._write("DELETE FROM tracks WHERE path = ?", ((os.fsencode(p),) for p in paths))

    def refresh(self, path: str, size: int, mtime_ns: int, tags: Tags) -> None:
        """Note new tags of a file whose audio is known to be the same, as after our own writing."""
        columns = ("size", "mtime_ns", *_TAGS)
        settings = ", ".join(f"{column} = ?" for column in columns)
        update = f"UPDATE tracks SET {settings}, error = '' WHERE path = ?"
        self._write(update, [(size, to_column(mtime_ns), *_tag_values(tags), _absolute(path))])

    def audio_id(self, path: str, size: int, mtime_ns: int) -> str:
        """Hash of a file's encoded audio; empty if it is not known for the file of these stats."""
        query = "SELECT audio_id FROM tracks WHERE path = ? AND size = ? AND mtime_ns = ?"
        rows = self._rows(query, (os.fsencode(path), size, to_column(mtime_ns)))
        return str(rows[0][0]) if rows else ""

    def set_audio_id(self, path: str, audio_id: str) -> None:
        """Note the hash of a file's encoded audio; nothing happens where the file is not known."""
        update = "UPDATE tracks SET audio_id = ? WHERE path = ?"
        self._write(update, [(audio_id, _absolute(path))])

    # --- what was heard ---------------------------------------------------------------------

    def slice_probs(self, audio_id: str, model_id: str) -> SliceProbs | None:
        """What a model said about some audio; None if it has not heard it."""
        query = "SELECT start_s, proba FROM listens WHERE audio_id = ? AND model_id = ?"
        rows = self._rows(query, (audio_id, model_id))
        if not rows:
            return None
        # A copy is writable and aligned, in the machine's own byte order.
        start_s, proba = (np.frombuffer(blob, dtype="<f4").astype(np.float32) for blob in rows[0])
        return SliceProbs(proba=proba.reshape(len(start_s), -1), start_s=start_s)

    def put_slice_probs(self, audio_id: str, model_id: str, probs: SliceProbs) -> None:
        """Keep what a model said about some audio."""
        blobs = (
            np.ascontiguousarray(a, dtype="<f4").tobytes() for a in (probs.start_s, probs.proba)
        )
        insert = "INSERT OR REPLACE INTO listens VALUES (?, ?, ?, ?)"
        self._write(insert, [(audio_id, model_id, *blobs)])

    # --- within -----------------------------------------------------------------------------

    def _tracks(self, query: str, values: Sequence[Any]) -> Iterator[Track]:
        return map(_to_track, self._rows(query, values))

    def _rows(self, query: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        with _explained(self.path):
            return self._connection.execute(query, values).fetchall()

    def _write(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        """All rows in one transaction, or none."""
        with _explained(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._connection.executemany(statement, rows)
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")


def _absolute(path: str | os.PathLike[str]) -> bytes:
    return os.fsencode(os.path.abspath(path))  # noqa: PTH100 - keeps undecodable names


def _range(root: str | os.PathLike[str]) -> tuple[bytes, bytes]:
    """The smallest path below a folder, and the smallest that comes after all of them."""
    prefix = _absolute(root).rstrip(os.sep.encode())
    return prefix + os.sep.encode(), prefix + bytes([ord(os.sep) + 1])


def _to_row(track: Track) -> tuple[Any, ...]:
    known = (os.fsencode(track.path), track.size, to_column(track.mtime_ns))
    return (*known, *_tag_values(track.tags), _storable(track.error), track.audio_id)


def _tag_values(tags: Tags) -> tuple[Any, ...]:
    texts = (_storable(getattr(tags, name)) for name in _TEXTS)
    # JSON in ASCII keeps undecodable characters, so that what is read is what the file holds.
    lists = (json.dumps(getattr(tags, name)) for name in _LISTS)
    return (*texts, *lists, tags.duration_s)


def _to_track(row: Sequence[Any]) -> Track:
    path, size, time, *rest = row
    values = dict(zip(_TAGS, rest, strict=False))
    lists = {name: tuple(json.loads(values[name])) for name in _LISTS}
    error, audio_id, track_id = rest[len(_TAGS) :]
    tags = Tags(**(values | lists))
    return Track(os.fsdecode(path), size, from_column(time), tags, track_id, audio_id, error)


def _storable(text: str) -> str:
    """Text without lone surrogates, which SQLite cannot hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn SQLite's and the disk's complaints into ones that say what to do."""
    try:
        yield
    except sqlite3.OperationalError as e:
        disk = "is its folder writable, the disk full?"
        hint = "another earmark is writing to it" if is_busy(e) else disk
        raise LibraryError(f"the catalogue {path} cannot be used: {e}", hint) from e
    except sqlite3.ProgrammingError as e:
        raise LibraryError(
            f"the catalogue {path} is closed, or was opened by another thread",
            "use it, or the session that it belongs to, in one thread and before it is closed",
        ) from e
    except sqlite3.DatabaseError as e:
        if e.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise  # our own mistake
        hint = "move it away and scan again"
        raise LibraryError(f"the catalogue {path} is damaged: {e}", hint) from e
    except OSError as e:
        raise LibraryError(f"the catalogue {path} cannot be used: {e.strerror}") from e

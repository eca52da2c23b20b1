"""Rows of numbers on disk, several a track: the crash-safe ground of every store.

A store is a folder with the rows in one raw file, one after the other, and ``index.sqlite``, which
names a track only after its rows have been flushed. Whatever cuts a write off leaves at most an
unnamed tail, which the next write replaces. Tracks are filed under their `audio_id`: moving,
renaming or retagging a file costs nothing. Several programs may use a store at once; they take
turns to write.
"""

from __future__ import annotations

import math
import os
import sqlite3
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from earmark import jsontext
from earmark.errors import LibraryError
from earmark.types import FloatArray

Scalar = TypeVar("Scalar", bound=np.generic)

_FLAGS = os.O_RDWR | os.O_CREAT
if sys.platform == "win32":
    _FLAGS |= os.O_BINARY  # or line ends would be translated
# Where a file has one position only, one reads at a time.
_SEEKING = threading.Lock()
_INDEX = "index.sqlite"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS tracks (
    audio_id TEXT PRIMARY KEY,
    first INTEGER NOT NULL,      -- number of the track's first row in the data file
    n_slices INTEGER NOT NULL,   -- rows: one a slice
    n_bins INTEGER NOT NULL,     -- length of a row's first axis
    start_s BLOB NOT NULL        -- float32, one a slice
) WITHOUT ROWID
"""


class RowStore(Generic[Scalar]):
    """Rows of many tracks, all of one shape.

    Parameters
    ----------
    folder : Path
        Made where it is not there.
    recipe : mapping
        What the rows are, for people who find the folder.
    data_name : str
        Of the file with the rows.
    dtype : numpy dtype
    tail : tuple of int
        Shape of a row but for its first axis, which the first row settles.
    """

    def __init__(
        self,
        folder: Path,
        recipe: Mapping[str, Any],
        data_name: str,
        dtype: np.dtype[Scalar],
        tail: tuple[int, ...] = (),
    ) -> None:
        self.folder = folder
        self._data = folder / data_name
        self._dtype = dtype
        self._tail = tail
        self._size = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            text = jsontext.dumps(dict(recipe), indent=2)
            (folder / "recipe.json").write_text(text, encoding="utf-8")
            self._db = sqlite3.connect(folder / _INDEX)
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute(_SCHEMA)
            self._fd = os.open(self._data, _FLAGS, 0o644)
        except (OSError, sqlite3.Error) as e:
            raise LibraryError(
                f"the store {folder} cannot be opened: {e}",
                "delete the folder: it holds only what can be computed again",
            ) from e
        self._pending: dict[str, tuple[NDArray[Scalar], FloatArray]] = {}
        self._end()

    def _end(self) -> int:
        """Number of rows that the index knows of; all else in the file is nobody's."""
        row = self._db.execute("SELECT MAX(first + n_slices), MAX(n_bins) FROM tracks").fetchone()
        n_rows, self._size = row[0] or 0, row[1] or self._size
        if os.fstat(self._fd).st_size < n_rows * self._row_bytes:
            raise LibraryError(
                f"{self._data} is shorter than its index says",
                "delete the folder: it holds only what can be computed again",
            )
        return n_rows

    @property
    def n_tracks(self) -> int:
        """Tracks that are stored."""
        return int(self._db.execute("SELECT COUNT(*) FROM tracks").fetchone()[0])

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Shape of a row; its first axis is 0 long until the first row has come."""
        return (self._size, *self._tail)

    @property
    def _row_bytes(self) -> int:
        return math.prod(self.row_shape) * self._dtype.itemsize

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not isinstance(error, LibraryError):
            self.flush()
        self._db.close()
        os.close(self._fd)

    def add_rows(self, audio_id: str, rows: NDArray[Scalar], start_s: FloatArray) -> None:
        """Append a track's rows, one a slice; they are found after the next `flush`."""
        if self._size == 0:
            self._size = rows.shape[1]
        if rows.shape[1:] != self.row_shape or rows.dtype != self._dtype:
            found, wanted = (" × ".join(map(str, s)) for s in (rows.shape[1:], self.row_shape))
            raise ValueError(f"slices of {found} {rows.dtype} in a store of {wanted} {self._dtype}")
        self._pending[audio_id] = rows, start_s.astype(np.float32)

    def flush(self) -> None:
        """Make everything added so far durable, data before index."""
        if not self._pending:
            return
        try:
            with FileLock(self.folder / ".lock"):  # waits until no other program writes
                self._append()
        except (OSError, sqlite3.Error) as e:
            raise LibraryError(
                f"cannot write to {self.folder}: {e}", "make room on the disk"
            ) from e
        self._pending.clear()

    def _append(self) -> None:
        """Write what is pending behind what is there, and then name it."""
        known = {row[0] for row in self._db.execute("SELECT audio_id FROM tracks")}
        first = self._end()
        os.ftruncate(self._fd, first * self._row_bytes)
        entries = []
        with os.fdopen(os.dup(self._fd), "wb") as file:
            file.seek(first * self._row_bytes)
            for audio_id, (rows, start_s) in self._pending.items():
                if audio_id not in known:
                    file.write(np.ascontiguousarray(rows).data)
                    entries.append((audio_id, first, len(rows), self._size, start_s.tobytes()))
                    first += len(rows)
        os.fsync(self._fd)
        with self._db:
            self._db.executemany("INSERT INTO tracks VALUES (?, ?, ?, ?, ?)", entries)

    def locate(self, audio_ids: Sequence[str]) -> list[NDArray[np.int64]]:
        """Row numbers of each track, to be read by `read`; empty where it is not stored."""
        query = "SELECT audio_id, first, n_slices FROM tracks"
        rows = {audio_id: (first, n) for audio_id, first, n in self._db.execute(query)}
        spans = (rows.get(audio_id, (0, 0)) for audio_id in audio_ids)
        return [np.arange(first, first + n, dtype=np.int64) for first, n in spans]

    def starts(self, audio_ids: Sequence[str]) -> list[FloatArray]:
        """Where each row of each track starts in the track, in seconds; empty as in `locate`."""
        query = "SELECT audio_id, start_s FROM tracks"
        found = {
            name: np.frombuffer(start_s, np.float32) for name, start_s in self._db.execute(query)
        }
        nothing = np.empty(0, np.float32)
        return [found.get(audio_id, nothing) for audio_id in audio_ids]

    def read(self, numbers: Iterable[int] | NDArray[np.int64]) -> NDArray[Scalar]:
        """Rows by number, in the order asked: (n, *row_shape).

        Reads by position rather than through a memory map: the pages read stay the system's, and
        a cold random read costs a ninth.
        """
        wanted = list(numbers)
        rows = np.empty((len(wanted), *self.row_shape), dtype=self._dtype)
        for row, number in zip(rows, wanted, strict=True):
            if _read_at(self._fd, row.data, int(number) * self._row_bytes) != self._row_bytes:
                raise LibraryError(f"{self._data} is cut off at slice {number}")
        return rows


def _read_at(fd: int, into: memoryview, start: int) -> int:
    """Fill `into` from that position on; the number of bytes that there were."""
    if sys.platform != "win32":
        return os.preadv(fd, [into], start)
    with _SEEKING:
        os.lseek(fd, start, os.SEEK_SET)
        data = os.read(fd, into.nbytes)
    into.cast("B")[: len(data)] = data
    return len(data)


def stored_in(folder: Path) -> set[str]:
    """Names of all tracks in a store; for other processes than its writer, without opening it."""
    index = folder / _INDEX
    if not index.exists():
        return set()
    with closing(sqlite3.connect(f"{index.absolute().as_uri()}?mode=ro", uri=True)) as db:
        return {row[0] for row in db.execute("SELECT audio_id FROM tracks")}

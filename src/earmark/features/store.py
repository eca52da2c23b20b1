"""Slices on disk: computed once, found again by what was heard and how.

A store is a folder for one listening recipe: ``slices.u8``, raw uint8 slices one after the other,
and ``index.sqlite``, which names a track only after its slices have been flushed. Whatever cuts a
write off leaves at most an unnamed tail, which the next opening cuts away. Tracks are filed under
their `audio_id`: moving, renaming or retagging a file costs nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from earmark.errors import LibraryError
from earmark.types import ListenConfig, Slices

_DATA = "slices.u8"
_INDEX = "index.sqlite"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS tracks (
    audio_id TEXT PRIMARY KEY,
    first INTEGER NOT NULL,      -- number of the track's first slice in the data file
    n_slices INTEGER NOT NULL,
    n_bins INTEGER NOT NULL,
    start_s BLOB NOT NULL        -- float32, one a slice
) WITHOUT ROWID
"""


def recipe_key(config: ListenConfig) -> str:
    """Folder name of a recipe: what was computed by another recipe is never found under it."""
    text = json.dumps(config.to_dict(), sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


class FeatureStore:
    """Slices of many tracks under one recipe; one writer at a time.

    Parameters
    ----------
    folder : Path
        Parent of all recipes' stores.
    config : ListenConfig
    """

    def __init__(self, folder: Path, config: ListenConfig) -> None:
        self.parent, self.config = folder, config
        self.folder = folder / recipe_key(config)
        self._n_frames = config.slices.n_frames
        self._n_bins = 0
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            recipe = json.dumps(config.to_dict(), indent=2)
            (self.folder / "recipe.json").write_text(recipe, encoding="utf-8")
            self._db = sqlite3.connect(self.folder / _INDEX)
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute(_SCHEMA)
            self._fd = os.open(self.folder / _DATA, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except (OSError, sqlite3.Error) as e:
            raise LibraryError(
                f"the feature store {self.folder} cannot be opened: {e}",
                "delete the folder: it holds only what can be computed again",
            ) from e
        self._n_slices = self._recover()
        self._pending: list[tuple[str, int, int, int, bytes]] = []

    def _recover(self) -> int:
        row = self._db.execute("SELECT MAX(first + n_slices), MAX(n_bins) FROM tracks").fetchone()
        n_slices, self._n_bins = row[0] or 0, row[1] or 0
        size = n_slices * self._slice_bytes
        if os.fstat(self._fd).st_size < size:
            raise LibraryError(
                f"{self.folder / _DATA} is shorter than its index says",
                "delete the folder: it holds only what can be computed again",
            )
        os.ftruncate(self._fd, size)
        return n_slices

    @property
    def _slice_bytes(self) -> int:
        return self._n_bins * self._n_frames

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

    def add(self, slices: Slices) -> None:
        """Append a track's slices; they are found after the next `flush`."""
        n_slices, n_bins, n_frames = slices.X.shape
        if self._n_bins == 0:
            self._n_bins = n_bins
        if (n_bins, n_frames) != (self._n_bins, self._n_frames):
            raise ValueError(f"slices of {n_bins} × {n_frames} in a store of {self._n_bins}")
        try:
            os.pwrite(
                self._fd, np.ascontiguousarray(slices.X).data, self._n_slices * self._slice_bytes
            )
        except OSError as e:
            raise LibraryError(
                f"cannot write to {self.folder / _DATA}: {e.strerror}", "make room on the disk"
            ) from e
        start_s = slices.start_s.astype(np.float32).tobytes()
        self._pending.append((slices.audio_id, self._n_slices, n_slices, n_bins, start_s))
        self._n_slices += n_slices

    def flush(self) -> None:
        """Make everything added so far durable, data before index."""
        if not self._pending:
            return
        try:
            os.fsync(self._fd)
            with self._db:
                self._db.executemany(
                    "INSERT OR IGNORE INTO tracks VALUES (?, ?, ?, ?, ?)", self._pending
                )
        except (OSError, sqlite3.Error) as e:
            raise LibraryError(
                f"cannot write to {self.folder}: {e}", "make room on the disk"
            ) from e
        self._pending.clear()

    def locate(self, audio_ids: Sequence[str]) -> list[NDArray[np.int64]]:
        """Slice numbers of each track, to be read by `read`; empty where it is not stored."""
        query = "SELECT audio_id, first, n_slices FROM tracks"
        rows = {audio_id: (first, n) for audio_id, first, n in self._db.execute(query)}
        spans = (rows.get(audio_id, (0, 0)) for audio_id in audio_ids)
        return [np.arange(first, first + n, dtype=np.int64) for first, n in spans]

    def read(self, numbers: Iterable[int] | NDArray[np.int64]) -> NDArray[np.uint8]:
        """Slices by number, in the order asked: uint8 (n, n_bins, n_frames).

        Reads by position rather than through a memory map: the pages read stay the system's, and
        a cold random read costs a ninth.
        """
        wanted = list(numbers)
        X = np.empty((len(wanted), self._n_bins, self._n_frames), dtype=np.uint8)
        for row, number in zip(X, wanted, strict=True):
            if os.preadv(self._fd, [row.data], int(number) * self._slice_bytes) != self._slice_bytes:
                raise LibraryError(f"{self.folder / _DATA} is cut off at slice {number}")
        return X


def stored_ids(folder: Path, config: ListenConfig) -> set[str]:
    """Names of all tracks in a store; for other processes than its writer, without opening it."""
    index = folder / recipe_key(config) / _INDEX
    if not index.exists():
        return set()
    with closing(sqlite3.connect(f"{index.absolute().as_uri()}?mode=ro", uri=True)) as db:
        return {row[0] for row in db.execute("SELECT audio_id FROM tracks")}

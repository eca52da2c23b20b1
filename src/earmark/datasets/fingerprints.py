"""Fingerprints on disk: taken once, found again by `audio_id` however a file is named or tagged."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Self

import numpy as np

from earmark.audio.fingerprint import RECIPE, Fingerprint
from earmark.errors import LibraryError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS fingerprints (
    audio_id TEXT PRIMARY KEY,
    duration_s REAL NOT NULL,
    hashes BLOB NOT NULL,        -- uint32, little-endian
    ticks BLOB NOT NULL          -- int32, little-endian
) WITHOUT ROWID
"""


class FingerprintStore:
    """An open store; a context manager that closes it.

    Parameters
    ----------
    folder : Path
        Where the store is, or is to be; fingerprints of another recipe are another file.

    Raises
    ------
    LibraryError
        It cannot be opened, is damaged, or, later, cannot be written to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = _file(folder)
        with self._explained():
            folder.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self._path, timeout=30.0)
            self._db.execute(_SCHEMA)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._db.close()

    def add(self, items: Iterable[Fingerprint]) -> None:
        """Keep fingerprints: all of them, or none if that fails."""
        rows = [
            (
                item.audio_id,
                item.duration_s,
                item.hashes.astype("<u4").tobytes(),
                item.ticks.astype("<i4").tobytes(),
            )
            for item in items
        ]
        with self._explained(), self._db:
            self._db.executemany("INSERT OR IGNORE INTO fingerprints VALUES (?, ?, ?, ?)", rows)

    def get(self, audio_id: str) -> Fingerprint | None:
        """The fingerprint of some audio; None where it has not been taken."""
        query = "SELECT duration_s, hashes, ticks FROM fingerprints WHERE audio_id = ?"
        with self._explained():
            row = self._db.execute(query, (audio_id,)).fetchone()
        if row is None:
            return None
        duration_s, hashes, ticks = row
        return Fingerprint(
            audio_id,
            np.frombuffer(hashes, "<u4").astype(np.uint32),
            np.frombuffer(ticks, "<i4").astype(np.int32),
            duration_s,
        )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as e:
            raise LibraryError(
                f"the store {self._path} cannot be used: {e}",
                "is the disk full, the folder writable? It holds only what can be computed again",
            ) from e


def fingerprinted_ids(folder: Path) -> set[str]:
    """Audio whose fingerprints are in a store; for other processes than its writer."""
    path = _file(folder)
    if not path.exists():
        return set()
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
        return {row[0] for row in db.execute("SELECT audio_id FROM fingerprints")}


def _file(folder: Path) -> Path:
    return folder / f"fingerprints-{RECIPE}.sqlite"

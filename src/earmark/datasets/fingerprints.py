"""Fingerprints on disk, and files compared by them.

A fingerprint is taken once, and found again by `audio_id` however a file is named or tagged.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from earmark.audio import audio_id
from earmark.audio.fingerprint import RECIPE, Fingerprint, fingerprint
from earmark.datasets.duplicates import DuplicatePair, find_duplicates
from earmark.datasets.grouped_splits import join_groups
from earmark.errors import FileError, LibraryError
from earmark.events import FileSkipped, Progress, Workflow
from earmark.pool import Workers

_FLUSH_EVERY = 64

# Set once in every worker process.
_known: set[str] = set()

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

    @property
    def n_tracks(self) -> int:
        """Recordings whose fingerprints are stored."""
        with self._explained():
            return int(self._db.execute("SELECT COUNT(*) FROM fingerprints").fetchone()[0])

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


@dataclass(frozen=True, slots=True)
class DuplicateReport:
    """Who is whose duplicate.

    Attributes
    ----------
    paths : tuple of str
        Files that were compared.
    pairs : tuple of DuplicatePair
        Positions in `paths`.
    """

    paths: tuple[str, ...]
    pairs: tuple[DuplicatePair, ...]

    def groups(self) -> list[list[int]]:
        """Positions of files that belong together by one pair or several, larger groups first."""
        names = [str(i) for i in range(len(self.paths))]
        members = defaultdict(list)
        for i, name in enumerate(join_groups(names, [(p.a, p.b) for p in self.pairs])):
            members[name].append(i)
        return sorted((m for m in members.values() if len(m) > 1), key=lambda m: (-len(m), m))


def compare(paths: Sequence[str], folder: Path, workers: Workers) -> Workflow[DuplicateReport]:
    """Find the same recordings among files.

    Fingerprints are kept: when the run is cut short the next one goes on from there, and a file
    that was moved or retagged is not listened to again.

    Parameters
    ----------
    paths : sequence of str
    folder : Path
        Of the store.
    workers : Workers

    Raises
    ------
    LibraryError
        The store cannot be used.
    """
    with FingerprintStore(folder) as store:
        ids = yield from _take_all(paths, store, workers)
        kept, items = [], []
        for path in paths:
            item = store.get(ids[path]) if path in ids else None
            if item is not None:
                kept.append(path)
                items.append(item)
    yield Progress("comparing", 0, None, "")
    return DuplicateReport(tuple(kept), tuple(find_duplicates(items)))


def _take_all(
    paths: Sequence[str], store: FingerprintStore, workers: Workers
) -> Workflow[dict[str, str]]:
    """Bring all fingerprints into the store; audio_id of each path that could be read."""
    ids: dict[str, str] = {}
    batch: list[Fingerprint] = []
    yield Progress("listening", 0, len(paths), "")
    # Workers know what is stored when they get ready: with more in it, they get ready anew.
    outcomes = workers.map(
        _take, paths, initializer=_start, initargs=(store.folder, store.n_tracks)
    )
    try:
        for n_done, (path, outcome) in enumerate(outcomes, start=1):
            if isinstance(outcome, FileError):
                yield FileSkipped(path, outcome.reason)
            elif isinstance(outcome, str):
                ids[path] = outcome
            else:
                ids[path] = outcome.audio_id
                batch.append(outcome)
            if len(batch) == _FLUSH_EVERY:
                store.add(batch)
                batch.clear()
            yield Progress("listening", n_done, len(paths), path)
    finally:
        store.add(batch)
    return ids


def _start(folder: Path, _: int) -> None:
    global _known
    _known = fingerprinted_ids(folder)


def _take(path: str) -> Fingerprint | str:
    """A file's fingerprint, or only its audio_id where that is in the store already."""
    name = audio_id(path)
    return name if name in _known else fingerprint(path, name)


def _file(folder: Path) -> Path:
    return folder / f"fingerprints-{RECIPE}.sqlite"

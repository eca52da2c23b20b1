"""``earmark duplicates``: files that hold the same recording."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from earmark.audio import audio_id
from earmark.audio.fingerprint import Fingerprint, fingerprint
from earmark.datasets import join_groups
from earmark.datasets.duplicates import DuplicatePair, find_duplicates
from earmark.datasets.fingerprints import FingerprintStore, fingerprinted_ids
from earmark.errors import FileError
from earmark.library import WalkProblem, walk
from earmark.library.passed_over import Kind
from earmark.workflows.events import FileSkipped, Progress, Workflow
from earmark.workflows.pool import map_files
from earmark.workflows.scan import say_passed_over

_FLUSH_EVERY = 64

# Set once in every worker process.
_known: set[str] = set()


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


def duplicates(
    root: str | os.PathLike[str],
    home: Path,
    *,
    n_workers: int,
    time_limit_s: float,
) -> Workflow[DuplicateReport]:
    """Compare all files below `root`, as `compare` does. Tags are not read: damaged ones say
    nothing of the sound.

    Raises
    ------
    LibraryError
        `root` cannot be read, or the store not be used.
    """
    yield Progress("looking", 0, None, "")
    paths = []
    passed_over: Counter[Kind] = Counter()
    for found in walk(root, passed_over):
        if isinstance(found, WalkProblem):
            yield FileSkipped(found.path, found.reason)
        else:
            paths.append(found.path)
    yield from say_passed_over(passed_over)
    paths.sort(key=os.fsencode)
    return (yield from compare(paths, home, n_workers=n_workers, time_limit_s=time_limit_s))


def compare(
    paths: Sequence[str], home: Path, *, n_workers: int, time_limit_s: float
) -> Workflow[DuplicateReport]:
    """Find the same recordings among files.

    Fingerprints are kept: when the run is cut short the next one goes on from there, and a file
    that was moved or retagged is not listened to again.

    Parameters
    ----------
    paths : sequence of str
    home : Path
        Folder for Earmark's data.
    n_workers, time_limit_s
        As `map_files` has them.

    Raises
    ------
    LibraryError
        The store cannot be used.
    """
    with FingerprintStore(home / "fingerprints") as store:
        ids = yield from _take_all(paths, store, n_workers, time_limit_s)
        kept, items = [], []
        for path in paths:
            item = store.get(ids[path]) if path in ids else None
            if item is not None:
                kept.append(path)
                items.append(item)
    yield Progress("comparing", 0, None, "")
    return DuplicateReport(tuple(kept), tuple(find_duplicates(items)))


def _take_all(
    paths: Sequence[str], store: FingerprintStore, n_workers: int, time_limit_s: float
) -> Workflow[dict[str, str]]:
    """Bring all fingerprints into the store; audio_id of each path that could be read."""
    ids: dict[str, str] = {}
    batch: list[Fingerprint] = []
    yield Progress("listening", 0, len(paths), "")
    outcomes = map_files(
        _take,
        paths,
        n_workers=n_workers,
        time_limit_s=time_limit_s,
        initializer=_start,
        initargs=(store.folder,),
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


def _start(folder: Path) -> None:
    global _known
    _known = fingerprinted_ids(folder)


def _take(path: str) -> Fingerprint | str:
    """A file's fingerprint, or only its audio_id where that is in the store already."""
    name = audio_id(path)
    return name if name in _known else fingerprint(path)

"""Hearing music that has no labels twice: as a network will, and by the models that teach it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from earmark.errors import DataError
from earmark.features.store import FeatureStore
from earmark.library import WalkProblem, walk
from earmark.models.bundle import Bundle
from earmark.models.embeddings import EmbeddingStore
from earmark.training.data import IntArray
from earmark.training.lessons import Lessons, Teacher
from earmark.types import FloatArray, ListenConfig
from earmark.workflows.events import FileSkipped, Workflow
from earmark.workflows.hearing import hear_all


def music_below(folders: Iterable[str]) -> Workflow[list[str]]:
    """Paths of all audio files below some folders, in order; what cannot be read is reported."""
    paths = set()
    for folder in folders:
        for found in walk(folder):
            if isinstance(found, WalkProblem):
                yield FileSkipped(found.path, found.reason)
            else:
                paths.add(found.path)
    return sorted(paths)


def hear_lessons(
    paths: Sequence[str],
    listen: ListenConfig,
    teachers: Sequence[Bundle],
    data_dir: Path,
    stores: ExitStack,
    *,
    n_workers: int,
    time_limit_s: float,
) -> Workflow[Lessons]:
    """Slices of all files, and each teacher's embeddings of the same stretches of music.

    What was heard is kept in `data_dir`, by whomever, and not heard again.

    Parameters
    ----------
    paths : sequence of str
    listen : ListenConfig
        Of the network that is to be taught; the teachers listen to the same excerpts, each with
        its own front end and slices.
    teachers : sequence of Bundle
    data_dir : Path
    stores : ExitStack
        Closes what the lessons are read from.
    n_workers : int
    time_limit_s : float

    Raises
    ------
    DataError
        If none of the files could be heard by all.
    """
    slices = stores.enter_context(FeatureStore(data_dir / "features", listen))
    heard = yield from hear_all(paths, slices, n_workers, time_limit_s)
    stored = []
    for teacher in teachers:
        listening = teacher.listening(listen.excerpts)
        store = stores.enter_context(EmbeddingStore(data_dir / "embeddings", listening))
        yield from hear_all(sorted(heard), store, n_workers, time_limit_s)
        stored.append(store)
    names = sorted(set(heard.values()))
    starts, spans = slices.starts(names), slices.locate(names)
    places = [aligned(starts, store.starts(names), store.locate(names)) for store in stored]
    by_all = [i for i in range(len(names)) if all(len(rows[i]) for rows in places)]
    if not by_all:
        raise DataError(
            "none of the music that teachers were to listen to could be heard",
            "give folders with music in them",
        )
    numbers = np.concatenate([spans[i] for i in by_all])
    track = np.repeat(np.arange(len(by_all)), [len(spans[i]) for i in by_all])
    answers = [
        Teacher.of(store, np.concatenate([rows[i] for i in by_all]))
        for store, rows in zip(stored, places, strict=True)
    ]
    return Lessons(slices, numbers, track, answers, np.arange(len(numbers)))


def aligned(
    starts: Sequence[FloatArray], theirs: Sequence[FloatArray], spans: Sequence[IntArray]
) -> list[IntArray]:
    """For each slice of each track, the number of the teacher's slice that starts nearest to it.

    Parameters
    ----------
    starts, theirs : sequence of ndarray of float32
        Where the slices of each track start, in seconds, ascending: the network's, the teacher's.
    spans : sequence of ndarray of int64
        Numbers of the teacher's slices; a track without any comes out empty.
    """
    places = []
    for mine, other, numbers in zip(starts, theirs, spans, strict=True):
        if len(other) == 0:
            places.append(numbers)
            continue
        nearest = np.abs(mine[:, None] - other[None, :]).argmin(axis=1)
        places.append(numbers[nearest])
    return places

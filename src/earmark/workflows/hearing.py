"""Listening to many labelled files in parallel, into the feature store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from earmark.audio import audio_id
from earmark.errors import FileError
from earmark.features.listen import listen
from earmark.features.store import FeatureStore, stored_ids
from earmark.types import ListenConfig, Slices
from earmark.workflows.events import FileSkipped, Progress, Workflow
from earmark.workflows.pool import map_files

_FLUSH_EVERY = 64

# Set once in every worker process.
_config = ListenConfig()
_known: set[str] = set()


def _start(store_dir: Path, config: ListenConfig) -> None:
    global _config, _known
    _config, _known = config, stored_ids(store_dir, config)


def _hear(path: str) -> Slices | str:
    """Slices of a file, or only its audio_id where they are in the store already."""
    name = audio_id(path)
    return name if name in _known else listen(path, _config)


def hear_all(
    paths: Sequence[str], store: FeatureStore, n_workers: int, time_limit_s: float
) -> Workflow[dict[str, str]]:
    """Bring every file's slices into `store`.

    What was stored stays stored when the run is cut short; the next one goes on from there.

    Returns
    -------
    dict of str to str
        audio_id of each path that could be heard.
    """
    heard: dict[str, str] = {}
    yield Progress("listening", 0, len(paths), "")
    outcomes = map_files(
        _hear,
        paths,
        n_workers=n_workers,
        time_limit_s=time_limit_s,
        initializer=_start,
        initargs=(store.parent, store.config),
    )
    for n_done, (path, outcome) in enumerate(outcomes, start=1):
        if isinstance(outcome, FileError):
            yield FileSkipped(path, str(outcome))
        elif isinstance(outcome, str):
            heard[path] = outcome
        else:
            heard[path] = outcome.audio_id
            store.add(outcome)
        if n_done % _FLUSH_EVERY == 0:
            store.flush()
        yield Progress("listening", n_done, len(paths), path)
    store.flush()
    return heard

"""Listening to many labelled files in parallel, into a store of slices or of embeddings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

import numpy as np

from earmark.audio import audio_id
from earmark.errors import FileError
from earmark.features.listen import listen
from earmark.features.store import FeatureStore, stored_ids
from earmark.library import Found, walk
from earmark.models import bundle as bundles
from earmark.models.embeddings import Embedded, EmbeddingStore, embed, embedded_ids
from earmark.types import ListenConfig, Slices
from earmark.workflows.events import FileSkipped, Progress, Workflow
from earmark.workflows.pool import map_files

if TYPE_CHECKING:
    from earmark.models.runtime import Classifier

_FLUSH_EVERY = 64

Store: TypeAlias = FeatureStore | EmbeddingStore

# Set once in every worker process.
_config = ListenConfig()
_backbone: Classifier | None = None
_known: set[str] = set()


def _start_listening(store_dir: Path, config: ListenConfig) -> None:
    global _config, _known
    _config, _known = config, stored_ids(store_dir, config)


def _hear(path: str) -> Slices | str:
    """Slices of a file, or only its audio_id where they are in the store already."""
    name = audio_id(path)
    return name if name in _known else listen(path, _config)


def _start_embedding(store_dir: Path, bundle_path: Path, listen: ListenConfig) -> None:
    from earmark.models.runtime import Classifier

    global _backbone, _known
    bundle = bundles.load(bundle_path)
    if listen != bundle.meta.listen:
        bundle = bundle.listening(listen.excerpts, listen.level)
    _backbone, _known = Classifier(bundle), embedded_ids(store_dir, bundle)


def _embed(path: str) -> Embedded | str:
    """Embeddings of a file, or only its audio_id where they are in the store already."""
    assert _backbone is not None
    name = audio_id(path)
    if name in _known:
        return name
    return embed(listen(path, _backbone.bundle.meta.listen), _backbone)


def hear_all(
    paths: Sequence[str], store: Store, n_workers: int, time_limit_s: float
) -> Workflow[dict[str, str]]:
    """Bring what `store` holds of every file (slices, or a backbone's embeddings) into it.

    What was stored stays stored when the run is cut short; the next one goes on from there.

    Returns
    -------
    dict of str to str
        audio_id of each path that could be heard.
    """
    heard: dict[str, str] = {}
    yield Progress("listening", 0, len(paths), "")
    work, start, initargs = _way_to_hear(store)
    add: Callable[[Any], None] = store.add
    outcomes = map_files(
        work,
        paths,
        n_workers=n_workers,
        time_limit_s=time_limit_s,
        initializer=start,
        initargs=initargs,
    )
    for n_done, (path, outcome) in enumerate(outcomes, start=1):
        if isinstance(outcome, FileError):
            yield FileSkipped(path, outcome.reason)
        elif isinstance(outcome, str):
            heard[path] = outcome
        else:
            heard[path] = outcome.audio_id
            add(outcome)
        if n_done % _FLUSH_EVERY == 0:
            store.flush()
        yield Progress("listening", n_done, len(paths), path)
    store.flush()
    return heard


def files_below(roots: Iterable[str]) -> Workflow[dict[str, list[str]]]:
    """Paths of all music files below each folder; what cannot be looked at is reported.

    Raises
    ------
    LibraryError
        If a folder cannot be read.
    """
    paths: dict[str, list[str]] = {}
    for root in roots:
        paths[root] = []
        for found in walk(root):
            if isinstance(found, Found):
                paths[root].append(found.path)
            else:
                yield FileSkipped(found.path, found.reason)
    return paths


class Recording(Protocol):
    """A file that has been heard."""

    @property
    def path(self) -> str: ...

    @property
    def audio_id(self) -> str: ...


R = TypeVar("R", bound=Recording)


def with_numbers(recordings: Iterable[R], store: EmbeddingStore) -> Workflow[list[R]]:
    """Those that the backbone has numbers for; the others are reported."""
    kept, recordings = [], list(recordings)
    found = store.locate([recording.audio_id for recording in recordings])
    for recording, span in zip(recordings, found, strict=True):
        if np.isfinite(store.embeddings(span)).all():
            kept.append(recording)
        else:
            yield FileSkipped(recording.path, "the backbone's embedding of it is not finite")
    return kept


def _way_to_hear(
    store: Store,
) -> tuple[Callable[[str], Any], Callable[..., None], tuple[Any, ...]]:
    """What a worker does with a file, how it gets ready, and what it has to know for that."""
    if isinstance(store, EmbeddingStore):
        backbone = store.backbone
        return (
            _embed,
            _start_embedding,
            (store.parent, backbone.path, backbone.meta.listen),
        )
    return _hear, _start_listening, (store.parent, store.config)

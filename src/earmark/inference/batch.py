"""Many files in worker processes: a model's predictions, or what a store keeps of each file.

No recording is listened to twice: the catalogue keeps predictions, the stores slices and
embeddings, all by `audio_id`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np

from earmark.audio import audio_id
from earmark.errors import BundleError, FileError
from earmark.events import FileSkipped, Progress, Workflow
from earmark.features.listen import listen
from earmark.features.store import FeatureStore, stored_ids
from earmark.inference.prediction import (
    Prediction,
    load_classifier,
    predict,
    remember_prediction,
)
from earmark.library import Catalogue, Found, walk
from earmark.library.passed_over import Kind
from earmark.library.scan import say_passed_over
from earmark.models import bundle as bundles
from earmark.models.bundle import Bundle
from earmark.models.embeddings import (
    EmbeddingStore,
    TrackEmbeddings,
    embed,
    embedded_ids,
    store_key,
)
from earmark.models.runtime import Classifier
from earmark.pool import Workers
from earmark.session import Resources
from earmark.types import ListenConfig, Slices

_FLUSH_EVERY = 64

Store: TypeAlias = FeatureStore | EmbeddingStore

# Set once in every worker process.
_classifier: Classifier | None = None
_catalogue: Catalogue | None = None
_config = ListenConfig()
_known: set[str] = set()


# --- predictions ----------------------------------------------------------------------------------


def predictions(
    paths: Sequence[str],
    bundle: Bundle,
    resources: Resources,
    *,
    audio_ids: Mapping[str, str] | None = None,
    remember: bool = True,
) -> Iterator[tuple[str, Prediction | FileError]]:
    """Of every file, as they are ready; or why there is none.

    Parameters
    ----------
    paths : sequence of str
    bundle : Bundle
    resources : Resources
    audio_ids : mapping of str to str, optional
        Of files that are known not to have changed; these are not even opened where they have
        been heard before.
    remember : bool
        Whether the catalogue is asked, and told: a file whose audio it has heard with this model is
        not listened to again, wherever it lies now and however it is tagged.

    Raises
    ------
    BundleError
        If the bundle's network cannot be run.
    """
    catalogue = resources.catalogue if remember else None
    unheard = []
    for path in paths:
        name = (audio_ids or {}).get(path, "")
        probs = catalogue.slice_probs(name, bundle.model_id) if catalogue and name else None
        if probs is None:
            unheard.append(path)
        else:
            yield path, Prediction(name, probs)
    if not unheard:
        return
    Classifier(bundle)  # A network that cannot be run is refused here, not in every worker.
    outcomes = resources.workers.map(
        _predict,
        unheard,
        initializer=_start_predicting,
        initargs=(bundle.path, bundle.model_id, catalogue.path if catalogue else None),
    )
    for path, outcome in outcomes:
        if isinstance(outcome, FileError):
            yield path, outcome
            continue
        if catalogue is not None:
            remember_prediction(catalogue, path, outcome, bundle.model_id)
        yield path, outcome


def predict_files(
    paths: Sequence[str],
    bundle: Bundle,
    resources: Resources,
    *,
    audio_ids: Mapping[str, str] | None = None,
    remember: bool = True,
) -> Workflow[dict[str, Prediction | FileError]]:
    """`predictions` of all files together, with progress and a word on each file left out."""
    found: dict[str, Prediction | FileError] = {}
    yield Progress("listening", 0, len(paths))
    flow = predictions(paths, bundle, resources, audio_ids=audio_ids, remember=remember)
    for n_done, (path, outcome) in enumerate(flow, start=1):
        found[path] = outcome
        if isinstance(outcome, FileError):
            yield FileSkipped(path, outcome.reason)
        yield Progress("listening", n_done, len(paths), path)
    return found


def _start_predicting(bundle_path: Path, model_id: str, catalogue_path: Path | None) -> None:
    global _classifier, _catalogue
    _classifier = load_classifier(bundle_path, model_id)
    _catalogue = None if catalogue_path is None else Catalogue.open(catalogue_path, read_only=True)


def _predict(path: str) -> Prediction:
    assert _classifier is not None
    return predict(path, _classifier, _catalogue)


def hear(path: str, config: ListenConfig, workers: Workers) -> Slices:
    """Slices of one file, heard in a worker process; nothing is kept of them.

    Raises
    ------
    AudioError
        The file cannot be used, takes too long, or crashes its decoder.
    """
    ((_, outcome),) = workers.map(partial(listen, config=config, name=""), [path])
    if isinstance(outcome, FileError):
        raise outcome
    return outcome


# --- stores ---------------------------------------------------------------------------------------


def fill(store: Store, paths: Sequence[str], workers: Workers) -> Workflow[dict[str, str]]:
    """Bring what `store` holds of every file (slices, or a backbone's embeddings) into it.

    What was stored stays stored when the run is cut short; the next one goes on from there.

    Returns
    -------
    dict of str to str
        audio_id of each path that could be listened to.
    """
    audio_ids: dict[str, str] = {}
    yield Progress("listening", 0, len(paths), "")
    work, initializer, initargs = _way_to_fill(store)
    add: Callable[[Any], None] = store.add
    outcomes = workers.map(work, paths, initializer=initializer, initargs=initargs)
    try:
        for n_done, (path, outcome) in enumerate(outcomes, start=1):
            if isinstance(outcome, FileError):
                yield FileSkipped(path, outcome.reason)
            elif isinstance(outcome, str):
                audio_ids[path] = outcome
            else:
                audio_ids[path] = outcome.audio_id
                add(outcome)
            if n_done % _FLUSH_EVERY == 0:
                store.flush()
            yield Progress("listening", n_done, len(paths), path)
    finally:
        store.flush()
    return audio_ids


def _way_to_fill(
    store: Store,
) -> tuple[Callable[[str], Any], Callable[..., None], tuple[Any, ...]]:
    """What a worker does with a file, how it gets ready, and what it has to know for that."""
    if isinstance(store, EmbeddingStore):
        backbone = store.backbone
        config = backbone.meta.listen
        # Workers know what is stored when they get ready: with more in it, they get ready anew.
        known = store.folder.name, store.n_tracks
        return _embed, _start_embedding, (store.parent, backbone.path, config, *known)
    return _listen, _start_listening, (store.parent, store.config, store.n_tracks)


def _start_listening(store_dir: Path, config: ListenConfig, _: int) -> None:
    global _config, _known
    _config, _known = config, stored_ids(store_dir, config)


def _listen(path: str) -> Slices | str:
    """Slices of a file, or only its audio_id where they are in the store already."""
    name = audio_id(path)
    return name if name in _known else listen(path, _config, name)


def _start_embedding(
    store_dir: Path, bundle_path: Path, config: ListenConfig, key: str, _: int
) -> None:
    global _classifier, _known
    bundle = bundles.load(bundle_path)
    if config != bundle.meta.listen:
        bundle = bundle.listening(config.excerpts, config.level)
    if store_key(bundle) != key:
        raise BundleError(f"the model in {bundle_path} has been replaced", "run it again")
    _classifier, _known = Classifier(bundle), embedded_ids(store_dir, bundle)


def _embed(path: str) -> TrackEmbeddings | str:
    """Embeddings of a file, or only its audio_id where they are in the store already."""
    assert _classifier is not None
    name = audio_id(path)
    if name in _known:
        return name
    return embed(listen(path, _classifier.bundle.meta.listen, name), _classifier)


class Recording(Protocol):
    """A file that has been listened to."""

    @property
    def path(self) -> str: ...

    @property
    def audio_id(self) -> str: ...


R = TypeVar("R", bound=Recording)


def with_embeddings(recordings: Iterable[R], store: EmbeddingStore) -> Workflow[list[R]]:
    """Those whose embeddings are finite numbers; the others are reported."""
    kept, recordings = [], list(recordings)
    found = store.locate([recording.audio_id for recording in recordings])
    for recording, span in zip(recordings, found, strict=True):
        if np.isfinite(store.embeddings(span)).all():
            kept.append(recording)
        else:
            yield FileSkipped(recording.path, "the backbone's embedding of it is not finite")
    return kept


def files_below(roots: Iterable[str]) -> Workflow[dict[str, list[str]]]:
    """Paths of all music files below each folder; what cannot be looked at is reported.

    Raises
    ------
    LibraryError
        If a folder cannot be read.
    """
    paths: dict[str, list[str]] = {}
    passed_over: Counter[Kind] = Counter()
    for root in roots:
        paths[root] = []
        for found in walk(root, passed_over):
            if isinstance(found, Found):
                paths[root].append(found.path)
            else:
                yield FileSkipped(found.path, found.reason)
    yield from say_passed_over(passed_over)
    return paths

"""Listening to many files in parallel with a model; what was judged once is not judged again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from earmark.audio import audio_id
from earmark.errors import FileError
from earmark.events import FileSkipped, Progress, Workflow
from earmark.features.listen import listen
from earmark.library import Catalogue
from earmark.models import bundle as bundles
from earmark.models.bundle import Bundle
from earmark.models.runtime import Classifier
from earmark.pool import map_files
from earmark.types import SliceProbs

# Set once in every worker process.
_classifier: Classifier | None = None
_catalogue: Catalogue | None = None


def _start(bundle_path: Path, catalogue_path: Path | None) -> None:
    global _classifier, _catalogue
    _classifier = Classifier(bundles.load(bundle_path))
    _catalogue = None if catalogue_path is None else Catalogue.open(catalogue_path, read_only=True)


def _judge(path: str) -> tuple[str, SliceProbs, bool]:
    """audio_id, slice probabilities, and whether they are news to the catalogue."""
    assert _classifier is not None
    name = audio_id(path)
    if _catalogue is not None:
        known = _catalogue.slice_probs(name, _classifier.bundle.model_id)
        if known is not None:
            return name, known, False
    slices = listen(path, _classifier.bundle.meta.listen)
    return name, _classifier.slice_probs(slices), True


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a model said about a recording."""

    audio_id: str
    probs: SliceProbs


def judge_all(
    paths: Sequence[str],
    bundle: Bundle,
    catalogue: Catalogue | None,
    *,
    n_workers: int,
    time_limit_s: float,
    audio_ids: Mapping[str, str] | None = None,
) -> Workflow[dict[str, Judgement | FileError]]:
    """Slice probabilities of every file, or why there are none.

    With a catalogue, a file whose audio it has heard with this model is not listened to again,
    wherever it lies now and however it is tagged.

    Parameters
    ----------
    audio_ids : mapping of str to str, optional
        Of files that are known not to have changed; these are not even opened where they have
        been heard before.

    Raises
    ------
    BundleError
        If the bundle's network cannot be run.
    """
    judged: dict[str, Judgement | FileError] = {}
    if catalogue is not None and audio_ids:
        judged.update(_recalled(paths, bundle, catalogue, audio_ids))
    unheard = [path for path in paths if path not in judged]
    if not unheard:
        return judged
    Classifier(bundle)  # A network that cannot be run is refused here, not in every worker.
    yield Progress("listening", 0, len(unheard))
    outcomes = map_files(
        _judge,
        unheard,
        n_workers=n_workers,
        time_limit_s=time_limit_s,
        initializer=_start,
        initargs=(bundle.path, None if catalogue is None else catalogue.path),
    )
    for n_done, (path, outcome) in enumerate(outcomes, start=1):
        if isinstance(outcome, FileError):
            judged[path] = outcome
            yield FileSkipped(path, outcome.reason)
        else:
            name, probs, is_news = outcome
            judged[path] = Judgement(name, probs)
            if catalogue is not None:
                if is_news:
                    catalogue.put_slice_probs(name, bundle.model_id, probs)
                catalogue.set_audio_id(path, name)
        yield Progress("listening", n_done, len(unheard), path)
    return judged


def _recalled(
    paths: Sequence[str], bundle: Bundle, catalogue: Catalogue, audio_ids: Mapping[str, str]
) -> dict[str, Judgement]:
    recalled = {}
    for path in paths:
        name = audio_ids.get(path, "")
        probs = catalogue.slice_probs(name, bundle.model_id) if name else None
        if probs is not None:
            recalled[path] = Judgement(name, probs)
    return recalled

"""The end of every training: calibrated on validation tracks, measured on test tracks, written."""

from __future__ import annotations

import dataclasses
import datetime
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from earmark.decision.calibration import Outputs, fit_temperature, threshold_for_precision
from earmark.decision.voting import decide
from earmark.errors import DataError
from earmark.evaluation.scores import Scores
from earmark.evaluation.votes import compare_votes
from earmark.events import Note, Workflow
from earmark.features.store import FeatureStore
from earmark.models import bundle as bundles
from earmark.models.bundle import Bundle, BundleMeta
from earmark.models.runtime import Classifier
from earmark.training.learning_set import Example, LearningSet, spans
from earmark.training.provenance import provenance
from earmark.training.request import TrainRequest
from earmark.types import FloatArray, ListenConfig

if TYPE_CHECKING:
    from earmark.models.classical.stacker import FittedStacker

OutputsOf: TypeAlias = Callable[[Sequence[Example]], list[Outputs]]
"""Gives the network's answers to each track's slices."""


def draft(
    request: TrainRequest,
    learning_set: LearningSet,
    listen: ListenConfig,
    course: Mapping[str, Any],
) -> BundleMeta:
    """``model.json`` of what has just been trained: without temperature, threshold and scores.

    `course` is what is to be said of how training went.
    """
    return BundleMeta(
        name=request.out.name,
        labels=learning_set.labels,
        listen=listen,
        vote=request.recipe.vote,
        data={"about": request.about, **learning_set.describe()},
        training={**provenance(request), **course},
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        licence=request.licence,
    )


def finish(
    draft: BundleMeta,
    network: bytes,
    learning_set: LearningSet,
    outputs_of: OutputsOf,
    *,
    out: Path,
    target_precision: float,
) -> Workflow[tuple[Bundle, Scores]]:
    """Calibrate on the validation part, measure on the test part, and write the bundle.

    Parameters
    ----------
    draft : BundleMeta
        With everything but temperature, stacker, threshold and scores of the genres.
    network : bytes
        ONNX.
    learning_set : LearningSet
    outputs_of : callable
        The network's answers for given examples.
    out : Path
    target_precision : float
        Share of right answers, of those given on validation tracks, that the threshold aims at.
    """
    valid = learning_set.part("valid")
    meta = yield from calibrated(draft, outputs_of(valid), valid, target_precision)
    return measured(meta, network, learning_set.part("test"), outputs_of, out=out)


def measured(
    meta: BundleMeta,
    network: bytes,
    test: Sequence[Example],
    outputs_of: OutputsOf,
    *,
    out: Path,
    texts: Mapping[str, str] | None = None,
) -> tuple[Bundle, Scores]:
    """Measure on test tracks, and write the bundle.

    Parameters
    ----------
    meta : BundleMeta
        With everything but scores of the genres.
    network : bytes
        ONNX.
    test : sequence of Example
    outputs_of : callable
        The network's answers for given examples.
    out : Path
    texts : mapping of str to str, optional
        As for `earmark.models.bundle.write`.
    """
    scores = measure(meta, outputs_of(test), test)
    scores = dataclasses.replace(scores, summary={**meta.scores, **scores.summary})
    meta = dataclasses.replace(meta, scores=scores.summary)
    return bundles.write(out, meta, network, texts), scores


def from_store(classifier: Classifier, store: FeatureStore) -> OutputsOf:
    """The answers of `classifier` for tracks whose slices are in `store`."""

    def outputs_of(examples: Sequence[Example]) -> list[Outputs]:
        return [classifier.outputs(store.read(span)) for span in spans(store, examples)]

    return outputs_of


def calibrated(
    meta: BundleMeta,
    outputs: Sequence[Outputs],
    examples: Sequence[Example],
    target_precision: float,
) -> Workflow[BundleMeta]:
    """`meta` with what tracks that the network did not learn from are good for.

    Temperature, a stacker where there are tracks enough for one, and the threshold. A vote by
    stacker becomes one by mean where there are not.
    """
    reference = np.array([e.genre for e in examples])
    temperature = slice_temperature(outputs, examples)
    probas = [part.proba(temperature) for part in outputs]
    fitted = yield from _learned_decision(probas, examples, meta)
    mode = "mean" if meta.vote.mode == "stacker" and fitted is None else meta.vote.mode
    stacker = fitted.stacker if fitted else None
    vote = dataclasses.replace(meta.vote, mode=mode, stacker=stacker, min_confidence=0.0)
    if vote.mode == "stacker" and fitted:
        confidence, right = _by_stackers(fitted, probas, reference, vote.min_agreement)
    else:
        forced = dataclasses.replace(vote, min_music=0.0)
        decisions = [decide(proba, meta.labels, forced) for proba in probas]
        # What is refused whatever the threshold is no answer.
        given = np.array([d.genre is not None for d in decisions])
        confidence = np.array([d.confidence for d in decisions])[given]
        names = np.array([d.genre for d in decisions])[given]
        right = names == np.array(meta.labels)[reference[given]]
    threshold = (
        threshold_for_precision(confidence.astype(np.float32), right, target_precision)
        if len(right)
        else 0.0
    )
    # Rounded down: the track that it was taken from is to be answered.
    vote = dataclasses.replace(vote, min_confidence=math.floor(threshold * 1000) / 1000)
    return dataclasses.replace(meta, temperature=temperature, vote=vote)


def _by_stackers(
    fitted: FittedStacker,
    probas: Sequence[FloatArray],
    reference: NDArray[np.int64],
    min_agreement: float,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Confidence of each answer by a stacker that had not seen the artist, and if it is right.

    A stacker is too sure of the tracks that it has learned from.
    """
    winners = fitted.proba.argmax(axis=1)
    agreement = np.array(
        [np.mean(p.argmax(axis=1) == w) for p, w in zip(probas, winners, strict=True)]
    )
    given = np.isfinite(fitted.proba[:, 0]) & (agreement >= min_agreement)
    return fitted.proba[given].max(axis=1), (winners == reference)[given]


def slice_temperature(outputs: Sequence[Outputs], examples: Sequence[Example]) -> float:
    """What the logits of each track's slices are to be divided by.

    How likely a slice is to be music changes the likelihood by a constant, and no temperature.
    """
    logits = [part.logits for part in outputs]
    by_slice = np.repeat([e.genre for e in examples], [len(part) for part in logits])
    return round(fit_temperature(np.concatenate(logits), by_slice), 4)


def _learned_decision(
    probas: Sequence[FloatArray], examples: Sequence[Example], meta: BundleMeta
) -> Workflow[FittedStacker | None]:
    from earmark.models.classical.stacker import fit_stacker

    genres, groups = [e.genre for e in examples], [e.group for e in examples]
    try:
        return fit_stacker(probas, genres, groups, len(meta.labels))
    except DataError as e:
        instead = "; the model votes by mean" if meta.vote.mode == "stacker" else ""
        yield Note(f"no stacker was learned: {e.reason}{instead}")
        return None


def measure(meta: BundleMeta, outputs: Sequence[Outputs], examples: Sequence[Example]) -> Scores:
    """Scores of tracks that nothing was learned from or chosen by, and of the other votes.

    The summary's ``votes`` has the accuracy and the macro F1 of each way to decide.
    """
    compared = compare_votes(
        [part.proba(meta.temperature) for part in outputs],
        [e.genre for e in examples],
        [e.group for e in examples],
        meta.labels,
        meta.vote,
    )
    own = compared[meta.vote.mode]
    votes = {
        mode: {name: scores.summary[name] for name in ("accuracy", "macro_f1")}
        for mode, scores in compared.items()
    }
    return dataclasses.replace(own, summary={**own.summary, "votes": votes})

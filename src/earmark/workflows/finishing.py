"""The end of every training: calibrated on validation tracks, measured on test tracks, written."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np

from earmark.calibration import fit_temperature, softmax, threshold_for_precision
from earmark.evaluation.scores import Scores, score
from earmark.features.store import FeatureStore
from earmark.models import bundle as bundles
from earmark.models.bundle import Bundle, BundleMeta
from earmark.models.runtime import Classifier
from earmark.types import FloatArray
from earmark.voting import decide
from earmark.workflows.learning_set import Example, LearningSet, spans

LogitsOf: TypeAlias = Callable[[Sequence[Example]], list[FloatArray]]
"""Gives the logits (n_slices, n_classes) of each track."""


def finish(
    draft: BundleMeta,
    network: bytes,
    learning_set: LearningSet,
    logits_of: LogitsOf,
    *,
    out: Path,
    target_precision: float,
) -> tuple[Bundle, Scores]:
    """Calibrate on the validation part, measure on the test part, and write the bundle.

    Parameters
    ----------
    draft : BundleMeta
        With everything but temperature, threshold and scores.
    network : bytes
        ONNX.
    learning_set : LearningSet
    logits_of : callable
        The network's answers for given examples.
    out : Path
    target_precision : float
        Share of right answers, of those given on validation tracks, that the threshold aims at.
    """
    valid, test = learning_set.part("valid"), learning_set.part("test")
    meta = calibrated(draft, logits_of(valid), valid, target_precision)
    scores = measure(meta, logits_of(test), test)
    meta = dataclasses.replace(meta, scores=scores.summary)
    return bundles.write(out, meta, network), scores


def from_store(classifier: Classifier, store: FeatureStore) -> LogitsOf:
    """The answers of `classifier` for tracks whose slices are in `store`."""

    def logits_of(examples: Sequence[Example]) -> list[FloatArray]:
        return [classifier.logits(store.read(span)) for span in spans(store, examples)]

    return logits_of


def calibrated(
    meta: BundleMeta,
    logits: Sequence[FloatArray],
    examples: Sequence[Example],
    target_precision: float,
) -> BundleMeta:
    """`meta` with temperature and threshold set by tracks that the network did not learn from."""
    reference = np.repeat([e.genre for e in examples], [len(part) for part in logits])
    temperature = fit_temperature(np.concatenate(logits), reference)
    decisions = [decide(softmax(part, temperature), meta.labels, meta.vote) for part in logits]
    confidence = np.array([d.confidence for d in decisions], dtype=np.float32)
    right = np.array(
        [d.genre == meta.labels[e.genre] for d, e in zip(decisions, examples, strict=True)]
    )
    threshold = threshold_for_precision(confidence, right, target_precision)
    vote = dataclasses.replace(meta.vote, min_confidence=round(threshold, 3))
    return dataclasses.replace(meta, temperature=round(temperature, 4), vote=vote)


def measure(meta: BundleMeta, logits: Sequence[FloatArray], examples: Sequence[Example]) -> Scores:
    """Scores of tracks that nothing was learned from or chosen by."""
    return score(
        [softmax(part, meta.temperature) for part in logits],
        [e.genre for e in examples],
        [e.group for e in examples],
        meta.labels,
        meta.vote,
    )

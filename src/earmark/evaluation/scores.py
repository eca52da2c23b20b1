"""The scores of a model on labelled tracks, through the same vote that `classify` uses."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.evaluation.metrics import (
    Labels,
    accuracy,
    bootstrap_interval,
    confusion,
    macro_f1,
    precision_recall,
)
from earmark.types import FloatArray, VoteConfig
from earmark.voting import decide


@dataclass(frozen=True, slots=True)
class Scores:
    """What was measured, ready for JSON, and the confusion counts.

    Attributes
    ----------
    summary : dict
        Numbers by name; shares within [0, 1], intervals as [low, high].
    counts : ndarray of int, shape (n_classes, n_classes + 1)
        Tracks by reference (row) and answer (column; the last is "I don't know").
    """

    summary: dict[str, Any]
    counts: NDArray[np.int64]


def score(
    probas: Sequence[FloatArray],
    reference: Sequence[int],
    groups: Sequence[str],
    labels: Sequence[str],
    vote: VoteConfig,
) -> Scores:
    """Score tracks given their slices' probabilities.

    Parameters
    ----------
    probas : sequence of ndarray, each (n_slices, n_classes)
        One array a track.
    reference : sequence of int, length n_tracks
    groups : sequence of str, length n_tracks
        Artists, for the intervals.
    labels : sequence of str, length n_classes
    vote : VoteConfig
        `accuracy` and `macro_f1` are measured without its thresholds (an answer for every
        track), `answered` and `precision_when_answered` with them.
    """
    forced_vote = dataclasses.replace(vote, min_confidence=0.0, min_agreement=0.0)
    number = {label: i for i, label in enumerate(labels)}
    expected = np.asarray(reference)
    forced = _answers(probas, labels, number, forced_vote)
    answers = _answers(probas, labels, number, vote)
    n_classes = len(labels)

    def f1(reference: Labels, estimated: Labels) -> float:
        return macro_f1(reference, estimated, n_classes)

    precision, recall = precision_recall(expected, forced, n_classes)
    n_slices = [len(proba) for proba in probas]
    slice_hits = [(p.argmax(axis=1) == r).sum() for p, r in zip(probas, expected, strict=True)]
    given = answers >= 0
    commonest = Counter(reference).most_common(1)[0][1]
    summary = {
        "n_tracks": len(expected),
        "n_groups": len(set(groups)),
        "n_slices": sum(n_slices),
        "slice_accuracy": _share(sum(slice_hits) / sum(n_slices)),
        "accuracy": _share(accuracy(expected, forced)),
        "accuracy_interval_95": _interval(accuracy, expected, forced, groups),
        "macro_f1": _share(f1(expected, forced)),
        "macro_f1_interval_95": _interval(f1, expected, forced, groups),
        "majority_baseline": _share(commonest / len(expected)),
        "chance_baseline": _share(1 / n_classes),
        "answered": _share(given.mean()),
        "precision_when_answered": _share(accuracy(expected[given], answers[given]))
        if given.any()
        else None,
        "per_genre": {
            label: {
                "n": int((expected == i).sum()),
                "precision": _share(precision[i]),
                "recall": _share(recall[i]),
            }
            for i, label in enumerate(labels)
        },
    }
    return Scores(summary, confusion(expected, answers, n_classes))


def _answers(
    probas: Sequence[FloatArray], labels: Sequence[str], number: dict[str, int], vote: VoteConfig
) -> NDArray[np.int64]:
    decisions = (decide(proba, labels, vote) for proba in probas)
    return np.array([-1 if d.genre is None else number[d.genre] for d in decisions])


def _interval(
    measure: Any, reference: Labels, estimated: Labels, groups: Sequence[str]
) -> list[float | None]:
    return [_share(bound) for bound in bootstrap_interval(measure, reference, estimated, groups)]


def _share(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)

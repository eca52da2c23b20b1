"""The few scores that a bundle's ``model.json`` holds, of all that are measured."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.datasets.splitting import ARTIST
from earmark.decision.voting import modes
from earmark.evaluation.bootstrap import Score
from earmark.evaluation.decisions import TrackDecisions
from earmark.evaluation.results import Evaluation, evaluate
from earmark.types import FloatArray, VoteConfig, VoteMode


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
    """Score tracks by artists that the model was not trained on.

    Parameters
    ----------
    probas : sequence of ndarray, each (n_slices, n_classes)
        Slice probabilities, one array a track.
    reference : sequence of int, length n_tracks
    groups : sequence of str, length n_tracks
        Artists, for the intervals, as `earmark.datasets.LabelledTrack.group` names them.
    labels : sequence of str, length n_classes
    vote : VoteConfig
        `accuracy` and `macro_f1` are measured without its thresholds (an answer for every
        track), `answered` and `precision_when_answered` with them.

    Raises
    ------
    DataError
        If there is no track.
    """
    decisions = TrackDecisions.by_vote(probas, reference, groups, labels, vote)
    evaluation = evaluate(decisions, labels, name="", data="", protocol=ARTIST)
    return Scores(summarise(evaluation), evaluation.answers)


def compare_votes(
    probas: Sequence[FloatArray],
    reference: Sequence[int],
    groups: Sequence[str],
    labels: Sequence[str],
    vote: VoteConfig,
) -> dict[VoteMode, Scores]:
    """Score every vote mode on the same slice probabilities.

    Parameters
    ----------
    probas, reference, groups, labels
        As for `score`.
    vote : VoteConfig
        Its thresholds, its stacker and its network are used; its mode is not.

    Returns
    -------
    dict of str to Scores
        By mode; without ``stacker`` and ``network`` where none was learned.

    Raises
    ------
    DataError
        If there is no track.
    """
    return {
        mode: score(probas, reference, groups, labels, dataclasses.replace(vote, mode=mode))
        for mode in modes(vote)
    }


def summarise(evaluation: Evaluation) -> dict[str, Any]:
    """The scores of `Scores.summary`."""
    track = evaluation.track
    return {
        "n_tracks": evaluation.n_tracks,
        "n_groups": evaluation.n_groups,
        "n_artists": evaluation.n_artists,
        "n_artist_unknown": evaluation.n_artist_unknown,
        "n_slices": evaluation.n_slices,
        "slice_accuracy": _share(evaluation.slice["accuracy"].value),
        "accuracy": _share(track["accuracy"].value),
        "accuracy_interval_95": _interval(track["accuracy"]),
        "macro_f1": _share(track["macro_f1"].value),
        "macro_f1_interval_95": _interval(track["macro_f1"]),
        "majority_baseline": _share(evaluation.baselines["majority"]),
        "chance_baseline": _share(evaluation.baselines["chance"]),
        "answered": _share(track["answered"].value),
        "precision_when_answered": _share(track["precision_when_answered"].value),
        "per_genre": {
            label: {
                "n": scores["recall"].n,
                "precision": _share(scores["precision"].value),
                "recall": _share(scores["recall"].value),
            }
            for label, scores in evaluation.per_genre.items()
        },
    }


def _interval(score: Score) -> list[float | None]:
    return [_share(score.low), _share(score.high)]


def _share(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)

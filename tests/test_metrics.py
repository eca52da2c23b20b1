"""Scores against counts done by hand, and against scikit-learn."""

import numpy as np
import pytest

from earmark.evaluation.metrics import (
    accuracy,
    bootstrap_interval,
    confusion,
    macro_f1,
    precision_recall,
)
from earmark.evaluation.scores import score
from earmark.types import VoteConfig

REFERENCE = np.array([0, 0, 0, 1, 1, 2])
ESTIMATED = np.array([0, 0, 1, 1, -1, 0])


def test_confusion_counts_no_answer_in_the_last_column() -> None:
    expected = [[2, 1, 0, 0], [0, 1, 0, 1], [1, 0, 0, 0]]
    np.testing.assert_array_equal(confusion(REFERENCE, ESTIMATED, 3), expected)


def test_accuracy_takes_no_answer_for_wrong() -> None:
    assert accuracy(REFERENCE, ESTIMATED) == pytest.approx(3 / 6)


def test_precision_and_recall_by_hand() -> None:
    precision, recall = precision_recall(REFERENCE, ESTIMATED, 3)
    np.testing.assert_allclose(precision, [2 / 3, 1 / 2, np.nan])
    np.testing.assert_allclose(recall, [2 / 3, 1 / 2, 0])


def test_macro_f1_agrees_with_scikit_learn() -> None:
    sklearn = pytest.importorskip("sklearn.metrics", reason="needs earmark[train]")
    rng = np.random.default_rng(0)
    reference, estimated = rng.integers(0, 5, 200), rng.integers(0, 5, 200)
    expected = sklearn.f1_score(reference, estimated, average="macro")
    assert macro_f1(reference, estimated, 5) == pytest.approx(expected)


def test_interval_covers_the_truth_and_widens_with_dependent_tracks() -> None:
    rng = np.random.default_rng(0)
    # 40 artists with 10 tracks each; all of an artist's tracks are right or all are wrong.
    right = np.repeat(rng.random(40) < 0.6, 10)
    reference, estimated = np.zeros(400, dtype=int), np.where(right, 0, 1)
    artists = [f"artist {i // 10}" for i in range(400)]
    low, high = bootstrap_interval(accuracy, reference, estimated, artists)
    alone = bootstrap_interval(accuracy, reference, estimated, [str(i) for i in range(400)])
    assert low < right.mean() < high
    assert high - low > 2 * (alone[1] - alone[0])


def test_scores_tell_forced_answers_from_given_ones() -> None:
    sure, unsure, wrong = [[0.9, 0.1]] * 2, [[0.55, 0.45]] * 4, [[0.4, 0.6]]
    probas = [np.array(p, dtype=np.float32) for p in (sure, unsure, wrong)]
    result = score(probas, [0, 0, 0], ["a", "b", "b"], ["X", "Y"], VoteConfig(min_confidence=0.7))
    summary = result.summary
    assert summary["n_tracks"] == 3
    assert summary["n_slices"] == 7
    assert summary["accuracy"] == pytest.approx(2 / 3, abs=1e-4)
    assert summary["slice_accuracy"] == pytest.approx(6 / 7, abs=1e-4)
    assert summary["answered"] == pytest.approx(1 / 3, abs=1e-4)
    assert summary["precision_when_answered"] == 1.0
    assert summary["per_genre"]["Y"] == {"n": 0, "precision": 0.0, "recall": None}
    np.testing.assert_array_equal(result.counts, [[1, 0, 2], [0, 0, 0]])

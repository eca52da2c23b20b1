"""Scores against counts done by hand, against scikit-learn, and their intervals against loops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from earmark.evaluation import metrics
from earmark.evaluation.bootstrap import Bootstrap, Score
from earmark.evaluation.metrics import (
    accuracy,
    confusion,
    in_top_k,
    macro_f1,
)
from earmark.evaluation.scores import score
from earmark.types import VoteConfig

REFERENCE = np.array([0, 0, 0, 1, 1, 2])
ESTIMATED = np.array([0, 0, 1, 1, -1, 0])


def drawn(n: int, n_classes: int, seed: int = 0) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Reference, probabilities that know something of it, and the likeliest class."""
    rng = np.random.default_rng(seed)
    reference = rng.integers(0, n_classes, n)
    proba = rng.dirichlet(np.ones(n_classes), n)
    proba[np.arange(n), reference] += 0.3
    proba /= proba.sum(axis=1, keepdims=True)
    return reference, proba, proba.argmax(axis=1)


def of_classes(
    reference: NDArray[Any], estimated: NDArray[Any], n_classes: int
) -> list[list[float]]:
    """Precision, recall and F1 of every class, as they are reported."""
    bootstrap = Bootstrap(["all"], n_resamples=2)
    groups = bootstrap.numbers(["all"] * len(reference))
    scores = metrics.evaluate_classes(reference, estimated, n_classes, groups, bootstrap)
    return [[s[name].value for s in scores] for name in ("precision", "recall", "f1")]


def of_class(
    reference: NDArray[Any], estimated: NDArray[Any], label: int
) -> tuple[float, float, float]:
    """The same of one class, by counting; NaN where nothing is counted."""
    hits = float(np.sum((reference == label) & (estimated == label)))
    of_it, named = float(np.sum(reference == label)), float(np.sum(estimated == label))
    shares = ((hits, named), (hits, of_it), (2 * hits, of_it + named))
    precision, recall, f1 = (part / whole if whole else np.nan for part, whole in shares)
    return precision, recall, f1


def test_confusion_counts_no_answer_in_the_last_column() -> None:
    expected = [[2, 1, 0, 0], [0, 1, 0, 1], [1, 0, 0, 0]]
    np.testing.assert_array_equal(confusion(REFERENCE, ESTIMATED, 3), expected)


def test_accuracy_takes_no_answer_for_wrong() -> None:
    assert accuracy(REFERENCE, ESTIMATED) == pytest.approx(3 / 6)


def test_precision_recall_and_f1_by_hand() -> None:
    precision, recall, f1 = of_classes(REFERENCE, ESTIMATED, 4)
    np.testing.assert_allclose(precision, [2 / 3, 1 / 2, np.nan, np.nan])
    np.testing.assert_allclose(recall, [2 / 3, 1 / 2, 0, np.nan])
    np.testing.assert_allclose(f1, [2 / 3, 1 / 2, 0, np.nan])


def test_macro_f1_leaves_out_a_class_that_does_not_occur() -> None:
    assert macro_f1(REFERENCE, ESTIMATED, 4) == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)


def test_scores_agree_with_scikit_learn() -> None:
    sklearn = pytest.importorskip("sklearn.metrics", reason="needs earmark[head]")
    reference, proba, estimated = drawn(300, 5)
    expected = sklearn.precision_recall_fscore_support(reference, estimated)
    for ours, theirs in zip(of_classes(reference, estimated, 5), expected[:3], strict=True):
        np.testing.assert_allclose(ours, theirs)
    assert macro_f1(reference, estimated, 5) == pytest.approx(
        sklearn.f1_score(reference, estimated, average="macro")
    )
    assert in_top_k(reference, proba, 2).mean() == pytest.approx(
        sklearn.top_k_accuracy_score(reference, proba, k=2)
    )


def test_top_k_breaks_ties_as_argmax_does() -> None:
    proba = np.array([[0.25, 0.25, 0.25, 0.25]])
    hits = [in_top_k(np.array([label]), proba, 2)[0] for label in range(4)]
    assert hits == [True, True, False, False]


@pytest.mark.parametrize(
    ("reference", "estimated"),
    [([], []), ([0, 1], [0]), ([0, 3], [0, 0]), ([0, 1], [0, 3]), ([-1, 0], [0, 0])],
)
def test_what_makes_no_sense_is_refused(reference: list[int], estimated: list[int]) -> None:
    with pytest.raises(ValueError, match=r"shapes|class numbers"):
        confusion(np.array(reference, dtype=int), np.array(estimated, dtype=int), 3)


def interval_by_loop(
    measure: Callable[[NDArray[np.intp]], float], bootstrap: Bootstrap, groups: NDArray[np.intp]
) -> list[float]:
    """The interval of `measure` of track numbers, by drawing them one resample at a time."""
    values = [
        measure(np.repeat(np.arange(len(groups)), row.astype(int)))
        for block in bootstrap.weights(groups)
        for row in block
    ]
    return [float(q) for q in np.nanquantile(values, [0.025, 0.975])]


def test_intervals_are_those_of_resampling_whole_artists() -> None:
    reference, proba, estimated = drawn(120, 4)
    estimated[:7] = -1
    names = [f"artist {i}" for i in np.random.default_rng(1).integers(0, 25, 120)]
    bootstrap = Bootstrap(names, n_resamples=80)
    groups = bootstrap.numbers(names)
    scores = metrics.evaluate(reference, estimated, proba, groups, bootstrap)
    per_class = metrics.evaluate_classes(reference, estimated, 4, groups, bootstrap)

    def expect(score: Score, measure: Callable[[NDArray[np.intp]], float]) -> None:
        assert score.value == pytest.approx(measure(np.arange(120)))
        assert [score.low, score.high] == pytest.approx(
            interval_by_loop(measure, bootstrap, groups)
        )

    expect(scores["accuracy"], lambda i: accuracy(reference[i], estimated[i]))
    expect(scores["macro_f1"], lambda i: macro_f1(reference[i], estimated[i], 4))
    for place, name in enumerate(("precision", "recall", "f1")):

        def of_class_2(i: NDArray[np.intp], place: int = place) -> float:
            return of_class(reference[i], estimated[i], 2)[place]

        expect(per_class[2][name], of_class_2)
    assert scores["accuracy"].n == 120
    assert scores["accuracy"].n_groups == len(set(names))
    assert per_class[2]["recall"].n == (reference == 2).sum()
    assert per_class[2]["precision"].n == (estimated == 2).sum()
    assert per_class[2]["f1"].n == ((reference == 2) | (estimated == 2)).sum()


def test_the_estimate_counts_as_the_likeliest_for_top_2() -> None:
    # A vote by heads may choose what the mean probability puts third.
    proba = np.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]])
    bootstrap = Bootstrap(["a", "b"])
    groups = bootstrap.numbers(["a", "b"])
    scores = metrics.evaluate(np.array([2, 1]), np.array([2, 2]), proba, groups, bootstrap)
    assert scores["top_2_accuracy"].value == 0.5


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

"""Reliability, risk and coverage, known and unknown: by hand, by scikit-learn, by property."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from earmark.evaluation import detection, rejection, reliability
from earmark.evaluation.bootstrap import Bootstrap

ANSWERS = st.lists(
    st.tuples(st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.9]), st.booleans()), min_size=1, max_size=40
)


def split(answers: list[tuple[float, bool]]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    confidence, correct = zip(*answers, strict=True)
    return np.array(confidence), np.array(correct, dtype=bool)


def artists(n: int, n_artists: int) -> list[str]:
    return [f"artist {i}" for i in np.random.default_rng(3).integers(0, n_artists, n)]


# --- reliability ----------------------------------------------------------------------------------


def calibration_error(confidence: NDArray[Any], correct: NDArray[Any], n_bins: int = 10) -> float:
    bootstrap = Bootstrap(["all"], n_resamples=2)
    groups = bootstrap.numbers(["all"] * len(confidence))
    scores = reliability.evaluate(confidence, correct, groups, bootstrap, n_bins)
    return scores["expected_calibration_error"].value


def test_calibration_error_by_hand() -> None:
    confidence = np.array([0.9, 0.9, 0.8, 0.6, 0.5, 0.5])
    correct = np.array([True, True, False, True, False, False])
    curve = reliability.reliability_curve(confidence, correct, n_bins=2)
    np.testing.assert_array_equal(curve.n, [3, 3])
    np.testing.assert_allclose(curve.confidence, [1.6 / 3, 2.6 / 3])
    np.testing.assert_allclose(curve.accuracy, [1 / 3, 2 / 3])
    assert calibration_error(confidence, correct, n_bins=2) == pytest.approx(
        (1.6 / 3 - 1 / 3 + 2.6 / 3 - 2 / 3) / 2
    )


def test_bins_hold_equally_many_answers_however_confidences_crowd() -> None:
    confidence = 1 - np.random.default_rng(0).random(1000) ** 4 / 2
    curve = reliability.reliability_curve(confidence, confidence > 0.7)
    np.testing.assert_array_equal(curve.n, [100] * 10)


@given(ANSWERS)
def test_equal_confidences_share_a_bin_in_any_order(answers: list[tuple[float, bool]]) -> None:
    forward = reliability.reliability_curve(*split(answers))
    backward = reliability.reliability_curve(*split(answers[::-1]))
    np.testing.assert_array_equal(forward.n, backward.n)
    np.testing.assert_allclose(forward.accuracy, backward.accuracy)
    assert forward.n.sum() == len(answers)
    assert (forward.n > 0).all()


def test_honest_confidences_err_as_much_as_chance_says() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.3, 1, 500)
    errors = [calibration_error(confidence, rng.random(500) < confidence) for _ in range(200)]
    floor = reliability.error_if_calibrated(confidence)
    assert floor == pytest.approx(np.mean(errors), rel=0.05)


@pytest.mark.parametrize(("boast", "truth"), [(0.0, 0.0), (0.2, 0.2)])
def test_calibration_intervals_hold_the_truth(boast: float, truth: float) -> None:
    rng = np.random.default_rng(0)
    names = [f"artist {i // 4}" for i in range(200)]
    bootstrap = Bootstrap(names, n_resamples=200)
    groups = bootstrap.numbers(names)
    held = 0
    for _ in range(100):
        confidence = rng.uniform(0.4, 0.95, 200)
        correct = rng.random(200) < confidence - boast
        score = reliability.evaluate(confidence, correct, groups, bootstrap)
        error = score["expected_calibration_error"]
        held += error.low <= truth <= error.high
        assert error.low <= error.value <= error.high
    assert held >= 90


@pytest.mark.parametrize("confidence", [[], [1.2], [np.nan], [[0.5]]])
def test_confidences_that_are_none_are_refused(confidence: list[Any]) -> None:
    values = np.array(confidence, dtype=float)
    with pytest.raises(ValueError, match=r"shapes|outside"):
        reliability.reliability_curve(values, np.ones(values.shape, dtype=bool))


# --- risk and coverage ----------------------------------------------------------------------------


def test_risk_and_coverage_by_hand() -> None:
    confidence = np.array([0.9, 0.8, 0.8, 0.5])
    correct = np.array([True, False, True, False])
    curve = rejection.risk_coverage_curve(confidence, correct)
    np.testing.assert_allclose(curve.coverage, [1 / 4, 3 / 4, 1])
    np.testing.assert_allclose(curve.risk, [0, 1 / 3, 1 / 2])
    np.testing.assert_allclose(curve.threshold, [0.9, 0.8, 0.5])
    assert rejection.aurc(confidence, correct) == pytest.approx((0 + 2 * (1 / 3) + 1 / 2) / 4)
    assert rejection.coverage_at_precision(curve, 2 / 3) == (3 / 4, 0.8)
    assert rejection.coverage_at_precision(curve, 0.9) == (1 / 4, 0.9)


def test_a_precision_out_of_reach_leaves_every_track_unanswered() -> None:
    curve = rejection.risk_coverage_curve(np.array([0.9, 0.8]), np.array([False, True]))
    coverage, threshold = rejection.coverage_at_precision(curve, 0.9)
    assert coverage == 0
    assert np.isnan(threshold)


def test_without_ties_the_area_is_the_mean_of_selective_risks() -> None:
    rng = np.random.default_rng(0)
    confidence, correct = rng.random(50), rng.random(50) < 0.6
    wrong = ~correct[np.argsort(-confidence)]
    risks = np.cumsum(wrong) / np.arange(1, 51)
    assert rejection.aurc(confidence, correct) == pytest.approx(risks.mean())


@given(ANSWERS)
def test_area_lies_between_the_oracle_and_one_and_knows_no_order(
    answers: list[tuple[float, bool]],
) -> None:
    confidence, correct = split(answers)
    area = rejection.aurc(confidence, correct)
    assert rejection.aurc_of_oracle(correct) - 1e-12 <= area <= 1
    assert area == pytest.approx(rejection.aurc(confidence[::-1], correct[::-1]))
    assert area == pytest.approx(rejection.aurc(confidence**3, correct))


@given(ANSWERS)
def test_the_oracle_is_what_ranking_right_answers_first_gives(
    answers: list[tuple[float, bool]],
) -> None:
    _, correct = split(answers)
    n = len(correct)
    ranked = np.where(correct, 1.0, 0.0) + np.arange(n) / (2 * n)
    assert rejection.aurc_of_oracle(correct) == pytest.approx(rejection.aurc(ranked, correct))


def test_intervals_of_the_area_are_those_of_drawing_tracks_again() -> None:
    rng = np.random.default_rng(0)
    confidence, correct = rng.integers(1, 9, 80) / 10, rng.random(80) < 0.6
    names = artists(80, 15)
    bootstrap = Bootstrap(names, n_resamples=60)
    groups = bootstrap.numbers(names)
    score = rejection.evaluate(confidence, correct, groups, bootstrap)["aurc"]
    again = [
        rejection.aurc(np.repeat(confidence, row.astype(int)), np.repeat(correct, row.astype(int)))
        for block in bootstrap.weights(groups)
        for row in block
    ]
    assert [score.low, score.high] == pytest.approx(np.quantile(again, [0.025, 0.975]))


# --- known and unknown ----------------------------------------------------------------------------

SCORES = st.lists(st.integers(0, 6), min_size=1, max_size=25)


def test_detection_by_hand() -> None:
    known, unknown = np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0])
    # Pairs: 2 > 1, 2 = 2, 2 < 3, and 4 above all three.
    assert detection.auroc(known, unknown) == pytest.approx((1 + 0.5 + 0 + 3) / 6)
    assert detection.fpr_at_tpr(known, unknown) == pytest.approx(1 / 2)
    assert detection.fpr_at_tpr(known, unknown, tpr=0.3) == 0


@given(SCORES, SCORES)
def test_detection_agrees_with_scikit_learn(known: list[int], unknown: list[int]) -> None:
    sklearn = pytest.importorskip("sklearn.metrics", reason="needs earmark[head]")
    is_unknown = [0] * len(known) + [1] * len(unknown)
    expected = sklearn.roc_auc_score(is_unknown, known + unknown)
    assert detection.auroc(np.array(known), np.array(unknown)) == pytest.approx(expected)
    # As scikit-learn sees it: positives are known tracks, which score low.
    is_known = [1 - label for label in is_unknown]
    fpr, tpr, _ = sklearn.roc_curve(
        is_known, [-s for s in known + unknown], drop_intermediate=False
    )
    strictest = fpr[tpr >= 0.95 - 1e-12].min()
    assert detection.fpr_at_tpr(np.array(known), np.array(unknown)) == pytest.approx(strictest)


@given(SCORES, SCORES)
def test_swapping_sides_mirrors_the_area(known: list[int], unknown: list[int]) -> None:
    a, b = np.array(known), np.array(unknown)
    assert detection.auroc(a, b) + detection.auroc(b, a) == pytest.approx(1)


def test_intervals_of_detection_are_those_of_drawing_tracks_again() -> None:
    rng = np.random.default_rng(0)
    known, unknown = rng.normal(0, 1, 60).round(1), rng.normal(1, 1, 30).round(1)
    names = artists(90, 20)
    bootstrap = Bootstrap(names, n_resamples=60)
    groups = bootstrap.numbers(names)
    scores = detection.evaluate(known, unknown, groups, bootstrap)
    times = [row.astype(int) for block in bootstrap.weights(groups) for row in block]
    sides = [(np.repeat(known, t[:60]), np.repeat(unknown, t[60:])) for t in times]
    for name, measure in (("auroc", detection.auroc), ("fpr_at_95_tpr", detection.fpr_at_tpr)):
        expected = np.quantile([measure(*side) for side in sides], [0.025, 0.975])
        assert [scores[name].low, scores[name].high] == pytest.approx(expected)


def test_detection_of_one_artists_unknown_tracks_is_no_more_than_that() -> None:
    names = ["a", "b", "c", "d", "d"]
    bootstrap = Bootstrap(names)
    known, unknown = np.array([0.0, 1.0, 2.0]), np.array([3.0, 1.5])
    scores = detection.evaluate(known, unknown, bootstrap.numbers(names), bootstrap)
    assert (scores["auroc"].low, scores["auroc"].high) == (0, 1)


@pytest.mark.parametrize(("known", "unknown"), [([], [1.0]), ([1.0], []), ([np.nan], [1.0])])
def test_nothing_to_detect_is_refused(known: list[float], unknown: list[float]) -> None:
    with pytest.raises(ValueError, match="scores of shape"):
        detection.auroc(np.array(known), np.array(unknown))

"""Temperatures and thresholds against cases with known answers."""

import numpy as np
import pytest

from earmark.decision.calibration import fit_temperature, softmax, threshold_for_precision


def test_softmax_of_known_logits() -> None:
    logits = np.log(np.array([[1.0, 2.0, 5.0], [2000.0, 1.0, 1.0]])).astype(np.float32)
    expected = [[0.125, 0.25, 0.625], [2000 / 2002, 1 / 2002, 1 / 2002]]
    np.testing.assert_allclose(softmax(logits), expected, atol=1e-6)


def test_softmax_survives_huge_logits() -> None:
    np.testing.assert_allclose(softmax(np.array([[1e4, 0.0]], dtype=np.float32)), [[1.0, 0.0]])


@pytest.mark.parametrize("true_temperature", [0.5, 1.0, 3.0])
def test_fit_finds_the_temperature_that_made_the_labels(true_temperature: float) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (20_000, 5)).astype(np.float32)
    drawn = softmax(logits, true_temperature).cumsum(axis=1)
    reference = (rng.random((20_000, 1)) > drawn).sum(axis=1).clip(0, 4)
    assert fit_temperature(logits, reference) == pytest.approx(true_temperature, rel=0.05)


def confidences(*values: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.array(values, dtype=np.float32)


def test_threshold_is_the_lowest_that_reaches_the_precision() -> None:
    confidence = confidences(0.9, 0.8, 0.7, 0.6, 0.5)
    correct = np.array([True, True, False, True, False])
    assert threshold_for_precision(confidence, correct, 0.75) == pytest.approx(0.6)
    assert threshold_for_precision(confidence, correct, 0.9) == pytest.approx(0.8)


def test_what_is_less_sure_than_all_tracks_is_not_answered() -> None:
    answers = confidences(0.9, 0.5), np.array([True, True])
    assert threshold_for_precision(*answers, 0.9) == pytest.approx(0.5)


def test_threshold_does_not_part_equal_confidences() -> None:
    confidence, correct = confidences(0.9, 0.9, 0.4), np.array([True, False, True])
    assert threshold_for_precision(confidence, correct, 1.0) == pytest.approx(0.4)


def test_threshold_gives_its_best_where_the_precision_is_out_of_reach() -> None:
    confidence, correct = confidences(0.9, 0.8, 0.3), np.array([False, True, False])
    assert threshold_for_precision(confidence, correct, 0.9) == pytest.approx(0.8)

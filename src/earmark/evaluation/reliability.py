"""Whether confidences mean what they say: of answers that are 70 % sure, 70 % should be right.

Conventions: `confidence` (n,) within [0, 1] belongs to the answer, `correct` (n,) of bool says
whether it is right. Bins hold equally many answers (Nguyen & O'Connor 2015; the adaptive scheme of
Nixon et al., "Measuring Calibration in Deep Learning", 2019): with bins of equal width nearly all
answers share a bin or two. Equal confidences are never parted, so bins may differ in size.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.evaluation.bootstrap import (
    Bootstrap,
    Floats,
    GroupNumbers,
    Score,
    group_sums,
    n_distinct,
)
from earmark.evaluation.metrics import ratio

N_BINS = 10


def validate(confidence: NDArray[Any], correct: NDArray[np.bool_]) -> None:
    """Raise ValueError unless both are of the same answers, at least one."""
    if confidence.ndim != 1 or confidence.shape != correct.shape or len(confidence) == 0:
        raise ValueError(f"shapes {confidence.shape} and {correct.shape} are not (n,), n > 0")
    if not (np.isfinite(confidence).all() and confidence.min() >= 0 and confidence.max() <= 1):
        raise ValueError("confidences outside [0, 1]")


@dataclass(frozen=True, slots=True)
class Reliability:
    """Points of a reliability curve, one a bin, shape (n_bins,) each.

    Attributes
    ----------
    confidence, accuracy : ndarray
        Mean confidence, and the share of right answers.
    n : ndarray of int
    """

    confidence: Floats
    accuracy: Floats
    n: NDArray[np.int64]


def _bins(confidence: NDArray[Any], n_bins: int) -> NDArray[np.intp]:
    """The bin of each answer, shape (n,), numbered from 0 without gaps."""
    ranked = np.sort(confidence)
    first = np.arange(1, min(n_bins, len(ranked))) * len(ranked) // min(n_bins, len(ranked))
    place = np.searchsorted(ranked[first], confidence, side="right")
    return np.unique(place, return_inverse=True)[1].astype(np.intp)


def reliability_curve(
    confidence: NDArray[Any], correct: NDArray[np.bool_], n_bins: int = N_BINS
) -> Reliability:
    """Mean confidence against share of right answers, in `n_bins` bins of equally many answers."""
    validate(confidence, correct)
    bins = _bins(confidence, n_bins)
    n = np.bincount(bins)
    return Reliability(np.bincount(bins, confidence) / n, np.bincount(bins, correct) / n, n)


def error_if_calibrated(
    confidence: NDArray[Any], n_bins: int = N_BINS, n_draws: int = 200, seed: int = 0
) -> float:
    """Calibration error that perfectly honest confidences would show on as many answers, by chance.

    Right and wrong are drawn with the confidences as their odds (the consistency resampling of
    Bröcker & Smith 2007); the mean error over `n_draws` is the floor to compare an error with.
    """
    bins = _bins(confidence, n_bins)
    n = np.bincount(bins)
    expected = np.bincount(bins, confidence)
    rng = np.random.default_rng(seed)
    errors = [
        np.abs(np.bincount(bins, rng.random(len(bins)) < confidence) - expected).sum()
        for _ in range(n_draws)
    ]
    return float(np.mean(errors) / n.sum())


def evaluate(
    confidence: NDArray[Any],
    correct: NDArray[np.bool_],
    groups: GroupNumbers,
    bootstrap: Bootstrap,
    n_bins: int = N_BINS,
) -> dict[str, Score]:
    """``expected_calibration_error`` with its interval; the bins stay where they are.

    The error is the mean over answers of |mean confidence − share of right answers| of their bin,
    after Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, in bins of equally
    many answers (Nixon et al. 2019). From few answers it comes out too large: see
    `error_if_calibrated`.

    Noise can only add to a sum of absolute gaps, so a percentile interval lies too high and never
    reaches zero (it held the truth in none of 200 simulated runs of an honest model). Its lower
    end is therefore the error less the distance that resampling moves the gaps themselves, which
    by the triangle inequality is as far as noise can have raised it.
    """
    validate(confidence, correct)
    bins = _bins(confidence, n_bins)
    shape = (bootstrap.n_groups, int(bins.max()) + 1)
    sums = group_sums(groups, bins, confidence - correct, shape)
    n = bootstrap.totals(group_sums(groups, bins, None, shape)).sum(axis=1, keepdims=True)
    n_groups = n_distinct(groups)
    gaps = sums.sum(axis=0) / len(bins)
    resampled = ratio(bootstrap.totals(sums), np.broadcast_to(n, (len(n), shape[1])))
    value = float(np.abs(gaps).sum())
    score = bootstrap.score(value, np.abs(resampled).sum(axis=1), len(bins), n_groups)
    moved = bootstrap.score(value, np.abs(resampled - gaps).sum(axis=1), len(bins), n_groups)
    low, high = max(0.0, value - moved.high), max(value, score.high)
    return {"expected_calibration_error": dataclasses.replace(score, low=low, high=high)}

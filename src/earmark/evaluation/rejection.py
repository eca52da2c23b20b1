"""What saying "I don't know" buys: fewer answers (coverage), fewer of them wrong (risk).

Conventions: `confidence` (n,) of the answer, `correct` (n,) of bool. Answers are given from a
threshold of confidence upwards; equal confidences are answered together. Coverage is the share of
tracks that are answered, risk the share of wrong answers among them. After Geifman & El-Yaniv,
"Selective Classification for Deep Neural Networks", NeurIPS 2017; the area under the curve after
Geifman, Uziel & El-Yaniv, "Bias-Reduced Uncertainty Estimation", ICLR 2019.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.evaluation.bootstrap import Bootstrap, Floats, GroupNumbers, Score, n_distinct
from earmark.evaluation.metrics import ratio


def validate(confidence: NDArray[Any], correct: NDArray[np.bool_]) -> None:
    """Raise ValueError unless both are of the same answers, at least one, without NaN."""
    if confidence.ndim != 1 or confidence.shape != correct.shape or len(confidence) == 0:
        raise ValueError(f"shapes {confidence.shape} and {correct.shape} are not (n,), n > 0")
    if np.isnan(confidence).any():
        raise ValueError("confidences that are not numbers")


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """Points of a risk-coverage curve, coverage ascending, shape (n_points,) each.

    Attributes
    ----------
    coverage, risk : ndarray
    threshold : ndarray
        Lowest confidence that is answered at this point.
    """

    coverage: Floats
    risk: Floats
    threshold: Floats


def risk_coverage_curve(confidence: NDArray[Any], correct: NDArray[np.bool_]) -> RiskCoverage:
    """One point for every distinct confidence."""
    validate(confidence, correct)
    order, ends = _ranked(confidence)
    n_answered = ends + 1.0
    n_wrong = np.cumsum(~correct[order])[ends]
    return RiskCoverage(
        coverage=n_answered / len(order),
        risk=n_wrong / n_answered,
        threshold=confidence[order][ends].astype(np.float64),
    )


def _ranked(confidence: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Order by falling confidence, and the place of the last of every run of equal ones."""
    order = np.argsort(-confidence, kind="stable")
    ranked = confidence[order]
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    return order, ends


def aurc(confidence: NDArray[Any], correct: NDArray[np.bool_]) -> float:
    """Area under the risk-coverage curve: mean risk with each track's confidence as threshold.

    Lower is better; a confidence that says nothing has the error rate, a perfect one
    `aurc_of_oracle`.
    """
    validate(confidence, correct)
    return float(_aurc(confidence, correct, np.ones((1, len(correct))))[0])


def _aurc(confidence: NDArray[Any], correct: NDArray[np.bool_], weights: Floats) -> Floats:
    """`aurc` of each row of `weights` (n_rows, n), with tracks counted so many times."""
    order, ends = _ranked(confidence)
    weights = weights[:, order]
    n_answered = np.cumsum(weights, axis=1)[:, ends]
    n_wrong = np.cumsum(weights * ~correct[order], axis=1)[:, ends]
    risk = np.divide(n_wrong, n_answered, out=np.zeros_like(n_wrong), where=n_answered > 0)
    n_here = np.diff(n_answered, axis=1, prepend=0.0)
    return ratio((risk * n_here).sum(axis=1), n_answered[:, -1])


def aurc_of_oracle(correct: NDArray[np.bool_]) -> float:
    """The lowest area that so many wrong answers allow: all of them ranked below the right ones."""
    n, n_right = len(correct), int(correct.sum())
    n_wrong = np.arange(1, n - n_right + 1)
    return float((n_wrong / (n_right + n_wrong)).sum() / n)


def coverage_at_precision(curve: RiskCoverage, precision: float) -> tuple[float, float]:
    """Largest coverage whose answers are right in at least this share, and its threshold.

    (0, NaN) where no threshold does it. Read off the measured tracks themselves, it is a little
    hopeful; a threshold for use is chosen on other tracks.
    """
    good = np.flatnonzero(curve.risk <= 1 - precision + 1e-12)
    if len(good) == 0:
        return 0.0, float("nan")
    return float(curve.coverage[good[-1]]), float(curve.threshold[good[-1]])


def evaluate(
    confidence: NDArray[Any],
    correct: NDArray[np.bool_],
    groups: GroupNumbers,
    bootstrap: Bootstrap,
) -> dict[str, Score]:
    """``aurc`` with its interval."""
    value = aurc(confidence, correct)
    resampled = [_aurc(confidence, correct, block) for block in bootstrap.weights(groups)]
    n, n_groups = len(correct), n_distinct(groups)
    return {"aurc": bootstrap.score(value, np.concatenate(resampled), n, n_groups)}

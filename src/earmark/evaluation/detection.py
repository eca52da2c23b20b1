"""How well one number tells what a model knows from what it does not: unknown genres, no music.

Conventions: scores are ndarrays (n,), higher = stranger. `known` are the scores of tracks of
genres that the model was trained on, `unknown` those of anything else. As in the literature on
out-of-distribution detection (Hendrycks & Gimpel, ICLR 2017; Liang et al., ICLR 2018) the true
positives of FPR at 95 % TPR are known tracks that are accepted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.evaluation.bootstrap import Bootstrap, Floats, GroupNumbers, Score, n_distinct
from earmark.evaluation.metrics import ratio

TPR = 0.95


def validate(known: NDArray[Any], unknown: NDArray[Any]) -> None:
    """Raise ValueError unless both hold at least one score, and no NaN."""
    for name, scores in (("known", known), ("unknown", unknown)):
        if scores.ndim != 1 or len(scores) == 0 or np.isnan(scores).any():
            raise ValueError(f"{name} scores of shape {scores.shape} are not (n,), n > 0, or NaN")


class _Ranked:
    """Both kinds of tracks in order of rising strangeness, equals in one step."""

    def __init__(self, known: NDArray[Any], unknown: NDArray[Any]) -> None:
        validate(known, unknown)
        scores = np.concatenate([known, unknown])
        self._order = np.argsort(scores, kind="stable")
        ranked = scores[self._order]
        self._ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
        self._is_known = self._order < len(known)

    def up_to(self, weights: Floats) -> tuple[Floats, Floats]:
        """Known and unknown tracks up to each step, shape (n_rows, n_steps) each.

        `weights` (n_rows, n) says how often each track counts, known ones first.
        """
        weights = weights[:, self._order]
        known = np.cumsum(weights * self._is_known, axis=1)[:, self._ends]
        unknown = np.cumsum(weights * ~self._is_known, axis=1)[:, self._ends]
        return known, unknown


def _auroc(known: Floats, unknown: Floats) -> Floats:
    # Pairs that are in the right order, and half of those that are equal.
    here = np.diff(unknown, axis=1, prepend=0.0)
    below = known - np.diff(known, axis=1, prepend=0.0) / 2
    return ratio((here * below).sum(axis=1), known[:, -1] * unknown[:, -1])


def _fpr(known: Floats, unknown: Floats, tpr: float) -> Floats:
    # The first step by which enough known tracks are accepted; the margin is for rounding.
    enough = known >= tpr * known[:, -1:] - 1e-9
    step = enough.argmax(axis=1)
    return ratio(unknown[np.arange(len(step)), step], np.where(known[:, -1] > 0, unknown[:, -1], 0))


def auroc(known: NDArray[Any], unknown: NDArray[Any]) -> float:
    """Probability that an unknown track is stranger than a known one; equals count half.

    The Mann-Whitney statistic, which is the area under the ROC curve (Hanley & McNeil 1982);
    0.5 is chance.
    """
    steps = _Ranked(known, unknown).up_to(np.ones((1, len(known) + len(unknown))))
    return float(_auroc(*steps)[0])


def fpr_at_tpr(known: NDArray[Any], unknown: NDArray[Any], tpr: float = TPR) -> float:
    """Share of unknown tracks accepted by the strictest threshold that accepts `tpr` of the known.

    `tpr` itself is chance, 0 is perfect.
    """
    steps = _Ranked(known, unknown).up_to(np.ones((1, len(known) + len(unknown))))
    return float(_fpr(*steps, tpr)[0])


def resampled(
    known: NDArray[Any],
    unknown: NDArray[Any],
    groups: GroupNumbers,
    bootstrap: Bootstrap,
) -> dict[str, Floats]:
    """``auroc`` and ``fpr_at_95_tpr`` of every resample, shape (n_resamples,) each.

    Parameters
    ----------
    groups : ndarray of int, shape (n_known + n_unknown,)
        As numbered by `bootstrap`, known tracks first.
    """
    ranked = _Ranked(known, unknown)
    steps = [ranked.up_to(block) for block in bootstrap.weights(groups)]
    return {
        "auroc": np.concatenate([_auroc(*step) for step in steps]),
        "fpr_at_95_tpr": np.concatenate([_fpr(*step, TPR) for step in steps]),
    }


def evaluate(
    known: NDArray[Any],
    unknown: NDArray[Any],
    groups: GroupNumbers,
    bootstrap: Bootstrap,
) -> dict[str, Score]:
    """``auroc`` and ``fpr_at_95_tpr`` with intervals; n counts the unknown tracks.

    The interval knows as few groups as the smaller side has.
    """
    values = {"auroc": auroc(known, unknown), "fpr_at_95_tpr": fpr_at_tpr(known, unknown)}
    again = resampled(known, unknown, groups, bootstrap)
    sides = (groups[: len(known)], groups[len(known) :])
    n_groups = min(n_distinct(side) for side in sides)
    return {
        name: bootstrap.score(value, again[name], len(unknown), n_groups)
        for name, value in values.items()
    }


def evaluate_music(music: Floats, other: Floats, groups: Sequence[str]) -> dict[str, Score]:
    """How well a model tells music from other sounds: ``auroc``, and the wrong ones at even odds.

    Parameters
    ----------
    music, other : ndarray, shapes (n_music,), (n_other,)
        How likely each is to be music; at least one of either.
    groups : sequence of str, length n_music + n_other
        Artists and folders, those of the music first.

    Returns
    -------
    dict of str to Score
        ``auroc``: how often the music of a pair is the likelier; ``music_refused``,
        ``sounds_passed``.
    """
    bootstrap = Bootstrap(groups)
    numbers = bootstrap.numbers(groups)
    scores = {"auroc": evaluate(1 - music, 1 - other, numbers, bootstrap)["auroc"]}
    is_music = np.arange(len(groups)) < len(music)
    wrong = np.concatenate([music < 0.5, other >= 0.5])
    for name, side in (("music_refused", is_music), ("sounds_passed", ~is_music)):
        n_wrong, n = (np.bincount(numbers, of, bootstrap.n_groups) for of in (wrong & side, side))
        again = ratio(bootstrap.totals(n_wrong), bootstrap.totals(n))
        n_groups = int((n > 0).sum())
        scores[name] = bootstrap.score(float(wrong[side].mean()), again, int(n.sum()), n_groups)
    return scores

"""How strange a track is to a model, from its own outputs, and how well that finds the unknown.

Conventions: scores are higher the stranger a track. None needs another model or training. Whether
they work is measured by leaving genres out: a model trained without jazz is shown jazz. The same
measure serves for what is no music at all, see `earmark.evaluation.nonmusic`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.evaluation import detection
from earmark.evaluation.bootstrap import Bootstrap, Floats, Score
from earmark.evaluation.metrics import ratio


def improbability(proba: NDArray[Any]) -> Floats:
    """One less the largest probability, shape (...) of (..., n_classes).

    After Hendrycks & Gimpel, "A Baseline for Detecting Misclassified and Out-of-Distribution
    Examples in Neural Networks", ICLR 2017.
    """
    return np.asarray(1.0 - proba.astype(np.float64).max(axis=-1))


def entropy(proba: NDArray[Any]) -> Floats:
    """Entropy of the probabilities over its maximum log(n_classes): 0 sure, 1 no idea.

    Of probabilities that do not sum to 1, only their proportions count.
    """
    p = proba.astype(np.float64)
    p /= np.maximum(p.sum(axis=-1, keepdims=True), 1e-12)
    nats = -(p * np.log(np.maximum(p, 1e-12))).sum(axis=-1)
    return np.asarray(nats / np.log(p.shape[-1]))


TRACK_SCORES: dict[str, Callable[[NDArray[np.float32]], float]] = {
    "max_probability": lambda proba: float(improbability(proba.mean(axis=0))),
    "entropy": lambda proba: float(entropy(proba.mean(axis=0))),
    "not_music": lambda proba: float(1 - proba.astype(np.float64).sum(axis=1).mean()),
}
"""Strangeness of a track from its slices' probabilities (n_slices, n_classes). ``not_music`` is
that of models which tell music from other sounds; to others, all is music."""


@dataclass(frozen=True, slots=True)
class KindScores:
    """Strangeness of tracks that a model knows, and of one kind of thing that it does not.

    Attributes
    ----------
    kind : str
        The genre left out of training, or the kind of sound that is no music.
    known, unknown : ndarray, shapes (n_known,), (n_unknown,)
        Of tracks that the model was not trained on, by the same model.
    known_groups, unknown_groups : sequence of str
        Their artists; for synthetic sounds a name for each.
    """

    kind: str
    known: NDArray[Any]
    unknown: NDArray[Any]
    known_groups: Sequence[str]
    unknown_groups: Sequence[str]


@dataclass(frozen=True, slots=True)
class Detection:
    """How well one score tells the unknown from the known.

    Attributes
    ----------
    method : str
        Name of the score, see `TRACK_SCORES`.
    kinds : dict
        ``auroc`` and ``fpr_at_95_tpr`` by kind of unknown.
    mean : dict
        Their means over kinds.
    """

    method: str
    kinds: dict[str, dict[str, Score]]
    mean: dict[str, Score]


def evaluate(method: str, kind_scores: Sequence[KindScores], n_resamples: int = 1000) -> Detection:
    """AUROC and FPR at 95 % TPR for every kind of unknown, and their means.

    An artist that occurs in several folds is drawn for all of them at once, so that the means'
    intervals know that folds share tracks.

    Raises
    ------
    ValueError
        If there is nothing to measure, or scores are NaN.
    """
    if not kind_scores:
        raise ValueError("no kind of unknown was shown")
    everyone = [name for s in kind_scores for name in (*s.known_groups, *s.unknown_groups)]
    bootstrap = Bootstrap(everyone, n_resamples)
    kinds: dict[str, dict[str, Score]] = {}
    again: list[dict[str, Floats]] = []
    for s in kind_scores:
        groups = bootstrap.numbers([*s.known_groups, *s.unknown_groups])
        kinds[s.kind] = detection.evaluate(s.known, s.unknown, groups, bootstrap)
        again.append(detection.resampled(s.known, s.unknown, groups, bootstrap))
    n_groups = min(
        len({name for s in kind_scores for name in s.known_groups}),
        len({name for s in kind_scores for name in s.unknown_groups}),
    )
    n = sum(len(s.unknown) for s in kind_scores)
    mean = {}
    for name in again[0]:
        rows = np.array([resampled[name] for resampled in again])
        defined = (~np.isnan(rows)).sum(axis=0).astype(np.float64)
        value = float(np.mean([scores[name].value for scores in kinds.values()]))
        resampled = ratio(np.nansum(rows, axis=0), defined)
        mean[name] = bootstrap.score(value, resampled, n, n_groups)
    return Detection(method, kinds, mean)

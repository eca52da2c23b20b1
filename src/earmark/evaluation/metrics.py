"""Scores of estimated genres against reference genres.

Conventions: `reference` and `estimated` are ndarrays of int, shape (n,), class numbers from 0;
-1 in `estimated` is "I don't know". Shares lie within [0, 1].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.integer[Any]]


def confusion(reference: Labels, estimated: Labels, n_classes: int) -> NDArray[np.int64]:
    """Counts (n_classes, n_classes + 1): row = reference, column = estimated, last = no answer."""
    counts = np.zeros((n_classes, n_classes + 1), dtype=np.int64)
    np.add.at(counts, (reference, np.where(estimated < 0, n_classes, estimated)), 1)
    return counts


def accuracy(reference: Labels, estimated: Labels) -> float:
    """Share of right answers; no answer counts as wrong."""
    return float((reference == estimated).mean())


def precision_recall(
    reference: Labels, estimated: Labels, n_classes: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Per class, shape (n_classes,) each; NaN where a class was never estimated or never is."""
    counts = confusion(reference, estimated, n_classes)
    hits = counts[:, :n_classes].diagonal().astype(np.float64)
    n_estimated = counts[:, :n_classes].sum(axis=0)
    n_reference = counts.sum(axis=1)
    precision = np.divide(hits, n_estimated, out=np.full(n_classes, np.nan), where=n_estimated > 0)
    recall = np.divide(hits, n_reference, out=np.full(n_classes, np.nan), where=n_reference > 0)
    return precision, recall


def macro_f1(reference: Labels, estimated: Labels, n_classes: int) -> float:
    """Mean F1 over the classes that occur in `reference`; one never estimated has F1 0."""
    counts = confusion(reference, estimated, n_classes)
    hits = counts[:, :n_classes].diagonal().astype(np.float64)
    n_reference = counts.sum(axis=1)
    both = n_reference + counts[:, :n_classes].sum(axis=0)
    f1 = np.divide(2 * hits, both, out=np.zeros(n_classes), where=both > 0)
    return float(f1[n_reference > 0].mean())


def bootstrap_interval(
    score: Callable[[Labels, Labels], float],
    reference: Labels,
    estimated: Labels,
    groups: Sequence[str],
    n_resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile bootstrap interval of a score, resampled by whole groups (artists).

    Tracks of one artist are not independent; resampling tracks would make the interval too
    narrow. After Efron & Tibshirani, *An Introduction to the Bootstrap*, 1993 (cluster form).

    Parameters
    ----------
    score : callable (reference, estimated) -> float
    groups : sequence of str, length n
    """
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(np.asarray(groups) == name) for name in sorted(set(groups))]
    scores = []
    for _ in range(n_resamples):
        drawn = rng.integers(0, len(members), len(members))
        chosen = np.concatenate([members[i] for i in drawn])
        scores.append(score(reference[chosen], estimated[chosen]))
    tail = (1 - level) / 2
    low, high = np.quantile(scores, [tail, 1 - tail])
    return float(low), float(high)

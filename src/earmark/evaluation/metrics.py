"""Scores of estimated genres against reference genres.

Conventions: `reference` and `estimated` are ndarrays of int, shape (n,), class numbers from 0;
-1 in `estimated` is "I don't know", which counts as wrong. `proba` is (n, n_classes). Items are
tracks or slices. Scores are shares within [0, 1], NaN where not defined.
"""

from __future__ import annotations

from typing import Any, NamedTuple

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

Labels = NDArray[np.integer[Any]]


def validate(reference: Labels, estimated: Labels, n_classes: int) -> None:
    """Raise ValueError unless both are class numbers of the same items, at least one."""
    if reference.ndim != 1 or reference.shape != estimated.shape or len(reference) == 0:
        raise ValueError(f"shapes {reference.shape} and {estimated.shape} are not (n,), n > 0")
    if reference.min() < 0 or max(reference.max(), estimated.max()) >= n_classes:
        raise ValueError(f"class numbers outside 0 … {n_classes - 1}")


class _Tally(NamedTuple):
    """Counts of items, shape (..., n_classes) each: leading axes are resamples, or absent."""

    hits: Floats
    n_reference: Floats
    n_estimated: Floats


def _tally_by_group(
    reference: Labels, estimated: Labels, n_classes: int, groups: GroupNumbers, n_groups: int
) -> _Tally:
    shape = (n_groups, n_classes)
    hit, given = reference == estimated, estimated >= 0
    return _Tally(
        group_sums(groups[hit], reference[hit], None, shape),
        group_sums(groups, reference, None, shape),
        group_sums(groups[given], estimated[given], None, shape),
    )


def _tally(reference: Labels, estimated: Labels, n_classes: int) -> _Tally:
    validate(reference, estimated, n_classes)
    one_group = np.zeros(len(reference), dtype=np.intp)
    by_group = _tally_by_group(reference, estimated, n_classes, one_group, 1)
    return _Tally(*(counts[0] for counts in by_group))


def ratio(part: Floats, whole: Floats) -> Floats:
    """`part` / `whole`, NaN where that is 0 / 0."""
    undefined = np.full(np.shape(part), np.nan)
    return np.asarray(np.divide(part, whole, out=undefined, where=whole > 0))


def _accuracy(tally: _Tally) -> Floats:
    return ratio(tally.hits.sum(axis=-1), tally.n_reference.sum(axis=-1))


def _macro_f1(tally: _Tally) -> Floats:
    occurs = tally.n_reference > 0
    f1 = np.where(occurs, _f1(tally), 0.0)
    return ratio(f1.sum(axis=-1), occurs.sum(axis=-1).astype(np.float64))


def _f1(tally: _Tally) -> Floats:
    return ratio(2 * tally.hits, tally.n_reference + tally.n_estimated)


def confusion(reference: Labels, estimated: Labels, n_classes: int) -> NDArray[np.int64]:
    """Counts (n_classes, n_classes + 1): row = reference, column = estimated, last = no answer."""
    validate(reference, estimated, n_classes)
    counts = np.zeros((n_classes, n_classes + 1), dtype=np.int64)
    np.add.at(counts, (reference, np.where(estimated < 0, n_classes, estimated)), 1)
    return counts


def accuracy(reference: Labels, estimated: Labels) -> float:
    """Share of right answers."""
    return float((reference == estimated).mean())


def macro_f1(reference: Labels, estimated: Labels, n_classes: int) -> float:
    """Mean F1 over the classes that occur in `reference`; one never estimated has F1 0."""
    return float(_macro_f1(_tally(reference, estimated, n_classes)))


def in_top_k(reference: Labels, proba: NDArray[Any], k: int) -> NDArray[np.bool_]:
    """Whether the reference is among the `k` likeliest classes, shape (n,).

    Of equally likely classes the one with the lower number counts as the likelier, as in
    `numpy.argmax`.
    """
    ranked = np.argsort(-proba, axis=1, kind="stable")[:, :k]
    return np.asarray((ranked == reference[:, None]).any(axis=1))


def share(hits: NDArray[np.bool_], groups: GroupNumbers, bootstrap: Bootstrap) -> Score:
    """The share of `hits` (n,), with its interval; NaN of no items."""
    if len(hits) == 0:
        return bootstrap.score(np.nan, np.empty(0), 0, 0)
    shape = (bootstrap.n_groups, 2)
    # Column 0 counts misses, column 1 hits.
    totals = bootstrap.totals(group_sums(groups, hits.astype(np.intp), None, shape))
    resampled = ratio(totals[:, 1], totals.sum(axis=1))
    return bootstrap.score(float(hits.mean()), resampled, len(hits), n_distinct(groups))


def evaluate(
    reference: Labels,
    estimated: Labels,
    proba: NDArray[Any],
    groups: GroupNumbers,
    bootstrap: Bootstrap,
) -> dict[str, Score]:
    """``accuracy``, ``macro_f1`` and ``top_2_accuracy`` with intervals.

    Parameters
    ----------
    reference, estimated : ndarray of int, shape (n,)
    proba : ndarray, shape (n, n_classes)
        An estimate counts as the likeliest class, whatever its probability.
    groups : ndarray of int, shape (n,)
        As numbered by `bootstrap`.
    """
    n_classes = proba.shape[1]
    tally = _tally(reference, estimated, n_classes)
    by_group = _tally_by_group(reference, estimated, n_classes, groups, bootstrap.n_groups)
    resampled = _Tally(*(bootstrap.totals(counts) for counts in by_group))
    n, n_groups = len(reference), n_distinct(groups)
    ranking = proba.astype(np.float64)
    given = np.flatnonzero(estimated >= 0)
    ranking[given, estimated[given]] = np.inf
    return {
        "accuracy": bootstrap.score(float(_accuracy(tally)), _accuracy(resampled), n, n_groups),
        "macro_f1": bootstrap.score(float(_macro_f1(tally)), _macro_f1(resampled), n, n_groups),
        "top_2_accuracy": share(in_top_k(reference, ranking, 2), groups, bootstrap),
    }


def evaluate_classes(
    reference: Labels,
    estimated: Labels,
    n_classes: int,
    groups: GroupNumbers,
    bootstrap: Bootstrap,
) -> list[dict[str, Score]]:
    """``precision``, ``recall`` and ``f1`` of each class, with intervals.

    A precision's n is the answers that name the class, a recall's the items that are of it, an
    F1's the items that are either.
    """
    tally = _tally(reference, estimated, n_classes)
    by_group = _tally_by_group(reference, estimated, n_classes, groups, bootstrap.n_groups)
    again = _Tally(*(bootstrap.totals(counts) for counts in by_group))
    values = {
        "precision": (ratio(tally.hits, tally.n_estimated), ratio(again.hits, again.n_estimated)),
        "recall": (ratio(tally.hits, tally.n_reference), ratio(again.hits, again.n_reference)),
        "f1": (_f1(tally), _f1(again)),
    }
    counted = {
        "precision": by_group.n_estimated,
        "recall": by_group.n_reference,
        "f1": by_group.n_reference + by_group.n_estimated - by_group.hits,
    }
    n = {name: counts.sum(axis=0) for name, counts in counted.items()}
    n_groups = {name: (counts > 0).sum(axis=0) for name, counts in counted.items()}
    return [
        {
            name: bootstrap.score(
                value[i], resampled[:, i], int(n[name][i]), int(n_groups[name][i])
            )
            for name, (value, resampled) in values.items()
        }
        for i in range(n_classes)
    ]

"""Folds by artist that every genre survives."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from earmark.datasets import grouped_folds
from earmark.errors import DataError


def folds(
    reference: Sequence[int] | NDArray[np.int64], groups: Sequence[str], k: int, seed: int = 0
) -> NDArray[np.int64]:
    """Deal tracks into folds, whole artists; what is left of a genre always holds some of it.

    An artist who has a genre alone is left out of no training, for nobody else could teach it.

    Parameters
    ----------
    reference : sequence of int, length n_tracks
        Genres.
    groups : sequence of str, length n_tracks
        Artists.
    k : int
        Folds, at least 2; fewer where there are fewer artists.
    seed : int

    Returns
    -------
    ndarray of int, shape (n_tracks,)
        From 0 to ``k - 1``; -1 for tracks that are in every training.

    Raises
    ------
    DataError
        If fewer than two genres have tracks of two artists.
    """
    genres = [str(genre) for genre in reference]
    fixed = _indispensable(genres, groups)
    dealt = [i for i, group in enumerate(groups) if group not in fixed]
    if len({genres[i] for i in dealt}) < 2:
        raise DataError(
            "fewer than two genres have tracks by two artists (or from two albums or folders)",
            "label tracks of more artists",
        )
    chosen = [groups[i] for i in dealt]
    result = np.full(len(groups), -1, dtype=np.int64)
    result[dealt] = grouped_folds(
        chosen, [genres[i] for i in dealt], min(k, len(set(chosen))), seed
    )
    return result


def _indispensable(genres: Sequence[str], groups: Sequence[str]) -> set[str]:
    fixed: set[str] = set()
    while True:
        holders = defaultdict(set)
        for genre, group in zip(genres, groups, strict=True):
            if group not in fixed:
                holders[genre].add(group)
        alone = {group for held in holders.values() if len(held) == 1 for group in held}
        if not alone:
            return fixed
        fixed |= alone

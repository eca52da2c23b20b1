"""Intervals that know that tracks by one artist are alike.

Conventions: an interval is a percentile bootstrap interval, resampled by whole groups (artists).
Tracks of one artist are not independent; resampling tracks would make intervals too narrow. After
Efron & Tibshirani, *An Introduction to the Bootstrap*, 1993, in its cluster form (Davison &
Hinkley, *Bootstrap Methods and their Application*, 1997, section 3.8). In simulations with 40 to 60
artists, intervals of 95 % held the truth in 91 to 98 % of runs, by score. From fewer than some ten
groups they are too narrow (Cameron, Gelbach & Miller 2008); results say so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
GroupNumbers = NDArray[np.intp]

# Numbers held at a time: 32 MB, whatever the number of tracks.
_BLOCK = 2**22


@dataclass(frozen=True, slots=True)
class Score:
    """A number, how sure it is, and what it was measured on.

    Attributes
    ----------
    value : float
        NaN where it is not defined (the precision of a genre that was never the answer).
    low, high : float
        Ends of the interval; NaN with the value.
    n, n_groups : int
        Tracks (or slices), and the artists that they are by.
    """

    value: float
    low: float
    high: float
    n: int
    n_groups: int


class Bootstrap:
    """Draws of groups with replacement; the same draws serve every score of an evaluation.

    Parameters
    ----------
    groups : iterable of str
        Names of all groups (artists); repeats are fine.
    n_resamples : int
    level : float
        Of the intervals.
    seed : int
    """

    def __init__(
        self, groups: Iterable[str], n_resamples: int = 1000, level: float = 0.95, seed: int = 0
    ) -> None:
        self._number = {name: i for i, name in enumerate(sorted(set(groups)))}
        self._tail = (1 - level) / 2
        n_groups = len(self._number)
        rng = np.random.default_rng(seed)
        # times[r, g]: how often group g is drawn in resample r.
        self._times = np.empty((n_resamples, n_groups), dtype=np.uint16)
        for row in self._times:
            row[:] = np.bincount(rng.integers(0, n_groups, n_groups), minlength=n_groups)

    @property
    def n_groups(self) -> int:
        return len(self._number)

    def numbers(self, groups: Sequence[str]) -> GroupNumbers:
        """The numbers by which the other methods know groups, shape (len(groups),)."""
        return np.array([self._number[name] for name in groups], dtype=np.intp)

    def totals(self, sums: NDArray[Any]) -> Floats:
        """Resampled sums, shape (n_resamples, ...), of each group's own sums (n_groups, ...)."""
        flat = sums.reshape(len(sums), -1).astype(np.float64)
        totals = np.empty((len(self._times), flat.shape[1]))
        for rows in self._blocks(self.n_groups):
            totals[rows] = self._times[rows].astype(np.float64) @ flat
        return totals.reshape(len(totals), *sums.shape[1:])

    def weights(self, groups: GroupNumbers) -> Iterator[Floats]:
        """How often each track is drawn: blocks of resamples, shape (n_in_block, n_tracks).

        Parameters
        ----------
        groups : ndarray of int, shape (n_tracks,)
            As given by `numbers`.
        """
        for rows in self._blocks(len(groups)):
            yield self._times[rows][:, groups].astype(np.float64)

    def _blocks(self, width: int) -> Iterator[slice]:
        height = max(1, _BLOCK // max(1, width))
        for start in range(0, len(self._times), height):
            yield slice(start, start + height)

    def score(self, value: float, resampled: Floats, n: int, n_groups: int) -> Score:
        """A share within [0, 1] with its interval.

        Resampling cannot show what never happened: where all tracks are right (or none), the
        interval ends at the exact binomial bound for `n_groups` of `n_groups` alike (Clopper &
        Pearson 1934). One group says nothing about others: its interval is [0, 1].

        Parameters
        ----------
        value : float
            Of the tracks as they are.
        resampled : ndarray, shape (n_resamples,)
            Of the resamples, NaN where it is not defined; shares within [0, 1].
        n, n_groups : int
            What `value` was measured on.
        """
        defined = resampled[~np.isnan(resampled)]
        if np.isnan(value):
            return Score(np.nan, np.nan, np.nan, n, n_groups)
        if n_groups < 2 or len(defined) == 0:
            return Score(float(value), 0.0, 1.0, n, n_groups)
        low, high = np.quantile(defined, [self._tail, 1 - self._tail])
        unseen = 1 - self._tail ** (1 / n_groups)
        if value == low == 1:
            low = 1 - unseen
        if value == high == 0:
            high = unseen
        return Score(float(value), float(low), float(high), n, n_groups)


def group_sums(
    groups: GroupNumbers,
    columns: NDArray[np.integer[Any]],
    values: NDArray[Any] | None,
    shape: tuple[int, int],
) -> Floats:
    """Sum `values` (n,), or ones, into an array of `shape` at rows `groups`, columns `columns`."""
    cells = groups * shape[1] + columns
    sums = np.bincount(cells, values, minlength=shape[0] * shape[1])
    return sums.astype(np.float64).reshape(shape)


def n_distinct(groups: GroupNumbers) -> int:
    return len(np.unique(groups))

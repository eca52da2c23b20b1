"""Tracks that hold the same recording, as copies or as excerpts, encodings and cuts of it.

All fingerprints are put into one index sorted by hash (Wang, ISMIR 2003). Each track then asks
who else has its landmarks, and of those that have many, whether they come at one constant shift in
time: time and memory grow with the number of tracks, not of pairs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from earmark.audio.fingerprint import TICK_S, Fingerprint

MIN_MATCHES = 6
"""Different landmarks that two recordings share at one shift in time, at least; different music
rarely has 3 in common, loops of the same samples 4."""

MIN_SCORE = 0.05
"""Share of the landmarks of the overlap, at least: in a long one six may meet by chance."""

MIN_SHARPNESS = 0.7
"""Landmarks at the very shift, of all that come within `_VICINITY` of it, at least. Performances of
one piece, or one sequence with other sounds, agree now a little earlier, now a little later."""

# Of a hash that more of the later tracks have, only so many are looked at: it proves little.
_MAX_SHARERS = 200
# Ticks. Times are rounded on both sides; 0.16 s is how far players who keep together may be apart.
_SLACK, _VICINITY = 1, 20
_MOMENT = 16


@dataclass(frozen=True, slots=True)
class DuplicatePair:
    """Two tracks that hold the same recording.

    Attributes
    ----------
    a, b : int
        Positions of the fingerprints, ``a < b``.
    kind : {'exact', 'near'}
        Whether it is the same encoded audio.
    overlap_s : float
        How long a stretch they share, in seconds.
    offset_s : float
        Where in `a` the beginning of `b` lies; negative where `b` begins earlier.
    score : float
        Share of the landmarks found again, of those that the track with fewer has in the overlap;
        1 for exact ones.
    """

    a: int
    b: int
    kind: Literal["exact", "near"]
    overlap_s: float
    offset_s: float
    score: float


def find_duplicates(fingerprints: Sequence[Fingerprint]) -> list[DuplicatePair]:
    """Find all pairs of tracks with the same recording.

    Of several tracks with the same audio, each is paired with the first, and only the first is
    compared with others: who wants groups follows the links.

    Returns
    -------
    list of DuplicatePair
        Ordered by `a`, then `b`.
    """
    pairs = []
    first_of: dict[str, int] = {}
    for i, item in enumerate(fingerprints):
        first = first_of.setdefault(item.audio_id, i)
        if first != i:
            pairs.append(DuplicatePair(first, i, "exact", item.duration_s, 0.0, 1.0))
    chosen = list(first_of.values())
    index = _Index([fingerprints[i] for i in chosen])
    for a, i in enumerate(chosen):
        for b, shift in index.candidates(a):
            pair = _compare(fingerprints[i], fingerprints[chosen[b]], shift)
            if pair is not None:
                overlap_s, score = pair
                near = DuplicatePair(i, chosen[b], "near", overlap_s, shift * TICK_S, score)
                pairs.append(near)
    return sorted(pairs, key=lambda pair: (pair.a, pair.b))


class _Index:
    """All landmarks, sorted by hash and, where it is the same, by track."""

    def __init__(self, items: Sequence[Fingerprint]) -> None:
        self._items = items
        self._ends = np.cumsum([item.hashes.size for item in items], dtype=np.uint64)
        n = int(self._ends[-1]) if items else 0
        # Hash and position in one number: sorting these is faster than sorting by two keys.
        self._keys = np.arange(n, dtype=np.uint64)
        self._ticks = np.empty(n, np.int32)
        begin = 0
        for item in items:
            end = begin + item.hashes.size
            self._keys[begin:end] |= item.hashes.astype(np.uint64) << np.uint64(32)
            self._ticks[begin:end] = item.ticks
            begin = end
        self._keys.sort()

    def candidates(self, a: int) -> list[tuple[int, int]]:
        """Later tracks that share `MIN_MATCHES` landmarks with `a` at one shift, and that shift."""
        item = self._items[a]
        # Neighbouring queries have neighbouring results, which are in the processor's cache.
        order = np.argsort(item.hashes)
        low = item.hashes[order].astype(np.uint64) << np.uint64(32)
        begin = np.searchsorted(self._keys, low | self._ends[a])
        end = np.searchsorted(self._keys, low | np.uint64(2**32 - 1), side="right")
        counts = np.minimum(end - begin, _MAX_SHARERS)
        total = int(counts.sum())
        if not total:
            return []
        asker = np.repeat(np.arange(counts.size), counts)
        within = np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts)
        places = self._keys[begin[asker] + within] & np.uint64(2**32 - 1)
        track = np.searchsorted(self._ends, places, side="right")
        shift = item.ticks[order[asker]].astype(np.int64) - self._ticks[places]
        votes, n_votes = np.unique((track << 32) + shift + (1 << 31), return_counts=True)
        return _strongest(votes, n_votes)


def _strongest(votes: NDArray[np.int64], n_votes: NDArray[np.int64]) -> list[tuple[int, int]]:
    """For each track (upper half of a vote) its commonest shift (lower half), if common enough."""
    totals = n_votes.copy()
    for step in range(1, _SLACK + 1):
        for direction in (-step, step):
            place = np.minimum(np.searchsorted(votes, votes + direction), votes.size - 1)
            totals += np.where(votes[place] == votes + direction, n_votes[place], 0)
    strong = np.flatnonzero(totals >= MIN_MATCHES)
    best: dict[int, tuple[int, int, int]] = defaultdict(lambda: (0, 0, 0))
    for i in strong:
        track, shift = int(votes[i] >> 32), int(votes[i] & (2**32 - 1)) - (1 << 31)
        best[track] = max(best[track], (int(totals[i]), int(n_votes[i]), shift))
    return [(track, shift) for track, (_, _, shift) in sorted(best.items())]


def _compare(a: Fingerprint, b: Fingerprint, shift: int) -> tuple[float, float] | None:
    """Length of the stretch in common and share of landmarks in common; None for no duplicates."""
    when = b.ticks + shift
    in_a = (a.ticks >= when.min()) & (a.ticks <= when.max())
    in_b = (when >= a.ticks.min()) & (when <= a.ticks.max())
    astray = _distances(a.hashes, a.ticks, b.hashes, when)
    matched = in_a & (astray <= _SLACK)
    # One landmark over and over is a steady sound; many at once are a chord.
    n_moments = np.unique(a.ticks[matched] // _MOMENT).size
    if min(n_moments, np.unique(a.hashes[matched]).size) < MIN_MATCHES:
        return None
    if np.count_nonzero(matched) < MIN_SHARPNESS * np.count_nonzero(in_a & (astray <= _VICINITY)):
        return None
    score = np.count_nonzero(matched) / min(np.count_nonzero(in_a), np.count_nonzero(in_b))
    if score < MIN_SCORE:
        return None
    found = a.ticks[matched]
    return float(found.max() - found.min()) * TICK_S, min(1.0, float(score))


def _distances(
    hashes: NDArray[np.uint32],
    ticks: NDArray[np.int32],
    others: NDArray[np.uint32],
    other_ticks: NDArray[np.int32],
) -> NDArray[np.int64]:
    """How many ticks each landmark is away from the next of the same hash among others."""
    # Those of other hashes are far away.
    wanted = (hashes.astype(np.int64) << 31) + ticks
    places = np.sort((others.astype(np.int64) << 31) + other_ticks)
    after = np.searchsorted(places, wanted)
    before = np.maximum(after - 1, 0)
    after = np.minimum(after, places.size - 1)
    nearest: NDArray[np.int64] = np.minimum(
        np.abs(places[after] - wanted), np.abs(places[before] - wanted)
    )
    return nearest

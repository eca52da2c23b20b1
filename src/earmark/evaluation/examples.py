"""Which tracks a model is surest of, which it gets wrong, and which genres it takes for others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from earmark.evaluation.decisions import TrackDecisions


@dataclass(frozen=True, slots=True)
class Pick:
    """A track: its place among the decisions, its genre, the estimate, how sure that is."""

    track: int
    reference: int
    estimated: int
    confidence: float

    @property
    def is_right(self) -> bool:
        return self.reference == self.estimated


@dataclass(frozen=True, slots=True)
class Mistaken:
    """`n` of `of` tracks of genre `reference` were taken for `estimated`."""

    reference: int
    estimated: int
    n: int
    of: int


def picks(decisions: TrackDecisions, genre: int, n: int) -> list[Pick]:
    """Of one genre, the `n` right answers and the `n` wrong ones that are surest.

    Right ones come first; each kind from sure to doubtful. There may be fewer.
    """
    mine = [
        Pick(int(i), genre, int(decisions.estimated[i]), float(decisions.confidence[i]))
        for i in np.flatnonzero(decisions.reference == genre)
    ]
    mine.sort(key=lambda pick: pick.confidence, reverse=True)
    right = [pick for pick in mine if pick.is_right]
    wrong = [pick for pick in mine if not pick.is_right]
    return [*right[:n], *wrong[:n]]


def mistaken(decisions: TrackDecisions, labels: Sequence[str], n: int) -> list[Mistaken]:
    """The `n` commonest mistakes, by their share of the genre's tracks."""
    counts = np.zeros((len(labels), len(labels)), dtype=np.int64)
    np.add.at(counts, (decisions.reference, decisions.estimated), 1)
    of = counts.sum(axis=1)
    np.fill_diagonal(counts, 0)
    found = [
        Mistaken(int(i), int(j), int(counts[i, j]), int(of[i])) for i, j in np.argwhere(counts > 0)
    ]
    found.sort(key=lambda m: (m.n / m.of, m.n), reverse=True)
    return found[:n]

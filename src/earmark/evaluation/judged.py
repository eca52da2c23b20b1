"""What a model said about labelled tracks: what every score is computed from."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from earmark.datasets import is_artist
from earmark.decision.voting import decide
from earmark.types import FloatArray, VoteConfig


@dataclass(frozen=True, slots=True)
class Judged:
    """What a model said about labelled tracks, array by array in the same order.

    Attributes
    ----------
    probas : sequence of ndarray, each (n_slices, n_classes)
        Slice probabilities, one array a track.
    reference : ndarray of int, shape (n_tracks,)
    groups : sequence of str, length n_tracks
        Artists; where one is not known, what `earmark.datasets.LabelledTrack.group` has instead.
    proba : ndarray, shape (n_tracks, n_classes)
        The track's own probabilities.
    estimated : ndarray of int, shape (n_tracks,)
        Likeliest genre, whether or not it was good enough to be given as an answer.
    confidence : ndarray, shape (n_tracks,)
        Of `estimated`.
    answered : ndarray of bool, shape (n_tracks,)
        False where the model says "I don't know".
    """

    probas: Sequence[FloatArray]
    reference: NDArray[np.int64]
    groups: Sequence[str]
    proba: NDArray[np.float64]
    estimated: NDArray[np.int64]
    confidence: NDArray[np.float64]
    answered: NDArray[np.bool_]

    def __post_init__(self) -> None:
        lengths = {f.name: len(getattr(self, f.name)) for f in dataclasses.fields(self)}
        if len(set(lengths.values())) != 1:
            raise ValueError(f"not of the same tracks: {lengths}")

    @classmethod
    def by_vote(
        cls,
        probas: Sequence[FloatArray],
        reference: Sequence[int],
        groups: Sequence[str],
        labels: Sequence[str],
        vote: VoteConfig,
    ) -> Self:
        """Let the slices of every track vote, as `classify` does."""
        number = {label: i for i, label in enumerate(labels)}
        forced = dataclasses.replace(vote, min_confidence=0.0, min_agreement=0.0, min_music=0.0)
        winners = [decide(proba, labels, forced) for proba in probas]
        return cls(
            probas=probas,
            reference=np.asarray(reference, dtype=np.int64),
            groups=groups,
            proba=np.array([[d.proba[label] for label in labels] for d in winners]),
            # Where no slice is sure enough to vote there is no winner; the likeliest is next best.
            estimated=np.array([number[d.genre or next(iter(d.proba))] for d in winners]),
            confidence=np.array([d.confidence for d in winners]),
            answered=np.array([decide(p, labels, vote).genre is not None for p in probas]),
        )

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """The tracks of all `parts`, at least one, as of the folds of a cross-validation."""
        return cls(
            probas=[proba for part in parts for proba in part.probas],
            groups=[group for part in parts for group in part.groups],
            reference=np.concatenate([part.reference for part in parts]),
            proba=np.concatenate([part.proba for part in parts]),
            estimated=np.concatenate([part.estimated for part in parts]),
            confidence=np.concatenate([part.confidence for part in parts]),
            answered=np.concatenate([part.answered for part in parts]),
        )

    def artists(self, genre: int | None = None) -> set[str]:
        """Known artists of the tracks, or of those of one genre."""
        pairs = zip(self.groups, self.reference, strict=True)
        return {g for g, of in pairs if is_artist(g) and genre in (None, of)}

    def n_artist_unknown(self, paths: Sequence[str] = ()) -> int:
        """Tracks whose artist is not known; by its path, one that was judged twice counts once."""
        pairs = zip(paths or range(len(self.groups)), self.groups, strict=True)
        return len({name for name, group in pairs if not is_artist(group)})

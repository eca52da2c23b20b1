"""Telling music from other sounds by a backbone's embedding: the output ``music`` of a model.

Learned as a head of two genres is, from track means, but for its number: the logarithm of the odds
that a slice is music. It is calibrated on tracks and sounds that were left out, so that 0 means
even odds where music and other sounds are as common. After Platt, "Probabilistic Outputs for
Support Vector Machines", 1999.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from earmark.decision.calibration import sigmoid
from earmark.errors import DataError
from earmark.models.classical.folds import folds
from earmark.models.classical.head import Head, Tracks, fit_heads

MUSIC, OTHER = 1, 0
"""What `Tracks.reference` says of a track here."""

GRID = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Values of scikit-learn's ``C`` that are tried, from strong regularisation to weak."""

_N_THREADS = 1  # as of heads


@dataclass(frozen=True, slots=True)
class MusicHead:
    """What tells music, and the regularisation that it was learned with."""

    head: Head
    c: float


def fit_music(data: Tracks, groups: Sequence[str], k: int = 3, seed: int = 0) -> MusicHead:
    """Learn from music and other sounds, each side counting alike, each track and sound too.

    Parameters
    ----------
    data : Tracks
        `Tracks.reference` is `MUSIC` or `OTHER`.
    groups : sequence of str, length n_tracks
        Artists and folders: what one of them holds is left out together.
    k : int
        Folds.
    seed : int
        Of the folds.

    Raises
    ------
    DataError
        If either side has fewer than two groups, or what was left out cannot be told apart.
    """
    fold = folds(data.reference, groups, k, seed)
    logits = {c: np.zeros(len(data.slices)) for c in GRID}
    with threadpool_limits(_N_THREADS):
        for i in range(fold.max() + 1):
            inside, outside = np.flatnonzero(fold != i), data.of(np.flatnonzero(fold == i))
            for c, head in zip(GRID, fit_heads(data, inside, 2, GRID), strict=True):
                logits[c][outside] = _odds(head).logits(data.slices[outside])[:, 0]
        dealt = data.of(np.flatnonzero(fold >= 0))
        is_music = data.reference[data.track[dealt]] == MUSIC
        weights = _balanced(is_music, 1 / data.n_slices[data.track[dealt]])
        found = {c: _scaling(logits[c][dealt], is_music, weights) for c in GRID}
        best = min(GRID, key=lambda c: found[c][2])
        slope, offset, _ = found[best]
        if not slope > 0:
            raise DataError(
                "sounds that are no music cannot be told from the music",
                "look into the folders given by --not-music, or give more of such sounds",
            )
        head = _odds(next(fit_heads(data, np.arange(len(data)), 2, (best,))))
    weighted = (slope * head.weights).astype(np.float32)
    return MusicHead(Head(weighted, (slope * head.bias + offset).astype(np.float32)), best)


def track_odds(data: Tracks, head: Head) -> NDArray[np.float64]:
    """How likely each track is to be music, (n_tracks,): the mean over its slices."""
    return data.track_means(sigmoid(head.logits(data.slices)))[:, 0]


def _odds(head: Head) -> Head:
    """One number for two: how much likelier music is."""
    sides = head.weights[:, MUSIC] - head.weights[:, OTHER], head.bias[MUSIC] - head.bias[OTHER]
    return Head(sides[0][:, None], np.atleast_1d(sides[1]))


def _balanced(is_music: NDArray[np.bool_], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights with the same sum on either side."""
    sums = np.bincount(is_music, weights, 2)
    return np.asarray(weights * weights.sum() / 2 / sums[is_music.astype(np.intp)])


def _scaling(
    logits: NDArray[np.float64], is_music: NDArray[np.bool_], weights: NDArray[np.float64]
) -> tuple[float, float, float]:
    """Slope and offset that make these logits likeliest, and their loss then."""
    model = LogisticRegression().fit(logits[:, None], is_music, sample_weight=weights)
    slope, offset = float(model.coef_[0, 0]), float(model.intercept_[0])
    sign = np.where(is_music, 1, -1)
    losses = np.logaddexp(0, -sign * (slope * logits + offset))
    return slope, offset, float(np.average(losses, weights=weights))

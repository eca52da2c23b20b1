"""Learning how slices decide about a track, from validation tracks.

See `earmark.decision.stacking`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from earmark.decision import stacking
from earmark.errors import DataError
from earmark.models.classical.folds import folds
from earmark.types import FloatArray, Stacker

MIN_TRACKS = 40
"""Fewer validation tracks teach nothing that a vote does not know."""

PENALTIES = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)
"""L2 penalties that are tried; the last leaves hardly more than the vote by mean."""

_N_FOLDS = 5
_MAX_STEPS = 100
_DIGITS = 6

FloatNumbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FittedStacker:
    """A learned decision and what it is worth.

    Attributes
    ----------
    stacker : Stacker
    penalty : float
        Chosen by the loss on artists left out.
    proba : ndarray, shape (n_tracks, n_classes)
        What stackers that had not seen the track's artist said of it; NaN for tracks of artists
        who are in every training (see `earmark.models.classical.folds`).
    """

    stacker: Stacker
    penalty: float
    proba: FloatNumbers


def fit_stacker(
    probas: Sequence[FloatArray],
    reference: Sequence[int],
    groups: Sequence[str],
    n_classes: int,
    seed: int = 0,
) -> FittedStacker:
    """Learn a decision from tracks that the network was not trained on.

    Parameters
    ----------
    probas : sequence of ndarray, each (n_slices, n_classes)
        Calibrated probabilities of each track's slices.
    reference : sequence of int, length n_tracks
    groups : sequence of str, length n_tracks
        Artists.
    n_classes : int
    seed : int
        Of the folds that choose the penalty.

    Raises
    ------
    DataError
        If there are fewer than `MIN_TRACKS` tracks, a genre without any, or too few artists.
    """
    y = np.asarray(reference, dtype=np.int64)
    if len(y) < MIN_TRACKS:
        raise DataError(f"{len(y)} validation tracks are too few, {MIN_TRACKS} are needed")
    if len(np.unique(y)) < n_classes:
        raise DataError("some genre has no validation track")
    fold = folds(y, groups, _N_FOLDS, seed)
    X = np.array([stacking.features(proba) for proba in probas])
    with threadpool_limits(1):  # as for heads: small matrices only wait for a second thread
        return _chosen(X, y, probas, fold)


def _chosen(
    X: FloatNumbers, y: NDArray[np.int64], probas: Sequence[FloatArray], fold: NDArray[np.int64]
) -> FittedStacker:
    """The stacker of all tracks, with the penalty that suits artists left out."""
    n_classes, dealt = X.shape[1], np.flatnonzero(fold >= 0)
    held_out = {penalty: np.full((len(y), n_classes), np.nan) for penalty in PENALTIES}
    for i in range(fold.max() + 1):
        inside, outside = fold != i, np.flatnonzero(fold == i).tolist()
        for penalty in PENALTIES:
            stacker = _fit(X[inside], y[inside], penalty)
            for track in outside:
                held_out[penalty][track] = stacking.predict(stacker, probas[track])

    losses = {
        penalty: -np.log(np.maximum(proba[dealt, y[dealt]], 1e-12))
        for penalty, proba in held_out.items()
    }
    chosen = _simplest(losses)
    return FittedStacker(_fit(X, y, chosen), chosen, held_out[chosen])


def _simplest(losses: Mapping[float, FloatNumbers]) -> float:
    """The largest penalty whose loss is within one standard error of the lowest.

    `losses` has one loss a track. Few tracks make the lowest loss a matter of luck; the vote by
    mean, which is where large penalties lead, is not to be given up for that.
    """
    best = min(losses.values(), key=np.mean)
    excess = {penalty: loss - best for penalty, loss in losses.items()}
    return max(p for p, x in excess.items() if x.mean() <= x.std() / np.sqrt(len(x)))


def _fit(X: FloatNumbers, y: NDArray[np.int64], penalty: float) -> Stacker:
    """Newton's method on the penalised likelihood, which has one maximum; from the vote by mean.

    `X` has shape (n_tracks, n_classes, n_features).
    """
    n_tracks, n_classes, n_features = X.shape
    # A shift that all genres of a track share changes nothing, so only the spread within counts.
    scale = (X - X.mean(axis=1, keepdims=True)).std(axis=(0, 1))
    scale[scale < 1e-9] = np.inf
    biases = np.broadcast_to(np.eye(n_classes), (n_tracks, n_classes, n_classes))
    Z = np.concatenate([X / scale, biases], axis=2)
    target = Z[np.arange(n_tracks), y].sum(axis=0)
    theta = np.zeros(Z.shape[2])
    for _ in range(_MAX_STEPS):
        logits = X[:, :, 0] + Z @ theta
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        mean = np.einsum("tc,tcf->tf", p, Z)
        gradient = mean.sum(axis=0) - target + penalty * theta
        spread = (np.sqrt(p)[:, :, None] * Z).reshape(-1, Z.shape[2])
        hessian = spread.T @ spread - mean.T @ mean + penalty * np.eye(len(theta))
        step = np.linalg.solve(hessian, gradient)
        theta -= step
        if np.abs(step).max() < 1e-8:
            break
    weights, bias = theta[:n_features] / scale, theta[n_features:]
    return Stacker(tuple(map(_rounded, weights)), tuple(map(_rounded, bias)))


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")

"""A logistic head on a frozen backbone's embeddings: seconds for thousands of tracks.

Learned from track means, so that a long track counts no more than a short one, of features
standardised by the spread of the slices, which are what the head then answers for. Genres are
weighted to count alike. The regularisation is the one with the lowest loss on artists left out,
after the temperature has been set, as it is in a bundle.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from earmark.calibration import fit_temperature, softmax
from earmark.errors import DataError
from earmark.models.classical.folds import folds
from earmark.types import FloatArray

GRID = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)
"""Values of scikit-learn's ``C`` that are tried, from strong regularisation to weak."""

DEFAULT_C = 0.01
"""Where there are too few artists to choose by."""

_MAX_ITER = 1000
_TOL = 1e-3

# Matrices this small gain nothing from a second thread, and on a busy machine wait for it: twenty
# times as long was measured.
_N_THREADS = 1


@dataclass(frozen=True, slots=True)
class Head:
    """Logits are ``embedding @ weights + bias``; standardisation is folded in.

    Attributes
    ----------
    weights : ndarray of float32, shape (n_features, n_classes)
    bias : ndarray of float32, shape (n_classes,)
    """

    weights: FloatArray
    bias: FloatArray

    def logits(self, embeddings: FloatArray) -> FloatArray:
        """Logits (n_slices, n_classes) of embeddings (n_slices, n_features)."""
        answers: FloatArray = embeddings @ self.weights + self.bias
        return answers


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What heads said of tracks whose artists they had not learned from.

    Attributes
    ----------
    c : float
        The regularisation with the lowest loss.
    loss, accuracy : dict of float to float
        Of tracks, by C; the loss at the best temperature.
    proba : ndarray, shape (n_tracks, n_classes)
        Mean over the slices, at `c` and its temperature; NaN for tracks that were never left out
        (see `earmark.models.classical.folds`).
    """

    c: float
    loss: dict[float, float]
    accuracy: dict[float, float]
    proba: NDArray[np.float64]


class Tracks:
    """Embeddings of labelled tracks, ready to learn from.

    Parameters
    ----------
    embeddings : sequence of ndarray, each (n_slices, n_features)
        One array a track, none empty.
    reference : sequence of int, length n_tracks
    """

    def __init__(self, embeddings: Sequence[FloatArray], reference: Sequence[int]) -> None:
        self.n_slices = np.array([len(part) for part in embeddings])
        self.slices = np.concatenate(embeddings).astype(np.float32, copy=False)
        self.track = np.repeat(np.arange(len(embeddings)), self.n_slices)
        self.means = self.track_means(self.slices).astype(np.float32)
        self.reference = np.asarray(reference, dtype=np.int64)

    def __len__(self) -> int:
        return len(self.reference)

    def track_means(self, of_slices: NDArray[np.floating]) -> NDArray[np.float64]:
        """Means (n_tracks, …) of numbers (n_slices, …)."""
        first = np.concatenate([[0], np.cumsum(self.n_slices)[:-1]])
        sums = np.add.reduceat(of_slices, first, axis=0, dtype=np.float64)
        means: NDArray[np.float64] = sums / self.n_slices[:, None]
        return means

    def of(self, tracks: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which slices are of the given tracks."""
        return np.isin(self.track, tracks)


def fit_heads(
    data: Tracks, tracks: NDArray[np.int64], n_classes: int, grid: Sequence[float]
) -> Iterator[Head]:
    """A head for each C of `grid`, learned from some of the tracks, each genre among them.

    From strong regularisation to weak, each solution is a start for the next.
    """
    centre, scale = _standardisation(data, tracks)
    X = (data.means[tracks] - centre) / scale
    model = LogisticRegression(
        class_weight="balanced", max_iter=_MAX_ITER, tol=_TOL, warm_start=True
    )
    for c in sorted(grid):
        model.set_params(C=c).fit(X, data.reference[tracks])
        yield _folded(model, centre, scale, n_classes)


def fit_head(data: Tracks, n_classes: int, c: float) -> Head:
    """A head learned from all tracks."""
    with threadpool_limits(_N_THREADS):
        return next(fit_heads(data, np.arange(len(data)), n_classes, (c,)))


def hold_out(data: Tracks, groups: Sequence[str], n_classes: int, k: int, seed: int = 0) -> HeldOut:
    """Cross-validate heads by artist, and choose their regularisation.

    Parameters
    ----------
    data : Tracks
    groups : sequence of str, length n_tracks
        Artists: all tracks of one are left out together.
    n_classes : int
    k : int
        Folds.
    seed : int
        Of the folds.

    Raises
    ------
    DataError
        If fewer than two genres have tracks by two artists.
    """
    fold = folds(data.reference, groups, k, seed)
    logits = {c: np.empty((len(data.slices), n_classes), np.float32) for c in GRID}
    with threadpool_limits(_N_THREADS):
        for i in range(fold.max() + 1):
            inside, outside = np.flatnonzero(fold != i), data.of(np.flatnonzero(fold == i))
            for c, head in zip(GRID, fit_heads(data, inside, n_classes, GRID), strict=True):
                logits[c][outside] = head.logits(data.slices[outside])
    dealt = np.flatnonzero(fold >= 0)
    genres = data.reference[dealt]
    probas = {c: _track_proba(data, dealt, found) for c, found in logits.items()}
    hits = {c: proba[dealt, genres] for c, proba in probas.items()}
    loss = {c: float(-np.log(np.maximum(hit, 1e-12)).mean()) for c, hit in hits.items()}
    best = min(GRID, key=loss.__getitem__)
    accuracy = {
        c: float((proba[dealt].argmax(axis=1) == genres).mean()) for c, proba in probas.items()
    }
    return HeldOut(best, loss, accuracy, probas[best])


def choose_c(
    data: Tracks, groups: Sequence[str], n_classes: int, k: int = 3, seed: int = 0
) -> HeldOut | None:
    """`hold_out`, or None where there are too few artists for it."""
    try:
        return hold_out(data, groups, n_classes, k, seed)
    except DataError:
        return None


def _standardisation(data: Tracks, tracks: NDArray[np.int64]) -> tuple[FloatArray, FloatArray]:
    """Mean and spread of the slices of some tracks, every track counting alike."""
    chosen = data.of(tracks)
    X, weight = data.slices[chosen], (1 / data.n_slices)[data.track[chosen]]
    weight = (weight / weight.sum()).astype(np.float32)
    centre = weight @ X
    spread = np.sqrt(weight @ np.square(X - centre))
    # What never changes teaches nothing; dividing by its spread would only blow up noise.
    alive = spread > 1e-6 * np.maximum(1, np.abs(centre))
    return centre, np.where(alive, spread, np.float32(np.inf))


def _folded(
    model: LogisticRegression, centre: FloatArray, scale: FloatArray, n_classes: int
) -> Head:
    coefficients, intercept = model.coef_.astype(np.float64), model.intercept_.astype(np.float64)
    if n_classes == 2:  # one decision function for two genres: half to each side
        coefficients = np.concatenate([-coefficients, coefficients]) / 2
        intercept = np.concatenate([-intercept, intercept]) / 2
    weights = coefficients.T / scale.astype(np.float64)[:, None]
    bias = intercept - centre.astype(np.float64) @ weights
    return Head(weights.astype(np.float32), bias.astype(np.float32))


def _track_proba(
    data: Tracks, tracks: NDArray[np.int64], logits: FloatArray
) -> NDArray[np.float64]:
    """Mean probabilities of tracks, at the temperature that suits them best; NaN for others."""
    chosen = data.of(tracks)
    temperature = fit_temperature(logits[chosen], data.reference[data.track[chosen]])
    proba = np.full(logits.shape, np.nan)
    proba[chosen] = softmax(logits[chosen], temperature)
    return data.track_means(proba)

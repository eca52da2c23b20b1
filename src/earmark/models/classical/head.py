"""A logistic head on a frozen backbone's embeddings: seconds for thousands of tracks.

Learned from track means, so that a long track counts no more than a short one, of features
standardised by the spread of the slices, which are what the head then answers for. Genres are
weighted to count alike. The regularisation is the one with the lowest loss on artists left out,
after the temperature has been set, as it is in a bundle. What is strange to the head makes it
doubt, see `earmark.models.classical.familiarity`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from earmark.decision.calibration import fit_temperature, softmax
from earmark.errors import DataError
from earmark.models.classical.familiarity import Familiarity
from earmark.models.classical.familiarity import fit as fit_familiarity
from earmark.models.classical.folds import folds
from earmark.types import FloatArray

GRID = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)
"""Values of scikit-learn's ``C`` that are tried, from strong regularisation to weak."""

DEFAULT_C = 0.01
"""Where there are too few artists to choose by."""

_BLOCK = 256
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
    familiarity : Familiarity or None
        By which logits are made smaller the stranger a slice is.
    """

    weights: FloatArray
    bias: FloatArray
    familiarity: Familiarity | None = None

    def logits(self, embeddings: FloatArray) -> FloatArray:
        """Logits (n_slices, n_classes) of embeddings (n_slices, n_features)."""
        answers: FloatArray = embeddings @ self.weights + self.bias
        if self.familiarity is not None:
            distances = self.familiarity.distances(embeddings)
            answers = (answers * self.familiarity.factors(distances)).astype(np.float32)
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
    distances : ndarray, shape (n_dealt,)
        Of the tracks that were left out once, how strange they were, see
        `earmark.models.classical.familiarity`.
    """

    c: float
    loss: dict[float, float]
    accuracy: dict[float, float]
    proba: NDArray[np.float64]
    distances: NDArray[np.float64]


class Tracks:
    """Embeddings of labelled tracks, ready to learn from.

    Parameters
    ----------
    slices : ndarray of float32, shape (n_slices, n_features)
        Track by track.
    n_slices : sequence of int, length n_tracks
        Slices of each track, at least one.
    reference : sequence of int, length n_tracks
    """

    def __init__(
        self, slices: FloatArray, n_slices: Sequence[int], reference: Sequence[int]
    ) -> None:
        self.slices = slices
        self.n_slices = np.asarray(n_slices, dtype=np.int64)
        self.reference = np.asarray(reference, dtype=np.int64)
        self.track = np.repeat(np.arange(len(self.n_slices)), self.n_slices)
        self._first = np.cumsum(self.n_slices) - self.n_slices
        shape = (len(self.n_slices), slices.shape[1])
        self.means, self.squares = np.empty(shape), np.empty(shape)
        for begin in range(0, len(self), _BLOCK):  # a square of everything at once is too much
            chosen = slice(begin, begin + _BLOCK)
            first = self._first[chosen]
            rows = slices[first[0] : first[-1] + self.n_slices[chosen][-1]].astype(np.float64)
            n = self.n_slices[chosen, None]
            self.means[chosen] = np.add.reduceat(rows, first - first[0], axis=0) / n
            self.squares[chosen] = np.add.reduceat(rows**2, first - first[0], axis=0) / n

    def __len__(self) -> int:
        return len(self.reference)

    def track_means(self, of_slices: NDArray[np.float64]) -> NDArray[np.float64]:
        """Means (n_tracks, …) of numbers (n_slices, …)."""
        means: NDArray[np.float64] = np.add.reduceat(of_slices, self._first, axis=0)
        return means / self.n_slices[:, None]

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
    X = ((data.means[tracks] - centre) / scale).astype(np.float32)
    model = LogisticRegression(
        class_weight="balanced", max_iter=_MAX_ITER, tol=_TOL, warm_start=True
    )
    for c in sorted(grid):
        model.set_params(C=c).fit(X, data.reference[tracks])
        yield _folded(model, centre, scale, n_classes)


def fit_head(
    data: Tracks, n_classes: int, c: float, distances: NDArray[np.float64] | None = None
) -> Head:
    """A head learned from all tracks.

    Parameters
    ----------
    data : Tracks
    n_classes : int
    c : float
        Regularisation.
    distances : ndarray, shape (n,), optional
        How strange tracks were to heads that had not learned from their artists; without these
        the head has no familiarity.
    """
    everything = np.arange(len(data))
    with threadpool_limits(_N_THREADS):
        head = next(fit_heads(data, everything, n_classes, (c,)))
        if distances is None:
            return head
        familiarity = _familiarity(data, everything, n_classes)
        return dataclasses.replace(head, familiarity=familiarity.expecting(distances))


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
    logits = {c: np.zeros((len(data.slices), n_classes), np.float32) for c in GRID}
    familiarity, strange = _strangeness(data, fold, n_classes)
    with threadpool_limits(_N_THREADS):
        for i in range(fold.max() + 1):
            inside, outside = np.flatnonzero(fold != i), data.of(np.flatnonzero(fold == i))
            for c, head in zip(GRID, fit_heads(data, inside, n_classes, GRID), strict=True):
                logits[c][outside] = head.logits(data.slices[outside])
    dealt = np.flatnonzero(fold >= 0)
    genres = data.reference[dealt]
    distances = data.track_means(strange[:, None])[dealt, 0]
    # Of any fold: the factors depend on the distances alone.
    factors = familiarity.expecting(distances).factors(strange).astype(np.float32)
    probas = {c: _track_proba(data, dealt, found * factors) for c, found in logits.items()}
    hits = {c: proba[dealt, genres] for c, proba in probas.items()}
    loss = {c: float(-np.log(np.maximum(hit, 1e-12)).mean()) for c, hit in hits.items()}
    best = min(GRID, key=loss.__getitem__)
    accuracy = {
        c: float((proba[dealt].argmax(axis=1) == genres).mean()) for c, proba in probas.items()
    }
    return HeldOut(best, loss, accuracy, probas[best], distances)


def usual_distances(
    data: Tracks, groups: Sequence[str], n_classes: int, k: int, seed: int = 0
) -> NDArray[np.float64]:
    """How strange tracks are whose artists were not learned from, (n_dealt,): see `HeldOut`.

    Parameters and errors are those of `hold_out`.
    """
    fold = folds(data.reference, groups, k, seed)
    _, strange = _strangeness(data, fold, n_classes)
    distances: NDArray[np.float64] = data.track_means(strange[:, None])[fold >= 0, 0]
    return distances


def choose_c(
    data: Tracks, groups: Sequence[str], n_classes: int, k: int = 3, seed: int = 0
) -> HeldOut | None:
    """`hold_out`, or None where there are too few artists for it."""
    try:
        return hold_out(data, groups, n_classes, k, seed)
    except DataError:
        return None


def _strangeness(
    data: Tracks, fold: NDArray[np.int64], n_classes: int
) -> tuple[Familiarity, NDArray[np.float64]]:
    """Distances (n_slices,) from what the other folds hold, and the last of their measures."""
    strange = np.zeros(len(data.slices))
    with threadpool_limits(_N_THREADS):
        for i in range(fold.max() + 1):
            inside, outside = np.flatnonzero(fold != i), data.of(np.flatnonzero(fold == i))
            familiarity = _familiarity(data, inside, n_classes)
            strange[outside] = familiarity.distances(data.slices[outside])
    return familiarity, strange


def _familiarity(data: Tracks, tracks: NDArray[np.int64], n_classes: int) -> Familiarity:
    centre, scale = _standardisation(data, tracks)
    chosen = data.of(tracks)
    track = data.track[chosen]
    return fit_familiarity(
        data.slices[chosen],
        1 / data.n_slices[track],
        data.reference[track],
        centre,
        1 / scale,
        n_classes,
    )


def _standardisation(
    data: Tracks, tracks: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and spread of the slices of some tracks, every track counting alike."""
    centre = data.means[tracks].mean(axis=0)
    spread = np.sqrt(np.maximum(data.squares[tracks].mean(axis=0) - centre**2, 0))
    # What never changes teaches nothing; dividing by its spread would only blow up noise.
    alive = spread > 1e-6 * np.maximum(1, np.abs(centre))
    return centre, np.where(alive, spread, np.inf)


def _folded(
    model: LogisticRegression,
    centre: NDArray[np.float64],
    scale: NDArray[np.float64],
    n_classes: int,
) -> Head:
    coefficients, intercept = model.coef_.astype(np.float64), model.intercept_.astype(np.float64)
    if n_classes == 2:  # one decision function for two genres: half to each side
        coefficients = np.concatenate([-coefficients, coefficients]) / 2
        intercept = np.concatenate([-intercept, intercept]) / 2
    weights = coefficients.T / scale[:, None]
    bias = intercept - centre @ weights
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

"""Making a network's probabilities mean what they say, and choosing when to say "I don't know"."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earmark.types import FloatArray

Labels = NDArray[np.integer]

# No slice is so surely not music that its genres would be lost altogether.
_MUSIC_MIN = 1e-6


@dataclass(frozen=True, slots=True)
class Outputs:
    """A network's raw answers to slices.

    Attributes
    ----------
    logits : ndarray of float32, shape (n_slices, n_classes)
    music : ndarray of float32, shape (n_slices, 1), or None
        Logarithm of the odds that a slice is music; None of a network that cannot tell.
    """

    logits: FloatArray
    music: FloatArray | None = None

    def proba(self, temperature: float = 1.0) -> FloatArray:
        """Probabilities (n_slices, n_classes): rows sum to the probability that it is music."""
        genres = softmax(self.logits, temperature)
        if self.music is None:
            return genres
        return genres * np.maximum(sigmoid(self.music), _MUSIC_MIN).astype(np.float32)


def sigmoid(log_odds: NDArray[np.floating]) -> NDArray[np.float64]:
    """Probabilities from the logarithms of odds, of the same shape."""
    # tanh cannot overflow.
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * log_odds.astype(np.float64)))


def softmax(logits: FloatArray, temperature: float = 1.0) -> FloatArray:
    """Probabilities (n, n_classes) from logits of that shape, softened by `temperature`."""
    scaled = logits.astype(np.float64) / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    exp = np.exp(scaled)
    proba: FloatArray = (exp / exp.sum(axis=1, keepdims=True)).astype(np.float32)
    return proba


def fit_temperature(logits: FloatArray, reference: Labels) -> float:
    """Temperature that minimises the negative log-likelihood of held-out labels.

    Golden-section search over log T; the likelihood has one minimum in T. After Guo et al., "On
    Calibration of Modern Neural Networks", ICML 2017.

    Parameters
    ----------
    logits : ndarray, shape (n, n_classes)
        Held out: of tracks that the network was not trained on.
    reference : ndarray of int, shape (n,)

    Returns
    -------
    float
        Within [0.05, 20].
    """

    def nll(log_t: float) -> float:
        proba = softmax(logits, math.exp(log_t))
        hit = np.maximum(proba[np.arange(len(reference)), reference].astype(np.float64), 1e-12)
        return float(-np.log(hit).mean())

    low, high = math.log(0.05), math.log(20.0)
    ratio = (math.sqrt(5) - 1) / 2
    while high - low > 1e-4:
        third = ratio * (high - low)
        if nll(high - third) < nll(low + third):
            high = low + third
        else:
            low = high - third
    return math.exp((low + high) / 2)


def threshold_for_precision(
    confidence: FloatArray, correct: NDArray[np.bool_], precision: float
) -> float:
    """Lowest confidence above which answers are right at least as often as `precision`.

    Parameters
    ----------
    confidence : ndarray, shape (n,)
        Of the winner, per held-out track.
    correct : ndarray of bool, shape (n,)
    precision : float
        Target share of right answers among those given.

    Returns
    -------
    float
        The confidence of one of the tracks, the lowest where all may be answered: nobody knows what
        less would be worth. If no threshold reaches the target, the one whose answers are right
        most often (of these the lowest).
    """
    order = np.argsort(-confidence, kind="stable")
    ranked, hits = confidence[order], correct[order]
    reached = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    # Only where the next confidence differs can a threshold be drawn.
    usable = np.append(ranked[1:] < ranked[:-1], True)
    good = np.flatnonzero(usable & (reached >= precision))
    if len(good):
        last = int(good[-1])
    else:
        candidates = np.flatnonzero(usable)
        best = reached[candidates].max()
        last = int(candidates[reached[candidates] == best][-1])
    return float(ranked[last])

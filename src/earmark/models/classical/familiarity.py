"""How alike a slice is to what a head has learned: music of no known genre is to raise doubt.

The relative Mahalanobis distance of an embedding: how far it is from the nearest genre, less how
far it is from music in general. After Ren et al., "A Simple Fix to Mahalanobis Distance for
Improving Near-OOD Detection", 2021 (arXiv:2106.09022). Logits are multiplied by a factor that falls
from 1 to 0 as the distance grows, so that the probabilities of strange slices become alike; which
genre is the likeliest stays as it was.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from earmark.types import FloatArray

# Covariances are drawn half way to a ball: there are fewer tracks than it would take to know them.
_SHRINKAGE = 0.5
# Slices whose distances are computed at once.
_BLOCK = 1024


@dataclass(frozen=True, slots=True)
class Familiarity:
    """Distances and what is usual of them.

    With ``x = (embedding - centre) * precision`` the distance is
    ``x @ matrix @ x + min(x @ linear + offsets)``.

    Attributes
    ----------
    centre, precision : ndarray of float32, shape (n_features,)
    matrix : ndarray of float32, shape (n_features, n_features)
    linear : ndarray of float32, shape (n_features, n_classes)
    offsets : ndarray of float32, shape (n_classes,)
    limit, width : float
        Where logits are halved, and how much farther it takes to make a factor of e of that.
    """

    centre: FloatArray
    precision: FloatArray
    matrix: FloatArray
    linear: FloatArray
    offsets: FloatArray
    limit: float = 0.0
    width: float = 1.0

    def distances(self, embeddings: FloatArray) -> NDArray[np.float64]:
        """Relative Mahalanobis distances (n_slices,) of embeddings (n_slices, n_features)."""
        found = np.empty(len(embeddings))
        for begin in range(0, len(embeddings), _BLOCK):
            x = (embeddings[begin : begin + _BLOCK] - self.centre) * self.precision
            nearest = (x @ self.linear + self.offsets).min(axis=1)
            found[begin : begin + _BLOCK] = ((x @ self.matrix) * x).sum(axis=1) + nearest
        return found

    def factors(self, distances: NDArray[np.float64]) -> NDArray[np.float64]:
        """What logits are multiplied by, (n_slices, 1): one half at `limit`."""
        # Beyond e^±60 there is nothing but 0 and 1.
        odds = np.exp(np.clip((distances - self.limit) / self.width, -60, 60))
        return np.asarray(1 / (1 + odds[:, None]))

    def expecting(self, distances: NDArray[np.float64]) -> Self:
        """The same, taking these distances as the usual ones.

        Parameters
        ----------
        distances : ndarray, shape (n_tracks,)
            Of tracks by artists that were not learned from.
        """
        low, middle, high = np.quantile(distances, (0.25, 0.5, 0.75))
        # A lower limit or a steeper fall tells the unknown better, but makes what is known less
        # likely than it is without familiarity; these do not.
        width = max(float(high - low), 1e-6)
        return dataclasses.replace(self, limit=float(middle), width=width)


def fit(
    slices: FloatArray,
    weights: NDArray[np.float64],
    reference: NDArray[np.int64],
    centre: NDArray[np.float64],
    precision: NDArray[np.float64],
    n_classes: int,
) -> Familiarity:
    """Learn what each genre and what music in general is like.

    Parameters
    ----------
    slices : ndarray of float32, shape (n_slices, n_features)
        Embeddings.
    weights : ndarray, shape (n_slices,)
        How much each slice counts.
    reference : ndarray of int64, shape (n_slices,)
        Its track's genre; every genre occurs.
    centre, precision : ndarray, shape (n_features,)
        See `Familiarity`; a precision of 0 leaves a feature out.
    n_classes : int
    """
    weights = weights / weights.sum()
    mass = np.bincount(reference, weights, n_classes)
    means = np.zeros((n_classes, slices.shape[1]))
    overall = np.zeros((slices.shape[1], slices.shape[1]))
    for begin in range(0, len(slices), _BLOCK):
        chosen = slice(begin, begin + _BLOCK)
        x = (slices[chosen] - centre) * precision
        weighted = x * weights[chosen, None]
        np.add.at(means, reference[chosen], weighted)
        overall += weighted.T @ x
    means /= mass[:, None]
    # Within genres varies what varies overall, less what differs between their means.
    within = overall - (means.T * mass) @ means
    near, far = _inverse(within), _inverse(overall)
    linear = -2 * near @ means.T
    offsets = ((means @ near) * means).sum(axis=1)
    return Familiarity(
        centre.astype(np.float32),
        precision.astype(np.float32),
        (near - far).astype(np.float32),
        linear.astype(np.float32),
        offsets.astype(np.float32),
    )


def _inverse(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    n = len(covariance)
    ball = np.eye(n) * max(float(np.trace(covariance)) / n, 1e-12)
    return np.asarray(np.linalg.inv((1 - _SHRINKAGE) * covariance + _SHRINKAGE * ball))

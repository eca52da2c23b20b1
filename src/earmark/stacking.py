"""What a learned decision sees of a track, and what it decides; learned elsewhere.

A stacker (stacked generalisation: Wolpert, Neural Networks 5, 1992) is a linear model over the
distribution of the slices' probabilities and their progression through the track. Unlike a vote
it depends on the order of the slices, on purpose: a long quiet beginning means something else
than a quiet end.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from earmark.types import FloatArray, Stacker

# Below this a probability says no more than "none".
_P_MIN = 1e-3

_N_SUMMARIES = 8


def features(proba: FloatArray) -> NDArray[np.float64]:
    """Distribution and progression of one track's slices.

    Parameters
    ----------
    proba : ndarray, shape (n_slices, n_classes)
        In the order of the track.

    Returns
    -------
    ndarray of float64, shape (8 n_classes + 1,)
        Of each class: mean, standard deviation and maximum of its probability, mean of the
        logarithm, share of slices whose first choice it is, mean probability in the first, second
        and last third of the slices. Then the logarithm of the number of slices.
    """
    p = proba.astype(np.float64)
    n_slices, n_classes = p.shape
    first_choice = np.bincount(p.argmax(axis=1), minlength=n_classes) / n_slices
    thirds = [p[begin:end].mean(axis=0) for begin, end in _thirds(n_slices)]
    logs = np.log(np.maximum(p, _P_MIN))
    parts = (p.mean(axis=0), p.std(axis=0), p.max(axis=0), logs.mean(axis=0), first_choice)
    return np.concatenate([*parts, *thirds, [np.log(n_slices)]])


def n_features(n_classes: int) -> int:
    """Length of what `features` gives."""
    return _N_SUMMARIES * n_classes + 1


def _thirds(n: int) -> list[tuple[int, int]]:
    """Beginning, middle and end of `n` slices; of fewer than three, they share some."""
    return [(i * n // 3, -(-(i + 1) * n // 3)) for i in range(3)]


def fits(stacker: Stacker, n_classes: int) -> bool:
    """Whether `stacker` is one for so many classes."""
    shape_ok = len(stacker.weights) == n_features(n_classes) and len(stacker.bias) == n_classes
    return shape_ok and all(len(row) == n_classes for row in stacker.weights)


def predict(stacker: Stacker, proba: FloatArray) -> NDArray[np.float64]:
    """Probabilities (n_classes,) of a track whose slices have `proba` (n_slices, n_classes).

    Raises
    ------
    ValueError
        If the stacker is for another number of classes.
    """
    if not fits(stacker, proba.shape[1]):
        raise ValueError(
            f"a stacker for {len(stacker.bias)} genres does not fit {proba.shape[1]} labels"
        )
    logits = features(proba) @ np.array(stacker.weights) + np.array(stacker.bias)
    exp = np.exp(logits - logits.max())
    share: NDArray[np.float64] = exp / exp.sum()
    return share

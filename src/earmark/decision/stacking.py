"""What a learned decision sees of a track, and what it decides; learned elsewhere.

A stacker (stacked generalisation: Wolpert, Neural Networks 5, 1992) is a conditional logit: the
vote by mean, corrected by a weighted sum of features that each genre has of its own, and a bias.
The weights are the same for all genres, so that some hundred tracks suffice to learn them, and
with weights and biases of zero the decision is the vote by mean.

Unlike a vote it depends on the order of the slices, on purpose: a genre that comes up at the end
means something else than one that fades away.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from earmark.types import FloatArray, Stacker

FEATURES = (
    "log_mean",  # logarithm of the mean probability
    "mean",
    "std",
    "max",
    "mean_log",  # mean of the logarithm of the probability
    "first_choices",  # share of slices whose likeliest genre it is
    "beginning",  # mean probability in the first third of the slices
    "middle",
    "end",
    "log_n_log_mean",  # log_mean times the logarithm of the number of slices
)

# Below this a probability says no more than "none".
_P_MIN = 1e-3


def features(proba: FloatArray) -> NDArray[np.float64]:
    """Distribution and progression of one track's slices.

    Parameters
    ----------
    proba : ndarray, shape (n_slices, n_classes)
        In the order of the track.

    Returns
    -------
    ndarray of float64, shape (n_classes, 10)
        Columns as in `FEATURES`.
    """
    p = proba.astype(np.float64)
    n_slices, n_classes = p.shape
    mean = p.mean(axis=0)
    log_mean = np.log(np.maximum(mean, _P_MIN))
    first_choices = np.bincount(p.argmax(axis=1), minlength=n_classes) / n_slices
    thirds = [p[begin:end].mean(axis=0) for begin, end in _thirds(n_slices)]
    columns = (
        log_mean,
        mean,
        p.std(axis=0),
        p.max(axis=0),
        np.log(np.maximum(p, _P_MIN)).mean(axis=0),
        first_choices,
        *thirds,
        np.log(n_slices) * log_mean,
    )
    return np.stack(columns, axis=1)


def _thirds(n: int) -> list[tuple[int, int]]:
    """Beginning, middle and end of `n` slices; of fewer than three, they share some."""
    return [(i * n // 3, -(-(i + 1) * n // 3)) for i in range(3)]


def fits(stacker: Stacker, n_classes: int) -> bool:
    """Whether `stacker` is one for so many classes."""
    return len(stacker.weights) == len(FEATURES) and len(stacker.bias) == n_classes


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
    X = features(proba)
    logits = X[:, 0] + X @ np.array(stacker.weights) + np.array(stacker.bias)
    exp = np.exp(logits - logits.max())
    share: NDArray[np.float64] = exp / exp.sum()
    return share

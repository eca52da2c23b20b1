"""Labels that a model contradicts, in the way of confident learning.

After Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels",
JAIR 70 (2021), whose threshold for each genre is used. Suspects are ranked by odds rather than by
difference of probabilities, and one whose likeliest genre is itself below its threshold stays a
suspect: with planted errors among real music, both find more of them near the top.

The probabilities have to come from models that have not learned from the track's own label: from
cross-validation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# What separates smaller probabilities is noise.
_P_MIN = 1e-6


@dataclass(frozen=True, slots=True)
class Suspect:
    """A label that the model contradicts.

    Attributes
    ----------
    track : int
        Its position.
    suggested : int
        The genre that the model finds likeliest.
    margin : float
        Natural logarithm of the odds of the label against `suggested`: below 0; the lower, the
        likelier the label is wrong.
    """

    track: int
    suggested: int
    margin: float


def thresholds(proba: NDArray[np.float64], reference: NDArray[np.int64]) -> NDArray[np.float64]:
    """How sure the model is, on average, of the tracks of each genre: (n_classes,).

    Infinite for genres without tracks. A genre that it finds hard has a low threshold, so that
    neither its weakness nor an uneven number of tracks makes labels suspect.
    """
    n_classes = proba.shape[1]
    own = proba[np.arange(len(reference)), reference]
    counts = np.bincount(reference, minlength=n_classes)
    sums = np.bincount(reference, weights=own, minlength=n_classes)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)


def find_mislabels(proba: NDArray[np.float64], reference: NDArray[np.int64]) -> list[Suspect]:
    """Tracks whose label the model believes less than others of the genre, and less than another.

    Parameters
    ----------
    proba : ndarray, shape (n_tracks, n_classes)
        Held-out probabilities.
    reference : ndarray of int, shape (n_tracks,)
        Labels as given.

    Returns
    -------
    list of Suspect
        The likeliest to be wrong first.
    """
    tracks = np.arange(len(reference))
    p = np.maximum(proba, _P_MIN)
    suggested = p.argmax(axis=1)
    own = p[tracks, reference]
    margins = np.log(own / p[tracks, suggested])
    is_suspect = (margins < 0) & (own < thresholds(proba, reference)[reference])
    suspects = [
        Suspect(int(i), int(suggested[i]), float(margins[i])) for i in np.flatnonzero(is_suspect)
    ]
    return sorted(suspects, key=lambda s: (s.margin, s.track))

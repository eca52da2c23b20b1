"""What MSD_musicnn does on music: which channels move, and how far."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from earmark.models.foreign.musicnn_layers import POOLED, probe
from earmark.types import LevelArray

Numbers: TypeAlias = NDArray[np.float64]

# A channel whose values all lie this close together is taken for a constant.
_CONSTANT = 1e-5


@dataclass(frozen=True, slots=True)
class Survey:
    """What was seen.

    Attributes
    ----------
    n_slices : int
    alive : ndarray of bool, shape (n_channels,)
        Channels that are not constant.
    constant : ndarray of float64, shape (n_channels,)
        The middle of a channel's range, which is all of it where it is constant.
    mean, spread : ndarray of float64, shape (n_channels + n_features,)
        Over slices: of the channels' maxima, and behind these of the embedding.
    """

    n_slices: int
    alive: NDArray[np.bool_]
    constant: Numbers
    mean: Numbers
    spread: Numbers


class Surveyor:
    """Listens with musicnn to slices of music, of which it keeps nothing but sums and extremes.

    Parameters
    ----------
    network : Path
        One that `earmark.models.foreign.musicnn_layers.read_layers` can read.
    """

    def __init__(self, network: Path) -> None:
        self._session = open_session(probe(network))
        self._n = 0
        self._low, self._high = np.array(np.inf), np.array(-np.inf)
        self._sum, self._squares = np.zeros(1), np.zeros(1)

    def add(self, X: LevelArray) -> None:
        """Take in slices (n, 96, 187)."""
        pooled, embedding = self._session.run([POOLED, "embedding"], {"slices": X})
        maxima, means = np.split(pooled.astype(np.float64), 2, axis=1)
        # The mean of a channel that moves within a slice lies below its maximum.
        self._low = np.minimum(self._low, means.min(axis=0))
        self._high = np.maximum(self._high, maxima.max(axis=0))
        rows = np.concatenate([maxima, embedding], axis=1)
        self._n += len(X)
        self._sum = self._sum + rows.sum(axis=0)
        self._squares = self._squares + (rows**2).sum(axis=0)

    def found(self) -> Survey:
        """What was seen so far, of one slice at least."""
        mean = self._sum / self._n
        return Survey(
            n_slices=self._n,
            alive=self._high - self._low > _CONSTANT,
            constant=(self._high + self._low) / 2,
            mean=mean,
            spread=np.sqrt(np.maximum(self._squares / self._n - mean**2, 0)),
        )


def open_session(network: bytes) -> ort.InferenceSession:
    """The network in onnxruntime, on one thread."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return ort.InferenceSession(network, options, providers=["CPUExecutionProvider"])

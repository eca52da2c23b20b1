"""Training of a network over the slices of tracks; by the same trainer as networks over slices."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earmark.events import Workflow
from earmark.models import registry
from earmark.training.recipes.recipe import TrainingRecipe
from earmark.training.recipes.settings import AugmentConfig, Hardware
from earmark.training.torch.data import IntArray, Part
from earmark.training.torch.fit import Fitted, fit
from earmark.types import FloatArray


def fit_on_tracks(
    train: tuple[Sequence[FloatArray], Sequence[int]],
    valid: tuple[Sequence[FloatArray], Sequence[int]],
    n_classes: int,
    recipe: TrainingRecipe,
    run_dir: Path,
) -> Workflow[Fitted]:
    """Train the network of the recipe's ``[track]``; goes on from a checkpoint as `fit` does.

    Parameters
    ----------
    train, valid : (sequence of ndarray, sequence of int)
        Calibrated probabilities (n_slices, n_classes) of each track's slices, and its genre.
    n_classes : int
    recipe : TrainingRecipe
    run_dir : Path
        For checkpoints; made if absent.

    Raises
    ------
    ConfigError, DataError, LibraryError
        As `earmark.training.torch.fit.fit`.
    """
    track = recipe.track
    own = dataclasses.replace(
        recipe,
        network=track.network,
        optimiser=track.optimiser,
        schedule=track.schedule,
        augmentation=AugmentConfig(),
    )
    build = partial(
        registry.build_track_network, track.network.name, n_classes, track.network.options
    )
    sequences = Sequences([*train[0], *valid[0]], n_classes)
    n_train = len(train[0])
    learned_from = _part(sequences, sequences.numbers[:n_train], train[1])
    stopped_by = _part(sequences, sequences.numbers[n_train:], valid[1])
    # Small as it is, it would only wait for a graphics card, or for a second thread.
    return fit(
        learned_from, stopped_by, n_classes, own, run_dir, Hardware("cpu"), build, n_threads=1
    )


class Sequences:
    """Slice probabilities of tracks, as rows that a trainer can read.

    A row is (n_classes, longest), with columns of zeros behind a track's own.

    Attributes
    ----------
    numbers : ndarray of int, shape (n_tracks,)
        Of each track, a hash of its probabilities: a run goes on only from what was learned from
        the same ones.
    """

    def __init__(self, probas: Sequence[FloatArray], n_classes: int) -> None:
        self.shape = (n_classes, max((len(proba) for proba in probas), default=1))
        self.numbers = np.array([_number(proba) for proba in probas], dtype=np.int64)
        self._probas = dict(zip(self.numbers.tolist(), probas, strict=True))

    def read(self, numbers: IntArray) -> NDArray[np.float32]:
        """Rows (n, n_classes, longest) by number, in the order asked."""
        rows = np.zeros((len(numbers), *self.shape), dtype=np.float32)
        for row, number in zip(rows, numbers.tolist(), strict=True):
            proba = self._probas[number]
            row[:, : len(proba)] = proba.T
        return rows


def _part(sequences: Sequences, numbers: IntArray, reference: Sequence[int]) -> Part:
    """Every track a slice of its own, in the trainer's words."""
    genres = np.asarray(reference, dtype=np.int64)
    return Part(sequences, numbers, genres, np.arange(len(numbers)))


def _number(proba: FloatArray) -> int:
    digest = hashlib.blake2b(np.ascontiguousarray(proba).tobytes(), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)

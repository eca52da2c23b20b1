"""Slices and what other models, the teachers, make of them: what can be learned without genres."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earmark.models.embeddings import EmbeddingStore
from earmark.training.data import IntArray, Rows, shuffled
from earmark.types import FloatArray

# Standardised answers beyond this are outliers, which a squared error would learn little else from.
_FARTHEST = 5.0
# Rows that mean and spread are taken from: enough for two digits.
_SAMPLE = 20_000


@dataclass(frozen=True, slots=True)
class Teacher:
    """A model whose embeddings are to be imitated.

    Attributes
    ----------
    store : EmbeddingStore
    numbers : ndarray of int, shape (n_slices,)
        Where the teacher's embedding of each slice is stored.
    centre, scale : ndarray of float32, shape (n_features,)
        Mean and spread of the embeddings, by which they are standardised.
    """

    store: EmbeddingStore
    numbers: IntArray
    centre: FloatArray
    scale: FloatArray

    @classmethod
    def of(cls, store: EmbeddingStore, numbers: IntArray) -> Teacher:
        """With the mean and the spread of the embeddings of these slices."""
        step = -(-len(numbers) // _SAMPLE)
        found = store.embeddings(numbers[::step]).astype(np.float64)
        spread = np.maximum(found.std(axis=0), 1e-3)
        return cls(store, numbers, found.mean(axis=0).astype(np.float32), spread.astype(np.float32))

    def answers(self, chosen: IntArray) -> FloatArray:
        """Standardised embeddings (n, n_features), clipped to ±5."""
        found = self.store.embeddings(self.numbers[chosen])
        standardised: FloatArray = (found - self.centre) / self.scale
        return standardised.clip(-_FARTHEST, _FARTHEST)


@dataclass(frozen=True, slots=True)
class Lessons:
    """Slices of one part of a split, with the teachers' answers.

    Attributes
    ----------
    store : Rows
    numbers, track : ndarray of int, shape (n_slices,)
        Of each slice: where it is stored, which track it is from.
    teachers : sequence of Teacher
    rows : ndarray of int, shape (n_slices,)
        Of each slice, its place in the teachers' numbers.
    """

    store: Rows
    numbers: IntArray
    track: IntArray
    teachers: Sequence[Teacher]
    rows: IntArray

    def __len__(self) -> int:
        return len(self.numbers)

    def of(self, chosen: NDArray[np.bool_]) -> Lessons:
        """Some of the slices."""
        return Lessons(
            self.store,
            self.numbers[chosen],
            self.track[chosen],
            self.teachers,
            self.rows[chosen],
        )

    @property
    def n_answers(self) -> int:
        """Numbers that all teachers together give a slice."""
        return sum(len(teacher.centre) for teacher in self.teachers)

    def batches(
        self, size: int, order: IntArray | None = None
    ) -> Iterator[tuple[NDArray[np.generic], FloatArray]]:
        """Slices (≤ size, n_bins, n_frames) with answers (≤ size, n_answers)."""
        if order is None:
            order = np.arange(len(self))
        for i in range(0, len(order), size):
            chosen = order[i : i + size]
            answers = [teacher.answers(self.rows[chosen]) for teacher in self.teachers]
            yield self.store.read(self.numbers[chosen]), np.concatenate(answers, axis=1)

    def shuffled(self, size: int, min_steps: int, rng: np.random.Generator) -> IntArray:
        """An order to learn in, see `earmark.training.data.shuffled`."""
        return shuffled(len(self), size, min_steps, rng)

    def fingerprint(self) -> int:
        """A number that differs when other slices are learned from, or from other teachers."""
        name = "".join(teacher.store.backbone.model_id for teacher in self.teachers)
        return zlib.crc32(self.numbers.tobytes(), zlib.crc32(name.encode()))

"""Batches of stored slices, with what the trainer has to know of the tracks that they are from."""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
Batch: TypeAlias = tuple[NDArray[Any], IntArray]


class Rows(Protocol):
    """Where slices are read from, as from an `earmark.features.store.FeatureStore`."""

    def read(self, numbers: IntArray) -> NDArray[Any]:
        """Slices by number, in the order asked: (n, n_bins, n_frames)."""


@dataclass(frozen=True, slots=True)
class Part:
    """Slices of one part of a split.

    Attributes
    ----------
    store : Rows
    numbers, reference, track : ndarray of int, shape (n_slices,)
        Of each slice: where it is stored, its genre, which track it is from (0, 1, …).
    """

    store: Rows
    numbers: IntArray
    reference: IntArray
    track: IntArray

    @classmethod
    def of(cls, store: Rows, spans: Sequence[IntArray], reference: Sequence[int]) -> Part:
        """Slices of tracks: for each track their numbers in `store`, and its genre."""
        track = np.repeat(np.arange(len(spans)), [len(span) for span in spans])
        numbers = np.concatenate([*spans, np.empty(0, dtype=np.int64)])
        return cls(store, numbers, np.asarray(reference, dtype=np.int64)[track], track)

    def __len__(self) -> int:
        return len(self.numbers)

    def class_weights(self, n_classes: int) -> NDArray[np.float32]:
        """Weights (n_classes,) that lift rare genres half way to equality, with mean 1."""
        counts = np.bincount(self.reference, minlength=n_classes)
        weights = 1.0 / np.sqrt(np.maximum(counts, 1))
        return np.asarray(weights / weights.mean(), dtype=np.float32)

    def batches(self, size: int, order: IntArray | None = None) -> Iterator[Batch]:
        """Slices (≤ size, n_bins, n_frames) with genres, in the given order or as they are."""
        if order is None:
            order = np.arange(len(self))
        for i in range(0, len(order), size):
            chosen = order[i : i + size]
            yield self.store.read(self.numbers[chosen]), self.reference[chosen]

    def shuffled(self, size: int, min_steps: int, rng: np.random.Generator) -> IntArray:
        """An order to learn in: every slice once, or over again until it makes `min_steps` batches.

        A last batch of one slice is left out: batch normalisation has nothing to normalise by in
        it.
        """
        n = len(self) if len(self) > (min_steps - 1) * size else min_steps * size
        passes = [rng.permutation(len(self)) for _ in range(-(-n // len(self)))]
        order = np.concatenate(passes)[:n]
        return order[:-1] if n % size == 1 and n > 1 else order

    def fingerprint(self) -> int:
        """A number that differs when other slices or other labels are learned from."""
        return zlib.crc32(self.reference.tobytes(), zlib.crc32(self.numbers.tobytes()))


def ahead(batches: Iterator[Batch]) -> Generator[Batch, None, None]:
    """The same batches, each read by another thread while the one before is learned from."""
    with ThreadPoolExecutor(max_workers=1) as reader:
        coming = reader.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = reader.submit(next, batches, None)
            yield batch

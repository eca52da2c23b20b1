"""Batches of stored slices, with what the trainer has to know of the tracks that they are from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earmark.features.store import FeatureStore

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Part:
    """Slices of one part of a split.

    Attributes
    ----------
    store : FeatureStore
    numbers, reference, track : ndarray of int, shape (n_slices,)
        Of each slice: where it is stored, its genre, which track it is from (0, 1, …).
    """

    store: FeatureStore
    numbers: IntArray
    reference: IntArray
    track: IntArray

    @classmethod
    def of(cls, store: FeatureStore, audio_ids: Sequence[str], reference: Sequence[int]) -> Part:
        """Slices of the given tracks; `reference` holds one genre a track."""
        spans = store.locate(audio_ids)
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

    def batches(
        self, size: int, rng: np.random.Generator | None = None
    ) -> Iterator[tuple[NDArray[np.uint8], IntArray]]:
        """Slices (≤ size, n_bins, n_frames) with genres; shuffled by `rng` where it is given.

        A last batch of one slice is left out of shuffled passes: batch normalisation has nothing
        to normalise by in it.
        """
        order = np.arange(len(self)) if rng is None else rng.permutation(len(self))
        for i in range(0, len(order), size):
            chosen = order[i : i + size]
            if rng is not None and len(chosen) == 1 and len(order) > 1:
                return
            yield self.store.read(self.numbers[chosen]), self.reference[chosen]

"""Embeddings that heads can learn from: blobs around a centre for each genre."""

import numpy as np

from earmark.models.classical.head import Tracks


def tracks(
    n_classes: int = 3, n_artists: int = 6, spread: float = 0.5, seed: int = 0
) -> tuple[Tracks, list[str]]:
    """Blobs in five dimensions: an artist has three tracks of a genre, each 2 to 4 slices."""
    rng = np.random.default_rng(seed)
    centres = 3 * np.random.default_rng(99).normal(size=(n_classes, 5))
    rows, n_slices, reference, groups = [], [], [], []
    for genre in range(n_classes):
        for artist in range(n_artists):
            for _ in range(3):
                n = int(rng.integers(2, 5))
                rows.append(centres[genre] + spread * rng.normal(size=(n, 5)))
                n_slices.append(n)
                reference.append(genre)
                groups.append(f"{genre}/{artist}")
    slices = np.concatenate(rows).astype(np.float32) * [1, 10, 100, 0.1, 1] + [0, 5, 0, 0, 7]
    return Tracks(slices.astype(np.float32), n_slices, reference), groups

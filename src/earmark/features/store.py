"""Slices on disk: computed once, found again by what was heard and how.

What a store is made of, and what it survives, is told in `earmark.features.rows`.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from earmark import features, jsontext
from earmark.features.rows import RowStore, stored_in
from earmark.types import ListenConfig, Slices


def recipe_key(config: ListenConfig) -> str:
    """Folder name of a recipe: what was computed by another recipe is never found under it."""
    text = jsontext.dumps(config.to_dict(), sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


class FeatureStore(RowStore[np.uint8 | np.uint16]):
    """Slices (n_bins, n_frames) of many tracks under one recipe.

    Parameters
    ----------
    folder : Path
        Parent of all recipes' stores.
    config : ListenConfig
    """

    def __init__(self, folder: Path, config: ListenConfig) -> None:
        self.parent, self.config = folder, config
        dtype = features.dtype(config.features)
        super().__init__(
            folder / recipe_key(config),
            config.to_dict(),
            f"slices.u{8 * dtype.itemsize}",
            dtype,
            (config.slices.n_frames,),
        )

    def add(self, slices: Slices) -> None:
        """Append a track's slices; they are found after the next `flush`."""
        self.add_rows(slices.audio_id, slices.X, slices.start_s)


def stored_ids(folder: Path, config: ListenConfig) -> set[str]:
    """Names of all tracks in a store; for other processes than its writer, without opening it."""
    return stored_in(folder / recipe_key(config))

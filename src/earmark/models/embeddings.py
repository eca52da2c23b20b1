"""Embeddings of slices by a frozen backbone, computed once a track and kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from earmark import jsontext
from earmark.features.rows import RowStore, stored_in
from earmark.features.traits import TRAITS, traits
from earmark.models.bundle import Bundle
from earmark.types import FloatArray, Slices

if TYPE_CHECKING:
    from earmark.models.runtime import Classifier


@dataclass(frozen=True, slots=True)
class TrackEmbeddings:
    """Embeddings of the slices of one track.

    Attributes
    ----------
    embeddings : ndarray of float32, shape (n_slices, n_features)
    traits : ndarray of float32, shape (n_slices, 3)
        See `earmark.features.traits.traits`.
    start_s : ndarray of float32, shape (n_slices,)
    audio_id : str
    """

    embeddings: FloatArray
    traits: FloatArray
    start_s: FloatArray
    audio_id: str


def embed(slices: Slices, backbone: Classifier) -> TrackEmbeddings:
    """Embeddings and traits of every slice of a track."""
    return TrackEmbeddings(
        backbone.embeddings(slices.X),
        traits(slices.X, backbone.bundle.meta.listen.features),
        slices.start_s,
        slices.audio_id,
    )


class EmbeddingStore(RowStore[np.float32]):
    """Embeddings of many tracks by one backbone; one writer at a time.

    A row is a slice's embedding with its traits behind it.

    Parameters
    ----------
    folder : Path
        Parent of all backbones' stores.
    backbone : Bundle
        Another recipe, or other weights, make another store.
    """

    def __init__(self, folder: Path, backbone: Bundle) -> None:
        self.parent, self.backbone = folder, backbone
        recipe = {"backbone": backbone.meta.name, **_identity(backbone)}
        super().__init__(
            folder / store_key(backbone), recipe, "embeddings.f32", np.dtype(np.float32)
        )

    def add(self, track: TrackEmbeddings) -> None:
        """Append a track; it is found after the next `flush`."""
        rows = np.concatenate([track.embeddings, track.traits], axis=1)
        self.add_rows(track.audio_id, rows, track.start_s)

    def embeddings(self, numbers: Iterable[int] | NDArray[np.int64]) -> FloatArray:
        """Embeddings (n, n_features) of slices by number."""
        return self.read(numbers)[:, : -len(TRAITS)]

    def traits(self, numbers: Iterable[int] | NDArray[np.int64]) -> FloatArray:
        """Traits (n, 3) of slices by number."""
        return self.read(numbers)[:, -len(TRAITS) :]


def embedded_ids(folder: Path, backbone: Bundle) -> set[str]:
    """Names of all tracks in a store; for other processes than its writer, without opening it."""
    return stored_in(folder / store_key(backbone))


def _identity(backbone: Bundle) -> dict[str, Any]:
    """All that a row depends on."""
    return {"model_id": backbone.model_id, "traits": TRAITS}


def store_key(backbone: Bundle) -> str:
    """Folder name of a backbone's store: another recipe, or other weights, have another."""
    text = jsontext.dumps(_identity(backbone), sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

"""What all work of a session shares, opened once: home, catalogue, stores, workers, limits."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Self

from earmark.features.store import FeatureStore
from earmark.library import Catalogue
from earmark.library.catalogue import FILE_NAME as CATALOGUE
from earmark.models import bundle as bundles
from earmark.models import catalog
from earmark.models.bundle import Bundle
from earmark.models.embeddings import EmbeddingStore
from earmark.pool import Workers
from earmark.types import ListenConfig


class Resources:
    """What a session has; a context manager that gives it back.

    Parameters
    ----------
    home : Path
        Earmark's data folder; made where it is missing as soon as something is kept in it.
    n_workers : int
        Worker processes.
    time_limit_s : float
        Seconds that one file may take before it is given up.
    memory_limit_bytes : int, optional
        See `earmark.pool.FilePool`.

    Attributes
    ----------
    workers : Workers
        They start with the first file.
    """

    def __init__(
        self,
        home: Path,
        *,
        n_workers: int,
        time_limit_s: float,
        memory_limit_bytes: int | None = None,
    ) -> None:
        self.home = home
        self.workers = Workers(
            n_workers, time_limit_s=time_limit_s, memory_limit_bytes=memory_limit_bytes
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """End the workers and close the catalogue."""
        self.workers.close()
        if "catalogue" in self.__dict__:
            self.catalogue.close()
            del self.__dict__["catalogue"]

    @cached_property
    def catalogue(self) -> Catalogue:
        """Opened when it is first asked for; it belongs to the thread that asks.

        Raises
        ------
        LibraryError
            If it cannot be opened.
        """
        return Catalogue.open(self.home / CATALOGUE)

    @property
    def fingerprints(self) -> Path:
        """Folder of the store of fingerprints."""
        return self.home / "fingerprints"

    def features(self, config: ListenConfig) -> FeatureStore:
        """The store of slices under this recipe, to be closed by whoever asks for it."""
        return FeatureStore(self.home / "features", config)

    def embeddings(self, backbone: Bundle) -> EmbeddingStore:
        """The store of embeddings by this backbone, to be closed by whoever asks for it."""
        return EmbeddingStore(self.home / "embeddings", backbone)

    def open_model(self, model: str = "") -> Bundle:
        """The model in that folder or of that name; the one that ships where none is named.

        Raises
        ------
        BundleError
            If it cannot be used.
        """
        return bundles.load(catalog.choose(model, self.home))

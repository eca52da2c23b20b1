"""What a session gives: embeddings, plans, trainings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.api.model import Model, PathLike, text_of
from earmark.library import Plan as LibraryPlan
from earmark.library import PlanItem, export_csv
from earmark.types import FloatArray


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Embeddings of many files.

    Attributes
    ----------
    X : ndarray of float32, shape (n_songs, n_features)
    paths : list of str, length n_songs
        The files that could be heard, in the order in which they were given.
    errors : dict of str to str
        The other files, and why.
    """

    X: FloatArray
    paths: list[str]
    errors: dict[str, str]


@dataclass(frozen=True, slots=True)
class Plan:
    """Genres that `Session.apply` would write; nothing is written before.

    Attributes
    ----------
    root : str
        Folder of the library.
    items : tuple of PlanItem
        One for each track: `path`, `before`, `after`, `action`, `confidence`, `reason` and more.
    """

    root: str
    items: tuple[PlanItem, ...] = field(repr=False)

    def counts(self) -> dict[str, int]:
        """Items of each action: fill, overwrite, append, keep, unknown, error."""
        return dict[str, int](LibraryPlan(self.items).counts().items())

    def to_csv(self, path: PathLike) -> None:
        """Write the plan as a table, to be edited and read back by `Session.read_plan`.

        Raises
        ------
        LibraryError
            There is a file of that name already, or it cannot be written.
        """
        export_csv(LibraryPlan(self.items), Path(text_of(path)))


@dataclass(frozen=True, slots=True)
class Training:
    """What came of a training.

    Attributes
    ----------
    model : Model
    scores : mapping
        Measured on tracks by artists that were not learned from.
    confusion : ndarray of int, shape (n_classes, n_classes + 1)
        Test tracks by genre (row) and answer (column; the last is "I don't know").
    run_dir : Path
        Recipe, settings, split, history and figures.
    interrupted : bool
        Whether it was cut short; the best network so far was kept.
    """

    model: Model
    scores: Mapping[str, Any]
    confusion: NDArray[np.int64]
    run_dir: Path
    interrupted: bool

"""What a training is asked for, and what it answers: the words that all learners share."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.datasets.splitting import SplitRequest
from earmark.models.bundle import Bundle
from earmark.training.recipes.recipe import TrainingRecipe
from earmark.training.recipes.settings import Hardware


@dataclass(frozen=True, slots=True)
class LabelRequest:
    """Which tracks to learn from, and which genre each stands for.

    Attributes
    ----------
    root : str
        Folder with the music.
    source : str
        One of `earmark.datasets.SOURCES`, such as ``tags`` or the path of a CSV manifest.
    merges : mapping of str to str
        Raw genre to the genre that it counts as.
    min_tracks : int
        Genres with fewer tracks are dropped, or with `roll_up` counted as their parent genre.
    only : tuple of str
        Genres to choose from; empty: all.
    without : tuple of str
        Labels whose tracks are left out once each track has its label. Unlike by `only`, none of
        them counts as a more general genre instead.
    field : str
        What is learned: ``genre``, another tag (``mood``, ``grouping``), a manifest's column.
    meta : str or None
        Folder with the lists or tables of the data set, where they are not beside the audio.
    split : SplitRequest
    fingerprints : bool
        Whether to look for duplicates by their sound, so that none is on both sides of a split.
        Each track is decoded whole for that, once.
    max_tracks : int
        Of more, so many are drawn, genre by genre and artist by artist; 0: all are taken.
    """

    root: str
    source: str = "tags"
    merges: Mapping[str, str] = dataclasses.field(default_factory=dict)
    min_tracks: int = 10
    roll_up: bool = False
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    field: str = "genre"
    meta: str | None = None
    split: SplitRequest = dataclasses.field(default_factory=SplitRequest)
    fingerprints: bool = True
    max_tracks: int = 0


@dataclass(frozen=True, slots=True)
class TrainRequest:
    """What to learn, and how.

    Attributes
    ----------
    labels : LabelRequest
    out : Path
        Bundle to write.
    recipe : TrainingRecipe
    hardware : Hardware
        What a network is trained on.
    target_precision : float
        The model's own threshold is set so that this share of the answers that it gives on
        validation tracks is right.
    run_dir : Path or None
        For checkpoints, history and plots; by default beside `out`.
    about : str
        What the music is and where it is from, for those who get the model.
    licence : str
    unlabelled : tuple of str
        Folders with the music that a distilled backbone is made on; empty: the labelled music.
    not_music : tuple of str
        Folders with sounds that a head learns to tell from music; empty: it tells them as its
        backbone does, if that can.
    """

    labels: LabelRequest
    out: Path
    recipe: TrainingRecipe = dataclasses.field(default_factory=TrainingRecipe)
    hardware: Hardware = dataclasses.field(default_factory=Hardware)
    target_precision: float = 0.8
    run_dir: Path | None = None
    about: str = ""
    licence: str = "unspecified"
    unlabelled: tuple[str, ...] = ()
    not_music: tuple[str, ...] = ()

    @property
    def run_folder(self) -> Path:
        return self.run_dir or self.out.with_name(f"{self.out.name}-run")


@dataclass(frozen=True, slots=True)
class TrainReport:
    """What a training has made.

    Attributes
    ----------
    bundle : Bundle
    scores : mapping
        On the test part.
    confusion : ndarray of int, shape (n_classes, n_classes + 1)
        Test tracks by genre (row) and answer (column; the last is "I don't know").
    run_dir : Path
        Where the run was recorded.
    interrupted : bool
        Whether it was cut short; the best network so far was kept.
    """

    bundle: Bundle
    scores: Mapping[str, Any]
    confusion: NDArray[np.int64]
    run_dir: Path
    interrupted: bool

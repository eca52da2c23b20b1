"""Recipes side by side: what each scored under each split, what it costs, what its author said.

Conventions: a *cell* is one recipe under one protocol. Scores are those of
`earmark.evaluation.results`: an answer for every track, 95 % intervals resampled by artist.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, get_type_hints

from earmark.evaluation.bootstrap import Score

PAPER = "paper"
"""The protocol that stands for each recipe's own: as its author split."""

HONEST = ("artist", "prescribed")


@dataclass(frozen=True, slots=True)
class Reported:
    """What an author reported; see `earmark.training.recipes.paper.PaperConfig`."""

    figure: str = ""
    accuracy: float = 0.0
    counts: str = "tracks"
    data: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """One recipe under one protocol.

    Attributes
    ----------
    recipe : str
    protocol : str
        As asked for: one of `earmark.datasets.PROTOCOLS`, ``prescribed`` or `PAPER`.
    split : str
        The protocol that was in force.
    details : str
        Shares or folds, seed, merged genres.
    front_end : str
        What the model is given, in words.
    reported : Reported
    error : str
        Why there are no scores; empty where there are.
    n_genres, n_tracks, n_slices, n_groups : int
        Of what was tested.
    n_parameters : int
        Numbers that the model holds.
    train_s : float
        Of all folds together, without listening; of networks processor time.
    track_ms : float
        Median processor time from file to decision, on one thread; NaN where not measured.
    slice_accuracy, accuracy, macro_f1 : Score or None
    majority : float
        Accuracy of always giving the commonest genre.
    warnings : tuple of str
    """

    recipe: str
    protocol: str
    split: str = ""
    details: str = ""
    front_end: str = ""
    reported: Reported = field(default_factory=Reported)
    error: str = ""
    n_genres: int = 0
    n_tracks: int = 0
    n_slices: int = 0
    n_groups: int = 0
    n_parameters: int = 0
    train_s: float = math.nan
    track_ms: float = math.nan
    slice_accuracy: Score | None = None
    accuracy: Score | None = None
    macro_f1: Score | None = None
    majority: float = math.nan
    warnings: tuple[str, ...] = ()

    @property
    def is_honest(self) -> bool:
        """Whether nothing is known to leak from training into test."""
        return self.split in HONEST

    @property
    def counted(self) -> Score | None:
        """The score of what the author counted: of tracks or of slices."""
        return self.slice_accuracy if self.reported.counts == "slices" else self.accuracy

    def to_json(self) -> dict[str, Any]:
        """Plain types, numbers to six decimals; NaN is None."""
        plain: dict[str, Any] = _plain(dataclasses.asdict(self))
        return plain

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """What `to_json` gave."""
        types = get_type_hints(cls)
        parsed: dict[str, Any] = {
            key: math.nan if value is None and types[key] is float else value
            for key, value in values.items()
        }
        for name in ("slice_accuracy", "accuracy", "macro_f1"):
            if parsed.get(name) is not None:
                parsed[name] = Score(**parsed[name])
        parsed["reported"] = Reported(**values["reported"])
        parsed["warnings"] = tuple(values["warnings"])
        return cls(**parsed)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Cells in the order of their recipes, and how they were come by.

    Attributes
    ----------
    data : str
        Name of the music.
    command : str
        What to type to measure this again.
    cells : tuple of Cell
    interrupted : bool
        Whether there should have been more.
    """

    data: str
    command: str
    cells: tuple[Cell, ...]
    interrupted: bool = False

    @property
    def recipes(self) -> list[str]:
        return list(dict.fromkeys(cell.recipe for cell in self.cells))

    def of(self, recipe: str) -> list[Cell]:
        return [cell for cell in self.cells if cell.recipe == recipe]

    def pair(self, recipe: str) -> tuple[Cell | None, Cell | None]:
        """Of cells with scores: under the honest split, and as the author split."""
        scored = [cell for cell in self.of(recipe) if cell.accuracy is not None]
        asked = [cell for cell in scored if cell.protocol != PAPER and cell.is_honest]
        paper = [cell for cell in scored if cell.protocol == PAPER]
        return next(iter(asked), None), next(iter(paper), None)

    def to_json(self) -> dict[str, Any]:
        return {
            "data": self.data,
            "command": self.command,
            "interrupted": self.interrupted,
            "cells": [cell.to_json() for cell in self.cells],
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        cells = tuple(Cell.from_json(cell) for cell in values["cells"])
        return cls(values["data"], values["command"], cells, values["interrupted"])


HEAD = (
    "Recipe",
    "Front end",
    "Parameters",
    "Split",
    "Training",
    "Slices right",
    "Tracks right",
    "Macro-F1",
    "ms a track",
    "Author's figure",
)


def rows(cells: Sequence[Cell]) -> list[tuple[str, ...]]:
    """The table, a row a cell, under `HEAD`; what a recipe's rows share stands in the first."""
    table: list[tuple[str, ...]] = []
    before = ""
    for cell in cells:
        shared = (cell.recipe, cell.front_end, _count(cell.n_parameters), said(cell.reported))
        name, front_end, size, figure = shared if cell.recipe != before else ("", "", "", "")
        before = cell.recipe
        split = f"author's: {cell.split}" if cell.protocol == PAPER else cell.split
        if cell.error:
            scores = ("", "", "failed", "", "")
        else:
            scores = (
                duration(cell.train_s),
                share(cell.slice_accuracy),
                share(cell.accuracy, interval=True),
                share(cell.macro_f1),
                "" if math.isnan(cell.track_ms) else f"{cell.track_ms:.0f}",
            )
        table.append((name, front_end, size, split, *scores, figure))
    return table


def said(reported: Reported) -> str:
    """The author's figure with its data, in words."""
    if not reported.figure:
        return ""
    return f"{reported.figure} ({reported.data})"


def share(score: Score | None, *, interval: bool = False) -> str:
    """A score for people."""
    if score is None or math.isnan(score.value):
        return ""
    ends = f" [{score.low:.1%}, {score.high:.1%}]" if interval else ""
    return f"{score.value:.1%}{ends}"


def duration(seconds: float) -> str:
    """A time for people."""
    if math.isnan(seconds):
        return ""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _count(n: int) -> str:
    if n >= 10**6:
        return f"{n / 10**6:.1f} M"
    return f"{n / 1000:.0f} k" if n >= 10_000 else str(n or "")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, 6)
    return value

"""Options and choices of the verbs that learn."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from earmark.training.recipes.recipe import TrainingRecipe
    from earmark.training.recipes.settings import Hardware
    from earmark.training.request import LabelRequest

LABELS = "Labels"
TRAINING = "Training"
HARDWARE = "Hardware, for networks"

RecipeName = Annotated[
    str,
    typer.Option("--recipe", "-r", help="How to learn: a recipe's name, or a TOML file."),
]
Source = Annotated[
    str,
    typer.Option(
        help="tags, folders, or a CSV with path and genre.",
        rich_help_panel=LABELS,
    ),
]
Field = Annotated[
    str,
    typer.Option(
        help="What to learn: genre, mood, grouping, or a column of the CSV.",
        rich_help_panel=LABELS,
        hidden=True,
    ),
]
Meta = Annotated[
    str | None,
    typer.Option(
        help="Folder with a data set's lists and tables. [default: the music's]",
        rich_help_panel=LABELS,
        hidden=True,
    ),
]
Merge = Annotated[
    list[str] | None,
    typer.Option(
        help='Count a genre as another: "Concertos=Classical". May be repeated.',
        metavar="A=B",
        rich_help_panel=LABELS,
    ),
]
Mapping = Annotated[
    Path | None,
    typer.Option(
        help="TOML or CSV file of such merges.",
        dir_okay=False,
        rich_help_panel=LABELS,
        hidden=True,
    ),
]
Only = Annotated[
    list[str] | None,
    typer.Option(
        help="Learn only this genre. May be repeated.", metavar="GENRE", rich_help_panel=LABELS
    ),
]
MinTracks = Annotated[
    int,
    typer.Option(
        min=3, help="Genres with fewer tracks are dropped.", metavar="N", rich_help_panel=LABELS
    ),
]
RollUp = Annotated[
    bool,
    typer.Option(
        "--roll-up",
        help="Count rare genres as their parent genre.",
        rich_help_panel=LABELS,
        hidden=True,
    ),
]
Fingerprints = Annotated[
    bool,
    typer.Option(
        help="Find duplicates by their sound, so that none is on both sides of a split.",
        rich_help_panel=LABELS,
        hidden=True,
    ),
]


@dataclass(frozen=True)
class LabelSource:
    """Where labels are, and how they are read."""

    labels: Source = "tags"
    field: Field = "genre"
    meta: Meta = None
    merge: Merge = None
    mapping: Mapping = None

    def request(self, root: str, **more: Any) -> LabelRequest:
        """What a workflow is asked for; `more` is what the command adds."""
        from earmark.training.request import LabelRequest

        merges = read_merges(self.mapping, self.merge)
        return LabelRequest(root, self.labels, merges, field=self.field, meta=self.meta, **more)


@dataclass(frozen=True)
class GenreChoice(LabelSource):
    """The same, and which genres are learned."""

    only: Only = None
    min_tracks: MinTracks = 10
    roll_up: RollUp = False

    def request(self, root: str, **more: Any) -> LabelRequest:
        own = {"min_tracks": self.min_tracks, "roll_up": self.roll_up}
        return super().request(root, only=tuple(self.only or ()), **own, **more)


@dataclass(frozen=True)
class Labels(GenreChoice):
    """The same, for what splits tracks into those to learn from and those to measure on."""

    fingerprints: Fingerprints = True

    def request(self, root: str, **more: Any) -> LabelRequest:
        return super().request(root, fingerprints=self.fingerprints, **more)


_AS_RECIPE = "[default: as the recipe says]"
Excerpts = Annotated[
    int | None,
    typer.Option(
        min=1,
        help=f"Excerpts of each track to listen to. {_AS_RECIPE}",
        rich_help_panel=TRAINING,
        hidden=True,
    ),
]
Epochs = Annotated[
    int | None,
    typer.Option(
        min=1,
        help=f"Passes over the music, at most. {_AS_RECIPE}",
        rich_help_panel=TRAINING,
        hidden=True,
    ),
]
Patience = Annotated[
    int | None,
    typer.Option(
        min=1,
        help=f"Passes without getting better before it stops. {_AS_RECIPE}",
        rich_help_panel=TRAINING,
        hidden=True,
    ),
]
BatchSize = Annotated[
    int | None,
    typer.Option(
        min=2, help=f"Slices a training step. {_AS_RECIPE}", rich_help_panel=TRAINING, hidden=True
    ),
]
LearningRate = Annotated[
    float | None,
    typer.Option(
        "--lr",
        min=1e-7,
        help=f"Highest learning rate. {_AS_RECIPE}",
        rich_help_panel=TRAINING,
        hidden=True,
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(
        min=0,
        help=f"Of the split and the training. {_AS_RECIPE}",
        rich_help_panel=TRAINING,
        hidden=True,
    ),
]


@dataclass(frozen=True)
class Passes:
    """How long to learn, in place of what the recipe says."""

    epochs: Epochs = None
    patience: Patience = None
    seed: Seed = None

    def flags(self) -> dict[str, Any]:
        """By their place in a recipe."""
        return {
            "schedule.epochs": self.epochs,
            "schedule.patience": self.patience,
            "seed": self.seed,
        }


@dataclass(frozen=True)
class Schedule(Passes):
    """The same, and from what in which steps."""

    excerpts: Excerpts = None
    batch_size: BatchSize = None

    def flags(self) -> dict[str, Any]:
        own = {"excerpts.n_excerpts": self.excerpts, "schedule.batch_size": self.batch_size}
        return super().flags() | own


Backbone = Annotated[
    str | None,
    typer.Option(
        help="With the recipe head: folder or name of the model whose embeddings are learned from."
        " [default: the one that comes with Earmark]",
        metavar="MODEL",
        rich_help_panel=TRAINING,
        hidden=True,
    ),
]
Unlabelled = Annotated[
    list[str] | None,
    typer.Option(
        help="With --recipe ear: folder with music, labelled or not, that the backbone learns to"
        " hear by. May be repeated. [default: the labelled music]",
        metavar="DIR",
        rich_help_panel=TRAINING,
        hidden=True,
    ),
]
NotMusic = Annotated[
    list[str] | None,
    typer.Option(
        "--not-music",
        help="Folder with sounds that are no music: speech, noises. May be repeated.",
        metavar="DIR",
        rich_help_panel=TRAINING,
        hidden=True,
    ),
]
Estimator = Annotated[
    str | None,
    typer.Option(
        help="With --recipe summary-sklearn: the one that becomes the model: best, dummy, k-nn,"
        f" logistic, svm, forest, boosting, bayes or mlp. {_AS_RECIPE}",
        rich_help_panel=TRAINING,
        hidden=True,
    ),
]

Precision = Annotated[
    str,
    typer.Option(help="32-true, bf16-mixed or 16-mixed.", rich_help_panel=HARDWARE, hidden=True),
]
Accelerator = Annotated[
    str,
    typer.Option(
        help="auto, cpu, gpu or another that Lightning knows.",
        rich_help_panel=HARDWARE,
        hidden=True,
    ),
]
Devices = Annotated[
    int, typer.Option(min=1, help="How many of them.", rich_help_panel=HARDWARE, hidden=True)
]


@dataclass(frozen=True)
class OneDevice:
    """What a network is trained on."""

    precision: Precision = "32-true"
    accelerator: Accelerator = "auto"

    def chosen(self) -> Hardware:
        from earmark.training.recipes.settings import Hardware

        return Hardware(self.accelerator, 1, self.precision)


@dataclass(frozen=True)
class ManyDevices(OneDevice):
    """The same, where several may share the work."""

    devices: Devices = 1

    def chosen(self) -> Hardware:
        return dataclasses.replace(super().chosen(), devices=self.devices)


def read_recipe(name: str, flags: dict[str, Any]) -> TrainingRecipe:
    """The recipe, with the values of flags that were given (are not None) in place of its own.

    `flags` go by ``section.key``.
    """
    from earmark.training import recipes

    given = {path: value for path, value in flags.items() if value is not None}
    return recipes.load(name).replaced(given, "command line")


def is_recipe(name: str) -> bool:
    """Whether this names a recipe, and no folder that is there."""
    from earmark.training import recipes

    return (name.endswith(".toml") or name in recipes.names()) and not Path(name).is_dir()


def read_merges(mapping: Path | None, merge: Sequence[str] | None) -> dict[str, str]:
    """Merges of the file, and those of the command line in their place."""
    from earmark.genres import merges

    from_file = merges.read_merges(mapping) if mapping else {}
    return {**from_file, **merges.parse_merges(merge or [])}

"""Options and choices of the verbs that learn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from earmark.training.recipes.recipe import TrainingRecipe

RecipeName = Annotated[
    str,
    typer.Option("--recipe", "-r", help="How to learn: a recipe's name, or a TOML file."),
]
Labels = Annotated[
    str, typer.Option(help="Where labels are: tags, folders, or a CSV with columns path, genre.")
]
Field = Annotated[
    str, typer.Option(help="What to learn: genre, mood, grouping, or a column of the CSV.")
]
Meta = Annotated[
    str | None,
    typer.Option(help="Folder with a data set's lists and tables. [default: the music's]"),
]
Merge = Annotated[
    list[str] | None,
    typer.Option(help='Count a genre as another: "Concertos=Classical". May be repeated.'),
]
Mapping = Annotated[
    Path | None, typer.Option(help="TOML or CSV file of such merges.", dir_okay=False)
]
Only = Annotated[list[str] | None, typer.Option(help="Learn only this genre. May be repeated.")]
MinTracks = Annotated[int, typer.Option(min=3, help="Genres with fewer tracks are dropped.")]
RollUp = Annotated[bool, typer.Option("--roll-up", help="Count rare genres as their parent genre.")]
Fingerprints = Annotated[
    bool,
    typer.Option(help="Find duplicates by their sound, so that none is on both sides of a split."),
]

_AS_RECIPE = "[default: as the recipe says]"
Excerpts = Annotated[
    int | None, typer.Option(min=1, help=f"Excerpts of each track to listen to. {_AS_RECIPE}")
]
Epochs = Annotated[
    int | None, typer.Option(min=1, help=f"Passes over the music, at most. {_AS_RECIPE}")
]
Patience = Annotated[
    int | None,
    typer.Option(min=1, help=f"Passes without getting better before it stops. {_AS_RECIPE}"),
]
BatchSize = Annotated[int | None, typer.Option(min=2, help=f"Slices a training step. {_AS_RECIPE}")]
LearningRate = Annotated[
    float | None, typer.Option("--lr", min=1e-7, help=f"Highest learning rate. {_AS_RECIPE}")
]
Backbone = Annotated[
    str | None,
    typer.Option(
        help="With the recipe head: folder or name of the model whose embeddings are learned from."
        " [default: the one that comes with Earmark]",
        metavar="MODEL",
    ),
]
Unlabelled = Annotated[
    list[str] | None,
    typer.Option(
        help="With --recipe ear: folder with music, labelled or not, that the backbone learns to"
        " hear by. May be repeated. [default: the labelled music]",
        metavar="DIR",
    ),
]
NotMusic = Annotated[
    list[str] | None,
    typer.Option(
        "--not-music",
        help="Folder with sounds that are no music: speech, noises. May be repeated.",
        metavar="DIR",
    ),
]
Estimator = Annotated[
    str | None,
    typer.Option(
        help="With --recipe summary-sklearn: the one that becomes the model: best, dummy, k-nn,"
        f" logistic, svm, forest, boosting, bayes or mlp. {_AS_RECIPE}"
    ),
]
Seed = Annotated[
    int | None, typer.Option(min=0, help=f"Of the split and the training. {_AS_RECIPE}")
]
Precision = Annotated[str, typer.Option(help="32-true, bf16-mixed or 16-mixed.")]
Accelerator = Annotated[str, typer.Option(help="auto, cpu, gpu or another that Lightning knows.")]
Devices = Annotated[int, typer.Option(min=1, help="How many of them.")]


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

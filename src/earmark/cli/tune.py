"""``earmark tune``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from earmark.cli import learning, options
from earmark.cli.console import complain, follow, out, shown


def command(
    root: Annotated[str, typer.Argument(help="Folder with labelled music.", metavar="DIR")],
    output: Annotated[
        Path, typer.Option("--out", "-o", help="Run folder; one that is there is gone on with.")
    ],
    recipe: learning.RecipeName = "cnn",
    trials: Annotated[
        int, typer.Option(min=1, help="Trials in all, with those of earlier runs.")
    ] = 20,
    folds: Annotated[int, typer.Option(min=2, help="Of the training part's artists.")] = 3,
    labels: learning.Labels = "tags",
    field: learning.Field = "genre",
    meta: learning.Meta = None,
    merge: learning.Merge = None,
    mapping: learning.Mapping = None,
    only: learning.Only = None,
    min_tracks: learning.MinTracks = 10,
    roll_up: learning.RollUp = False,
    fingerprints: learning.Fingerprints = True,
    excerpts: learning.Excerpts = None,
    epochs: learning.Epochs = None,
    patience: learning.Patience = None,
    batch_size: learning.BatchSize = None,
    seed: learning.Seed = None,
    precision: learning.Precision = "32-true",
    accelerator: learning.Accelerator = "auto",
    workers: options.Workers = None,
    time_limit: options.TimeLimit = None,
    config: options.Config = None,
    quiet: options.Quiet = False,
) -> None:
    """Search for better settings of a recipe; needs the extra tune. Changes no music file."""
    from earmark.datasets.splitting import SplitRequest
    from earmark.training.recipes.settings import Hardware
    from earmark.training.request import LabelRequest
    from earmark.workflows.tune import TuneRequest, tune

    chosen = options.settings(config, workers=workers, time_limit_s=time_limit)
    flags = {
        "excerpts.n_excerpts": excerpts,
        "schedule.epochs": epochs,
        "schedule.patience": patience,
        "schedule.batch_size": batch_size,
        "seed": seed,
    }
    how = learning.read_recipe(recipe, flags)
    request = TuneRequest(
        labels=LabelRequest(
            root=root,
            source=labels,
            merges=learning.read_merges(mapping, merge),
            min_tracks=min_tracks,
            roll_up=roll_up,
            only=tuple(only or ()),
            field=field,
            meta=meta,
            split=SplitRequest(seed=how.seed),
            fingerprints=fingerprints,
        ),
        out=output,
        recipe=how,
        hardware=Hardware(accelerator, 1, precision),
        n_trials=trials,
        n_folds=folds,
    )
    with options.open_resources(chosen) as resources:
        flow = tune(
            request,
            resources,
        )
        report, n_skipped = follow(flow, quiet=quiet)
    console = out()
    if report.best is None or report.recipe is None:
        complain("no trial has gone through all folds yet; run it again with more --trials")
        raise typer.Exit(1)
    console.print(
        f"best of {len(report.outcomes)} trials: macro-F1 {report.best.scores[-1]:.1%} by"
        f" {len(report.best.scores)}-fold cross-validation within the training part"
    )
    console.print(f"recipe: {shown(str(report.recipe))}")
    console.print(f"train it: earmark train {shown(root)} --recipe {shown(str(report.recipe))} …")
    if report.interrupted:
        console.print("interrupted; the same command goes on from here")
        raise typer.Exit(130)
    if n_skipped:
        raise typer.Exit(3)

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
    labels: learning.Labels,
    schedule: learning.Schedule,
    hardware: learning.OneDevice,
    running: options.Running,
    recipe: learning.RecipeName = "cnn",
    trials: Annotated[
        int, typer.Option(min=1, help="Trials in all, with those of earlier runs.")
    ] = 20,
    folds: Annotated[int, typer.Option(min=2, help="Of the training part's artists.")] = 3,
) -> None:
    """Search for better settings of a recipe; needs earmark[train]. Changes no music file."""
    from earmark.datasets.splitting import SplitRequest
    from earmark.workflows.tune import TuneRequest, tune

    chosen = options.settings(running)
    how = learning.read_recipe(recipe, schedule.flags())
    request = TuneRequest(
        labels=labels.request(root, split=SplitRequest(seed=how.seed)),
        out=output,
        recipe=how,
        hardware=hardware.chosen(),
        n_trials=trials,
        n_folds=folds,
    )
    with options.open_resources(chosen) as resources:
        flow = tune(
            request,
            resources,
        )
        report, n_skipped = follow(flow, quiet=running.quiet)
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

"""``earmark train``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from earmark.cli import learning, options
from earmark.cli.console import follow, out, shown

NOTED = "The model and its record"


def command(
    root: Annotated[str, typer.Argument(help="Folder with labelled music.", metavar="DIR")],
    output: Annotated[Path, typer.Option("--out", "-o", help="Model folder to write.")],
    labels: learning.Labels,
    schedule: learning.Schedule,
    hardware: learning.ManyDevices,
    running: options.Running,
    recipe: learning.RecipeName = "head",
    backbone: learning.Backbone = None,
    unlabelled: learning.Unlabelled = None,
    not_music: learning.NotMusic = None,
    estimator: learning.Estimator = None,
    lr: learning.LearningRate = None,
    vote: options.Vote = None,
    target_precision: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            help="Share of right answers that the model's doubt aims at.",
            rich_help_panel=NOTED,
            hidden=True,
        ),
    ] = 0.8,
    run_dir: Annotated[
        Path | None,
        typer.Option(
            help="Where the run is recorded. [default: OUT-run]", rich_help_panel=NOTED, hidden=True
        ),
    ] = None,
    about: Annotated[
        str,
        typer.Option(
            help="What the music is and where it is from, noted in the model.",
            rich_help_panel=NOTED,
            hidden=True,
        ),
    ] = "",
    licence: Annotated[
        str,
        typer.Option(help="Licence noted in the model.", rich_help_panel=NOTED, hidden=True),
    ] = "unspecified",
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Replace a model made from other data, labels or recipe.",
            rich_help_panel=NOTED,
            hidden=True,
        ),
    ] = False,
) -> None:
    """Learn genres from labelled tracks, and write a model. Changes no music file.

    Needs earmark[head]; networks (--recipe cnn and the like) need earmark[train].
    """
    from earmark.datasets.splitting import SplitRequest
    from earmark.training.request import TrainRequest
    from earmark.training.run_folder import is_helper
    from earmark.training.train import train

    chosen = options.settings(running)
    flags = schedule.flags() | {
        "optimiser.lr": lr,
        "head.backbone": backbone,
        "summary.estimator": estimator,
        "vote.mode": vote,
    }
    how = learning.read_recipe(recipe, flags)
    request = TrainRequest(
        labels=labels.request(root, split=SplitRequest(seed=how.seed)),
        out=output,
        recipe=how,
        hardware=hardware.chosen(),
        target_precision=target_precision,
        run_dir=run_dir,
        about=about,
        licence=licence,
        unlabelled=tuple(unlabelled or ()),
        not_music=tuple(not_music or ()),
    )
    with options.open_resources(chosen) as resources:
        flow = train(request, resources, replace=force)
        report, n_skipped = follow(flow, quiet=running.quiet or is_helper())
    scores = report.scores
    low, high = scores["accuracy_interval_95"]
    console = out()
    console.print(
        f"{measured_on(scores, report.bundle.meta.data['leaks'])}: {scores['accuracy']:.1%} right"
        f" (95 % interval {low:.1%} to {high:.1%}),"
        f" the commonest genre {scores['majority_baseline']:.1%}"
    )
    if scores["n_artist_unknown"]:
        console.print(
            "others by the same unknown artists may have been learned from, and the score may be"
            " too good"
        )
    if scores["precision_when_answered"] is not None:
        console.print(
            f'saying "I don\'t know" to {1 - scores["answered"]:.0%} of them,'
            f" {scores['precision_when_answered']:.1%} of the rest are right"
        )
    if (sounds := scores.get("not_music")) is not None:
        low, high = sounds["auroc_interval_95"]
        console.print(
            f"{sounds['n_sounds']} other sounds that are no music: {sounds['sounds_passed']:.1%}"
            f" pass for it, {sounds['music_refused']:.1%} of the test tracks do not; AUROC"
            f" {sounds['auroc']:.1%} (95 % interval {low:.1%} to {high:.1%})"
        )
    console.print(f"model: {shown(str(report.bundle.path))}")
    console.print(f"run:   {shown(str(report.run_dir))}")
    if report.interrupted:
        console.print("training was interrupted; the best network so far was kept")
        raise typer.Exit(130)
    if n_skipped:
        raise typer.Exit(3)


def measured_on(scores: Mapping[str, Any], leaks: Sequence[str]) -> str:
    """How many tracks the scores are of, and by whom as far as that is known."""
    n_tracks, n_unknown = scores["n_tracks"], scores["n_artist_unknown"]
    by = f"by {scores['n_artists']} artists{'' if leaks else ' not trained on'}"
    if not n_unknown:
        return f"{n_tracks} test tracks {by}"
    known = f" {n_tracks - n_unknown} of them {by}," if n_unknown < n_tracks else ""
    return f"{n_tracks} test tracks,{known} the artist of {n_unknown} of them not known"

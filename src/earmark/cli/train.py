"""``earmark train``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from earmark.cli import learning, options
from earmark.cli.console import follow, out, shown


def command(
    root: Annotated[str, typer.Argument(help="Folder with labelled music.", metavar="DIR")],
    output: Annotated[Path, typer.Option("--out", "-o", help="Model folder to write.")],
    recipe: learning.RecipeName = "cnn",
    backbone: learning.Backbone = None,
    unlabelled: learning.Unlabelled = None,
    not_music: learning.NotMusic = None,
    estimator: learning.Estimator = None,
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
    lr: learning.LearningRate = None,
    vote: options.Vote = None,
    seed: learning.Seed = None,
    precision: learning.Precision = "32-true",
    accelerator: learning.Accelerator = "auto",
    devices: learning.Devices = 1,
    target_precision: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share of right answers that the model's doubt aims at."),
    ] = 0.8,
    run_dir: Annotated[
        Path | None, typer.Option(help="Where the run is recorded. [default: OUT-run]")
    ] = None,
    about: Annotated[
        str, typer.Option(help="What the music is and where it is from, noted in the model.")
    ] = "",
    licence: Annotated[str, typer.Option(help="Licence noted in the model.")] = "unspecified",
    force: Annotated[
        bool,
        typer.Option("--force", help="Replace a model made from other data, labels or recipe."),
    ] = False,
    workers: options.Workers = None,
    time_limit: options.TimeLimit = None,
    config: options.Config = None,
    quiet: options.Quiet = False,
) -> None:
    """Learn genres from labelled tracks; needs earmark[train], a head only earmark[head].

    Changes no music file.
    """
    from earmark.datasets.splitting import SplitRequest
    from earmark.training.recipes.settings import Hardware
    from earmark.training.request import LabelRequest, TrainRequest
    from earmark.training.run_folder import is_helper
    from earmark.training.train import train

    chosen = options.settings(config, workers=workers, time_limit_s=time_limit)
    flags = {
        "excerpts.n_excerpts": excerpts,
        "schedule.epochs": epochs,
        "schedule.patience": patience,
        "schedule.batch_size": batch_size,
        "optimiser.lr": lr,
        "head.backbone": backbone,
        "summary.estimator": estimator,
        "vote.mode": vote,
        "seed": seed,
    }
    how = learning.read_recipe(recipe, flags)
    request = TrainRequest(
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
        hardware=Hardware(accelerator, devices, precision),
        target_precision=target_precision,
        run_dir=run_dir,
        about=about,
        licence=licence,
        unlabelled=tuple(unlabelled or ()),
        not_music=tuple(not_music or ()),
    )
    with options.open_resources(chosen) as resources:
        flow = train(request, resources, replace=force)
        report, n_skipped = follow(flow, quiet=quiet or is_helper())
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

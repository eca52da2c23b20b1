"""``earmark train``."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from earmark import config as configuration
from earmark.cli import options
from earmark.cli.console import follow, out, shown


def command(
    root: Annotated[str, typer.Argument(help="Folder with labelled music.", metavar="DIR")],
    output: Annotated[Path, typer.Option("--out", "-o", help="Model folder to write.")],
    labels: Annotated[
        str,
        typer.Option(help="Where labels are: tags, folders, or a CSV with columns path, genre."),
    ] = "tags",
    merge: Annotated[
        list[str] | None,
        typer.Option(help='Count a genre as another: "Concertos=Classical". May be repeated.'),
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option(help="TOML or CSV file of such merges.", dir_okay=False)
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="Learn only this genre. May be repeated.")
    ] = None,
    min_tracks: Annotated[
        int, typer.Option(min=3, help="Genres with fewer tracks are dropped.")
    ] = 10,
    roll_up: Annotated[
        bool, typer.Option("--roll-up", help="Count rare genres as their parent genre.")
    ] = False,
    excerpts: Annotated[int, typer.Option(min=1, help="Excerpts of each track to listen to.")] = 5,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the music, at most.")] = 40,
    patience: Annotated[
        int, typer.Option(min=1, help="Passes without getting better before it stops.")
    ] = 8,
    batch_size: Annotated[int, typer.Option(min=2, help="Slices a training step.")] = 32,
    lr: Annotated[float, typer.Option(min=1e-7, help="Highest learning rate.")] = 2e-3,
    precision: Annotated[str, typer.Option(help="32-true, bf16-mixed or 16-mixed.")] = "32-true",
    seed: Annotated[int, typer.Option(min=0, help="Of the split and the training.")] = 0,
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
    workers: options.Workers = None,
    time_limit: options.TimeLimit = None,
    config: options.Config = None,
    quiet: options.Quiet = False,
) -> None:
    """Learn genres from labelled tracks; needs earmark[train]. Changes no music file."""
    from earmark.genres.merges import parse_merges, read_merges
    from earmark.training.settings import TrainConfig
    from earmark.types import ExcerptConfig, ListenConfig
    from earmark.workflows.learning_set import LabelRequest
    from earmark.workflows.train import TrainRequest, train

    chosen = options.settings(config, workers=workers, time_limit_s=time_limit)
    merges = {**(read_merges(mapping) if mapping else {}), **parse_merges(merge or [])}
    settings = TrainConfig(
        epochs=epochs,
        patience=patience,
        batch_size=batch_size,
        lr=lr,
        precision=precision,
        seed=seed,
    )
    request = TrainRequest(
        labels=LabelRequest(
            root=root,
            source=labels,
            merges=merges,
            min_tracks=min_tracks,
            roll_up=roll_up,
            only=tuple(only or ()),
            seed=seed,
        ),
        out=output,
        listen=dataclasses.replace(ListenConfig(), excerpts=ExcerptConfig(n_excerpts=excerpts)),
        settings=settings,
        target_precision=target_precision,
        run_dir=run_dir,
        about=about,
        licence=licence,
    )
    with options.open_catalogue() as catalogue:
        flow = train(
            request,
            catalogue,
            configuration.data_dir(),
            n_workers=chosen.n_workers,
            time_limit_s=chosen.time_limit_s,
        )
        report, n_skipped = follow(flow, quiet=quiet)
    scores = report.scores
    low, high = scores["accuracy_interval_95"]
    console = out()
    console.print(
        f"{scores['n_tracks']} test tracks by {scores['n_groups']} artists not trained on:"
        f" {scores['accuracy']:.1%} right (95 % interval {low:.1%} to {high:.1%}),"
        f" the commonest genre {scores['majority_baseline']:.1%}"
    )
    if scores["precision_when_answered"] is not None:
        console.print(
            f'saying "I don\'t know" to {1 - scores["answered"]:.0%} of them,'
            f" {scores['precision_when_answered']:.1%} of the rest are right"
        )
    console.print(f"model: {shown(str(report.bundle.path))}")
    console.print(f"run:   {shown(str(report.run_dir))}")
    if report.interrupted:
        console.print("training was interrupted; the best network so far was kept")
        raise typer.Exit(130)
    if n_skipped:
        raise typer.Exit(3)

"""``earmark compare``."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from earmark.cli import learning, options
from earmark.cli.console import cell, complain, follow, out, shown
from earmark.errors import ConfigError

if TYPE_CHECKING:
    from earmark.evaluation.comparison import Comparison
    from earmark.training.recipes.recipe import TrainingRecipe


def command(
    root: Annotated[
        str | None, typer.Argument(help="Folder with labelled music.", metavar="DATA")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="The same, as an option.", metavar="DATA")
    ] = None,
    recipes: Annotated[
        str,
        typer.Option(
            "--recipes", "-r", help="Names or TOML files, by comma; all: every named one."
        ),
    ] = "all",
    protocol: Annotated[
        str,
        typer.Option(
            help="Splits, by comma: slice-random, track-random, album, artist; prescribed: the"
            " data set's own; paper: each recipe's author's."
        ),
    ] = "artist,paper",
    folds: Annotated[
        int | None,
        typer.Option("--cv", min=2, help="Train and test in so many folds.", metavar="K"),
    ] = None,
    report: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            help="Folder for table, cells and trainings; what it holds is gone on with.",
            file_okay=False,
        ),
    ] = Path("earmark-comparison"),
    labels: learning.Labels = "tags",
    field: learning.Field = "genre",
    meta: learning.Meta = None,
    merge: learning.Merge = None,
    mapping: learning.Mapping = None,
    only: learning.Only = None,
    min_tracks: learning.MinTracks = 10,
    roll_up: learning.RollUp = False,
    fingerprints: learning.Fingerprints = True,
    max_tracks: Annotated[int, typer.Option(min=0, help="Draw so many tracks; 0: take all.")] = 0,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="At most so many, whatever the recipe says.")
    ] = None,
    patience: Annotated[
        int | None, typer.Option(min=1, help="At most so much, whatever the recipe says.")
    ] = None,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", help="Only see that all runs: one short epoch on little of few tracks."
        ),
    ] = False,
    seed: learning.Seed = None,
    precision: learning.Precision = "32-true",
    accelerator: learning.Accelerator = "auto",
    workers: options.Workers = None,
    time_limit: options.TimeLimit = None,
    config: options.Config = None,
    quiet: options.Quiet = False,
) -> None:
    """Train several recipes on the same tracks and put them side by side, honestly and not.

    Needs earmark[report], and what the recipes need.
    """
    from earmark.datasets.splitting import SplitRequest
    from earmark.evaluation.report.comparison import complaints, write_comparison
    from earmark.evaluation.report.report import require_plots
    from earmark.training.recipes import names as named
    from earmark.training.recipes.caps import QUICK_TRACKS
    from earmark.training.recipes.settings import Hardware
    from earmark.training.request import LabelRequest
    from earmark.workflows.compare import CompareRequest, compare

    require_plots()
    if (root is None) == (data is None):
        raise ConfigError("give the folder with the music once", "as DATA or as --data")
    chosen = options.settings(config, workers=workers, time_limit_s=time_limit)
    names = dict.fromkeys(name.strip() for name in recipes.split(",") if name.strip())
    request = CompareRequest(
        labels=LabelRequest(
            root=root or data or "",
            source=labels,
            merges=learning.read_merges(mapping, merge),
            min_tracks=min_tracks,
            roll_up=roll_up,
            only=tuple(only or ()),
            field=field,
            meta=meta,
            split=SplitRequest(seed=seed or 0),
            fingerprints=fingerprints,
            max_tracks=max_tracks or (QUICK_TRACKS if quick else 0),
        ),
        out=report,
        recipes=tuple(
            _read(name, seed, epochs, patience, quick)
            for name in (named() if list(names) == ["all"] else names)
        ),
        protocols=tuple(
            dict.fromkeys(name.strip() for name in protocol.split(",") if name.strip())
        ),
        n_folds=folds or 0,
        hardware=Hardware(accelerator, 1, precision),
    )
    with options.open_resources(chosen) as resources:
        flow = compare(
            request,
            resources,
            command=shlex.join(["earmark", *sys.argv[1:]]),
        )
        found, n_skipped = follow(flow, quiet=quiet)
    page = write_comparison(report, found)
    _print(found)
    for line in complaints(found):
        complain(line)
    out().print(f"table: {shown(str(page))}")
    _exit(found, n_skipped)


def _read(
    name: str, seed: int | None, epochs: int | None, patience: int | None, quick: bool
) -> TrainingRecipe:
    from earmark.training.recipes import caps

    recipe = caps.capped(learning.read_recipe(name, {"seed": seed}), epochs, patience)
    return caps.quick(recipe) if quick else recipe


def _print(found: Comparison) -> None:
    from rich.table import Table

    from earmark.evaluation.comparison import HEAD, rows

    table = Table(box=None, pad_edge=False)
    for title in HEAD:
        table.add_column(title)
    for row in rows(found.cells):
        table.add_row(*(cell(text) for text in row))
    console = out()
    if not console.is_terminal:
        console.width = 250
    console.print(table)


def _exit(found: Comparison, n_skipped: int) -> None:
    """With the code that says how it went."""
    failed = [cell for cell in found.cells if cell.error]
    if found.interrupted:
        out().print("interrupted; the same command goes on from here")
        raise typer.Exit(130)
    if failed and len(failed) == len(found.cells):
        raise typer.Exit(1)
    if failed or n_skipped:
        raise typer.Exit(3)

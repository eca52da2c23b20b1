"""``earmark models``: models by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from earmark import config
from earmark.cli import options
from earmark.cli.console import cell, follow, out, shown

if TYPE_CHECKING:
    from earmark.workflows.models import NamedModel
    from earmark.workflows.quantise import Comparison

app = typer.Typer(
    help="Models that have a name: list, add, remove. Models in eight bits: quantise.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(help="Name of the model.", metavar="NAME")]


@app.command("list")
def list_models() -> None:
    """List the model that comes with Earmark, those that were added, and those that could be."""
    from earmark.models.foreign.sources import SOURCES
    from earmark.workflows.models import named_models

    found = named_models(config.data_dir())
    _print(found)
    left = {name: s for name, s in SOURCES.items() if name not in {m.name for m in found}}
    for name, source in left.items():
        out().print(f"to be had by `earmark models add {name}`: {source.about}, {source.licence}")


def _print(found: list[NamedModel]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("Name", "Genres or tags", "Licence", "MB", "Folder"):
        table.add_column(title, overflow="fold")
    for model in found:
        if model.bundle is None:
            table.add_row(cell(model.name), "", "", "", cell(model.error, "red"))
            continue
        table.add_row(
            cell(model.name, "bold"),
            str(len(model.bundle.meta.labels)),
            cell(model.bundle.meta.licence),
            f"{model.bundle.network.stat().st_size / 1e6:.1f}",
            cell(str(model.path)),
        )
    out().print(table)


@app.command()
def add(
    name: Name,
    given: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="The file that the model is made from, where you have it; or a model of your own,"
            " to be copied.",
            exists=True,
        ),
    ] = None,
    quiet: options.Quiet = False,
) -> None:
    """Make a model usable by name: --model NAME, --backbone NAME.

    Models of others are fetched, checked and converted; their licence is shown, and kept beside
    them. Needs earmark[head] for these, mn04 earmark[train].
    """
    from earmark.models import bundle as bundles
    from earmark.workflows.models import add as add_model

    bundle, _ = follow(add_model(name, config.data_dir(), given), quiet=quiet)
    licence = bundles.texts(bundle.path).get(bundles.LICENCE_NAME)
    if licence:
        out().print(shown(licence.strip()), markup=False)
        out().print()
    out().print(f"{shown(name)}: {shown(str(bundle.path))}", markup=False)
    out().print(f"licence: {shown(bundle.meta.licence)}", markup=False)


@app.command()
def remove(name: Name) -> None:
    """Delete a model that was added."""
    from earmark.models import catalog

    folder = catalog.remove(name, config.data_dir())
    out().print(f"deleted {shown(str(folder))}", markup=False)


@app.command()
def quantise(
    model: Annotated[str, typer.Argument(help="Model folder or name.", metavar="MODEL")],
    root: Annotated[
        str, typer.Argument(help="Folder with music to calibrate by and compare on.", metavar="DIR")
    ],
    output: Annotated[Path, typer.Option("--out", "-o", help="Model folder to write.")],
    workers: options.Workers = None,
    time_limit: options.TimeLimit = None,
    settings: options.Config = None,
    quiet: options.Quiet = False,
) -> None:
    """Make a model smaller and faster by computing in eight bits, and say what that changes.

    Needs earmark[head].
    """
    from earmark.workflows.quantise import quantise as quantise_model

    chosen = options.settings(settings, model=model, workers=workers, time_limit_s=time_limit)
    with options.open_resources(chosen) as resources:
        flow = quantise_model(options.open_bundle(chosen), root, output, resources)
        found, n_skipped = follow(flow, quiet=quiet)
    _print_comparison(found)
    if n_skipped:
        raise typer.Exit(3)


def _print_comparison(found: Comparison) -> None:
    before, after = found.before, found.after
    console = out()
    console.print(
        f"size: {before.n_bytes / 1e6:.2f} MB, now {after.n_bytes / 1e6:.2f} MB;"
        f" a slice on one thread: {before.ms_a_slice:.2f} ms of CPU, now {after.ms_a_slice:.2f} ms"
    )
    console.print(
        f"on {found.n_tracks} other tracks, the first choice is the same for"
        f" {found.same_tracks:.1%} of tracks and {found.same_slices:.1%} of slices;"
        f" probabilities differ by {found.proba_difference:.3f}"
    )
    console.print(f"model: {shown(str(found.bundle.path))}", markup=False)

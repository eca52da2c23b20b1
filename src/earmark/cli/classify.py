"""``earmark classify``."""

from __future__ import annotations

import csv
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from earmark import jsontext
from earmark.cli import options
from earmark.cli.console import cell, follow, out, shown

if TYPE_CHECKING:
    from earmark.workflows.classify import TrackResult


def command(
    paths: Annotated[list[str], typer.Argument(help="Music files and folders.", metavar="PATH…")],
    model: options.Model = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="A CSV table.")] = False,
    vote: options.Vote = None,
    min_confidence: options.MinConfidence = None,
    min_agreement: options.MinAgreement = None,
    slice_confidence: options.SliceConfidence = None,
    cache: Annotated[
        bool, typer.Option(help="Remember what was heard, and do not listen to it again.")
    ] = True,
    workers: options.Workers = None,
    time_limit: options.TimeLimit = None,
    config: options.Config = None,
    quiet: options.Quiet = False,
) -> None:
    """Say the genre of files, or "?" where none is sure. Changes nothing."""
    from earmark.workflows.classify import as_dict, classify

    if as_json and as_csv:
        raise typer.BadParameter("choose one of --json and --csv")
    chosen = options.settings(
        config,
        model=model,
        vote=vote,
        min_confidence=min_confidence,
        min_agreement=min_agreement,
        slice_confidence=slice_confidence,
        workers=workers,
        time_limit_s=time_limit,
    )
    bundle = options.open_bundle(chosen)
    with options.open_catalogue() as catalogue:
        flow = classify(
            paths,
            bundle,
            options.vote_of(chosen, bundle),
            catalogue if cache else None,
            n_workers=chosen.n_workers,
            time_limit_s=chosen.time_limit_s,
        )
        results, n_skipped = follow(flow, quiet=quiet)
    if as_json:
        # Escapes keep names that are not UTF-8 exactly; every JSON reader undoes them.
        sys.stdout.write(jsontext.dumps(as_dict(bundle, results), indent=2))
        print()  # noqa: T201
    elif as_csv:
        _print_csv(results)
    else:
        _print_table(results)
    if n_skipped:
        raise typer.Exit(3)


def _print_csv(results: list[TrackResult]) -> None:
    table = csv.writer(sys.stdout)
    table.writerow(("path", "genre", "confidence", "agreement", "slices", "rejected", "error"))
    for result in results:
        d = result.decision
        row = (d.genre or "", d.confidence, d.agreement, d.n_slices, d.rejected) if d else [""] * 5
        table.writerow((result.path, *row, result.error))


def _print_table(results: list[TrackResult]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("Track", "Genre", "Sure", "Slices", "Runners-up", "Why not"):
        table.add_column(title, overflow="fold")
    for result in results:
        d = result.decision
        if d is None:
            table.add_row(cell(result.path), cell("-"), "", "", "", cell(result.error, "red"))
            continue
        ranked = [(genre, p) for genre, p in d.proba.items() if genre != d.genre]
        runners_up = ", ".join(f"{genre} {p:.0%}" for genre, p in ranked[:2] if p >= 0.01)
        agreeing = f"{round(d.agreement * d.n_slices)}/{d.n_slices}"
        table.add_row(
            cell(result.path),
            cell(d.genre or "?", "bold" if d.genre else "yellow"),
            f"{d.confidence:.0%}",
            agreeing,
            cell(runners_up),
            cell(d.rejected, "yellow"),
        )
    out().print(table)
    answered = sum(r.decision is not None and r.decision.genre is not None for r in results)
    out().print(shown(f"{len(results)} tracks, {answered} with an answer"))

"""``earmark classify``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from earmark import jsontext
from earmark.cli import options
from earmark.cli.console import cell, follow, out, shown
from earmark.spreadsheets import Writer

if TYPE_CHECKING:
    from earmark.decision.result import Result
    from earmark.events import FileSkipped


def command(
    paths: Annotated[list[str], typer.Argument(help="Music files and folders.", metavar="PATH…")],
    voting: options.Voting,
    running: options.Running,
    model: options.Model = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="A CSV table.")] = False,
    cache: Annotated[
        bool, typer.Option(help="Remember what was heard, and do not listen to it again.")
    ] = True,
) -> None:
    """Say the genre of files, or "?" where none is sure. Changes nothing."""
    from earmark.workflows.classify import classify, to_dict

    if as_json and as_csv:
        raise typer.BadParameter("choose one of --json and --csv")
    chosen = options.settings(running, voting, model=model)
    bundle = options.open_bundle(chosen)
    with options.open_resources(chosen) as resources:
        flow = classify(paths, bundle, options.vote_of(chosen, bundle), resources, remember=cache)
        # A table shows them, each with its reason; JSON and CSV go where nobody may look.
        held: list[FileSkipped] | None = None if as_json or as_csv else []
        results, n_skipped = follow(flow, quiet=running.quiet, held=held)
    if as_json:
        # Escapes keep names that are not UTF-8 exactly; every JSON reader undoes them.
        sys.stdout.write(jsontext.dumps(to_dict(bundle, results), indent=2))
        print()  # noqa: T201
    elif as_csv:
        _print_csv(results)
    else:
        _print_table(results)
    if n_skipped:
        raise typer.Exit(3)


def _print_csv(results: list[Result]) -> None:
    table = Writer(sys.stdout)
    table.row(("path", "genre", "confidence", "agreement", "slices", "rejected", "error"))
    for r in results:
        row = (r.genre or "", r.confidence, r.agreement, r.n_slices, r.rejected)
        table.row((r.path, *([""] * 5 if r.error else row), r.error))


def _print_table(results: list[Result]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("Track", "Genre", "Sure", "Slices", "Runners-up", "Why not"):
        table.add_column(title, overflow="fold")
    for result in results:
        if result.confidence is None or result.agreement is None:
            error = cell(result.error, "red")
            table.add_row(cell(result.path), cell("-"), "", "", "", error)
            continue
        ranked = [(genre, p) for genre, p in result.proba.items() if genre != result.genre]
        runners_up = ", ".join(f"{genre} {p:.0%}" for genre, p in ranked[:2] if p >= 0.01)
        agreeing = f"{round(result.agreement * result.n_slices)}/{result.n_slices}"
        table.add_row(
            cell(result.path),
            cell(result.genre or "?", "bold" if result.genre else "yellow"),
            f"{result.confidence:.0%}",
            agreeing,
            cell(runners_up),
            cell(result.rejected, "yellow"),
        )
    out().print(table)
    answered = sum(result.genre is not None for result in results)
    out().print(shown(f"{len(results)} tracks, {answered} with an answer"))

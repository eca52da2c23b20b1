"""``earmark undo``."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from earmark import config
from earmark.cli import options
from earmark.cli.console import cell, complain, follow, out

if TYPE_CHECKING:
    from earmark.tags import Journal
    from earmark.tags.records import Run


def command(
    run: Annotated[
        int | None,
        typer.Argument(help="Number of the run. [default: the latest that wrote]", metavar="[RUN]"),
    ] = None,
    show_runs: Annotated[bool, typer.Option("--list", help="Only list the runs.")] = False,
    quiet: options.Quiet = False,
) -> None:
    """Give files back what they held before a run of `tag --apply`."""
    from earmark.tags import Journal
    from earmark.workflows.apply import undo_run

    with Journal(config.data_dir()) as journal:
        if show_runs:
            _print_runs(journal)
            return
        report, n_skipped = follow(undo_run(journal, options.open_catalogue, run), quiet=quiet)
        hint = journal.earlier_hint(report.run_id)
    done = f"run {report.run_id}: {report.n_written} files restored"
    if report.interrupted:
        complain(f"{done}; `earmark undo {report.run_id}` goes on")
        raise typer.Exit(130)
    out().print(done)
    if report.n_already:
        out().print(f"{report.n_already} were as before the run already")
    if n_skipped:
        out().print(f"{n_skipped} left as they are, for the reasons above")
        if hint:
            out().print(hint)
        raise typer.Exit(3)


def _print_runs(journal: Journal) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("Run", "When", "Files", "Outcome", "What"):
        table.add_column(title)
    for run in journal.runs():
        when = datetime.datetime.fromtimestamp(run.started).strftime("%Y-%m-%d %H:%M")
        files = ", ".join(f"{n} {state}" for state, n in sorted(run.counts.items()))
        table.add_row(str(run.run_id), when, files or "none", _outcome(run), cell(run.note))
    out().print(table)


def _outcome(run: Run) -> str:
    from earmark.tags import AS_BEFORE, ChangeState

    if ChangeState.UNDONE in run.counts:
        return "partly undone" if run.counts.keys() - AS_BEFORE else "undone"
    return "finished" if run.finished else "cut off"

"""``earmark scan``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from earmark.cli import options
from earmark.cli.console import cell, follow, out

if TYPE_CHECKING:
    from earmark.library.scan import ScanReport


def command(
    root: Annotated[str, typer.Argument(help="Music folder.", metavar="DIR")],
    quiet: options.Quiet = False,
) -> None:
    """Look through a music folder and say what is there. Changes nothing."""
    from earmark.library.scan import scan

    with options.open_catalogue() as catalogue:
        report, n_skipped = follow(scan(root, catalogue), quiet=quiet)
    _print(report)
    if n_skipped:
        raise typer.Exit(3)


def _print(report: ScanReport) -> None:
    from rich.table import Table

    from earmark.library import told

    formats = ", ".join(f"{name} {n}" for name, n in report.formats.items())
    news = (
        f"{report.n_new} new, {report.n_changed} changed, {report.n_removed} gone,"
        f" {report.n_unchanged} as before"
    )
    facts = Table(box=None, show_header=False, pad_edge=False)
    for name, value in (
        ("tracks", f"{report.n_tracks} ({news})"),
        ("hours", f"{report.duration_s / 3600:.1f}"),
        ("formats", formats or "none"),
        ("without genre", str(report.n_missing_genre)),
        ("unreadable", str(len(report.unreadable))),
        ("passed over", told(report.passed_over)),
    ):
        if value:
            facts.add_row(name, cell(value))
    console = out()
    console.print(facts)
    if report.genres:
        table = Table(box=None, pad_edge=False)
        table.add_column("Genre")
        table.add_column("Tracks", justify="right")
        for genre, n in report.genres.items():
            table.add_row(cell(genre), str(n))
        console.print()
        console.print(table)

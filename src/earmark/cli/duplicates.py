"""``earmark duplicates``."""

from __future__ import annotations

import dataclasses
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from earmark import jsontext
from earmark.cli import options
from earmark.cli.console import cell, follow, out
from earmark.spreadsheets import write_table

if TYPE_CHECKING:
    from earmark.datasets.duplicates import DuplicatePair
    from earmark.datasets.fingerprints import DuplicateReport


def command(
    root: Annotated[str, typer.Argument(help="Music folder.", metavar="DIR")],
    running: options.Running,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="A CSV table of pairs.")] = False,
) -> None:
    """List files that hold the same recording, as copies, encodings or cuts. Changes nothing."""
    from earmark.workflows.duplicates import duplicates

    if as_json and as_csv:
        raise typer.BadParameter("choose one of --json and --csv")
    chosen = options.settings(running)
    with options.open_resources(chosen) as resources:
        report, n_skipped = follow(duplicates(root, resources), quiet=running.quiet)
    if as_json:
        # Escapes keep names that are not UTF-8 exactly; every JSON reader undoes them.
        shown = {"n_tracks": len(report.paths), "pairs": _rows(report)}
        sys.stdout.write(jsontext.dumps(shown, indent=2))
        print()  # noqa: T201
    elif as_csv:
        columns = ("a", "b", "kind", "overlap_s", "offset_s", "score")
        write_table(sys.stdout, _rows(report), columns)
    else:
        _print_groups(report)
    if n_skipped:
        raise typer.Exit(3)


def _rows(report: DuplicateReport) -> list[dict[str, str | float]]:
    """Pairs with paths for positions."""
    rows = []
    for pair in report.pairs:
        rounded = {"overlap_s": round(pair.overlap_s, 2), "offset_s": round(pair.offset_s, 2)}
        names = {"a": report.paths[pair.a], "b": report.paths[pair.b]}
        rows.append(dataclasses.asdict(pair) | names | rounded | {"score": round(pair.score, 3)})
    return rows


def _print_groups(report: DuplicateReport) -> None:
    """A block for each recording: its first file, then what the others have in common with it."""
    from rich.table import Table

    groups = report.groups()
    pairs = {(pair.a, pair.b): pair for pair in report.pairs}
    for members in groups:
        table = Table(box=None, pad_edge=False, show_header=False)
        for place, member in enumerate(members):
            # The first one it is linked with; there may be no link with the group's first.
            links = [pairs[a, member] for a in members[:place] if (a, member) in pairs]
            table.add_row(cell(report.paths[member]), cell(_told(links[0]) if links else ""))
        out().print(table)
        out().print()
    out().print(f"{len(report.paths)} tracks, {len(groups)} recordings are there more than once")


def _told(pair: DuplicatePair) -> str:
    if pair.kind == "exact":
        return "the same audio"
    minutes, seconds = divmod(round(abs(pair.offset_s)), 60)
    shift = f", moved by {minutes}:{seconds:02}" if minutes or seconds else ""
    return f"{pair.overlap_s:.0f} s in common{shift}"

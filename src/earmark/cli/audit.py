"""``earmark audit``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from earmark import config as configuration
from earmark import jsontext
from earmark.cli import learning, options
from earmark.cli.console import cell, follow, out, shown
from earmark.spreadsheets import Writer

if TYPE_CHECKING:
    from earmark.workflows.audit import AuditReport, Finding


def command(
    root: Annotated[str, typer.Argument(help="Folder with labelled music.", metavar="DIR")],
    labels: learning.GenreChoice,
    running: options.Running,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", "-m", help="Let this model judge. [default: --cv]", metavar="MODEL"
        ),
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(
            "--cv",
            min=2,
            help="Judge by heads that have not learned the artist, in so many folds. [default: 5]",
        ),
    ] = None,
    backbone: Annotated[
        str | None,
        typer.Option(
            help="With --cv: folder or name of the model whose embeddings the heads learn from."
            " [default: the one that comes with Earmark]",
            metavar="MODEL",
            hidden=True,
        ),
    ] = None,
    top: Annotated[
        int, typer.Option(min=1, help="Tracks to show in the table; CSV and JSON have all.")
    ] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="A CSV table.")] = False,
) -> None:
    """List the labels likeliest to be wrong, and tracks of no use, with reasons.

    Changes nothing. Needs earmark[head], unless a model judges.
    """
    from earmark.models import bundle, catalog
    from earmark.workflows.audit import AuditRequest, audit

    if as_json and as_csv:
        raise typer.BadParameter("choose one of --json and --csv")
    if model is not None and (folds is not None or backbone is not None):
        raise typer.BadParameter("a --model judges without --cv and --backbone")
    chosen = options.settings(running)
    home = configuration.data_dir()
    request = AuditRequest(
        labels=labels.request(root),
        n_folds=folds or 5,
        backbone=backbone or "",
        model=None if model is None else bundle.load(catalog.find(model, home)),
    )
    with options.open_resources(chosen) as resources:
        flow = audit(
            request,
            resources,
        )
        report, n_skipped = follow(flow, quiet=running.quiet)
    if as_json:
        # Escapes keep names that are not UTF-8 exactly; every JSON reader undoes them.
        sys.stdout.write(jsontext.dumps(_as_dict(report), indent=2))
        print()  # noqa: T201
    elif as_csv:
        _print_csv(report)
    else:
        _print_table(report, top)
    if n_skipped:
        raise typer.Exit(3)


def _as_dict(report: AuditReport) -> dict[str, Any]:
    return {
        "judge": report.judge,
        "n_tracks": report.n_tracks,
        "n_judged": report.n_judged,
        "tracks": [
            {
                "path": finding.path,
                "label": finding.label or None,
                "suggested": finding.suggested or None,
                "margin": finding.margin,
                "proba": finding.proba,
                "reasons": [{"kind": r.kind, "text": r.text} for r in finding.reasons],
            }
            for finding in report.findings
        ],
    }


def _print_csv(report: AuditReport) -> None:
    table = Writer(sys.stdout)
    table.row(("path", "label", "suggested", "margin", "kinds", "reasons"))
    for finding in report.findings:
        margin = "" if finding.margin is None else round(finding.margin, 4)
        kinds = " ".join(r.kind for r in finding.reasons)
        table.row((finding.path, finding.label, finding.suggested, margin, kinds, _why(finding)))


def _print_table(report: AuditReport, top: int) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("Track", "Label", "Why to look at it"):
        table.add_column(title, overflow="fold")
    for finding in report.findings[:top]:
        table.add_row(cell(finding.path), cell(finding.label or "-", "bold"), cell(_why(finding)))
    out().print(table)
    n_labels = sum(finding.margin is not None for finding in report.findings)
    more = len(report.findings) - top
    out().print(
        shown(
            f"{report.n_tracks} labelled tracks, {report.n_judged} judged by {report.judge}:"
            f" {n_labels} labels contradicted, {len(report.findings) - n_labels} other findings"
            + (f"; {more} more with --top, --csv or --json" if more > 0 else "")
        )
    )


def _why(finding: Finding) -> str:
    return "; ".join(reason.text for reason in finding.reasons)

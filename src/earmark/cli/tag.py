"""``earmark tag``."""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from earmark import config as configuration
from earmark.cli import options
from earmark.cli.console import cell, complain, err, follow, out, shown, skipped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from earmark.events import FileSkipped
    from earmark.library import Catalogue, Plan, PlanItem, TagMode
    from earmark.types import TagChange

_WIDEST_NAME = 48
_NARROWEST_GENRE = 12


def command(
    root: Annotated[str, typer.Argument(help="Music folder.", metavar="DIR")],
    model: options.Model = None,
    apply: Annotated[bool, typer.Option("--apply", help="Write the plan to the files.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before writing.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace genres that are there.")
    ] = False,
    append: Annotated[bool, typer.Option("--append", help="Add to genres that are there.")] = False,
    export: Annotated[
        Path | None, typer.Option(help="Write the plan as CSV, to edit.", dir_okay=False)
    ] = None,
    import_: Annotated[
        Path | None,
        typer.Option("--import", help="Take an edited plan instead of listening.", dir_okay=False),
    ] = None,
    join: Annotated[
        str | None,
        typer.Option(help='Write several genres as one value, joined by this, e.g. "; ".'),
    ] = None,
    keep_mtime: Annotated[
        bool, typer.Option("--keep-mtime", help="Leave modification times as they are.")
    ] = False,
    vote: options.Vote = None,
    min_confidence: options.MinConfidence = None,
    min_agreement: options.MinAgreement = None,
    slice_confidence: options.SliceConfidence = None,
    workers: options.Workers = None,
    time_limit: options.TimeLimit = None,
    config: options.Config = None,
    quiet: options.Quiet = False,
) -> None:
    """Plan genres for the tracks that have none; with --apply, write them. `undo` takes it back."""
    from earmark.library import changes, check_new, export_csv
    from earmark.workflows.plan import import_plan, plan_tags

    if overwrite and append:
        raise typer.BadParameter("choose one of --overwrite and --append")
    if export is not None:
        check_new(export)  # before the listening, which may take hours
    if join == "":
        raise typer.BadParameter("genres cannot be told apart with nothing between them")
    mode: TagMode = "overwrite" if overwrite else "append" if append else "fill"
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
    with options.open_resources(chosen) as resources:
        if import_ is not None:
            flow = import_plan(root, import_, resources.catalogue, join=join)
        else:
            bundle = options.open_bundle(chosen)
            flow = plan_tags(
                root,
                bundle,
                options.vote_of(chosen, bundle),
                resources,
                mode,
                join=join,
            )
        held: list[FileSkipped] = []
        plan, n_skipped = follow(flow, quiet=quiet, held=held)
        n_skipped += plan.counts()["error"]
        unusable = {item.path for item in plan.items if item.action == "error"}
        for event in held:
            if event.path not in unusable:  # the plan says it of those
                err().print(skipped(event))
        _print_plan(plan)
        if export is not None:
            export_csv(plan, export)
            out().print(f"plan written to {shown(str(export))}; read it back with --import")
        due = changes(plan)
        if apply and due:
            if _may_write(len(due), yes):
                n_skipped += _apply(due, root, resources.catalogue, keep_mtime, quiet)
            else:
                out().print("nothing was written")
        elif due:
            out().print("nothing was written; --apply writes this plan")
    if n_skipped:
        raise typer.Exit(3)


def _may_write(n_files: int, yes: bool) -> bool:
    if yes or not sys.stdin.isatty():
        return True
    # On stderr, which a person sees also where the plan goes to a file or a pipe; typer.confirm
    # would still put a space into it.
    typer.echo(f"Write genres to {n_files} files? [y/N]: ", nl=False, err=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _apply(
    due: list[TagChange],
    root: str,
    catalogue: Catalogue,
    keep_mtime: bool,
    quiet: bool,
) -> int:
    from earmark.tags import Journal
    from earmark.workflows.apply import apply_changes

    with Journal(configuration.data_dir()) as journal:
        # Absolute, as `undo --list` may be called from elsewhere.
        note = os.path.abspath(root)  # noqa: PTH100 - surrogate-safe text
        flow = apply_changes(due, journal, catalogue, note=note, keep_mtime=keep_mtime)
        report, n_skipped = follow(flow, quiet=quiet)
    if report.n_written:
        done = f"{report.n_written} files written; `earmark undo {report.run_id}` takes it back"
    else:
        done = "nothing was written"
    if report.interrupted:
        complain(done)
        raise typer.Exit(130)
    out().print(done)
    if n_skipped:
        out().print(f"{n_skipped} left as they were, for the reasons above")
    return n_skipped


def _print_plan(plan: Plan) -> None:
    console = out()
    albums = [
        (heading, [(name, item) for name, item in _named(items) if item.action != "keep"])
        for heading, items in plan.albums()
    ]
    n_name = max((len(name) for _, rows in albums for name, _ in rows), default=0)
    n_name = min(n_name, _WIDEST_NAME, console.width // 2)
    for heading, rows in albums:
        if rows:
            console.print(cell(heading, "bold"))
            console.print(_album(rows, n_name))
    counts = plan.counts()
    n_writing = sum(counts[action] for action in ("fill", "overwrite", "append"))
    console.print(
        f"{len(plan.items)} tracks: {n_writing} to write, {counts['unknown']} not known,"
        f" {counts['error']} unusable, {counts['keep']} stay as they are"
    )


def _album(rows: Sequence[tuple[str, PlanItem]], n_name: int) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 2))
    # The same width in every album, so that the genres stand below each other.
    table.add_column(width=n_name, no_wrap=True, overflow="ellipsis")
    table.add_column(min_width=_NARROWEST_GENRE, overflow="fold")
    for text, item in rows:
        name = cell(text)
        if item.action in ("unknown", "error"):
            style = "yellow" if item.action == "unknown" else "red"
            table.add_row(name, cell(f"?  {item.reason}", style))
        else:
            change = f"{'; '.join(item.before) or '(none)'} → {'; '.join(item.after)}"
            sure = f"  {item.confidence:.0%}" if item.confidence else ""
            table.add_row(name, cell(change + sure, "green"))
    return table


def _named(items: Sequence[PlanItem]) -> list[tuple[str, PlanItem]]:
    """An album's items by their titles, or by their files where a title says too little."""
    n_titled = Counter(item.title for item in items)
    return [
        (item.title if item.title and n_titled[item.title] == 1 else Path(item.path).name, item)
        for item in items
    ]

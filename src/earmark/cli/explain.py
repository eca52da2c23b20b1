"""``earmark explain``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from earmark.cli import learning, options
from earmark.cli.console import follow, out, shown


def command(
    model: Annotated[str, typer.Argument(help="Model folder or name.", metavar="MODEL")],
    labels: learning.LabelSource,
    running: options.Running,
    root: Annotated[
        str | None,
        typer.Argument(help="Folder with labelled music, for examples.", metavar="[DATA]"),
    ] = None,
    report: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for the page.", file_okay=False)
    ] = Path("earmark-explained"),
    why: Annotated[
        str, typer.Option(help="How saliency is found: occlusion, or rise (finer, slower).")
    ] = "occlusion",
    layer: Annotated[int, typer.Option(min=1, help="Layer whose weights are drawn.")] = 1,
    examples: Annotated[
        int, typer.Option(min=1, help="Tracks of each genre, right and wrong.")
    ] = 2,
    vote: options.Vote = None,
) -> None:
    """Show what a model listens to: filters it has learned, tracks it is surest of, and why.

    Examples are tracks by artists that it has not learned from. Needs earmark[head].
    """
    from earmark.models.saliency import parse_method
    from earmark.workflows.explain import ExplainRequest, explain, explain_filters

    chosen = options.settings(running, model=model, vote=vote)
    bundle = options.open_bundle(chosen)
    request = ExplainRequest(report, parse_method(why), layer, examples)
    if root is None:
        out().print(f"page: {shown(str(explain_filters(bundle, request)))}")
        return
    with options.open_resources(chosen) as resources:
        flow = explain(
            bundle,
            options.vote_of(chosen, bundle),
            request,
            labels.request(root),
            resources,
        )
        page, n_skipped = follow(flow, quiet=running.quiet)
    out().print(f"page: {shown(str(page))}")
    if n_skipped:
        raise typer.Exit(3)

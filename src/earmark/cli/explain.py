"""``earmark explain``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from earmark.cli import learning, options
from earmark.cli.console import follow, out, shown


def command(
    model: Annotated[str, typer.Argument(help="Model folder or name.", metavar="MODEL")],
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
    labels: learning.Labels = "tags",
    field: learning.Field = "genre",
    meta: learning.Meta = None,
    merge: learning.Merge = None,
    mapping: learning.Mapping = None,
    vote: options.Vote = None,
    workers: options.Workers = None,
    time_limit: options.TimeLimit = None,
    config: options.Config = None,
    quiet: options.Quiet = False,
) -> None:
    """Show what a model listens to: filters it has learned, tracks it is surest of, and why.

    Examples are tracks by artists that it has not learned from. Needs earmark[report].
    """
    from earmark.models.saliency import parse_method
    from earmark.training.request import LabelRequest
    from earmark.workflows.explain import ExplainRequest, explain, explain_filters

    chosen = options.settings(
        config, model=model, vote=vote, workers=workers, time_limit_s=time_limit
    )
    bundle = options.open_bundle(chosen)
    request = ExplainRequest(report, parse_method(why), layer, examples)
    if root is None:
        out().print(f"page: {shown(str(explain_filters(bundle, request)))}")
        return
    music = LabelRequest(
        root=root,
        source=labels,
        merges=learning.read_merges(mapping, merge),
        field=field,
        meta=meta,
    )
    with options.open_resources(chosen) as resources:
        flow = explain(
            bundle,
            options.vote_of(chosen, bundle),
            request,
            music,
            resources,
        )
        page, n_skipped = follow(flow, quiet=quiet)
    out().print(f"page: {shown(str(page))}")
    if n_skipped:
        raise typer.Exit(3)

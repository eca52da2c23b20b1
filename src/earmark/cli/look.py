"""``earmark look``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from earmark.cli import options
from earmark.cli.console import out, shown


def command(
    path: Annotated[str, typer.Argument(help="Music file.", metavar="FILE")],
    voting: options.Voting,
    picture: Annotated[
        Path | None, typer.Option("--out", "-o", help="PNG to write. [default: FILE.png, here]")
    ] = None,
    model: options.Model = None,
    why: Annotated[
        str | None,
        typer.Option(
            help="Draw what speaks for the genre and what against it: occlusion, or rise (finer,"
            " slower).",
            metavar="METHOD",
        ),
    ] = None,
    genre: Annotated[
        str | None, typer.Option(help="With --why: the genre asked about. [default: the likeliest]")
    ] = None,
    time_limit: options.TimeLimit = None,
    config: options.Config = None,
) -> None:
    """Draw what a model hears of a file: its slices, each with its own vote."""
    from earmark.models.saliency import parse_method
    from earmark.workflows.look import look

    chosen = options.settings(
        None, voting, config_file=config, model=model, time_limit_s=time_limit
    )
    bundle = options.open_bundle(chosen)
    target = picture or Path(f"{Path(path).stem}.png")
    method = parse_method(why) if why else None
    vote = options.vote_of(chosen, bundle)
    with options.open_resources(chosen) as resources:
        decision = look(path, bundle, vote, target, resources.workers, method=method, genre=genre)
    verdict = decision.genre or f"? ({decision.rejected})"
    out().print(f"{shown(verdict)}, drawn in {shown(str(target))}", markup=False)

"""``earmark serve``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from earmark import config as configuration
from earmark import extras
from earmark.cli import options
from earmark.cli.console import out, shown


def command(
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 lets other machines in.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8010,
    library: Annotated[
        list[Path] | None,
        typer.Option("--library", "-l", help="Music folder to show. May be repeated."),
    ] = None,
    allow_write: Annotated[
        bool, typer.Option("--allow-write", help="Let the page write tags, and undo it.")
    ] = False,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="EARMARK_TOKEN",
            help="Ask for this. [default: none on loopback, else one made up and shown]",
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="Name under which the server is called. May be repeated."),
    ] = None,
    model: options.Model = None,
    vote: options.Vote = None,
    min_confidence: options.MinConfidence = None,
    min_agreement: options.MinAgreement = None,
    slice_confidence: options.SliceConfidence = None,
    workers: options.Workers = None,
    time_limit: options.TimeLimit = None,
    config: options.Config = None,
) -> None:
    """Show the page and answer the HTTP API; needs earmark[web]. Ctrl-C stops it."""
    extras.require("web", "earmark.web.server")
    from earmark.web.server import serve
    from earmark.web.settings import WebSettings, check_libraries, choose_token

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
    settings = WebSettings(
        data_dir=configuration.data_dir(),
        model=bundle,
        vote=options.vote_of(chosen, bundle),
        libraries=check_libraries(tuple(library or ())),
        allow_write=allow_write,
        host=host,
        port=port,
        token=choose_token(host, token or ""),
        allowed_hosts=tuple(allow_host or ()),
        n_workers=chosen.n_workers,
        file_time_limit_s=chosen.time_limit_s,
    )
    # Jobs are processes of their own, and look for the same catalogue.
    os.environ["EARMARK_HOME"] = str(settings.data_dir)
    serve(settings, lambda address: out().print(shown(address), soft_wrap=True))

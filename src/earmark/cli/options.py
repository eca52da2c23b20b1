"""Options that several verbs share."""

from __future__ import annotations

import dataclasses
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from earmark import config
from earmark.decision import voting
from earmark.types import VoteConfig

if TYPE_CHECKING:
    from earmark.library import Catalogue
    from earmark.models.bundle import Bundle
    from earmark.session import Resources

VOTE = "How slices decide"
RUNNING = "Running"

Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="TOML file with settings.",
        dir_okay=False,
        rich_help_panel=RUNNING,
        hidden=True,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=1,
        help="Worker processes. [default: one a core]",
        metavar="N",
        rich_help_panel=RUNNING,
    ),
]
TimeLimit = Annotated[
    float | None,
    typer.Option(
        "--time-limit",
        min=0.1,
        help="Seconds a file may take before it is given up.",
        metavar="S",
        rich_help_panel=RUNNING,
        hidden=True,
    ),
]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="No progress, only complaints.", rich_help_panel=RUNNING),
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        help="Model folder, or name (see `earmark models`). [default: the one shipped]",
    ),
]
Vote = Annotated[
    str | None,
    typer.Option(
        "--vote",
        help="How slices decide: mean, majority, confident, stacker or network.",
        metavar="MODE",
        rich_help_panel=VOTE,
        hidden=True,
    ),
]
MinConfidence = Annotated[
    float | None,
    typer.Option(
        "--min-confidence",
        min=0,
        max=1,
        metavar="P",
        help='Less sure than this is "I don\'t know".',
        rich_help_panel=VOTE,
    ),
]
MinAgreement = Annotated[
    float | None,
    typer.Option(
        "--min-agreement",
        min=0,
        max=1,
        metavar="S",
        help="Share of the slices that must say the same.",
        rich_help_panel=VOTE,
        hidden=True,
    ),
]
SliceConfidence = Annotated[
    float | None,
    typer.Option(
        "--slice-confidence",
        min=0,
        max=1,
        metavar="P",
        help="With --vote confident: less sure, no vote.",
        rich_help_panel=VOTE,
        hidden=True,
    ),
]


@dataclass(frozen=True)
class Voting:
    """How slices decide, where a person wishes otherwise than the model says."""

    vote: Vote = None
    min_confidence: MinConfidence = None
    min_agreement: MinAgreement = None
    slice_confidence: SliceConfidence = None


@dataclass(frozen=True)
class Limits:
    """What a command that listens to files may take."""

    workers: Workers = None
    time_limit: TimeLimit = None
    config: Config = None


@dataclass(frozen=True)
class Running(Limits):
    """The same, of a command that shows its progress."""

    quiet: Quiet = False


def settings(
    limits: Limits | None = None,
    voting: Voting | None = None,
    *,
    config_file: Path | None = None,
    **flags: Any,
) -> config.Settings:
    """Settings by file and options; options left out (None) say nothing."""
    if voting is not None:
        flags |= dataclasses.asdict(voting)
    if limits is not None:
        config_file = limits.config
        flags |= {"workers": limits.workers, "time_limit_s": limits.time_limit}
    given = {name: value for name, value in flags.items() if value is not None}
    return config.load(config_file, given)


def open_resources(chosen: config.Settings) -> Resources:
    """Home, catalogue, stores and workers, as the settings have them."""
    from earmark.session import Resources

    return Resources(
        config.data_dir(), n_workers=chosen.n_workers, time_limit_s=chosen.time_limit_s
    )


def open_catalogue() -> AbstractContextManager[Catalogue]:
    """The catalogue in the user's data folder."""
    from earmark.library import Catalogue
    from earmark.library.catalogue import FILE_NAME as CATALOGUE

    return Catalogue.open(config.data_dir() / CATALOGUE)


def open_bundle(chosen: config.Settings) -> Bundle:
    """The model asked for, or the shipped one."""
    from earmark.models import bundle, catalog

    return bundle.load(catalog.choose(chosen.model, config.data_dir()))


def vote_of(chosen: config.Settings, model: Bundle) -> VoteConfig:
    """The model's own way to vote, changed where the person wishes otherwise."""
    return voting.adjusted(
        model.meta.vote,
        mode=chosen.vote,
        min_confidence=chosen.min_confidence,
        min_agreement=chosen.min_agreement,
        slice_confidence=chosen.slice_confidence,
    )

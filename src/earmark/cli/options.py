"""Options that several verbs share."""

from __future__ import annotations

from contextlib import AbstractContextManager
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

Config = Annotated[
    Path | None, typer.Option("--config", help="TOML file with settings.", dir_okay=False)
]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, help="Worker processes. [default: one a core]")
]
TimeLimit = Annotated[
    float | None,
    typer.Option("--time-limit", min=0.1, help="Seconds a file may take before it is given up."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only complaints.")]
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
    ),
]
MinConfidence = Annotated[
    float | None,
    typer.Option("--min-confidence", min=0, max=1, help='Less sure than this is "I don\'t know".'),
]
MinAgreement = Annotated[
    float | None,
    typer.Option(
        "--min-agreement", min=0, max=1, help="Share of the slices that must say the same."
    ),
]
SliceConfidence = Annotated[
    float | None,
    typer.Option(
        "--slice-confidence", min=0, max=1, help="With --vote confident: less sure, no vote."
    ),
]


def settings(file: Path | None, **flags: Any) -> config.Settings:
    """Settings by file and flags; flags left out (None) say nothing."""
    return config.load(file, {name: value for name, value in flags.items() if value is not None})


def open_resources(chosen: config.Settings) -> Resources:
    """Home, catalogue, stores and workers, as the settings have them."""
    from earmark.session import Resources

    return Resources(
        config.data_dir(), n_workers=chosen.n_workers, time_limit_s=chosen.time_limit_s
    )


def open_catalogue() -> AbstractContextManager[Catalogue]:
    """The catalogue in the user's data folder."""
    from earmark.library import Catalogue

    return Catalogue.open(config.data_dir() / "catalogue.sqlite")


def open_bundle(chosen: config.Settings) -> Bundle:
    """The model asked for, or the shipped one."""
    from earmark.models import bundle, catalog
    from earmark.models.catalog import shipped_model

    wanted = catalog.find(chosen.model, config.data_dir()) if chosen.model else shipped_model()
    return bundle.load(wanted)


def vote_of(chosen: config.Settings, model: Bundle) -> VoteConfig:
    """The model's own way to vote, changed where the person wishes otherwise."""
    wished = {
        "mode": chosen.vote,
        "min_confidence": chosen.min_confidence,
        "min_agreement": chosen.min_agreement,
        "slice_confidence": chosen.slice_confidence,
    }
    own = model.meta.vote.to_dict()
    vote = VoteConfig.from_dict(own | {k: v for k, v in wished.items() if v is not None})
    voting.check(vote)
    return vote

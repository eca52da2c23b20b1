"""``earmark evaluate``."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from earmark import config as configuration
from earmark.cli import learning, options
from earmark.cli.console import cell, complain, follow, out, shown
from earmark.errors import ConfigError

if TYPE_CHECKING:
    from earmark.evaluation.bootstrap import Score
    from earmark.evaluation.results import Evaluation
    from earmark.training.recipes.recipe import TrainingRecipe
    from earmark.training.request import LabelRequest
    from earmark.workflows.crossval import CrossRequest


def command(
    model: Annotated[
        str,
        typer.Argument(
            help="Model folder or name; with --cv or --protocol a recipe as well.",
            metavar="MODEL",
        ),
    ],
    root: Annotated[str, typer.Argument(help="Folder with labelled music.", metavar="DATA")],
    folds: Annotated[
        int | None,
        typer.Option("--cv", min=2, help="Train and test in so many folds.", metavar="K"),
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            help="Train and test under these, by comma: slice-random, track-random, album, artist;"
            " or prescribed: the data set's own. [default: artist with --cv, else prescribed]"
        ),
    ] = None,
    leave_genre_out: Annotated[
        bool,
        typer.Option(
            "--leave-genre-out", help="Train without each genre in turn: is it taken for another?"
        ),
    ] = False,
    shots: Annotated[
        int,
        typer.Option(
            min=0,
            help="With the recipe head: learn from so many tracks of each genre only, drawn anew"
            " --draws times.",
            metavar="N",
        ),
    ] = 0,
    draws: Annotated[
        int, typer.Option(min=1, help="How often tracks are drawn, with --shots.", metavar="N")
    ] = 20,
    report: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for the report.", file_okay=False)
    ] = Path("earmark-report"),
    labels: learning.Labels = "tags",
    field: learning.Field = "genre",
    meta: learning.Meta = None,
    merge: learning.Merge = None,
    mapping: learning.Mapping = None,
    only: learning.Only = None,
    min_tracks: learning.MinTracks = 10,
    roll_up: learning.RollUp = False,
    fingerprints: learning.Fingerprints = True,
    backbone: learning.Backbone = None,
    unlabelled: learning.Unlabelled = None,
    not_music: Annotated[
        list[str] | None,
        typer.Option(
            "--not-music",
            help="Folder with sounds that are no music: are they taken for it? A head that is"
            " trained learns from most of them and is measured on the others. May be repeated.",
            metavar="DIR",
        ),
    ] = None,
    epochs: learning.Epochs = None,
    patience: learning.Patience = None,
    seed: learning.Seed = None,
    vote: options.Vote = None,
    min_confidence: options.MinConfidence = None,
    min_agreement: options.MinAgreement = None,
    slice_confidence: options.SliceConfidence = None,
    workers: options.Workers = None,
    time_limit: options.TimeLimit = None,
    config: options.Config = None,
    quiet: options.Quiet = False,
) -> None:
    """Measure a model on artists that it has not learned from, or a recipe by training it.

    Needs earmark[report], and to train, what the recipe needs.
    """
    from earmark.datasets.splitting import PRESCRIBED, SplitRequest
    from earmark.evaluation.report.report import require_plots, write_report
    from earmark.training import learners
    from earmark.training.request import LabelRequest, TrainRequest
    from earmark.workflows.crossval import CrossRequest

    require_plots()
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
    request = LabelRequest(
        root=root,
        source=labels,
        merges=learning.read_merges(mapping, merge),
        min_tracks=min_tracks,
        roll_up=roll_up,
        only=tuple(only or ()),
        field=field,
        meta=meta,
        split=SplitRequest(seed=seed or 0),
        fingerprints=fingerprints,
    )
    sounds = tuple(not_music or ())
    if shots:
        if folds or protocol or leave_genre_out or sounds or unlabelled:
            raise ConfigError(
                "--shots is a protocol of its own",
                "give it without --cv, --protocol, --leave-genre-out, --not-music and --unlabelled",
            )
        evaluations, n_skipped = _few_shots(request, chosen, backbone, shots, draws, quiet)
    elif folds or protocol or leave_genre_out:
        flags = {"schedule.epochs": epochs, "schedule.patience": patience, "vote.mode": vote}
        recipe = _recipe_of(model, {**flags, "head.backbone": backbone, "seed": seed})
        protocols = _protocols(protocol or ("artist" if folds else PRESCRIBED))
        training = TrainRequest(
            labels=request,
            out=report / "trainings",
            recipe=recipe,
            unlabelled=tuple(unlabelled or ()),
            not_music=sounds if learners.find(recipe.kind).not_music else (),
        )
        cross = CrossRequest(training, protocols, folds or 0, leave_genre_out, sounds)
        evaluations, n_skipped = _cross(cross, chosen, quiet)
    else:
        if unlabelled:
            raise ConfigError(
                "a model that is only measured learns nothing from unlabelled music",
                "leave --unlabelled out, or add --cv or --protocol to train its recipe anew",
            )
        evaluations, n_skipped = _measure(request, sounds, chosen, quiet)
    page = write_report(
        report,
        evaluations,
        title=f"{evaluations[0].name} on {Path(root).name}",
        command=shlex.join(["earmark", *sys.argv[1:]]),
    )
    _print(evaluations)
    out().print(f"report: {shown(str(page))}")
    if n_skipped:
        raise typer.Exit(3)


def _measure(
    request: LabelRequest,
    not_music: tuple[str, ...],
    chosen: configuration.Settings,
    quiet: bool,
) -> tuple[list[Evaluation], int]:
    from earmark.models import bundle as bundles
    from earmark.models import catalog
    from earmark.workflows.evaluate import evaluate_bundle

    # A name may be a model's and a recipe's; a recipe cannot be measured as it is.
    folder = catalog.find(chosen.model, configuration.data_dir())
    if learning.is_recipe(chosen.model) and not (folder / bundles.META_NAME).is_file():
        raise ConfigError(
            f"{chosen.model} is a recipe, which has to be trained to be measured",
            "add --cv or --protocol, or give a model's folder",
        )
    bundle = options.open_bundle(chosen)
    with options.open_resources(chosen) as resources:
        flow = evaluate_bundle(
            bundle,
            options.vote_of(chosen, bundle),
            request,
            resources,
            not_music=not_music,
        )
        evaluation, n_skipped = follow(flow, quiet=quiet)
    return [evaluation], n_skipped


def _few_shots(
    request: LabelRequest,
    chosen: configuration.Settings,
    backbone: str | None,
    n_shots: int,
    n_draws: int,
    quiet: bool,
) -> tuple[list[Evaluation], int]:
    from earmark.workflows.few_shots import ShotRequest, few_shots

    recipe = _recipe_of(chosen.model, {"head.backbone": backbone})
    if recipe.kind != "head":
        raise ConfigError(
            f"{recipe.name} is no head, which alone learns from a few tracks",
            "measure the recipe head, with --backbone and the model to put it on",
        )
    with options.open_resources(chosen) as resources:
        flow = few_shots(
            ShotRequest(request, recipe.head.backbone, n_shots, n_draws),
            resources,
        )
        evaluation, n_skipped = follow(flow, quiet=quiet)
    return [evaluation], n_skipped


def _cross(
    request: CrossRequest, chosen: configuration.Settings, quiet: bool
) -> tuple[list[Evaluation], int]:
    from earmark.workflows.crossval import cross_validate

    with options.open_resources(chosen) as resources:
        flow = cross_validate(
            request,
            resources,
        )
        return follow(flow, quiet=quiet)


def _recipe_of(model: str, flags: dict[str, Any]) -> TrainingRecipe:
    """The recipe that a model was trained by, or one by its own name."""
    from earmark.models import bundle, catalog
    from earmark.training.recipes.recipe import TrainingRecipe

    folder = catalog.find(model, configuration.data_dir())
    if learning.is_recipe(model) or not (folder / bundle.META_NAME).is_file():
        return learning.read_recipe(model, flags)
    noted = bundle.load(folder).meta.training.get("recipe")
    if not noted:
        raise ConfigError(
            f"{model} does not say by which recipe it was trained", "name the recipe instead"
        )
    values = {key: value for key, value in noted.items() if key != "name"}
    recipe = TrainingRecipe.from_dict(values, noted["name"], model)
    given = {key: value for key, value in flags.items() if value is not None}
    return recipe.replaced(given, "options") if given else recipe


def _protocols(names: str) -> tuple[str, ...]:
    from earmark.datasets import PROTOCOLS
    from earmark.datasets.splitting import PRESCRIBED

    known = (*PROTOCOLS, PRESCRIBED)
    chosen = tuple(name.strip() for name in names.split(",") if name.strip())
    unknown = [name for name in chosen if name not in known]
    if unknown or not chosen:
        raise ConfigError(
            f"no protocol {', '.join(unknown) or names!r}", f"known are: {', '.join(known)}"
        )
    return chosen


def _print(evaluations: list[Evaluation]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in (
        "Split",
        "Tracks",
        "Artists",
        "Slices right",
        "Tracks right",
        "Macro-F1",
        "Baseline",
    ):
        table.add_column(title)
    for found in evaluations:
        table.add_row(
            cell(found.protocol),
            str(found.n_tracks),
            str(found.n_artists),
            _score(found.slice["accuracy"]),
            _score(found.track["accuracy"]),
            _score(found.track["macro_f1"]),
            f"{found.baselines['majority']:.1%}",
        )
    out().print(table)
    for found in evaluations:
        if found.draws:
            out().print(
                f"right in single draws: {min(found.draws):.1%} to {max(found.draws):.1%},"
                f" {len(found.draws)} draws"
            )
        for warning in found.warnings:
            complain(f"{found.protocol}: {warning}")


def _score(score: Score) -> str:
    return f"{score.value:.1%} [{score.low:.1%}, {score.high:.1%}]"

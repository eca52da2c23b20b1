"""``earmark compare``: several recipes on the same tracks, under several splits, in one table.

Every cell, a recipe under a protocol, is trained and measured as `earmark evaluate` does it. A
finished cell is a file and is not measured again; slices are kept in the feature store,
which several runs may use at once.
"""

from __future__ import annotations

import dataclasses
import json
import os
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from earmark import features, jsontext
from earmark.datasets import PROTOCOLS
from earmark.datasets.splitting import PRESCRIBED, SplitRequest
from earmark.errors import ConfigError, EarmarkError
from earmark.evaluation import results
from earmark.evaluation.comparison import PAPER, Cell, Comparison
from earmark.evaluation.decisions import TrackDecisions
from earmark.events import Note, Workflow
from earmark.inference.timing import track_ms
from earmark.models import registry
from earmark.models.bundle import Bundle
from earmark.session import Resources
from earmark.training import run_folder
from earmark.training.recipes.recipe import TrainingRecipe
from earmark.training.recipes.settings import Hardware
from earmark.training.request import LabelRequest, TrainRequest
from earmark.types import ListenConfig
from earmark.workflows.crossval import Fold, Trainings, describe_folds, in_force, training_key

# Of how cells are measured and kept; those of another one are measured again.
_FORMAT = 2


@dataclass(frozen=True, slots=True)
class CompareRequest:
    """What to compare.

    Attributes
    ----------
    labels : LabelRequest
        The same tracks for all; its split's seed is used, and its shares but for ``paper``.
    out : Path
        Folder of cells and trainings.
    recipes : tuple of TrainingRecipe
        Of different names.
    protocols : tuple of str
        As in `SplitRequest`, and ``paper``: each recipe's own, one split by its author's shares.
    n_folds : int
        Of the other protocols; 0: one split.
    hardware : Hardware
        What networks are trained on.
    """

    labels: LabelRequest
    out: Path
    recipes: tuple[TrainingRecipe, ...]
    protocols: tuple[str, ...] = ("artist", PAPER)
    n_folds: int = 0
    hardware: Hardware = field(default_factory=Hardware)


def compare(
    request: CompareRequest,
    resources: Resources,
    *,
    command: str = "",
) -> Workflow[Comparison]:
    """Train and measure every recipe under every protocol; a failure is a cell with its reason.

    A recipe of whose author nothing is known has no cell under ``paper``. A KeyboardInterrupt ends
    it with the cells so far; the same request goes on from there.

    Raises
    ------
    ConfigError
        If there is no such protocol, nothing to compare, or two recipes have one name.
    """
    _check(request)
    asked = [
        (recipe, protocol)
        for recipe in request.recipes
        for protocol in request.protocols
        if protocol != PAPER or recipe.paper.figure
    ]
    cells: list[Cell] = []
    interrupted = False
    try:
        for number, (recipe, protocol) in enumerate(asked, start=1):
            training = _training(request, recipe, protocol)
            run = Trainings(training.out, resources)
            file = request.out / "cells" / recipe.name / f"{protocol}.json"
            key = _key(training, request, protocol, resources.home)
            cell = _kept(file, key)
            if cell is None:
                yield Note(f"{number} of {len(asked)}: {recipe.name}, {protocol}")
                cell = yield from _measured(request, run, recipe, protocol, training)
            # The recipe's [paper] may have been edited since.
            cell = dataclasses.replace(cell, reported=recipe.paper)
            if not cell.error:
                _keep(file, key, cell)
            cells.append(cell)
    except KeyboardInterrupt:
        interrupted = True
    data = Path(request.labels.root).resolve().name
    return Comparison(data, command, tuple(cells), interrupted)


def _check(request: CompareRequest) -> None:
    known = (*PROTOCOLS, PRESCRIBED, PAPER)
    unknown = [name for name in request.protocols if name not in known]
    if unknown or not request.protocols:
        raise ConfigError(
            f"no protocol {', '.join(unknown) or 'given'}", f"known are: {', '.join(known)}"
        )
    names = [recipe.name for recipe in request.recipes]
    if not names:
        raise ConfigError("no recipe to compare", "name some with --recipes")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(
            f"two recipes are called {', '.join(twice)}", "a recipe is named after its file"
        )
    if request.protocols == (PAPER,) and not any(r.paper.figure for r in request.recipes):
        raise ConfigError(
            f"of {', '.join(names)}, none says how its author split", "choose another --protocol"
        )


def _training(request: CompareRequest, recipe: TrainingRecipe, protocol: str) -> TrainRequest:
    labels = request.labels
    if protocol == PAPER:
        paper = recipe.paper
        train, valid, test = paper.shares
        split = SplitRequest(paper.split, (train, valid, test), labels.split.seed)
        merges = {**paper.merges, **labels.merges}
        labels = dataclasses.replace(labels, split=split, merges=merges)
    return TrainRequest(
        labels=labels,
        out=request.out / "trainings" / recipe.name / protocol,
        recipe=recipe,
        hardware=request.hardware,
    )


def _measured(
    request: CompareRequest,
    run: Trainings,
    recipe: TrainingRecipe,
    protocol: str,
    training: TrainRequest,
) -> Workflow[Cell]:
    split = training.labels.split.protocol if protocol == PAPER else protocol
    n_folds = 0 if protocol == PAPER else request.n_folds
    error_file = run.out / "error.txt"
    error_file.unlink(missing_ok=True)
    try:
        folds = yield from run.folds(training, split, n_folds)
        cell = yield from _scored(folds, recipe, protocol, split, training, run.resources)
    except EarmarkError as e:
        reason = str(e)
    except Exception as e:  # noqa: BLE001 - the boundary: no single recipe may stop the others
        run.out.mkdir(parents=True, exist_ok=True)
        error_file.write_text(traceback.format_exc(), encoding="utf-8")
        reason = f"unexpected {type(e).__name__}: {e}; details are in {error_file}"
    else:
        # As it will be read again.
        return Cell.from_json(cell.to_json())
    yield Note(f"{recipe.name}, {protocol}: {reason}")
    return Cell(recipe.name, protocol, split, error=reason)


def _scored(
    folds: Sequence[Fold],
    recipe: TrainingRecipe,
    protocol: str,
    split: str,
    training: TrainRequest,
    resources: Resources,
) -> Workflow[Cell]:
    bundle = folds[-1].bundle
    labels = bundle.meta.labels
    evaluation = results.evaluate(
        TrackDecisions.joined([fold.decisions for fold in folds]),
        labels,
        name=recipe.name,
        data=training.labels.root,
        protocol=in_force(split, bundle),
        warnings=sorted({f.bundle.meta.data.get("backbone_leak", "") for f in folds} - {""}),
    )
    tracks = run_folder.read_split(folds[-1].run_dir, labels)
    milliseconds = yield from track_ms(bundle, [e.path for e in tracks], resources.workers)
    return Cell(
        recipe=recipe.name,
        protocol=protocol,
        split=evaluation.protocol,
        details=_details(training.labels, recipe, protocol, len(folds)),
        front_end=describe_front_end(bundle.meta.listen),
        n_genres=len(labels),
        n_tracks=evaluation.n_tracks,
        n_slices=evaluation.n_slices,
        n_groups=evaluation.n_groups,
        n_parameters=count_parameters(bundle, recipe),
        train_s=sum(_train_s(fold.bundle) for fold in folds),
        track_ms=milliseconds,
        slice_accuracy=evaluation.slice["accuracy"],
        accuracy=evaluation.track["accuracy"],
        macro_f1=evaluation.track["macro_f1"],
        majority=evaluation.baselines["majority"],
        warnings=evaluation.warnings,
    )


def _train_s(bundle: Bundle) -> float:
    """Processor time where it was taken: a busy machine does not make a recipe slow."""
    courses = [bundle.meta.training, bundle.meta.training.get("track_network", {})]
    return sum(float(course.get("cpu_seconds", course.get("seconds", 0))) for course in courses)


def _details(labels: LabelRequest, recipe: TrainingRecipe, protocol: str, n: int) -> str:
    if protocol != PAPER:
        return describe_folds(n if n > 1 else 0, labels.split.seed)
    shares = "/".join(f"{100 * share:.3g}" for share in labels.split.fractions)
    merged = "".join(f", {a} counted as {b}" for a, b in recipe.paper.merges.items())
    return f"{shares}, seed {labels.split.seed}{merged}"


def describe_front_end(listen: ListenConfig) -> str:
    """What slices are, for people."""
    config = listen.features
    shape = f"{features.n_bins(config)} × {listen.slices.n_frames}"
    return f"{config.frontend}, {config.sr / 1000:g} kHz, {shape}"


def count_parameters(bundle: Bundle, recipe: TrainingRecipe) -> int:
    """Numbers that were learned: of a network its weights, of other kinds all that they hold."""
    if recipe.kind != "network":
        from earmark.models.classical.size import n_numbers

        return n_numbers(bundle.network)
    listen, n_classes = bundle.meta.listen, len(bundle.meta.labels)
    shape = (features.n_bins(listen.features), listen.slices.n_frames, n_classes)
    name, options = recipe.network.name, recipe.network.options
    networks = [registry.build(name, *shape, options, listen.features)]
    if bundle.meta.vote.network:
        over = recipe.track.network
        networks.append(registry.build_track_network(over.name, n_classes, over.options))
    return sum(
        part.numel() for network in networks for part in network.parameters() if part.requires_grad
    )


def _key(training: TrainRequest, request: CompareRequest, protocol: str, home: Path) -> str:
    """What makes it another cell."""
    n_folds = 0 if protocol == PAPER else request.n_folds
    trained = training_key(training, home)
    return run_folder.key_of({"format": _FORMAT, "training": trained, "n_folds": n_folds})


def _kept(file: Path, key: str) -> Cell | None:
    """The cell in `file`, if it is of this very request."""
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        return Cell.from_json(values["cell"]) if values["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _keep(file: Path, key: str, cell: Cell) -> None:
    with run_folder.writing_to(file.parent):
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_name(f".{file.name}.{os.getpid()}")
        text = jsontext.dumps({"key": key, "cell": cell.to_json()}, indent=2)
        fresh.write_text(text + "\n", encoding="utf-8")
        fresh.replace(file)

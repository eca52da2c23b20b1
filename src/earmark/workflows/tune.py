"""``earmark tune``: better values of a recipe, by cross-validation within the training part.

The tracks are split as `train` would split them, and of that split the training part alone is
used: its artists are dealt into folds, and each trial is trained once for every fold, on the
others. A fold decides both when training stops and what it scores, so that scores are a little
too good; they serve to compare trials. The validation and test parts are never looked at: a model
trained by the recipe found is measured on artists that played no part in finding it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from earmark import extras, jsontext
from earmark.datasets import grouped_folds, join_groups
from earmark.decision.voting import decide, modes
from earmark.errors import ConfigError, DataError
from earmark.evaluation.metrics import macro_f1
from earmark.events import Note, Progress, Workflow
from earmark.features.store import FeatureStore
from earmark.session import Resources
from earmark.spreadsheets import Writer
from earmark.training import run_folder
from earmark.training.learners.network import check_network
from earmark.training.learning_set import Example, LearningSet, assemble, spans
from earmark.training.recipes.recipe import TrainingRecipe
from earmark.training.recipes.settings import Hardware
from earmark.training.request import LabelRequest
from earmark.types import FloatArray

if TYPE_CHECKING:
    from earmark.training.search import Outcome, Search, Trial
    from earmark.training.torch.data import Part


@dataclass(frozen=True, slots=True)
class TuneRequest:
    """What to tune, and how long.

    Attributes
    ----------
    labels : LabelRequest
        As for `train`; the same split leaves the same test part untouched.
    out : Path
        Run folder.
    recipe : TrainingRecipe
    hardware : Hardware
    n_trials : int
        With those that the run folder already holds.
    n_folds : int
    """

    labels: LabelRequest
    out: Path
    recipe: TrainingRecipe = field(default_factory=TrainingRecipe)
    hardware: Hardware = field(default_factory=Hardware)
    n_trials: int = 20
    n_folds: int = 3


@dataclass(frozen=True, slots=True)
class TuneReport:
    """The best recipe's file (None where no trial is whole yet), and all trials."""

    best: Outcome | None
    recipe: Path | None
    outcomes: Sequence[Outcome]
    interrupted: bool


@dataclass(frozen=True, slots=True)
class Fold:
    """Slices to learn from and of the tracks held out, whose genres are `reference`."""

    train: Part
    held_out: Part
    reference: tuple[int, ...]


def tune(
    request: TuneRequest,
    resources: Resources,
) -> Workflow[TuneReport]:
    """Search for better values of the request's recipe; goes on where the run folder has a search.

    A KeyboardInterrupt ends the search and writes down the best so far.

    Raises
    ------
    ConfigError
        If the recipe declares nothing to tune, or the run folder holds another search.
    DataError
        If the labels cannot be learned from, or are by too few artists for the folds.
    LibraryError
        If the run folder cannot be written to.
    MissingExtraError
        If an optional dependency is not installed.
    """
    _require_tuning(request)
    with (
        run_folder.claimed(request.out),
        resources.features(request.recipe.listen) as store,
    ):
        learning_set = yield from assemble(request.labels, resources, store)
        examples, numbers = deal(learning_set, request)
        yield Note(
            f"{len(examples)} training tracks in {request.n_folds} folds by artist; the other"
            f" {len(learning_set.examples) - len(examples)} tracks are left for `train`"
        )
        with run_folder.writing_to(request.out):
            _write_folds(request.out, examples, numbers, learning_set.labels)
        folds = list(_folds(store, examples, numbers, request.n_folds))
        return (yield from search(request, folds, learning_set.labels))


def _require_tuning(request: TuneRequest) -> None:
    """Fail before hours of listening rather than after."""
    recipe = request.recipe
    if recipe.kind != "network" or not recipe.tune:
        raise ConfigError(
            f"recipe {recipe.name} declares nothing to tune",
            "a recipe of kind network with a section [tune] does",
        )
    extras.require("train", "earmark.training.search")
    check_network(recipe, request.hardware)


def deal(learning_set: LearningSet, request: TuneRequest) -> tuple[tuple[Example, ...], list[int]]:
    """The training part, and the fold of each of its tracks; artists and duplicates stay whole."""
    examples = learning_set.part("train")
    place = {e.audio_id: i for i, e in enumerate(examples)}
    pairs = [(place[a], place[b]) for a, b in learning_set.near if a in place and b in place]
    groups = join_groups([e.group for e in examples], pairs)
    labels = [learning_set.labels[e.genre] for e in examples]
    return examples, grouped_folds(groups, labels, request.n_folds, request.recipe.seed)


def _write_folds(
    out: Path, examples: Sequence[Example], numbers: Sequence[int], labels: Sequence[str]
) -> None:
    with (out / "folds.csv").open(
        "w", newline="", encoding="utf-8", errors="surrogateescape"
    ) as file:
        table = Writer(file)
        table.row(("path", "genre", "group", "fold"))
        for e, number in zip(examples, numbers, strict=True):
            table.row((e.path, labels[e.genre], e.group, number + 1))


def _folds(
    store: FeatureStore, examples: Sequence[Example], numbers: Sequence[int], n_folds: int
) -> Iterator[Fold]:
    from earmark.training.torch.data import Part

    def part(chosen: Sequence[Example]) -> Part:
        return Part.of(store, spans(store, chosen), [e.genre for e in chosen])

    for number in range(n_folds):
        held_out = [e for e, fold in zip(examples, numbers, strict=True) if fold == number]
        rest = [e for e, fold in zip(examples, numbers, strict=True) if fold != number]
        yield Fold(part(rest), part(held_out), tuple(e.genre for e in held_out))


def search(
    request: TuneRequest, folds: Sequence[Fold], labels: Sequence[str]
) -> Workflow[TuneReport]:
    """Try values on the folds until there are as many trials as requested.

    Writes ``search.sqlite`` as it goes, and at its end ``trials.csv``, ``tuning.png`` and
    ``best.toml`` into the request's run folder.
    """
    from earmark.training.search import Search

    found = Search(request.out / "search.sqlite", request.recipe, _asked(request, folds, labels))
    interrupted = False
    try:
        while (n_done := len(found.outcomes)) < request.n_trials:
            yield Progress("trials", n_done, request.n_trials)
            trial = found.propose(_flat(request.recipe))
            yield from _try(request, found, trial, folds, labels)
            yield Note(_describe(found.outcomes[-1], found.best, len(folds)))
    except KeyboardInterrupt:
        interrupted = True
    best, outcomes = found.best, found.outcomes
    if not outcomes:
        raise KeyboardInterrupt
    with run_folder.writing_to(request.out):
        recipe = _write_results(request, outcomes, best)
    return TuneReport(best, recipe, outcomes, interrupted)


def _try(
    request: TuneRequest,
    found: Search,
    trial: Trial,
    folds: Sequence[Fold],
    labels: Sequence[str],
) -> Workflow[None]:
    """Train and score a trial, fold by fold; given up where it is worse than half of the others."""
    recipe = request.recipe.replaced(trial.values, "tuning")
    # By values, so that a trial that was killed finds its checkpoints again.
    key = hashlib.blake2b(jsontext.dumps(trial.values).encode(), digest_size=8).hexdigest()
    folder = request.out / "trials" / key
    reference: list[int] = []
    estimated: list[int] = []
    score: float | None = None
    for number, fold in enumerate(folds):
        try:
            answers = yield from _answers(
                recipe, fold, labels, folder / f"fold-{number + 1}", request.hardware
            )
        except DataError as e:
            yield Note(str(e))
            answers = [-1] * len(fold.reference)
        reference += fold.reference
        estimated += answers
        score = macro_f1(np.array(reference), np.array(estimated), len(labels))
        if not found.report(trial, number, score):
            score = None
            break
    found.finish(trial, score)
    shutil.rmtree(folder, ignore_errors=True)


def _answers(
    recipe: TrainingRecipe, fold: Fold, labels: Sequence[str], run_dir: Path, hardware: Hardware
) -> Workflow[list[int]]:
    """Genre of each track held out by a network trained on the others; -1 for "I don't know"."""
    from earmark.training.torch.fit import fit
    from earmark.training.torch.objectives import predict

    flow = fit(fold.train, fold.held_out, len(labels), recipe, run_dir, hardware)
    fitted = None
    while fitted is None:
        try:
            event = next(flow)
        except StopIteration as stop:
            fitted = stop.value
        else:
            if isinstance(event, Progress):
                yield event
    proba = predict(fitted.network, fold.held_out)
    by_track: list[FloatArray] = [
        proba[fold.held_out.track == track] for track in range(len(fold.reference))
    ]
    # What a stacker or a network would decide, only a whole training can learn.
    vote = recipe.vote
    if vote.mode not in modes(vote):
        vote = dataclasses.replace(vote, mode="mean")
    genres = [decide(part, labels, vote).genre for part in by_track]
    return [-1 if genre is None else labels.index(genre) for genre in genres]


def _asked(request: TuneRequest, folds: Sequence[Fold], labels: Sequence[str]) -> dict[str, Any]:
    """What makes a search another one."""
    music = hashlib.blake2b(digest_size=8)
    for fold in folds:
        music.update(fold.train.numbers.tobytes() + fold.train.reference.tobytes())
    return {
        "recipe": request.recipe.to_dict(),
        "precision": request.hardware.precision,
        "labels": list(labels),
        "music": music.hexdigest(),
    }


def _flat(recipe: TrainingRecipe) -> dict[str, Any]:
    """Values by ``section.key``."""
    return {
        f"{section}.{key}": value
        for section, table in recipe.to_dict().items()
        if isinstance(table, dict) and section != "tune"
        for key, value in table.items()
    }


def _describe(outcome: Outcome, best: Outcome | None, n_folds: int) -> str:
    values = ", ".join(f"{path} = {_short(value)}" for path, value in outcome.values.items())
    score = f"trial {outcome.number + 1}: macro-F1 {outcome.scores[-1]:.1%}"
    if not outcome.is_whole:
        return f"{score} after {len(outcome.scores)} of {n_folds} folds, given up: {values}"
    is_best = best is not None and best.number == outcome.number
    return f"{score}{' (best so far)' if is_best else ''}: {values}"


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _write_results(
    request: TuneRequest, outcomes: Sequence[Outcome], best: Outcome | None
) -> Path | None:
    from earmark.evaluation.plots.tuning import draw_trials

    paths = list(request.recipe.tune)
    n_folds = max(len(outcome.scores) for outcome in outcomes)
    with (request.out / "trials.csv").open("w", newline="", encoding="utf-8") as file:
        table = Writer(file)
        scores = [f"macro_f1_after_fold_{i + 1}" for i in range(n_folds)]
        table.row(("trial", "is_whole", *scores, *paths))
        for outcome in outcomes:
            padded = [*outcome.scores, *[""] * (n_folds - len(outcome.scores))]
            values = [outcome.values[path] for path in paths]
            table.row((outcome.number + 1, outcome.is_whole, *padded, *values))
    draw_trials(request.out / "tuning.png", outcomes, request.recipe.tune)
    if best is None:
        return None
    tuned = request.recipe.replaced(best.values, "tuning")
    head = (
        f"# {request.recipe.name}, tuned: trial {best.number + 1} of {len(outcomes)}, macro-F1"
        f" {best.scores[-1]:.4f} over {len(best.scores)} folds of the training part\n"
    )
    path = request.out / "best.toml"
    path.write_text(head + tuned.to_toml(), encoding="utf-8")
    return path

"""``earmark train``: labelled tracks in, a model bundle out."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from earmark import features
from earmark.errors import ConfigError, MissingExtraError
from earmark.features.store import FeatureStore
from earmark.library import Catalogue
from earmark.models import bundle as bundles
from earmark.models import registry
from earmark.models.bundle import Bundle, BundleMeta
from earmark.models.runtime import Classifier
from earmark.training.recipe import TrainingRecipe
from earmark.training.settings import Hardware
from earmark.types import ListenConfig, VoteConfig
from earmark.workflows import runfolder, track_network
from earmark.workflows.events import Workflow
from earmark.workflows.finishing import finish, from_store
from earmark.workflows.learning_set import LabelRequest, LearningSet, assemble, spans
from earmark.workflows.not_music import check_sounds
from earmark.workflows.relaying import relayed

if TYPE_CHECKING:
    from earmark.training.fit import Fitted

FORMAT = 1
"""To be raised when a training makes another model of the same request: reports then train anew."""

WITH_HEAD = ("head", "distilled")
"""Kinds of recipes by which a head is learned, which may tell music from other sounds."""


@dataclass(frozen=True, slots=True)
class TrainRequest:
    """What to learn, and how.

    Attributes
    ----------
    labels : LabelRequest
    out : Path
        Bundle to write.
    recipe : TrainingRecipe
    hardware : Hardware
        What a network is trained on.
    target_precision : float
        The model's own threshold is set so that this share of the answers that it gives on
        validation tracks is right.
    run_dir : Path or None
        For checkpoints, history and plots; by default beside `out`.
    about : str
        What the music is and where it is from, for those who get the model.
    licence : str
    unlabelled : tuple of str
        Folders with the music that a distilled backbone is made on; empty: the labelled music.
    not_music : tuple of str
        Folders with sounds that a head learns to tell from music; empty: it tells them as its
        backbone does, if that can.
    """

    labels: LabelRequest
    out: Path
    recipe: TrainingRecipe = field(default_factory=TrainingRecipe)
    hardware: Hardware = field(default_factory=Hardware)
    target_precision: float = 0.8
    run_dir: Path | None = None
    about: str = ""
    licence: str = "unspecified"
    unlabelled: tuple[str, ...] = ()
    not_music: tuple[str, ...] = ()

    @property
    def run_folder(self) -> Path:
        return self.run_dir or self.out.with_name(f"{self.out.name}-run")


@dataclass(frozen=True, slots=True)
class TrainReport:
    """The bundle, its scores on the test part, and where the run was recorded."""

    bundle: Bundle
    scores: Mapping[str, Any]
    run_dir: Path
    interrupted: bool


def train(
    request: TrainRequest,
    catalogue: Catalogue,
    data_dir: Path,
    *,
    n_workers: int,
    time_limit_s: float,
) -> Workflow[TrainReport]:
    """Learn genres from labelled tracks as the request's recipe says, and write a bundle.

    Split is by artist (album, folder), never by slice. What was heard is kept in `data_dir` and
    not heard again by the next run; a run that was cut short goes on from its last epoch. A
    KeyboardInterrupt during training keeps the best network so far.

    Raises
    ------
    BundleError
        If the model cannot be written where it is to be.
    ConfigError
        If the recipe asks for a network, or options of it, that there are not, or has no use for
        unlabelled music or other sounds that were given, or the run folder lies within the
        model's.
    DataError
        If the labels cannot be learned from, or sounds that are no music are too few, with what to
        do about it.
    LibraryError
        If the run folder cannot be written to, or a folder of sounds not be read.
    MissingExtraError
        If an optional dependency is not installed.
    """
    bundles.check_target(request.out)
    if request.run_folder.resolve().is_relative_to(request.out.resolve()):
        raise ConfigError(
            f"the run folder {request.run_folder} lies within the model's, {request.out}",
            "choose another --run-dir",
        )
    hears_unlabelled = request.recipe.kind == "distilled" or (
        request.recipe.kind == "head" and request.not_music
    )
    if request.unlabelled and not hears_unlabelled:
        raise ConfigError(
            f"recipe {request.recipe.name} learns nothing from unlabelled music",
            "leave --unlabelled out, or choose --recipe ear; with --not-music, a head takes it",
        )
    if request.not_music and request.recipe.kind not in WITH_HEAD:
        raise ConfigError(
            f"recipe {request.recipe.name} does not learn what is no music",
            "leave --not-music out, or choose --recipe head",
        )
    check_sounds(request.not_music)
    learn = _train_network
    if request.recipe.kind == "head":
        from earmark.workflows.train_head import train_head

        learn = train_head
    elif request.recipe.kind == "distilled":
        from earmark.workflows.distil import train_distilled

        learn = train_distilled
    elif request.recipe.kind == "summary":
        from earmark.workflows.train_summary import train_summary

        learn = train_summary
    with runfolder.claimed(request.run_folder):
        return (
            yield from learn(
                request, catalogue, data_dir, n_workers=n_workers, time_limit_s=time_limit_s
            )
        )


def draft(
    request: TrainRequest,
    learning_set: LearningSet,
    listen: ListenConfig,
    course: Mapping[str, Any],
) -> BundleMeta:
    """``model.json`` of what has just been trained: without temperature, threshold and scores.

    `course` is what is to be said of how training went.
    """
    return BundleMeta(
        name=request.out.name,
        labels=learning_set.labels,
        listen=listen,
        vote=request.recipe.vote,
        data={"about": request.about, **learning_set.describe()},
        training={**runfolder.provenance(request), **course},
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        licence=request.licence,
    )


def require_training(recipe: TrainingRecipe, hardware: Hardware) -> None:
    """Fail before hours of listening rather than after (`ConfigError`, `MissingExtraError`)."""
    try:
        import earmark.evaluation.plots
        import earmark.models.classical.stacker
        import earmark.training.export
        import earmark.training.fit
    except ModuleNotFoundError as e:
        raise MissingExtraError(e.name or "torch", "train") from e
    slice_shape = (features.n_bins(recipe.features), recipe.slices.n_frames)
    registry.build(recipe.network.name, *slice_shape, 2, recipe.network.options, recipe.features)
    track_network.require(recipe)
    earmark.training.fit.open_fabric(hardware)


def _train_network(
    request: TrainRequest,
    catalogue: Catalogue,
    data_dir: Path,
    *,
    n_workers: int,
    time_limit_s: float,
) -> Workflow[TrainReport]:
    require_training(request.recipe, request.hardware)
    with FeatureStore(data_dir / "features", request.recipe.listen) as store:
        learning_set = yield from assemble(
            request.labels,
            catalogue,
            store,
            data_dir,
            n_workers=n_workers,
            time_limit_s=time_limit_s,
        )
        runfolder.write_settings(request.run_folder, request, learning_set)
        fitted = yield from _fit(request, store, learning_set)
        return (yield from _finish(request, store, learning_set, fitted))


def _fit(request: TrainRequest, store: FeatureStore, learning_set: LearningSet) -> Workflow[Fitted]:
    from earmark.training.data import Part
    from earmark.training.fit import fit

    def part(name: str) -> Part:
        chosen = learning_set.part(name)
        return Part.of(store, spans(store, chosen), [e.genre for e in chosen])

    n_classes, run_dir = len(learning_set.labels), request.run_folder
    flow = fit(part("train"), part("valid"), n_classes, request.recipe, run_dir, request.hardware)
    return (yield from relayed(flow, request.recipe.schedule.epochs))


def _finish(
    request: TrainRequest, store: FeatureStore, learning_set: LearningSet, fitted: Fitted
) -> Workflow[TrainReport]:
    """Export, calibrate on the validation part, measure on the test part, write."""
    from earmark.training.export import to_onnx

    recipe, run_dir = request.recipe, request.run_folder
    n_bins, dtype = features.n_bins(recipe.features), features.dtype(recipe.features)
    network = to_onnx(fitted.network, n_bins, recipe.slices.n_frames, dtype)
    meta = draft(request, learning_set, recipe.listen, runfolder.course(fitted.history))
    # What is to decide about tracks may not have been learned yet.
    by_mean = dataclasses.replace(meta, vote=VoteConfig())
    logits_of = from_store(Classifier(bundles.write(run_dir / "draft", by_mean, network)), store)
    meta, cut_short = yield from track_network.with_track_network(
        request, meta, learning_set, logits_of
    )
    bundle, scores = yield from finish(
        meta,
        network,
        learning_set,
        logits_of,
        out=request.out,
        target_precision=request.target_precision,
    )
    runfolder.write_results(run_dir, scores, learning_set, fitted.history)
    return TrainReport(bundle, scores.summary, run_dir, fitted.interrupted or cut_short)

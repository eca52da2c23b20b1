"""``earmark train --recipe cnn`` and the like: a network, trained by torch."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from earmark import extras, features
from earmark.events import Workflow
from earmark.features.store import FeatureStore
from earmark.models import bundle as bundles
from earmark.models import registry
from earmark.models.runtime import Classifier
from earmark.session import Resources
from earmark.training import run_folder
from earmark.training.finish import draft, finish, from_store
from earmark.training.learners import track_network
from earmark.training.learning_set import LearningSet, assemble, spans
from earmark.training.provenance import course
from earmark.training.recipes.recipe import TrainingRecipe
from earmark.training.recipes.settings import Hardware
from earmark.training.request import TrainReport, TrainRequest
from earmark.types import VoteConfig

if TYPE_CHECKING:
    from earmark.training.torch.fit import Fitted


def check(request: TrainRequest) -> None:
    """Fail before hours of listening rather than after (`ConfigError`, `MissingExtraError`)."""
    check_network(request.recipe, request.hardware)


def check_network(recipe: TrainingRecipe, hardware: Hardware) -> None:
    """The same, of a recipe's network."""
    extras.require(
        "train",
        "earmark.evaluation.plots.base",
        "earmark.models.classical.stacker",
        "earmark.training.torch.export",
        "earmark.training.torch.fit",
    )
    from earmark.training.torch.fit import open_fabric

    slice_shape = (features.n_bins(recipe.features), recipe.slices.n_frames)
    registry.build(recipe.network.name, *slice_shape, 2, recipe.network.options, recipe.features)
    track_network.check(recipe)
    open_fabric(hardware)


def learn(request: TrainRequest, resources: Resources) -> Workflow[TrainReport]:
    """Train the recipe's network on slices of labelled tracks, and write a bundle.

    Raises
    ------
    DataError
        If the labels cannot be learned from, with what to do about it.
    """
    with resources.features(request.recipe.listen) as store:
        learning_set = yield from assemble(request.labels, resources, store)
        run_folder.write_settings(request.run_folder, request, learning_set)
        fitted = yield from _fit(request, store, learning_set)
        return (yield from _finish(request, store, learning_set, fitted))


def _fit(request: TrainRequest, store: FeatureStore, learning_set: LearningSet) -> Workflow[Fitted]:
    from earmark.training.torch.data import Part
    from earmark.training.torch.fit import fit

    def part(name: str) -> Part:
        chosen = learning_set.part(name)
        return Part.of(store, spans(store, chosen), [e.genre for e in chosen])

    n_classes, run_dir = len(learning_set.labels), request.run_folder
    flow = fit(part("train"), part("valid"), n_classes, request.recipe, run_dir, request.hardware)
    return (yield from flow)


def _finish(
    request: TrainRequest, store: FeatureStore, learning_set: LearningSet, fitted: Fitted
) -> Workflow[TrainReport]:
    """Export, calibrate on the validation part, measure on the test part, write."""
    from earmark.training.torch.export import to_onnx

    recipe, run_dir = request.recipe, request.run_folder
    n_bins, dtype = features.n_bins(recipe.features), features.dtype(recipe.features)
    network = to_onnx(fitted.network, n_bins, recipe.slices.n_frames, dtype)
    meta = draft(request, learning_set, recipe.listen, course(fitted.history))
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
    run_folder.write_results(run_dir, scores, learning_set, fitted.history)
    return TrainReport(
        bundle, scores.summary, scores.counts, run_dir, fitted.interrupted or cut_short
    )

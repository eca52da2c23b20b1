"""The second stage of a training: a network over a track's slices, where a recipe wants one."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from earmark import extras
from earmark.events import Note, Workflow
from earmark.models import registry
from earmark.models.bundle import BundleMeta
from earmark.training.finish import OutputsOf, slice_temperature
from earmark.training.learning_set import LearningSet
from earmark.training.provenance import course
from earmark.training.request import TrainRequest

if TYPE_CHECKING:
    from earmark.training.recipes.recipe import TrainingRecipe


def check(recipe: TrainingRecipe) -> None:
    """Fail before hours of listening rather than after (`ConfigError`, `MissingExtraError`)."""
    if recipe.vote.mode != "network":
        return
    extras.require("train", "earmark.training.torch.export", "earmark.training.torch.tracks")
    registry.build_track_network(recipe.track.network.name, 2, recipe.track.network.options)


def with_track_network(
    request: TrainRequest, meta: BundleMeta, learning_set: LearningSet, outputs_of: OutputsOf
) -> Workflow[tuple[BundleMeta, bool]]:
    """`meta` with a network over tracks by which it votes; as it is where the vote is another.

    The network learns from what the model says of its own training tracks, of which it is surer
    than of others; validation tracks, which it has not learned from, say when to stop.

    Returns
    -------
    meta : BundleMeta
    interrupted : bool
        Whether a KeyboardInterrupt has cut its training short.
    """
    if meta.vote.mode != "network":
        return meta, False
    from earmark.training.torch.export import track_to_onnx
    from earmark.training.torch.tracks import fit_on_tracks

    yield Note("learning how the slices of a track decide")
    n_classes = len(meta.labels)
    parts = [learning_set.part(name) for name in ("train", "valid")]
    outputs = [outputs_of(examples) for examples in parts]
    temperature = slice_temperature(outputs[1], parts[1])
    train, valid = (
        ([track.proba(temperature) for track in tracks], [e.genre for e in examples])
        for tracks, examples in zip(outputs, parts, strict=True)
    )
    flow = fit_on_tracks(train, valid, n_classes, request.recipe, request.run_folder / "track")
    fitted = yield from flow
    best = min(fitted.history, key=lambda epoch: epoch.valid_loss)
    by_mean = np.mean([t.mean(axis=0).argmax() == g for t, g in zip(*valid, strict=True)])
    yield Note(
        f"the network over tracks is right about {best.valid_accuracy:.1%} of validation tracks,"
        f" the vote by mean about {by_mean:.1%}"
    )
    network = track_to_onnx(fitted.network, n_classes)
    meta = dataclasses.replace(
        meta,
        vote=dataclasses.replace(meta.vote, network=network),
        training={**meta.training, "track_network": course(fitted.history)},
    )
    return meta, fitted.interrupted

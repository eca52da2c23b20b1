"""``earmark train --recipe head``: a logistic head on a frozen backbone, without torch."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from earmark import extras
from earmark.decision.calibration import Outputs
from earmark.errors import DataError
from earmark.events import Note, Workflow
from earmark.inference.batch import with_embeddings
from earmark.models import bundle as bundles
from earmark.models.bundle import Bundle, BundleMeta
from earmark.models.embeddings import EmbeddingStore
from earmark.session import Resources
from earmark.training import run_folder
from earmark.training.finish import OutputsOf, calibrated, draft, measured
from earmark.training.learners import track_network
from earmark.training.learners.music import MusicOutput, music_output
from earmark.training.learning_set import Example, LearningSet, assemble, spans
from earmark.training.provenance import known_of, open_backbone
from earmark.training.request import TrainReport, TrainRequest

if TYPE_CHECKING:
    from earmark.models.classical.head import Head, HeldOut, Tracks

_FOLDS = 3


NEEDS = ("earmark.models.classical.graft", "earmark.models.classical.stacker")
"""What cannot be imported without the extra ``head``."""


def check(request: TrainRequest) -> None:
    """Fail before listening rather than after (`ConfigError`, `MissingExtraError`)."""
    extras.require("head", *NEEDS)
    track_network.check(request.recipe)


def learn(
    request: TrainRequest,
    resources: Resources,
    *,
    backbone: Bundle | None = None,
) -> Workflow[TrainReport]:
    """Learn genres from a backbone's embeddings of labelled tracks, and write a bundle.

    The backbone says what is listened to and how. Its embeddings are kept in Earmark's home; the
    next head on the same backbone listens only to what is new.

    Parameters
    ----------
    request, resources
        As in `earmark.training.train.train`.
    backbone : Bundle, optional
        By default the one that the request's recipe names.

    Raises
    ------
    BundleError
        If the backbone cannot be used.
    DataError
        If the labels cannot be learned from, with what to do about it.
    MissingExtraError
        If scikit-learn or onnx is not installed.
    """
    if backbone is None:
        backbone = open_backbone(request.recipe.head.backbone, resources.home)
    if request.recipe.level is not None:
        backbone = backbone.listening(level=request.recipe.level)
    with resources.embeddings(backbone) as store:
        assembled = yield from assemble(request.labels, resources, store)
        learning_set = yield from usable(assembled, store)
        run_folder.write_settings(request.run_folder, request, learning_set)
        music = yield from music_output(request, backbone, store, learning_set, resources)
        return (yield from _learn(request, backbone, store, learning_set, music))


def learnable(store: EmbeddingStore, examples: Sequence[Example]) -> Tracks:
    """Embeddings and genres of examples, as heads are learned from."""
    from earmark.models.classical.head import Tracks

    found = spans(store, examples)
    slices = store.embeddings(np.concatenate(found))
    return Tracks(slices, [len(span) for span in found], [e.genre for e in examples])


def usable(learning_set: LearningSet, store: EmbeddingStore) -> Workflow[LearningSet]:
    """The learning set without tracks that have no embedding.

    Raises
    ------
    DataError
        If a genre is left without training tracks, or no track for validation.
    """
    kept = yield from with_embeddings(learning_set.examples, store)
    left_out = len(learning_set.examples) - len(kept)
    left = dataclasses.replace(
        learning_set, examples=tuple(kept), n_unheard=learning_set.n_unheard + left_out
    )
    left.check_taught()
    if not left.part("valid"):
        raise DataError("there are no tracks for validation", "label more tracks")
    return left


def _learn(
    request: TrainRequest,
    backbone: Bundle,
    store: EmbeddingStore,
    learning_set: LearningSet,
    music: MusicOutput,
) -> Workflow[TrainReport]:
    from earmark.models.classical import graft
    from earmark.models.classical.head import DEFAULT_C, choose_c, fit_head, usual_distances

    train, valid = learning_set.part("train"), learning_set.part("valid")
    data, n_classes = learnable(store, train), len(learning_set.labels)
    started = time.monotonic()
    seed, groups = request.recipe.seed, [e.group for e in (*train, *valid)]
    held_out = choose_c(data, groups[: len(train)], n_classes, _FOLDS, seed)
    c = held_out.c if held_out else DEFAULT_C
    head = fit_head(data, n_classes, c, held_out.distances if held_out else None)
    # What has been chosen by the validation tracks also suits a head that has learned from them: it
    # has a quarter more music to learn from, and is about as sure of itself.
    data = learnable(store, (*train, *valid))
    usual = usual_distances(data, groups, n_classes, _FOLDS, seed) if held_out else None
    whole = fit_head(data, n_classes, c, usual)
    seconds = time.monotonic() - started
    yield Note(_describe(c, held_out, len(train), len(valid), seconds))
    meta = draft(
        request, learning_set, backbone.meta.listen, _course(backbone, c, held_out, seconds)
    )
    meta = yield from _with_backbone_data(meta, backbone, learning_set)
    meta = dataclasses.replace(meta, data={**meta.data, **music.data}, scores=music.scores)
    outputs_of = _by_heads(head, music, store)
    meta, cut_short = yield from track_network.with_track_network(
        request, meta, learning_set, outputs_of
    )
    meta = yield from calibrated(meta, outputs_of(valid), valid, request.target_precision)
    bundle, scores = measured(
        meta,
        graft.graft(backbone, whole, music.head),
        learning_set.part("test"),
        _by_heads(whole, music, store),
        out=request.out,
        texts=bundles.texts(backbone.path),
    )
    run_folder.write_results(request.run_folder, scores, learning_set)
    return TrainReport(bundle, bundle.meta.scores, scores.counts, request.run_folder, cut_short)


def _by_heads(head: Head, music: MusicOutput, store: EmbeddingStore) -> OutputsOf:
    def outputs_of(examples: Sequence[Example]) -> list[Outputs]:
        return [
            Outputs(head.logits(slices), music.head.logits(slices) if music.head else None)
            for slices in map(store.embeddings, spans(store, examples))
        ]

    return outputs_of


def _describe(
    c: float, held_out: HeldOut | None, n_train: int, n_valid: int, seconds: float
) -> str:
    if held_out is None:
        how = f"C = {c:g} (too few artists to choose it by)"
    else:
        how = (
            f"C = {c:g}, with which {held_out.accuracy[c]:.1%} of training tracks are right when"
            " their artist is left out"
        )
    return (
        f"head learned from {n_train} tracks, and after its calibration from {n_valid} more, in"
        f" {seconds:.1f} s; {how}"
    )


def _course(backbone: Bundle, c: float, held_out: HeldOut | None, seconds: float) -> dict[str, Any]:
    """For ``model.json``: the backbone, and how learning went."""
    return {
        "backbone": {
            "name": backbone.meta.name,
            # As it lies there, whatever level the head hears it at.
            "model_id": bundles.load(backbone.path).model_id,
            "licence": backbone.meta.licence,
        },
        "head": {
            "c": c,
            "chosen_by": f"{_FOLDS}-fold cross-validation by artist" if held_out else "default",
            "held_out_loss": _by_c(held_out.loss) if held_out else {},
            "held_out_accuracy": _by_c(held_out.accuracy) if held_out else {},
        },
        "seconds": round(seconds, 2),
    }


def _by_c(values: Mapping[float, float]) -> dict[str, float]:
    return {f"{c:g}": round(value, 4) for c, value in values.items()}


def _with_backbone_data(
    meta: BundleMeta, backbone: Bundle, learning_set: LearningSet
) -> Workflow[BundleMeta]:
    """Add what the backbone has learned from to what the head has: neither is new to the model.

    ``backbone_leak`` says what makes the scores too good, if anything does; ``backbone_known``
    whether the backbone says what it has learned from; ``backbone_learned`` what that is.
    """
    known, test = known_of(backbone), learning_set.part("test")
    leak = known.leak(test, f"the {len(test)} test tracks")
    if leak:
        yield Note(leak)
    theirs = {"tracks": known.tracks, "groups": known.groups}
    mine = meta.data["learned"]
    learned = {name: " ".join(sorted(theirs[name] | set(mine[name].split()))) for name in theirs}
    backbone_data = {
        "backbone_leak": leak,
        "backbone_known": known.is_all,
        "backbone_learned": known.recorded,
    }
    return dataclasses.replace(meta, data={**meta.data, "learned": learned, **backbone_data})

"""A second teacher for a backbone: its embedding is predicted from the first one's features.

Both listen to the same stretches of unlabelled tracks. See `earmark.training.torch.imitation`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from earmark import extras
from earmark.errors import BundleError, DataError
from earmark.events import Note, Workflow
from earmark.inference.batch import fill
from earmark.models import bundle as bundles
from earmark.models import catalog
from earmark.models.bundle import Bundle
from earmark.models.embeddings import EmbeddingStore
from earmark.session import Resources
from earmark.training.provenance import known_of, open_backbone
from earmark.training.recipes.recipe import TrainingRecipe
from earmark.training.run_folder import key_of
from earmark.types import FloatArray

if TYPE_CHECKING:
    from earmark.training.torch.imitation import Imitation

# Another one makes other backbones of the same music: raise it when what is written changes.
_FORMAT = 2
# One of so many tracks is left out, to measure by.
_HELD_OUT = 8
# Fewer slices have no variance, neither to learn from nor to measure by.
_FEWEST = 2
# Share of the variance of the teacher's embedding that has to be told there. What tells less is
# hardly better than its mean, and the model would carry, and be charged with, features of nothing.
_ENOUGH = 0.1


def second_teacher(recipe: TrainingRecipe, home: Path) -> Bundle | None:
    """The second teacher of the recipe, if it names one; fails before any listening.

    Raises
    ------
    BundleError
        If the teacher is not there.
    MissingExtraError
        If torch is not installed.
    """
    model = recipe.imitation.teacher
    if not model:
        return None
    extras.require("train", "earmark.training.torch.imitation")
    return open_teacher(
        model,
        home,
        "the second teacher",
        f"`earmark models add {model}` says how to get it; a recipe file with"
        ' teacher = "" in [imitation] does without',
    )


def open_teacher(model: str, home: Path, called: str, hint: str) -> Bundle:
    """The model in that folder or of that name.

    Raises
    ------
    BundleError
        If it cannot be used; with `hint`, where one of the `SOURCES` was not added.
    """
    try:
        catalog.find(model, home)
    except BundleError as e:
        raise BundleError(f"{called} {model} is not here yet", hint) from e
    return open_backbone(model, home)


def described(teacher: Bundle) -> dict[str, Any]:
    """A teacher's entry in ``model.json``, without what it has learned from."""
    left_out = ("learned", "backbone_learned")
    about = {key: value for key, value in teacher.meta.data.items() if key not in left_out}
    return {"name": teacher.meta.name, "licence": teacher.meta.licence, "data": about}


def with_second_teacher(
    recipe: TrainingRecipe,
    backbone: Bundle,
    teacher: Bundle,
    paths: Sequence[str],
    resources: Resources,
) -> Workflow[Bundle]:
    """The backbone with more features, which predict a second teacher's embedding.

    Parameters
    ----------
    recipe : TrainingRecipe
    backbone : Bundle
        Its embedding is standardised.
    teacher : Bundle
    paths : sequence of str
        Unlabelled music.
    resources : Resources
        Embeddings, and the backbone made from them, are kept in its home and not made again.

    Raises
    ------
    DataError
        If too little of the music has embeddings by both, or next to nothing of the second
        teacher's could be learned from it.
    """
    from earmark.models.onnx.extension import extend

    config = recipe.imitation
    own = backbone.meta.listen.excerpts
    excerpts = dataclasses.replace(own, n_excerpts=config.n_excerpts)
    with (
        resources.embeddings(backbone.listening(excerpts)) as mine,
        resources.embeddings(teacher.listening(excerpts)) as theirs,
    ):
        listened = yield from fill(mine, paths, resources.workers)
        by_both = yield from fill(theirs, sorted(listened), resources.workers)
        names = sorted(set(by_both.values()))
        made = resources.home / "distilled" / _key(recipe, backbone, teacher, names)
        if (made / bundles.META_NAME).is_file():
            yield Note(f"the backbone has learned from {teacher.meta.name} before: {made}")
            return bundles.load(made)
        learned, facts = _learn(recipe, mine, theirs, names)
    yield Note(
        f"learned from {teacher.meta.name} on {facts['n_slices']} slices; on"
        f" {facts['n_compared_slices']} slices of other tracks {learned.r2:.1%} of the variance of"
        " its embedding is told"
    )
    facts = {**config.to_dict(), "model_id": teacher.model_id, **facts}
    meta = dataclasses.replace(
        backbone.meta,
        data={
            **backbone.meta.data,
            "second_teacher": described(teacher),
            **_learned_by(backbone, teacher),
        },
        training={**backbone.meta.training, "imitation": facts},
    )
    network = extend(backbone.network, learned.layers, recipe.distil.clip)
    return bundles.write(made, meta, network, bundles.texts(backbone.path))


def _learned_by(backbone: Bundle, teacher: Bundle) -> dict[str, Any]:
    """What features of both have learned from, and whether that is all."""
    both = known_of(backbone), known_of(teacher)
    return {
        "learned": {
            "tracks": " ".join(sorted(set().union(*(known.tracks for known in both)))),
            "groups": " ".join(sorted(set().union(*(known.groups for known in both)))),
        },
        "backbone_known": all(known.is_all for known in both),
    }


def _key(recipe: TrainingRecipe, backbone: Bundle, teacher: Bundle, music: Sequence[str]) -> str:
    """Names what the features depend on."""
    settings = {
        "format": _FORMAT,
        "backbone": backbone.model_id,
        "teacher": teacher.model_id,
        "imitation": recipe.imitation.to_dict(),
        "clip": recipe.distil.clip,
        "seed": recipe.seed,
        "music": music,
    }
    return key_of(settings)


def _learn(
    recipe: TrainingRecipe, mine: EmbeddingStore, theirs: EmbeddingStore, names: Sequence[str]
) -> tuple[Imitation, dict[str, Any]]:
    from earmark.training.torch.imitation import imitate

    places = _aligned(mine, theirs, names)
    order = np.random.default_rng(recipe.seed).permutation(len(places))
    chosen = np.isin(np.arange(len(places)), order[: -(-len(places) // _HELD_OUT)])
    held_out = np.repeat(chosen, np.array([len(rows) for rows, _ in places], np.int64))
    if min(np.count_nonzero(held_out), np.count_nonzero(~held_out)) < _FEWEST:
        raise DataError(
            f"{len(places)} tracks of music are too few to learn from a second teacher",
            "give folders with more music by --unlabelled: hundreds of tracks of all kinds",
        )
    embeddings = mine.embeddings(np.concatenate([rows for rows, _ in places]))
    targets = theirs.embeddings(np.concatenate([rows for _, rows in places]))
    learned = imitate(embeddings, targets, held_out, recipe.imitation, recipe.seed)
    if not learned.r2 >= _ENOUGH:  # nor is one that is no number
        raise DataError(
            f"on music that it was not learned on, only {max(learned.r2, 0):.1%} of the variance of"
            f" the second teacher's embedding is told, {_ENOUGH:.0%} is the least",
            "give more music, of more kinds, by --unlabelled, or more epochs in [imitation];"
            ' teacher = "" in [imitation] does without',
        )
    return learned, {
        "n_tracks": int(np.sum(~chosen)),
        "n_slices": int(np.sum(~held_out)),
        "n_compared_slices": int(np.sum(held_out)),
        "r2": round(learned.r2, 4),
    }


def _aligned(
    mine: EmbeddingStore, theirs: EmbeddingStore, names: Sequence[str]
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """For each track with embeddings by both, rows of its slices, and of those of the teacher's
    that start nearest."""
    places = []
    for spans, starts, other_spans, other_starts in zip(
        mine.locate(names),
        mine.starts(names),
        theirs.locate(names),
        theirs.starts(names),
        strict=True,
    ):
        usable = np.isfinite(mine.embeddings(spans)).all(axis=1)
        if usable.any() and len(other_spans) and np.isfinite(theirs.embeddings(other_spans)).all():
            nearest = _nearest(starts[usable], other_starts)
            places.append((spans[usable], other_spans[nearest]))
    return places


def _nearest(starts: FloatArray, others: FloatArray) -> NDArray[np.intp]:
    return np.asarray(np.abs(starts[:, None] - others).argmin(axis=1))

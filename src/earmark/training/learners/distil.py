"""``earmark train --recipe ear``: a lean backbone made of a larger one, and a head on it.

The larger one, the teacher, is looked at while it hears unlabelled music; what it never uses is
left out of the lean one, and its features are standardised by how they spread there. No genre is
looked at, so that heads on the backbone can be measured on music that they alone have not heard.
A backbone is kept in Earmark's home and not made again from the same teacher, music and settings.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from earmark.datasets.sample import sample
from earmark.errors import DataError
from earmark.events import Note, Progress, Workflow
from earmark.features.store import FeatureStore
from earmark.inference.batch import files_below, fill
from earmark.models import bundle as bundles
from earmark.models.bundle import Bundle, BundleMeta
from earmark.session import Resources
from earmark.training import run_folder
from earmark.training.learners import head
from earmark.training.learners.second_teacher import (
    described,
    open_teacher,
    second_teacher,
    with_second_teacher,
)
from earmark.training.learning_set import gather
from earmark.training.provenance import provenance, short_hash
from earmark.training.request import TrainReport, TrainRequest
from earmark.types import FloatArray, VoteConfig

if TYPE_CHECKING:
    from earmark.models.foreign.lean import Lean
    from earmark.models.foreign.survey import Survey

# Another one makes other backbones of the same music: raise it when what is written changes.
_FORMAT = 2
# The teacher's activations take 9 MB a slice.
_BATCH = 8
# One of so many tracks is left out, to compare the two networks on.
_HELD_OUT = 8
# Share of the variance of the teacher's features that has to be matched there.
_ENOUGH = 0.9


def check(request: TrainRequest) -> None:
    """Fail before listening rather than after (`ConfigError`, `MissingExtraError`)."""
    head.check(request)


def learn(
    request: TrainRequest,
    resources: Resources,
) -> Workflow[TrainReport]:
    """Distil a backbone into the run folder, learn genres from its embeddings, write a bundle.

    Raises
    ------
    BundleError
        If the teacher cannot be used.
    DataError
        If there is too little unlabelled music, or the labels cannot be learned from.
    LibraryError
        If a folder with unlabelled music cannot be read.
    MissingExtraError
        If scikit-learn, onnx or, for a second teacher, torch is not installed.
    """
    second = second_teacher(request.recipe, resources.home)
    teacher = _open_teacher(request.recipe.distil.teacher, resources.home)
    paths = yield from _music(request, resources)
    with resources.features(teacher.meta.listen) as store:
        heard = yield from fill(store, paths, resources.workers)
        music = sorted(set(heard.values()))
        folder = resources.home / "distilled" / _key(teacher, request, music)
        if (folder / bundles.META_NAME).is_file():
            yield Note(f"the backbone has been distilled from this music before: {folder}")
            made = bundles.load(folder)
        else:
            made = yield from _distil(request, teacher, store, music, folder)
    if second is not None:
        made = yield from with_second_teacher(
            request.recipe, made, second, sorted(heard), resources
        )
    backbone = bundles.write(
        request.run_folder / "backbone",
        made.meta,
        made.network.read_bytes(),
        bundles.texts(made.path),
    )
    return (yield from head.learn(request, resources, backbone=backbone))


def _open_teacher(model: str, home: Path) -> Bundle:
    """The teacher in that folder or of that name.

    Raises
    ------
    BundleError
        If it cannot be used, or is another network than musicnn.
    """
    from earmark.models.foreign.musicnn_layers import read_layers

    hint = f"add it by `earmark models add {model}`"
    teacher = open_teacher(model, home, "the teacher", hint)
    read_layers(teacher.network)
    return teacher


def _music(request: TrainRequest, resources: Resources) -> Workflow[list[str]]:
    """Files to hear without looking at labels."""
    if not request.unlabelled:
        yield Note(
            "no unlabelled music is given: the backbone is distilled on the labelled music, without"
            " its labels, and scores are of music that the backbone has heard"
        )
        tracks = yield from gather(request.labels, resources)
        return [track.path for track in tracks]
    below = yield from files_below(request.unlabelled)
    return list(dict.fromkeys(path for paths in below.values() for path in paths))


def _key(teacher: Bundle, request: TrainRequest, music: Sequence[str]) -> str:
    """Names what a backbone depends on."""
    settings = {
        "format": _FORMAT,
        "teacher": teacher.model_id,
        "distil": request.recipe.distil.to_dict(),
        "seed": request.recipe.seed,
        "music": music,
    }
    return run_folder.key_of(settings)


def _distil(
    request: TrainRequest, teacher: Bundle, store: FeatureStore, music: Sequence[str], folder: Path
) -> Workflow[Bundle]:
    """Look at the teacher, write the lean network, compare the two on other music."""
    from earmark.models.foreign.lean import lean

    config, seed = request.recipe.distil, request.recipe.seed
    order = np.random.default_rng(seed).permutation(len(music)).tolist()
    n_held_out = -(-len(music) // _HELD_OUT)
    held_out, learned = ([music[i] for i in part] for part in np.split(order, [n_held_out]))
    if not learned:
        raise DataError(
            f"{len(music)} tracks of music to distil on are too few",
            "give folders with more music by --unlabelled: hundreds of tracks of all kinds",
        )
    drawn = _drawn(store, learned, config.n_slices, seed)
    found = yield from _looked_at(teacher, store, drawn)
    made = lean(teacher.network, found, config.clip)
    compared = _drawn(store, held_out, -(-config.n_slices // _HELD_OUT), seed)
    matched = yield from _compared(teacher, made, config.clip, store, compared)
    n_imitated = len(made.imitated)
    r2 = float(matched.mean())
    if not r2 >= _ENOUGH:
        raise DataError(
            f"on music that it was not distilled on, the backbone matches only {r2:.1%} of its"
            " teacher's features",
            "give more music, of more kinds, by --unlabelled",
        )
    yield Note(
        f"distilled on {len(drawn)} slices of {len(learned)} tracks: {made.n_features} features;"
        f" on {len(compared)} slices of {len(held_out)} other tracks it matches {r2:.2%} of its"
        f" teacher's {n_imitated} features"
    )
    facts = {
        "n_features": made.n_features,
        "n_channels_left": list(made.n_alive),
        "n_tracks": len(learned),
        "n_slices": len(drawn),
        "n_imitated": n_imitated,
        "r2": round(r2, 6),
        "r2_lowest": round(float(matched.min()), 6),
        "n_compared_tracks": len(held_out),
        "n_compared_slices": len(compared),
    }
    meta = _describe(request, teacher, music, facts)
    return bundles.write(folder, meta, made.network, _texts(teacher))


def _drawn(store: FeatureStore, tracks: Sequence[str], n: int, seed: int) -> list[int]:
    """Numbers of at most `n` slices, as many of each track as of the others."""
    spans = store.locate(tracks)
    rows = np.concatenate(spans).tolist()
    owners = np.repeat(tracks, [len(span) for span in spans]).tolist()
    return [rows[i] for i in sample([""] * len(rows), owners, n, seed)]


def _looked_at(teacher: Bundle, store: FeatureStore, numbers: Sequence[int]) -> Workflow[Survey]:
    from earmark.models.foreign.survey import Surveyor

    surveyor = Surveyor(teacher.network)
    for start in range(0, len(numbers), _BATCH):
        yield Progress("distilling", start, len(numbers))
        surveyor.hear(store.read(numbers[start : start + _BATCH]))
    yield Progress("distilling", len(numbers), len(numbers))
    return surveyor.found()


def _compared(
    teacher: Bundle, made: Lean, clip: float, store: FeatureStore, numbers: Sequence[int]
) -> Workflow[FloatArray]:
    """Share of the variance of each imitated feature that the lean network gives as well."""
    from earmark.models.foreign.survey import open_session

    old = open_session(teacher.network.read_bytes())
    new = open_session(made.network)
    limit = clip or np.inf
    errors = []
    for start in range(0, len(numbers), _BATCH):
        yield Progress("comparing", start, len(numbers))
        slices = {"slices": store.read(numbers[start : start + _BATCH])}
        embedding = old.run(["embedding"], slices)[0][:, made.imitated]
        wanted = ((embedding - made.mean) / made.spread).clip(-limit, limit)
        found = new.run(["embedding"], slices)[0][:, -len(made.imitated) :]
        errors.append((found - wanted) ** 2)
    yield Progress("comparing", len(numbers), len(numbers))
    # They have been standardised: their variance is one.
    return np.asarray(1 - np.concatenate(errors).mean(axis=0))


def _describe(
    request: TrainRequest, teacher: Bundle, music: Sequence[str], facts: dict[str, Any]
) -> BundleMeta:
    """``model.json`` of the backbone."""
    theirs = teacher.meta.data.get("learned") or {}
    tracks = {short_hash(name) for name in music} | set(str(theirs.get("tracks", "")).split())
    data = {
        "about": f"{teacher.meta.name}, distilled on unlabelled music",
        "teacher": {**described(teacher), "model_id": teacher.model_id},
        "n_tracks": len(music),
        "learned": {"tracks": " ".join(sorted(tracks)), "groups": str(theirs.get("groups", ""))},
        "backbone_known": "learned" in teacher.meta.data,
    }
    return BundleMeta(
        name=f"{request.recipe.name}-backbone",
        labels=teacher.meta.labels,
        listen=teacher.meta.listen,
        vote=VoteConfig(),
        data=data,
        training={**provenance(request), "distilled": facts},
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        licence=teacher.meta.licence,
    )


def _texts(teacher: Bundle) -> dict[str, str]:
    """The teacher's licence goes with all that is made of it."""
    notice = bundles.texts(teacher.path).get(bundles.LICENCE_NAME)
    if notice is None:
        return {}
    about = f"Made of {teacher.meta.name}, whose licence ({teacher.meta.licence}) is this:\n\n"
    return {bundles.LICENCE_NAME: about + notice}

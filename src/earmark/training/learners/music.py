"""Learning to tell music from other sounds, beside the genres of a head."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from earmark.datasets import grouped_folds
from earmark.errors import DataError
from earmark.evaluation.detection import evaluate_music
from earmark.events import Note, Workflow, run
from earmark.inference.batch import fill, with_embeddings
from earmark.models.bundle import Bundle
from earmark.models.embeddings import EmbeddingStore
from earmark.pool import Workers
from earmark.session import Resources
from earmark.training.learning_set import LearningSet
from earmark.training.provenance import short_hash
from earmark.training.request import TrainRequest
from earmark.training.sounds import GIVE_MORE, MIN_FOLDERS, MIN_SOUNDS, Sound, find_sounds

if TYPE_CHECKING:
    from earmark.models.classical.head import Head, Tracks

# One part in so many of the sounds is not learned from, but measured on.
_PARTS = MIN_FOLDERS


@dataclass(frozen=True, slots=True)
class MusicOutput:
    """The part of a model that tells music from other sounds, if it has one.

    Attributes
    ----------
    head : Head or None
        Its one number is the logarithm of the odds that a slice is music.
    data, scores : dict
        For ``model.json``.
    """

    head: Head | None
    data: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, Any] = field(default_factory=dict)


def music_output(
    request: TrainRequest,
    backbone: Bundle,
    store: EmbeddingStore,
    learning_set: LearningSet,
    resources: Resources,
) -> Workflow[MusicOutput]:
    """Learn it from the request's sounds, or take over what the backbone has.

    Music are the training tracks and what unlabelled music the request names. It is measured on
    the test tracks and on folders of sounds that were not learned from.

    Raises
    ------
    DataError
        If there are too few sounds, or they cannot be told from the music.
    LibraryError
        If a folder cannot be read.
    """
    from earmark.models.classical.graft import read_music

    if not request.not_music:
        taken = {k: v for k, v in backbone.meta.data.items() if k.startswith("not_music")}
        return MusicOutput(read_music(backbone), taken)
    labelled = {e.audio_id for e in learning_set.examples}
    others = yield from _embedded(request.not_music, store, labelled, resources.workers)
    if len(others) < MIN_SOUNDS:
        n_given = len(run(find_sounds(request.not_music)))
        n_useless = n_given - len(others)
        raise DataError(
            f"{n_given} sounds that are no music were given, of which {n_useless} cannot be used"
            " (they cannot be heard, are copies of others, or are among the labelled music):"
            f" {len(others)} are left, {MIN_SOUNDS} are needed",
            GIVE_MORE,
        )
    known = labelled | {sound.audio_id for sound in others}
    more = yield from _embedded(request.unlabelled, store, known, resources.workers)
    return (yield from _learned(request, store, learning_set, others, more))


def _embedded(
    roots: Sequence[str],
    store: EmbeddingStore,
    known: set[str],
    workers: Workers,
) -> Workflow[list[Sound]]:
    """Sounds with embeddings in `store`, each recording once, without those that are `known`."""
    if not roots:
        return []
    sounds = yield from find_sounds(roots)
    audio_ids = yield from fill(store, [s.path for s in sounds], workers)
    first: dict[str, Sound] = {}
    for sound in sounds:
        name = audio_ids.get(sound.path, "")
        if name and name not in known:
            first.setdefault(name, dataclasses.replace(sound, audio_id=name))
    n_known = len({name for name in audio_ids.values() if name in known})
    if n_known:
        yield Note(
            f"{n_known} recordings below {', '.join(roots)} are left out: they are among the"
            " labelled music, or are no music"
        )
    return (yield from with_embeddings(first.values(), store))


def _learned(
    request: TrainRequest,
    store: EmbeddingStore,
    learning_set: LearningSet,
    others: Sequence[Sound],
    more: Sequence[Sound],
) -> Workflow[MusicOutput]:
    from earmark.models.classical.music import MUSIC, OTHER, fit_music, track_odds

    seed = request.recipe.seed
    is_test = _held_out([sound.group for sound in others], seed)
    learned, tested = (
        [sound for sound, out in zip(others, is_test, strict=True) if out == wanted]
        for wanted in (False, True)
    )
    train, test = (
        [Sound(e.path, "", f"artist {e.group}", e.audio_id) for e in learning_set.part(part)]
        for part in ("train", "test")
    )
    music = [*train, *more]
    data = _tracks(store, [*music, *learned], [MUSIC] * len(music) + [OTHER] * len(learned))
    made = fit_music(data, [sound.group for sound in (*music, *learned)], seed=seed)
    odds = track_odds(_tracks(store, [*test, *tested]), made.head)
    groups = [sound.group for sound in (*test, *tested)]
    scores = evaluate_music(odds[: len(test)], odds[len(test) :], groups)
    facts = {
        "n_music": len(music),
        "n_sounds": len(learned),
        "folders": dict(Counter(sound.kind for sound in learned)),
        "c": made.c,
    }
    yield Note(
        f"music is told from other sounds by {len(music)} tracks and {len(learned)} sounds;"
        f" C = {made.c:g}"
    )
    return MusicOutput(
        made.head,
        {
            "not_music": facts,
            "not_music_learned": " ".join(sorted(short_hash(s.audio_id) for s in learned)),
        },
        {
            "not_music": {
                "n_tracks": len(test),
                "n_sounds": len(tested),
                "n_groups": len({sound.group for sound in tested}),
                **{name: round(score.value, 4) for name, score in scores.items()},
                **{
                    f"{name}_interval_95": [round(score.low, 4), round(score.high, 4)]
                    for name, score in scores.items()
                },
            }
        },
    )


def _held_out(groups: Sequence[str], seed: int) -> NDArray[np.bool_]:
    """Whole groups, about one sound in `_PARTS`."""
    part = np.array(grouped_folds(groups, [""] * len(groups), _PARTS, seed))
    sizes = np.bincount(part, minlength=_PARTS)
    return np.asarray(part == np.abs(sizes - len(part) / _PARTS).argmin())


def _tracks(
    store: EmbeddingStore, sounds: Sequence[Sound], reference: Sequence[int] = ()
) -> Tracks:
    from earmark.models.classical.head import Tracks

    found = store.locate([sound.audio_id for sound in sounds])
    slices = store.embeddings(np.concatenate(found))
    return Tracks(slices, [len(span) for span in found], reference or [0] * len(sounds))

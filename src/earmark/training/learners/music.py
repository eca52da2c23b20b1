"""Learning to tell music from other sounds, beside the genres of a head."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from earmark.datasets import grouped_folds
from earmark.errors import DataError
from earmark.evaluation.music import evaluate
from earmark.events import Note, Workflow, run
from earmark.inference.batch import files_below, fill, with_embeddings
from earmark.models.bundle import Bundle
from earmark.models.embeddings import EmbeddingStore
from earmark.pool import Workers
from earmark.session import Resources
from earmark.training.learning_set import LearningSet
from earmark.training.provenance import short_hash

if TYPE_CHECKING:
    from earmark.models.classical.head import Head, Tracks
    from earmark.training.request import TrainRequest

MIN_SOUNDS = 20
"""Fewer do not say what is no music."""

_GIVE_MORE = "give more of them by --not-music: speech, noises, all that is not to get a genre"
# One part in so many of the sounds is not learned from, but measured on.
_PARTS = 5


@dataclass(frozen=True, slots=True)
class Sound:
    """A file without a genre.

    Attributes
    ----------
    path : str
    kind : str
        Name of the folder that was given.
    group : str
        What is alike: the folder that the file is in; the file itself where there are few folders.
    audio_id : str
    """

    path: str
    kind: str
    group: str
    audio_id: str = ""


@dataclass(frozen=True, slots=True)
class MusicOutput:
    """What tells music from other sounds, if anything does.

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
    others = yield from _heard(request.not_music, store, labelled, resources.workers)
    if len(others) < MIN_SOUNDS:
        n_given = len(run(find_sounds(request.not_music)))
        n_useless = n_given - len(others)
        raise DataError(
            f"{n_given} sounds that are no music were given, of which {n_useless} cannot be used"
            " (they cannot be heard, are copies of others, or are among the labelled music):"
            f" {len(others)} are left, {MIN_SOUNDS} are needed",
            _GIVE_MORE,
        )
    known = labelled | {sound.audio_id for sound in others}
    more = yield from _heard(request.unlabelled, store, known, resources.workers)
    return (yield from _learned(request, store, learning_set, others, more))


def check_sounds(roots: Sequence[str]) -> None:
    """Refuse too few sounds before listening rather than after.

    Raises
    ------
    DataError
        If there are folders, and too few files below them.
    LibraryError
        If a folder cannot be read.
    """
    n_given = len(run(find_sounds(roots)))
    if roots and n_given < MIN_SOUNDS:
        raise DataError(
            f"{n_given} sounds that are no music were given ({', '.join(roots)}), {MIN_SOUNDS} are"
            " needed",
            _GIVE_MORE,
        )


def find_sounds(roots: Iterable[str]) -> Workflow[list[Sound]]:
    """Files below folders.

    Raises
    ------
    LibraryError
        If a folder cannot be read.
    """
    sounds: dict[str, Sound] = {}
    below = yield from files_below(roots)
    for root, paths in below.items():
        folders = {str(Path(path).parent) for path in paths}
        for path in paths:
            group = str(Path(path).parent) if len(folders) >= _PARTS else path
            sounds.setdefault(path, Sound(path, Path(root).resolve().name, group))
    return list(sounds.values())


def _heard(
    roots: Sequence[str],
    store: EmbeddingStore,
    known: set[str],
    workers: Workers,
) -> Workflow[list[Sound]]:
    """Sounds with numbers in `store`, each recording once, without those that are `known`."""
    if not roots:
        return []
    sounds = yield from find_sounds(roots)
    heard = yield from fill(store, [s.path for s in sounds], workers)
    first: dict[str, Sound] = {}
    for sound in sounds:
        name = heard.get(sound.path, "")
        if name and name not in known:
            first.setdefault(name, dataclasses.replace(sound, audio_id=name))
    n_known = len({name for name in heard.values() if name in known})
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
    scores = evaluate(odds[: len(test)], odds[len(test) :], groups)
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

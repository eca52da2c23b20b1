"""``earmark evaluate``: how good is a model, on tracks and artists that it has not learned from.

Every track is listened to, predicted and decided on as `classify` does it.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from earmark.datasets import LabelledTrack
from earmark.decision.voting import modes
from earmark.errors import DataError, FileError
from earmark.evaluation import nonmusic, results
from earmark.evaluation.decisions import TrackDecisions
from earmark.evaluation.results import Evaluation
from earmark.evaluation.unknown import TRACK_SCORES, Detection, KindScores
from earmark.evaluation.unknown import evaluate as evaluate_unknown
from earmark.events import Note, Workflow
from earmark.features.listen import slices_of
from earmark.genres import canonical, fold
from earmark.genres.labels import choose_labels, choose_values
from earmark.inference.batch import predict_files
from earmark.models.bundle import Bundle
from earmark.models.runtime import Classifier
from earmark.session import Resources
from earmark.training.learning_set import gather
from earmark.training.provenance import short_hash
from earmark.training.request import LabelRequest
from earmark.training.sounds import find_sounds
from earmark.types import Excerpt, FloatArray, VoteConfig

# Of the scores for strangeness, those that need nothing but probabilities, as the vote does.
METHODS = ("max_probability", "entropy")
# One more, for models that tell music from other sounds.
_NOT_MUSIC = "not_music"
_FEW = 5


@dataclass(frozen=True, slots=True)
class Item:
    """A track, or another sound, that a model is tested on.

    Attributes
    ----------
    path : str
        Empty for a synthetic sound.
    group : str
        Its artist, as `earmark.datasets.LabelledTrack.group` has it; of a sound, what is alike.
    genre : int or None
        Its number among the model's labels; None where the model has not learned it.
    kind : str
        Name of the genre, or of the kind of sound.
    slices : tuple of int or None
        As in `earmark.training.learning_set.Example`.
    """

    path: str
    group: str
    genre: int | None
    kind: str
    slices: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Predictions:
    """Slice probabilities of items, without those that could not be read.

    Attributes
    ----------
    items : tuple of Item
    probas : tuple of ndarray, each (n_slices, n_classes)
    audio_ids : tuple of str
    """

    items: tuple[Item, ...]
    probas: tuple[FloatArray, ...]
    audio_ids: tuple[str, ...]

    def where(self, keep: Iterable[bool]) -> Predictions:
        chosen = [i for i, kept in enumerate(keep) if kept]
        return Predictions(
            tuple(self.items[i] for i in chosen),
            tuple(self.probas[i] for i in chosen),
            tuple(self.audio_ids[i] for i in chosen),
        )

    @property
    def known(self) -> Predictions:
        return self.where(item.genre is not None for item in self.items)

    @property
    def unknown(self) -> Predictions:
        return self.where(item.genre is None for item in self.items)


def evaluate_bundle(
    bundle: Bundle,
    vote: VoteConfig,
    request: LabelRequest,
    resources: Resources,
    *,
    not_music: Sequence[str] = (),
) -> Workflow[Evaluation]:
    """Measure a model on labelled tracks.

    Tracks that it has learned from, or by artists that it has learned from, are left out.
    Tracks of genres that it has not learned serve to measure how well it knows that it does not
    know them, and so do sounds that are no music: synthetic ones, and those below the folders
    `not_music`.

    Raises
    ------
    DataError
        If no track is left to measure on.
    LibraryError
        If a folder of `not_music` cannot be read.
    """
    unseen = yield from predict_unseen(bundle, request, resources)
    known, unknown = unseen.known, unseen.unknown
    sounds = yield from predict_nonmusic(bundle, not_music, resources)
    return results.evaluate(
        decide_all(known, bundle.meta.labels, vote),
        bundle.meta.labels,
        name=bundle.meta.name,
        data=request.root,
        protocol="artist" if "learned" in bundle.meta.data else "unknown",
        split="tracks and artists that the model has not learned from",
        votes=decide_by_mode(known, bundle.meta.labels, vote),
        unknown=detect([(known, _kinds(unknown))]) if unknown.items else (),
        nonmusic=detect([(known, sounds)], nonmusic_methods([bundle])),
        paths=[item.path for item in known.items],
        warnings=_unsure(bundle),
    )


def predict_unseen(
    bundle: Bundle,
    request: LabelRequest,
    resources: Resources,
) -> Workflow[Predictions]:
    """Predictions for labelled tracks that the model has not learned from, nor their artists.

    Raises
    ------
    DataError
        If none of them is of a genre that it knows.
    """
    tracks = yield from gather(request, resources)
    items = _items(tracks, bundle.meta.labels, request)
    predictions = yield from predict_items(items, bundle, resources)
    unseen = predictions.where(_is_unseen(predictions, bundle.meta.data.get("learned", {})))
    n_learned = len(predictions.items) - len(unseen.items)
    if n_learned:
        yield Note(
            f"{n_learned} of {len(predictions.items)} tracks left out: the model has learned from"
            " them, or from others by the same artists"
        )
    if not unseen.known.items:
        raise DataError(
            f"of {len(tracks)} tracks, none is of the model's genres and by an artist that it has"
            " not learned from",
            f"its genres are: {', '.join(bundle.meta.labels)}",
        )
    return unseen


def _unsure(bundle: Bundle) -> list[str]:
    """Warnings where the model does not record all that it has learned from."""
    if "learned" not in bundle.meta.data:
        return ["the model does not say what it has learned from: these tracks may be among it"]
    if not bundle.meta.data.get("backbone_known", True):
        return [
            "the model's backbone does not say what it has learned from: these tracks may be among"
            " it"
        ]
    return []


def predict_items(
    items: Sequence[Item],
    bundle: Bundle,
    resources: Resources,
) -> Workflow[Predictions]:
    """The bundle's predictions for items; those that cannot be read are left out."""
    paths = list(dict.fromkeys(item.path for item in items))
    outcomes = yield from predict_files(paths, bundle, resources)
    kept, probas, names = [], [], []
    for item in items:
        outcome = outcomes[item.path]
        if isinstance(outcome, FileError):
            continue
        proba = outcome.probs.proba
        kept.append(item)
        probas.append(proba if item.slices is None else proba[list(item.slices)])
        names.append(outcome.audio_id)
    return Predictions(tuple(kept), tuple(probas), tuple(names))


def decide_all(known: Predictions, labels: Sequence[str], vote: VoteConfig) -> TrackDecisions:
    """Decisions about known items by the vote, ready to be scored."""
    return TrackDecisions.by_vote(
        known.probas,
        [item.genre for item in known.items if item.genre is not None],
        [item.group for item in known.items],
        labels,
        vote,
    )


def decide_by_mode(
    known: Predictions, labels: Sequence[str], vote: VoteConfig
) -> dict[str, TrackDecisions]:
    """As `decide_all`, by every mode; by a stacker or a network where the vote has one."""
    return {
        mode: decide_all(known, labels, dataclasses.replace(vote, mode=mode))
        for mode in modes(vote)
    }


def detect(
    by_model: Sequence[tuple[Predictions, Mapping[str, Predictions]]],
    methods: Sequence[str] = METHODS,
) -> tuple[Detection, ...]:
    """How well models' doubt tells each kind of unknown item from known tracks.

    Parameters
    ----------
    by_model : sequence of (Predictions, mapping of str to Predictions)
        Of each model, its predictions for what it knows, and for each kind that it does not.
    methods : sequence of str
        Of `earmark.evaluation.unknown.TRACK_SCORES`.
    """
    return tuple(_detection(by_model, method) for method in methods)


def nonmusic_methods(bundles: Sequence[Bundle]) -> tuple[str, ...]:
    """Scores for sounds that are no music: ``not_music`` too where all models have learned it."""
    return (*METHODS, _NOT_MUSIC) if all(Classifier(b).has_music for b in bundles) else METHODS


def _detection(
    by_model: Sequence[tuple[Predictions, Mapping[str, Predictions]]], method: str
) -> Detection:
    kind_scores = [
        KindScores(
            kind,
            strangeness(known, method),
            strangeness(unknown, method),
            [item.group for item in known.items],
            [item.group for item in unknown.items],
        )
        for known, kinds in by_model
        for kind, unknown in kinds.items()
    ]
    return evaluate_unknown(method, kind_scores)


def strangeness(
    predictions: Predictions, method: str
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Of each track, by a method of `TRACK_SCORES`; shape (n_tracks,)."""
    return np.array([TRACK_SCORES[method](proba) for proba in predictions.probas])


def predict_nonmusic(
    bundle: Bundle,
    roots: Sequence[str],
    resources: Resources,
) -> Workflow[dict[str, Predictions]]:
    """Predictions for synthetic sounds, and for files below `roots`, by kind.

    Files that it has learned from are left out.

    Raises
    ------
    LibraryError
        If a folder cannot be read.
    """
    kinds = _predict_synthetic(bundle)
    sounds = yield from find_sounds(roots)
    items = [Item(s.path, s.group, None, f"{s.kind} (recorded)") for s in sounds]
    predictions = yield from predict_items(items, bundle, resources)
    learned = set(str(bundle.meta.data.get("not_music_learned", "")).split())
    unseen = predictions.where(short_hash(name) not in learned for name in predictions.audio_ids)
    if len(unseen.items) < len(predictions.items):
        n_learned = len(predictions.items) - len(unseen.items)
        yield Note(f"{n_learned} sounds left out: the model has learned from them")
    for kind in sorted({item.kind for item in unseen.items}):
        kinds[kind] = unseen.where(item.kind == kind for item in unseen.items)
    return kinds


def _predict_synthetic(bundle: Bundle) -> dict[str, Predictions]:
    """Of noise, tones, hum, clicks and babble."""
    classifier, listen = Classifier(bundle), bundle.meta.listen
    found: dict[str, list[tuple[Item, FloatArray]]] = {}
    for sound in nonmusic.signals(listen.features.sr):
        name = f"{sound.kind}:{sound.variant}"
        slices = slices_of([Excerpt(0.0, sound.signal)], listen, name)
        item = Item("", name, None, sound.kind)
        found.setdefault(sound.kind, []).append((item, classifier.slice_probs(slices).proba))
    return {
        kind: Predictions(
            tuple(item for item, _ in pairs),
            tuple(proba for _, proba in pairs),
            tuple(item.group for item, _ in pairs),
        )
        for kind, pairs in found.items()
    }


def _items(
    tracks: Sequence[LabelledTrack], labels: Sequence[str], request: LabelRequest
) -> list[Item]:
    """Tracks of the model's genres, and those of other genres.

    Left out are the unlabelled, and those of two genres of the model.
    """
    values = [track.values for track in tracks]
    choose = choose_labels if request.field == "genre" else choose_values
    own = choose(values, merges=request.merges, only=labels)
    any_genre = choose(values, merges=request.merges, only=request.only).labels
    # A label that was chosen is spelled as the library or the tree of genres has it.
    one_name = canonical if request.field == "genre" else str
    number = {fold(one_name(label)): i for i, label in enumerate(labels)}
    return [
        Item(
            track.path,
            track.group("artist"),
            number[fold(mine)] if mine else None,
            mine or other or "",
        )
        for i, (track, mine, other) in enumerate(zip(tracks, own.labels, any_genre, strict=True))
        if mine or (other and i not in own.ambiguous)
    ]


def _is_unseen(predictions: Predictions, learned: Mapping[str, str]) -> list[bool]:
    """Whether each track is new to the model, and its artist too."""
    tracks, groups = (set(learned.get(name, "").split()) for name in ("tracks", "groups"))
    return [
        short_hash(audio_id) not in tracks and short_hash(item.group) not in groups
        for item, audio_id in zip(predictions.items, predictions.audio_ids, strict=True)
    ]


def _kinds(unknown: Predictions) -> dict[str, Predictions]:
    """By genre; genres of few tracks together."""
    counts = Counter(item.kind for item in unknown.items)
    names = [s.kind if counts[s.kind] >= _FEW else "other genres" for s in unknown.items]
    return {
        kind: unknown.where(name == kind for name in names) for kind in dict.fromkeys(sorted(names))
    }

"""``earmark evaluate``: how good is a model, on tracks and artists that it has not learned from.

Every track is judged as `classify` judges it: the same listening, the same bundle, the same vote.
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
from earmark.evaluation.judged import Judged
from earmark.evaluation.results import Evaluation
from earmark.evaluation.unknown import TRACK_SCORES, Detection, Shown
from earmark.evaluation.unknown import evaluate as evaluate_unknown
from earmark.events import Note, Workflow
from earmark.features.listen import slices_of
from earmark.genres import canonical, fold
from earmark.genres.labels import choose_labels, choose_values
from earmark.inference.batch import predict_files
from earmark.models.bundle import Bundle
from earmark.models.runtime import Classifier
from earmark.session import Resources
from earmark.training.learners.music import find_sounds
from earmark.training.learning_set import gather
from earmark.training.provenance import short_hash
from earmark.training.request import LabelRequest
from earmark.types import Excerpt, FloatArray, VoteConfig

# Of the scores for strangeness, those that probabilities alone give: what the vote sees.
METHODS = ("max_probability", "entropy")
# Besides, of models that tell music from other sounds.
_NOT_MUSIC = "not_music"
_FEW = 5


@dataclass(frozen=True, slots=True)
class Subject:
    """A track to be judged: `genre` is its number among the model's labels, or None where the
    model has not learned its genre; `kind` is the genre's name. `slices` as in `Example`."""

    path: str
    group: str
    genre: int | None
    kind: str
    slices: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Answers:
    """Slice probabilities of subjects that could be heard, with the names of their recordings."""

    subjects: tuple[Subject, ...]
    probas: tuple[FloatArray, ...]
    audio_ids: tuple[str, ...]

    def where(self, keep: Iterable[bool]) -> Answers:
        chosen = [i for i, kept in enumerate(keep) if kept]
        return Answers(
            tuple(self.subjects[i] for i in chosen),
            tuple(self.probas[i] for i in chosen),
            tuple(self.audio_ids[i] for i in chosen),
        )

    @property
    def known(self) -> Answers:
        return self.where(subject.genre is not None for subject in self.subjects)

    @property
    def unknown(self) -> Answers:
        return self.where(subject.genre is None for subject in self.subjects)


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
    fresh = yield from fresh_answers(bundle, request, resources)
    known, unknown = fresh.known, fresh.unknown
    sounds = yield from nonmusic_answers(bundle, not_music, resources)
    return results.evaluate(
        judged(known, bundle.meta.labels, vote),
        bundle.meta.labels,
        name=bundle.meta.name,
        data=request.root,
        protocol="artist" if "learned" in bundle.meta.data else "unknown",
        split="tracks and artists that the model has not learned from",
        votes=judged_by_all(known, bundle.meta.labels, vote),
        unknown=detect([(known, _kinds(unknown))]) if unknown.subjects else (),
        nonmusic=detect([(known, sounds)], nonmusic_methods([bundle])),
        paths=[subject.path for subject in known.subjects],
        warnings=_unsure(bundle),
    )


def fresh_answers(
    bundle: Bundle,
    request: LabelRequest,
    resources: Resources,
) -> Workflow[Answers]:
    """What a model says about labelled tracks that it has not learned from, nor their artists.

    Raises
    ------
    DataError
        If none of them is of a genre that it knows.
    """
    tracks = yield from gather(request, resources)
    subjects = _subjects(tracks, bundle.meta.labels, request)
    answers = yield from answer(subjects, bundle, resources)
    fresh = answers.where(_is_fresh(answers, bundle.meta.data.get("learned", {})))
    n_learned = len(answers.subjects) - len(fresh.subjects)
    if n_learned:
        yield Note(
            f"{n_learned} of {len(answers.subjects)} tracks left out: the model has learned from"
            " them, or from others by the same artists"
        )
    if not fresh.known.subjects:
        raise DataError(
            f"of {len(tracks)} tracks, none is of the model's genres and by an artist that it has"
            " not learned from",
            f"its genres are: {', '.join(bundle.meta.labels)}",
        )
    return fresh


def _unsure(bundle: Bundle) -> list[str]:
    """What is not known of what the model has learned from."""
    if "learned" not in bundle.meta.data:
        return ["the model does not say what it has learned from: these tracks may be among it"]
    if not bundle.meta.data.get("backbone_known", True):
        return [
            "the model's backbone does not say what it has learned from: these tracks may be among"
            " it"
        ]
    return []


def answer(
    subjects: Sequence[Subject],
    bundle: Bundle,
    resources: Resources,
) -> Workflow[Answers]:
    """What the bundle says about subjects; those that cannot be heard are left out."""
    paths = list(dict.fromkeys(subject.path for subject in subjects))
    outcomes = yield from predict_files(paths, bundle, resources)
    kept, probas, names = [], [], []
    for subject in subjects:
        outcome = outcomes[subject.path]
        if isinstance(outcome, FileError):
            continue
        proba = outcome.probs.proba
        kept.append(subject)
        probas.append(proba if subject.slices is None else proba[list(subject.slices)])
        names.append(outcome.audio_id)
    return Answers(tuple(kept), tuple(probas), tuple(names))


def judged(known: Answers, labels: Sequence[str], vote: VoteConfig) -> Judged:
    """Known subjects by the vote, ready to be scored."""
    return Judged.by_vote(
        known.probas,
        [subject.genre for subject in known.subjects if subject.genre is not None],
        [subject.group for subject in known.subjects],
        labels,
        vote,
    )


def judged_by_all(known: Answers, labels: Sequence[str], vote: VoteConfig) -> dict[str, Judged]:
    """As `judged`, by every mode; by a stacker or a network where the vote has one."""
    return {
        mode: judged(known, labels, dataclasses.replace(vote, mode=mode)) for mode in modes(vote)
    }


def detect(
    shows: Sequence[tuple[Answers, Mapping[str, Answers]]], methods: Sequence[str] = METHODS
) -> tuple[Detection, ...]:
    """How well models' doubt tells each kind of unknown sound from known tracks.

    Parameters
    ----------
    shows : sequence of (Answers, mapping of str to Answers)
        Of each model, what it knows and the kinds that it does not.
    methods : sequence of str
        Of `earmark.evaluation.unknown.TRACK_SCORES`.
    """
    return tuple(_detection(shows, method) for method in methods)


def nonmusic_methods(bundles: Sequence[Bundle]) -> tuple[str, ...]:
    """What may tell sounds that are no music: ``not_music`` where all models have learned it."""
    return (*METHODS, _NOT_MUSIC) if all(Classifier(b).has_music for b in bundles) else METHODS


def _detection(shows: Sequence[tuple[Answers, Mapping[str, Answers]]], method: str) -> Detection:
    shown = [
        Shown(
            kind,
            strangeness(known, method),
            strangeness(unknown, method),
            [subject.group for subject in known.subjects],
            [subject.group for subject in unknown.subjects],
        )
        for known, kinds in shows
        for kind, unknown in kinds.items()
    ]
    return evaluate_unknown(method, shown)


def strangeness(answers: Answers, method: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Of each track, by a method of `TRACK_SCORES`; shape (n_tracks,)."""
    return np.array([TRACK_SCORES[method](proba) for proba in answers.probas])


def nonmusic_answers(
    bundle: Bundle,
    roots: Sequence[str],
    resources: Resources,
) -> Workflow[dict[str, Answers]]:
    """What the bundle says about synthetic sounds, and about files below `roots`, by kind.

    Files that it has learned from are left out.

    Raises
    ------
    LibraryError
        If a folder cannot be read.
    """
    kinds = _synthetic_answers(bundle)
    sounds = yield from find_sounds(roots)
    subjects = [Subject(s.path, s.group, None, f"{s.kind} (recorded)") for s in sounds]
    answers = yield from answer(subjects, bundle, resources)
    learned = set(str(bundle.meta.data.get("not_music_learned", "")).split())
    fresh = answers.where(short_hash(name) not in learned for name in answers.audio_ids)
    if len(fresh.subjects) < len(answers.subjects):
        n_learned = len(answers.subjects) - len(fresh.subjects)
        yield Note(f"{n_learned} sounds left out: the model has learned from them")
    for kind in sorted({subject.kind for subject in fresh.subjects}):
        kinds[kind] = fresh.where(subject.kind == kind for subject in fresh.subjects)
    return kinds


def _synthetic_answers(bundle: Bundle) -> dict[str, Answers]:
    """Of noise, tones, hum, clicks and babble."""
    classifier, listen = Classifier(bundle), bundle.meta.listen
    found: dict[str, list[tuple[Subject, FloatArray]]] = {}
    for sound in nonmusic.signals(listen.features.sr):
        name = f"{sound.kind}:{sound.variant}"
        slices = slices_of([Excerpt(0.0, sound.signal)], listen, name)
        subject = Subject("", name, None, sound.kind)
        found.setdefault(sound.kind, []).append((subject, classifier.slice_probs(slices).proba))
    return {
        kind: Answers(
            tuple(subject for subject, _ in pairs),
            tuple(proba for _, proba in pairs),
            tuple(subject.group for subject, _ in pairs),
        )
        for kind, pairs in found.items()
    }


def _subjects(
    tracks: Sequence[LabelledTrack], labels: Sequence[str], request: LabelRequest
) -> list[Subject]:
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
        Subject(
            track.path,
            track.group("artist"),
            number[fold(mine)] if mine else None,
            mine or other or "",
        )
        for i, (track, mine, other) in enumerate(zip(tracks, own.labels, any_genre, strict=True))
        if mine or (other and i not in own.ambiguous)
    ]


def _is_fresh(answers: Answers, learned: Mapping[str, str]) -> list[bool]:
    """Whether each track is new to the model, and its artist too."""
    tracks, groups = (set(learned.get(name, "").split()) for name in ("tracks", "groups"))
    return [
        short_hash(audio_id) not in tracks and short_hash(subject.group) not in groups
        for subject, audio_id in zip(answers.subjects, answers.audio_ids, strict=True)
    ]


def _kinds(unknown: Answers) -> dict[str, Answers]:
    """By genre; genres of few tracks together."""
    counts = Counter(subject.kind for subject in unknown.subjects)
    names = [s.kind if counts[s.kind] >= _FEW else "other genres" for s in unknown.subjects]
    return {
        kind: unknown.where(name == kind for name in names) for kind in dict.fromkeys(sorted(names))
    }

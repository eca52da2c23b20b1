"""``earmark evaluate --cv`` and ``--protocol``: a recipe, trained afresh for every fold and split.

Each training is a folder of its own below the report's. One that has finished is not repeated,
unless it would make another model by now; one that was cut short goes on from its last epoch.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from earmark.datasets.splitting import BY_DATA_SET, PRESCRIBED, SplitRequest
from earmark.errors import BundleError, DataError
from earmark.evaluation import results
from earmark.evaluation.judged import Judged
from earmark.evaluation.results import Evaluation
from earmark.evaluation.unknown import Detection
from earmark.events import Note, Workflow
from earmark.features.store import stored_ids
from earmark.models import bundle as bundles
from earmark.models.bundle import Bundle
from earmark.models.runtime import Classifier
from earmark.session import Resources
from earmark.training import run_folder
from earmark.training.choosing import choose
from earmark.training.learning_set import Example, gather
from earmark.training.provenance import open_backbone
from earmark.training.request import TrainRequest
from earmark.training.train import FORMAT, train
from earmark.types import FloatArray
from earmark.workflows.evaluate import (
    Answers,
    Subject,
    answer,
    detect,
    judged,
    judged_by_all,
    nonmusic_answers,
    nonmusic_methods,
)

# Holds the key of the training whose model and split lie beside it, once it has come to its end.
_FINISHED = "finished"
# A genre can be left out of so many, and others still be told apart.
_ENOUGH = 3


@dataclass(frozen=True, slots=True)
class CrossRequest:
    """What to measure.

    Attributes
    ----------
    training : TrainRequest
        Recipe and labels; its `out` is the folder for all trainings.
    protocols : tuple of str
        As in `SplitRequest`.
    n_folds : int
        Folds of cross-validation; 0: one split.
    leave_genre_out : bool
        Whether to train once more without each genre, to see how the model meets an unknown one.
    not_music : tuple of str
        Folders with sounds that are no music, to see how the model meets them.
    """

    training: TrainRequest
    protocols: tuple[str, ...] = (PRESCRIBED,)
    n_folds: int = 0
    leave_genre_out: bool = False
    not_music: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fold:
    """A model trained for the purpose, and what it says about its test part."""

    bundle: Bundle
    known: Answers
    run_dir: Path

    @property
    def judged(self) -> Judged:
        """The test part, by the model's own vote."""
        return judged(self.known, self.bundle.meta.labels, self.bundle.meta.vote)


@dataclass(frozen=True, slots=True)
class Trainings:
    """Trainings below one folder, each kept once it has finished.

    Attributes
    ----------
    out : Path
    resources : Resources
        For listening.
    """

    out: Path
    resources: Resources

    def folds(self, training: TrainRequest, protocol: str, n_folds: int) -> Workflow[list[Fold]]:
        """Every fold under a protocol, at least one, trained and asked about its test part."""
        folds = []
        for fold in range(max(n_folds, 1)):
            split = dataclasses.replace(
                training.labels.split, protocol=protocol, n_folds=n_folds, fold=fold
            )
            name = f"{protocol}/fold-{fold + 1}" if n_folds else f"{protocol}/split"
            bundle, examples = yield from self.trained(name, _with_split(training, split))
            known = yield from self.answers(bundle, examples)
            folds.append(Fold(bundle, known, self.out / name / "run"))
        return folds

    def trained(self, name: str, training: TrainRequest) -> Workflow[tuple[Bundle, list[Example]]]:
        """The bundle of one training, and its test part; finished ones are taken as they are."""
        folder = self.out / name
        training = dataclasses.replace(training, out=folder / "model", run_dir=folder / "run")
        key = training_key(training, self.resources.home)
        bundle = _finished(folder, key)
        if bundle is None:
            yield Note(f"training {training.recipe.name}, {name}")
            with run_folder.claimed(folder):
                bundle = yield from self._train(folder, training, key)
        examples = run_folder.read_split(folder / "run", bundle.meta.labels)
        return bundle, [e for e in examples if e.part == "test"]

    def _train(self, folder: Path, training: TrainRequest, key: str) -> Workflow[Bundle]:
        # Until its end, the model and the split in the folder may be of different trainings.
        with run_folder.writing_to(folder):
            (folder / _FINISHED).unlink(missing_ok=True)
        report = yield from train(training, self.resources, replace=True)
        if report.interrupted:
            # Half a training is none; its checkpoints stay, to be gone on from.
            shutil.rmtree(training.out)
            raise KeyboardInterrupt
        with run_folder.writing_to(folder):
            (folder / _FINISHED).write_text(f"{key}\n", encoding="utf-8")
        return report.bundle

    def answers(
        self, bundle: Bundle, examples: Sequence[Example], kinds: Sequence[str] = ()
    ) -> Workflow[Answers]:
        """Of examples of the bundle's own genres, or of others with the given names."""
        labels = bundle.meta.labels
        names = kinds or [labels[e.genre] for e in examples]
        subjects = [
            Subject(e.path, e.group, None if kinds else e.genre, name, e.slices)
            for e, name in zip(examples, names, strict=True)
        ]
        stored = self._from_store(bundle, examples)
        unheard = [
            subject for subject, proba in zip(subjects, stored, strict=True) if proba is None
        ]
        heard = yield from answer(unheard, bundle, self.resources)
        known = [
            (subject, proba, example.audio_id)
            for subject, proba, example in zip(subjects, stored, examples, strict=True)
            if proba is not None
        ]
        return Answers(
            (*(subject for subject, _, _ in known), *heard.subjects),
            (*(proba for _, proba, _ in known), *heard.probas),
            (*(name for _, _, name in known), *heard.audio_ids),
        )

    def _from_store(self, bundle: Bundle, examples: Sequence[Example]) -> list[FloatArray | None]:
        """Slice probabilities where training has kept the slices: some front ends are slow."""
        resources, listen = self.resources, bundle.meta.listen
        names = [e.audio_id for e in examples]
        if stored_ids(resources.home / "features", listen).isdisjoint(names):
            return [None] * len(examples)
        classifier = Classifier(bundle)
        with resources.features(listen) as store:
            found = [
                span if e.slices is None or not len(span) else span[list(e.slices)]
                for span, e in zip(store.locate(names), examples, strict=True)
            ]
            return [classifier.proba(store.read(span)) if len(span) else None for span in found]


def cross_validate(
    request: CrossRequest,
    resources: Resources,
) -> Workflow[list[Evaluation]]:
    """Measure a recipe under each protocol, on the same tracks.

    Raises
    ------
    DataError
        If the data cannot be split so, or there are too few genres to leave one out.
    """
    honest = [name for name in request.protocols if name in ("artist", PRESCRIBED)]
    leaving_out = honest if request.leave_genre_out else []
    if leaving_out:
        yield from _check_leaving_out(request.training, resources)
    run = Trainings(request.training.out, resources)
    evaluations = []
    for protocol in request.protocols:
        unknown: tuple[Detection, ...] = ()
        if protocol in leaving_out:
            unknown = yield from _left_out(run, request.training)
        evaluations.append((yield from _measured(run, request, protocol, unknown)))
    return evaluations


def _measured(
    run: Trainings, request: CrossRequest, protocol: str, unknown: tuple[Detection, ...]
) -> Workflow[Evaluation]:
    folds = yield from run.folds(request.training, protocol, request.n_folds)
    bundle = folds[-1].bundle
    votes = [judged_by_all(f.known, f.bundle.meta.labels, f.bundle.meta.vote) for f in folds]
    shows = []
    for fold in folds:
        sounds = yield from nonmusic_answers(fold.bundle, request.not_music, run.resources)
        shows.append((fold.known, sounds))
    leaks = {fold.bundle.meta.data.get("backbone_leak", "") for fold in folds}
    return results.evaluate(
        Judged.joined([fold.judged for fold in folds]),
        bundle.meta.labels,
        name=request.training.recipe.name,
        data=request.training.labels.root,
        protocol=in_force(protocol, bundle),
        split=describe_folds(request.n_folds, request.training.labels.split.seed),
        unknown=unknown,
        votes={
            mode: Judged.joined([each[mode] for each in votes])
            for mode in votes[0]
            if all(mode in each for each in votes)
        },
        nonmusic=detect(shows, nonmusic_methods([fold.bundle for fold in folds])),
        paths=[subject.path for fold in folds for subject in fold.known.subjects],
        warnings=sorted(leaks - {""}),
    )


def describe_folds(n_folds: int, seed: int) -> str:
    """How often it was split, for people."""
    return f"{f'{n_folds}-fold cross-validation' if n_folds else 'one split'}, seed {seed}"


def in_force(protocol: str, bundle: Bundle) -> str:
    """``artist`` where a prescribed split was asked for and the data set has none."""
    by_data_set = str(bundle.meta.data.get("split_by", "")).startswith(BY_DATA_SET)
    return protocol if protocol != PRESCRIBED or by_data_set else "artist"


def _check_leaving_out(training: TrainRequest, resources: Resources) -> Workflow[None]:
    """Refuse too few genres before the first training rather than after."""
    tracks = yield from gather(training.labels, resources)
    labels = sorted(choose(tracks, training.labels).counts)
    if len(labels) < _ENOUGH:
        raise DataError(
            f"there are only {' and '.join(labels)}: with one of them left out, one genre is left,"
            " and nothing to tell it from",
            "label tracks of a third genre, or leave --leave-genre-out out",
        )


def _left_out(run: Trainings, training: TrainRequest) -> Workflow[tuple[Detection, ...]]:
    """Trainings without each genre in turn: does the model doubt what it has never heard?"""
    whole = _with_split(training, SplitRequest(seed=training.labels.split.seed))
    bundle, _ = yield from run.trained("artist/all genres", whole)
    everything = run_folder.read_split(run.out / "artist/all genres/run", bundle.meta.labels)
    shows = []
    for number, genre in enumerate(bundle.meta.labels):
        labels = dataclasses.replace(whole.labels, without=(genre,))
        without = dataclasses.replace(whole, labels=labels)
        narrow, tested = yield from run.trained(f"artist/without {genre}", without)
        known = yield from run.answers(narrow, tested)
        stranger = [e for e in everything if e.genre == number]
        unknown = yield from run.answers(narrow, stranger, [genre] * len(stranger))
        shows.append((known, {genre: unknown}))
    return detect(shows)


def _with_split(training: TrainRequest, split: SplitRequest) -> TrainRequest:
    return dataclasses.replace(training, labels=dataclasses.replace(training.labels, split=split))


def training_key(training: TrainRequest, home: Path) -> str:
    """Names what a training makes: the same for the same request on the same models."""
    recipe = training.recipe
    asked = dataclasses.asdict(training)
    del asked["out"], asked["run_dir"]
    asked["recipe"] = {k: v for k, v in recipe.to_dict().items() if k not in run_folder.REMARKS}
    teachers = [recipe.distil.teacher, *filter(None, [recipe.imitation.teacher])]
    models = {"head": [recipe.head.backbone], "distilled": teachers}.get(recipe.kind, [])
    ids = [_model_id(model, home) for model in models]
    return run_folder.key_of({"format": FORMAT, "request": asked, "models": ids})


def _model_id(model: str, home: Path) -> str:
    """Empty where the model cannot be used: training will say why."""
    try:
        return open_backbone(model, home).model_id
    except BundleError:
        return ""


def _finished(folder: Path, key: str) -> Bundle | None:
    """The bundle of this very training, if it came to its end."""
    try:
        noted = (folder / _FINISHED).read_text(encoding="utf-8")
        return bundles.load(folder / "model") if noted.strip() == key else None
    except (OSError, ValueError, BundleError):
        return None

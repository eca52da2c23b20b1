"""``earmark train``: labelled tracks in, a model bundle out."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from earmark.calibration import fit_temperature, softmax, threshold_for_precision
from earmark.errors import MissingExtraError
from earmark.evaluation.scores import Scores, score
from earmark.features.store import FeatureStore
from earmark.library import Catalogue
from earmark.models import bundle as bundles
from earmark.models.bundle import Bundle, BundleMeta
from earmark.models.runtime import Classifier
from earmark.training.settings import Epoch, Step, TrainConfig
from earmark.types import FloatArray, ListenConfig, VoteConfig
from earmark.voting import decide
from earmark.workflows import runfolder
from earmark.workflows.events import Progress, Workflow
from earmark.workflows.learning_set import Example, LabelRequest, LearningSet, assemble

if TYPE_CHECKING:
    from earmark.training.fit import Fitted


@dataclass(frozen=True, slots=True)
class TrainRequest:
    """What to learn, and how.

    Attributes
    ----------
    labels : LabelRequest
    out : Path
        Bundle to write.
    target_precision : float
        The model's own threshold is set so that this share of the answers that it gives on
        validation tracks is right.
    run_dir : Path or None
        For checkpoints, history and plots; by default beside `out`.
    about : str
        What the music is and where it is from, for those who get the model.
    """

    labels: LabelRequest
    out: Path
    listen: ListenConfig = field(default_factory=ListenConfig)
    settings: TrainConfig = field(default_factory=TrainConfig)
    vote: VoteConfig = field(default_factory=VoteConfig)
    target_precision: float = 0.8
    run_dir: Path | None = None
    about: str = ""
    licence: str = "unspecified"


@dataclass(frozen=True, slots=True)
class TrainReport:
    """The bundle, its scores on the test part, and where the run was recorded."""

    bundle: Bundle
    scores: Mapping[str, Any]
    run_dir: Path
    interrupted: bool


def train(
    request: TrainRequest,
    catalogue: Catalogue,
    data_dir: Path,
    *,
    n_workers: int,
    time_limit_s: float,
) -> Workflow[TrainReport]:
    """Learn genres from labelled tracks and write a bundle.

    Split is by artist (album, folder), never by slice. What was heard is kept in `data_dir` and
    not heard again by the next run; a run that was cut short goes on from its last epoch. A
    KeyboardInterrupt during training keeps the best network so far.

    Raises
    ------
    DataError
        If the labels cannot be learned from, with what to do about it.
    MissingExtraError
        If torch is not installed.
    """
    _require_extra()
    run_dir = request.run_dir or request.out.with_name(f"{request.out.name}-run")
    with FeatureStore(data_dir / "features", request.listen) as store:
        learning_set = yield from assemble(
            request.labels, catalogue, store, n_workers=n_workers, time_limit_s=time_limit_s
        )
        runfolder.write_settings(run_dir, request, learning_set)
        fitted = yield from _fit(request, store, learning_set, run_dir)
        return _finish(request, store, learning_set, fitted, run_dir)


def _require_extra() -> None:
    """Fail before hours of listening rather than after."""
    try:
        import earmark.evaluation.plots
        import earmark.training.export
        import earmark.training.fit  # noqa: F401
    except ModuleNotFoundError as e:
        raise MissingExtraError(e.name or "torch", "train") from e


def _fit(
    request: TrainRequest, store: FeatureStore, learning_set: LearningSet, run_dir: Path
) -> Workflow[Fitted]:
    from earmark.training.data import Part
    from earmark.training.fit import fit

    def part(name: str) -> Part:
        chosen = learning_set.part(name)
        return Part.of(store, [e.audio_id for e in chosen], [e.genre for e in chosen])

    flow = fit(part("train"), part("valid"), len(learning_set.labels), request.settings, run_dir)
    return (yield from _relayed(flow, request.settings.epochs))


def _relayed(flow: Generator[Step | Epoch, None, Fitted], n_epochs: int) -> Workflow[Fitted]:
    """Pass the trainer's events on; what is thrown in here reaches the trainer."""
    step = next(flow)
    while True:
        try:
            if isinstance(step, Epoch):
                yield step
            else:
                done = (step.epoch - 1) * step.n_steps + step.step
                yield Progress("training", done, n_epochs * step.n_steps, f"epoch {step.epoch}")
            step = next(flow)
        except StopIteration as stop:
            fitted: Fitted = stop.value
            return fitted
        except KeyboardInterrupt as interrupt:
            try:
                step = flow.throw(interrupt)
            except StopIteration as stop:
                fitted = stop.value
                return fitted


def _finish(
    request: TrainRequest,
    store: FeatureStore,
    learning_set: LearningSet,
    fitted: Fitted,
    run_dir: Path,
) -> TrainReport:
    """Export, calibrate on the validation part, measure on the test part, write."""
    from earmark.training.export import to_onnx

    features = request.listen.features
    network = to_onnx(fitted.network, features.n_mels, request.listen.slices.n_frames)
    meta = BundleMeta(
        name=request.out.name,
        labels=learning_set.labels,
        listen=request.listen,
        vote=request.vote,
        data={"about": request.about, **learning_set.describe()},
        training=runfolder.provenance(request, fitted.history),
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        licence=request.licence,
    )
    classifier = Classifier(bundles.write(run_dir / "draft", meta, network))
    valid = _logits(classifier, store, learning_set.part("valid"))
    meta = _calibrated(meta, valid, learning_set.part("valid"), request.target_precision)
    scores = _measure(meta, _logits(classifier, store, learning_set.part("test")), learning_set)
    meta = dataclasses.replace(meta, scores=scores.summary)
    bundle = bundles.write(request.out, meta, network)
    runfolder.write_results(run_dir, fitted.history, scores, learning_set.labels)
    return TrainReport(bundle, scores.summary, run_dir, fitted.interrupted)


def _logits(
    classifier: Classifier, store: FeatureStore, examples: Sequence[Example]
) -> list[FloatArray]:
    spans = store.locate([e.audio_id for e in examples])
    return [classifier.logits(store.read(span)) for span in spans]


def _calibrated(
    meta: BundleMeta,
    logits: Sequence[FloatArray],
    examples: Sequence[Example],
    target_precision: float,
) -> BundleMeta:
    """Set temperature and threshold by tracks that the network has not learned from."""
    reference = np.repeat([e.genre for e in examples], [len(part) for part in logits])
    temperature = fit_temperature(np.concatenate(logits), reference)
    decisions = [decide(softmax(part, temperature), meta.labels, meta.vote) for part in logits]
    confidence = np.array([d.confidence for d in decisions], dtype=np.float32)
    right = np.array(
        [d.genre == meta.labels[e.genre] for d, e in zip(decisions, examples, strict=True)]
    )
    threshold = threshold_for_precision(confidence, right, target_precision)
    vote = dataclasses.replace(meta.vote, min_confidence=round(threshold, 3))
    return dataclasses.replace(meta, temperature=round(temperature, 4), vote=vote)


def _measure(meta: BundleMeta, logits: Sequence[FloatArray], learning_set: LearningSet) -> Scores:
    examples = learning_set.part("test")
    return score(
        [softmax(part, meta.temperature) for part in logits],
        [e.genre for e in examples],
        [e.group for e in examples],
        meta.labels,
        meta.vote,
    )

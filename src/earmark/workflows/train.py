"""``earmark train``: labelled tracks in, a model bundle out."""

from __future__ import annotations

import datetime
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from earmark.errors import MissingExtraError
from earmark.features.store import FeatureStore
from earmark.library import Catalogue
from earmark.models import bundle as bundles
from earmark.models.bundle import Bundle, BundleMeta
from earmark.models.runtime import Classifier
from earmark.training.settings import Epoch, Step, TrainConfig
from earmark.types import ListenConfig, VoteConfig
from earmark.workflows import runfolder
from earmark.workflows.events import Progress, Workflow
from earmark.workflows.finishing import finish, from_store
from earmark.workflows.learning_set import LabelRequest, LearningSet, assemble

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
    bundle, scores = finish(
        meta,
        network,
        learning_set,
        from_store(classifier, store),
        out=request.out,
        target_precision=request.target_precision,
    )
    runfolder.write_results(run_dir, fitted.history, scores, learning_set.labels)
    return TrainReport(bundle, scores.summary, run_dir, fitted.interrupted)

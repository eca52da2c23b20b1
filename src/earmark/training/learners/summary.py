"""``earmark train --recipe summary-sklearn``: scikit-learn's classifiers, compared; no torch."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from earmark import extras
from earmark.decision.calibration import Outputs
from earmark.errors import DataError
from earmark.evaluation.scores import score
from earmark.events import Note, Progress, Workflow
from earmark.features.store import FeatureStore
from earmark.models import bundle as bundles
from earmark.models.runtime import Classifier
from earmark.session import Resources
from earmark.spreadsheets import write_table
from earmark.training import run_folder
from earmark.training.finish import draft, finish, from_store
from earmark.training.learning_set import Example, LearningSet, assemble, spans
from earmark.training.recipes.settings import SummaryConfig
from earmark.training.request import TrainReport, TrainRequest
from earmark.types import FloatArray, VoteConfig

if TYPE_CHECKING:
    from earmark.models.classical.summary import Found
    from earmark.models.classical.summary_export import Standardisation

_TABLE = "estimators.csv"


@dataclass(frozen=True, slots=True)
class _Fitted:
    """An estimator at its best setting, learned from the whole training part."""

    found: Found
    fitted: Any
    fit_s: float
    on_test: dict[str, Any]

    @property
    def row(self) -> dict[str, Any]:
        """For ``model.json`` and the table in the run folder."""
        interval = self.on_test["accuracy_interval_95"]
        return {
            "estimator": self.found.name,
            "left_out_accuracy": round(self.found.accuracy, 4),
            "left_out_macro_f1": round(self.found.macro_f1, 4),
            "test_accuracy": self.on_test["accuracy"],
            "test_accuracy_low": interval[0],
            "test_accuracy_high": interval[1],
            "test_macro_f1": self.on_test["macro_f1"],
            "search_s": round(self.found.seconds, 1),
            "fit_s": round(self.fit_s, 2),
            "params": ", ".join(f"{name}={value}" for name, value in self.found.params.items()),
        }


def check(_: TrainRequest) -> None:
    """Fail before listening rather than after (`MissingExtraError`)."""
    extras.require(
        "head", "earmark.models.classical.stacker", "earmark.models.classical.summary_export"
    )


def learn(
    request: TrainRequest,
    resources: Resources,
) -> Workflow[TrainReport]:
    """Search the recipe's estimators on statistics of labelled tracks, and write one as a bundle.

    Raises
    ------
    DataError
        If the labels cannot be learned from, with what to do about it.
    MissingExtraError
        If scikit-learn, skl2onnx or librosa is not installed.
    """
    with resources.features(request.recipe.listen) as store:
        learning_set = yield from assemble(request.labels, resources, store)
        learning_set.check_taught()
        run_folder.write_settings(request.run_folder, request, learning_set)
        return (yield from _learn(request, store, learning_set))


def _learn(
    request: TrainRequest, store: FeatureStore, learning_set: LearningSet
) -> Workflow[TrainReport]:
    from earmark.models.classical.summary_export import Standardisation, export

    train = learning_set.part("train")
    n_slices = [len(span) for span in spans(store, train)]
    levels = _levels(store, train)
    standardise = Standardisation.of(levels)
    X = standardise(levels)
    reference = np.repeat([e.genre for e in train], n_slices)
    groups = np.repeat([e.group for e in train], n_slices)
    fold = yield from _deal(reference, groups, request.recipe.summary.folds, request.recipe.seed)
    searched = yield from _search(request, X, reference, fold)
    estimators = [
        _measured(found, X, reference, request.recipe.seed, standardise, store, learning_set)
        for found in searched
    ]
    estimators.sort(key=lambda estimator: estimator.found.macro_f1, reverse=True)
    chosen = _chosen(estimators, request.recipe.summary)
    yield Note(_describe(estimators, chosen, len(train)))
    network = export(chosen.fitted, standardise, len(learning_set.labels), levels[:_PROOF])
    course = {
        "estimator": {"name": chosen.found.name, "params": chosen.found.params},
        "estimators": [estimator.row for estimator in estimators],
        "seconds": round(
            sum(estimator.found.seconds + estimator.fit_s for estimator in estimators), 1
        ),
    }
    meta = draft(request, learning_set, request.recipe.listen, course)
    run_dir = request.run_folder
    classifier = Classifier(bundles.write(run_dir / "draft", meta, network))
    bundle, scores = yield from finish(
        meta,
        network,
        learning_set,
        from_store(classifier, store),
        out=request.out,
        target_precision=request.target_precision,
    )
    run_folder.write_results(run_dir, scores, learning_set)
    _write_table(run_dir, estimators)
    return TrainReport(bundle, scores.summary, scores.counts, run_dir, interrupted=False)


# Excerpts that the exported network is compared on with what was exported.
_PROOF = 500


def _levels(store: FeatureStore, examples: Sequence[Example]) -> NDArray[np.uint16]:
    """Stored statistics (n, n_statistics, 1) of examples, one after the other."""
    return np.asarray(store.read(np.concatenate(spans(store, examples))), dtype=np.uint16)


def _deal(
    reference: NDArray[np.int64], groups: NDArray[Any], k: int, seed: int
) -> Workflow[NDArray[np.int64]]:
    """Folds by artist; of single tracks where there are too few artists."""
    from earmark.models.classical.folds import folds

    try:
        return folds(reference, groups.tolist(), k, seed)
    except DataError as e:
        yield Note(f"{e.reason}: settings are chosen by tracks left out, not by artists")
        return folds(reference, [str(i) for i in range(len(reference))], k, seed)


def _search(
    request: TrainRequest,
    X: FloatArray,
    reference: NDArray[np.int64],
    fold: NDArray[np.int64],
) -> Workflow[list[Found]]:
    """The best setting of each estimator that the recipe wants tried."""
    from earmark.models.classical.summary import ESTIMATORS, search

    config = request.recipe.summary
    wanted = {*config.tried, config.estimator}
    names = [name for name in ESTIMATORS if name in wanted]
    total = sum(len(ESTIMATORS[name].settings(len(X))) for name in names)
    done, searched = 0, []
    yield Progress("searching", done, total)
    for name in names:
        flow = search(name, X, reference, fold, request.recipe.seed)
        while True:
            try:
                next(flow)
            except StopIteration as stop:
                searched.append(stop.value)
                break
            done += 1
            yield Progress("searching", done, total, name)
    return searched


def _measured(
    found: Found,
    X: FloatArray,
    reference: NDArray[np.int64],
    seed: int,
    standardise: Standardisation,
    store: FeatureStore,
    learning_set: LearningSet,
) -> _Fitted:
    """Learn from the training part, measure on the test part, which decides nothing."""
    from earmark.models.classical.summary import fit, log_proba

    started = time.monotonic()
    fitted = fit(found, X, reference, seed)
    fit_s = time.monotonic() - started
    test = learning_set.part("test")
    probas = [
        Outputs(log_proba(fitted, standardise(_levels(store, [example])))).proba()
        for example in test
    ]
    genres, groups = [e.genre for e in test], [e.group for e in test]
    on_test = score(probas, genres, groups, learning_set.labels, VoteConfig()).summary
    return _Fitted(found, fitted, fit_s, on_test)


def _chosen(estimators: Sequence[_Fitted], config: SummaryConfig) -> _Fitted:
    """The one that the recipe names, or the first."""
    named = [estimator for estimator in estimators if estimator.found.name == config.estimator]
    return named[0] if named else estimators[0]


def _describe(estimators: Sequence[_Fitted], chosen: _Fitted, n_tracks: int) -> str:
    lines = [
        f"{len(estimators)} estimators learned from {n_tracks} tracks; accuracy and macro-F1 when"
        " artists are left out of training, and on test tracks:"
    ]
    for estimator in estimators:
        row = estimator.row
        lines.append(
            f"  {row['estimator']:9}"
            f" {row['left_out_accuracy']:6.1%} {row['left_out_macro_f1']:6.1%}"
            f"   test {row['test_accuracy']:6.1%} {row['test_macro_f1']:6.1%}   {row['params']}"
        )
    return "\n".join([*lines, f"the model is {chosen.found.name}"])


def _write_table(run_dir: Path, estimators: Sequence[_Fitted]) -> None:
    with (
        run_folder.writing_to(run_dir),
        (run_dir / _TABLE).open("w", newline="", encoding="utf-8") as file,
    ):
        write_table(file, [e.row for e in estimators], list(estimators[0].row))

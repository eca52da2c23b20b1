"""What each kind of job does: the workflow of the same name, and what is kept of its result."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast

from earmark.datasets.splitting import SplitRequest
from earmark.errors import BundleError, LibraryError
from earmark.evaluation.scores import summarise
from earmark.events import Workflow
from earmark.library import Catalogue, TagMode
from earmark.library.catalogue import FILE_NAME as CATALOGUE
from earmark.library.scan import scan
from earmark.models import bundle as bundles
from earmark.models.bundle import Bundle
from earmark.session import Resources
from earmark.tags import ChangeState, Journal
from earmark.training.request import LabelRequest
from earmark.types import VoteConfig
from earmark.web import plans, recipes
from earmark.web.faults import readable
from earmark.web.models import read_confusion, run_folder, trained_folder
from earmark.web.roots import Root
from earmark.web.store import JobRow, Store
from earmark.workflows.apply import ApplyReport, apply_changes, settled, undo_run
from earmark.workflows.evaluate import evaluate_bundle
from earmark.workflows.plan import plan_tags


@dataclass(frozen=True, slots=True)
class Task:
    """A job with what it needs of the server's settings.

    Attributes
    ----------
    root : Root
        Its library, which is still served.
    job : JobRow
    data_dir : Path
    n_workers : int
    time_limit_s : float
    """

    root: Root
    job: JobRow
    data_dir: Path
    n_workers: int
    time_limit_s: float

    @classmethod
    def from_order(cls, order: dict[str, Any], job: JobRow) -> Self:
        """Out of what the server wrote to the process of the job."""
        return cls(
            root=Root(order["library_id"], job.root),
            job=job,
            data_dir=Path(order["data_dir"]),
            n_workers=order["n_workers"],
            time_limit_s=order["time_limit_s"],
        )

    def open_catalogue(self) -> Catalogue:
        return Catalogue.open(self.data_dir / CATALOGUE)

    def open_resources(self) -> Resources:
        """Of this job alone."""
        return Resources(self.data_dir, n_workers=self.n_workers, time_limit_s=self.time_limit_s)

    def vote(self, bundle: Bundle) -> VoteConfig:
        """How the slices were to decide when the job was asked for."""
        asked = VoteConfig.from_dict(self.job.request["vote"])
        return dataclasses.replace(asked, network=bundle.meta.vote.network)

    def shown(self, path: str) -> str:
        return self.root.shown(path)

    def bundle(self) -> Bundle:
        """The model that was in use when the job was asked for."""
        request = self.job.request
        bundle = bundles.load(request["model_path"])
        if bundle.model_id != request["model_id"]:
            raise LibraryError(
                f"the model {bundle.meta.name} has been replaced since", "ask for the job again"
            )
        return bundle


def _scan(_: Store, task: Task) -> Workflow[dict[str, Any]]:
    with task.open_catalogue() as catalogue:
        report = yield from scan(task.root.path, catalogue, task.root.holds)
    values = dataclasses.asdict(report)
    values["unreadable"] = [
        {"path": task.shown(path), "reason": readable(reason)}
        for path, reason in report.unreadable[:1000]
    ]
    return values


def _plan(store: Store, task: Task) -> Workflow[dict[str, Any]]:
    request = task.job.request
    bundle = task.bundle()
    vote = task.vote(bundle)
    with task.open_resources() as resources:
        plan = yield from plan_tags(
            task.root.path,
            bundle,
            vote,
            resources,
            cast(TagMode, request["mode"]),
            join=request["join"],
            may_touch=task.root.holds,
        )
    plan_id = plans.add(store, task.job, plan, bundle)
    return {"plan_id": plan_id, "counts": plans.counts(store, plan_id).model_dump()}


def _apply(store: Store, task: Task) -> Workflow[dict[str, Any]]:
    plan = plans.get(store, int(task.job.request["plan_id"]))
    with Journal(task.data_dir) as journal, task.open_catalogue() as catalogue:
        # A run that was cut off has written some of it.
        yield from _settle(journal, task)
        before = plans.mark_written(store, plan, journal)
        due = [
            change
            for change in plans.accepted_changes(store, plan.plan_id)
            if task.root.holds(change.path)
        ]
        report = yield from apply_changes(
            due,
            journal,
            catalogue,
            note=plans.note(plan),
            keep_mtime=bool(task.job.request["keep_mtime"]),
        )
        plans.mark_written(store, plan, journal)
    return _applied(task, report, before)


def _undo(store: Store, task: Task) -> Workflow[dict[str, Any]]:
    run_id = int(task.job.request["run_id"])
    with Journal(task.data_dir) as journal:
        yield from _settle(journal, task)
        run = journal.run(run_id)
        changes = journal.changes(run_id)
        # A damaged path leads nowhere; undo says so of it.
        if not all(task.root.holds(c.path) for c in changes if "path" not in c.damaged):
            raise LibraryError(f"run {run_id} has written outside of the library")
        # A job that was cut off has undone some of it, or all and has not said so.
        n_before = run.counts.get(ChangeState.UNDONE, 0) if task.job.n_starts > 1 else 0
        if n_before and not journal.changes_to_undo(run_id):
            journal.finish_undo(run_id)
            report = ApplyReport(run_id, 0, 0, ())
        else:
            report = yield from undo_run(journal, task.open_catalogue, run_id)
        plans.mark_undone(store, journal, run)
    return _applied(task, report, n_before)


def _settle(journal: Journal, task: Task) -> Workflow[None]:
    """Settle what a crash has left; of files of the library, say what became of them."""
    for change in journal.recover():
        if task.root.holds(change.path):
            yield settled(change, task.shown(change.path))


def _applied(task: Task, report: ApplyReport, n_before: int = 0) -> dict[str, Any]:
    return {
        "run_id": report.run_id,
        "n_written": report.n_written + n_before,
        "n_already": report.n_already,
        "n_skipped": len(report.skipped),
        "skipped": [
            {"path": task.shown(path), "reason": readable(reason)}
            for path, reason in report.skipped[:1000]
        ],
        "interrupted": report.interrupted,
    }


def _train(_: Store, task: Task) -> Workflow[dict[str, Any]]:
    from earmark.training.request import TrainRequest
    from earmark.training.run_folder import check_replaced
    from earmark.training.train import train

    asked = task.job.request
    recipe = recipes.with_epochs(asked["recipe"], asked["epochs"])
    run_dir = run_folder(task.data_dir, asked["name"])
    request = TrainRequest(
        labels=_labels(task, asked["fingerprints"], recipe.seed),
        out=trained_folder(task.data_dir) / asked["name"],
        recipe=recipe,
        target_precision=asked["target_precision"],
        run_dir=run_dir,
        about=f"the library {task.root.name}",
    )
    try:
        check_replaced(request)
    except BundleError as e:  # there was none when the job was asked for
        raise LibraryError(
            f"there is another model {asked['name']} by now", "choose another name"
        ) from e
    with task.open_resources() as resources:
        report = yield from train(request, resources)
    return {
        "model_id": report.bundle.model_id,
        "scores": dict(report.scores),
        "labels": list(report.bundle.meta.labels),
        "confusion": read_confusion(run_dir),
        # The best network so far was kept, so the job has come to its end all the same.
        "stopped_early": report.interrupted,
    }


def _evaluate(_: Store, task: Task) -> Workflow[dict[str, Any]]:
    bundle = task.bundle()
    with task.open_resources() as resources:
        found = yield from evaluate_bundle(
            bundle,
            task.vote(bundle),
            LabelRequest(task.root.path, min_tracks=1),
            resources,
        )
    return {
        "scores": summarise(found),
        "labels": list(found.labels),
        "confusion": found.answers.tolist(),
        "warnings": list(found.warnings),
    }


def _labels(task: Task, fingerprints: bool, seed: int) -> LabelRequest:
    asked = task.job.request
    return LabelRequest(
        root=task.root.path,
        merges=asked["merges"],
        min_tracks=asked["min_tracks"],
        roll_up=asked["roll_up"],
        only=tuple(asked["only"]),
        split=SplitRequest(seed=seed),
        fingerprints=fingerprints,
    )


TASKS: dict[str, Callable[[Store, Task], Workflow[dict[str, Any]]]] = {
    "scan": _scan,
    "plan": _plan,
    "apply": _apply,
    "undo": _undo,
    "train": _train,
    "evaluate": _evaluate,
}

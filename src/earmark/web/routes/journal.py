"""What was written, and taking it back."""

from __future__ import annotations

import asyncio

from earmark.tags import Journal, Run
from earmark.web.faults import Refused, not_found, readable
from earmark.web.roots import Root
from earmark.web.routes import Number, refusals, router
from earmark.web.routes.jobs import shown
from earmark.web.schemas.jobs import Job
from earmark.web.schemas.plans import JournalRun, JournalRuns
from earmark.web.services import Services, ServicesDep

routes = router("journal")

_MOST_RUNS = 50


@routes.get("/journal/runs")
async def runs(services: ServicesDep) -> JournalRuns:
    """Runs that wrote to the libraries served, latest first."""
    found = await asyncio.to_thread(_runs, services)
    return JournalRuns(runs=[_shown(run, root) for run, root in found])


@routes.post("/journal/runs/{run_id}/undo", status_code=202, responses=refusals(404, 409))
async def undo(run_id: Number, services: ServicesDep) -> Job:
    """Give files back what they held before a run. Needs --allow-write."""
    services.require_write()
    found = await asyncio.to_thread(_run, services, run_id)
    if found is None:
        raise not_found("such run in the libraries served")
    run, root = found
    if not run.can_undo:
        raise Refused(409, f"there is nothing to undo in run {run_id}")
    title = f"Undo run {run_id} in {root.name}"
    return shown(
        services,
        await services.jobs.submit("undo", root, title, {"run_id": run_id}, alone="run_id"),
    )


def _runs(services: Services) -> list[tuple[Run, Root]]:
    with Journal(services.settings.data_dir) as journal:
        wrote = [run for run in journal.runs() if run.counts]
        pairs = ((run, _root(services, journal, run)) for run in wrote[:_MOST_RUNS])
        return [(run, root) for run, root in pairs if root is not None]


def _run(services: Services, run_id: int) -> tuple[Run, Root] | None:
    with Journal(services.settings.data_dir) as journal:
        for run in journal.runs():
            if run.run_id == run_id:
                root = _root(services, journal, run)
                return (run, root) if root else None
    return None


def _root(services: Services, journal: Journal, run: Run) -> Root | None:
    """The one library that holds all files of a run; None where others are among them."""
    changes = journal.changes(run.run_id)
    paths = [change.path for change in changes if "path" not in change.damaged]
    root = services.roots.around(paths[0]) if paths else None
    return root if root and all(map(root.holds, paths)) else None


def _shown(run: Run, root: Root) -> JournalRun:
    return JournalRun(
        run_id=run.run_id,
        note=readable(run.note),
        started_at=run.started,
        finished_at=run.finished,
        undone_at=run.undone,
        library_id=root.library_id,
        counts={str(state): n for state, n in run.counts.items()},
        can_undo=run.can_undo,
    )

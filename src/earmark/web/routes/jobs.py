"""Long work: asked for, watched, cancelled."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import Header, Query
from fastapi.responses import StreamingResponse

from earmark import jsontext
from earmark.web import recipes
from earmark.web.faults import readable
from earmark.web.jobs.queue import Sent
from earmark.web.routes import Number, refusals, router
from earmark.web.schemas.jobs import (
    EvaluateRequest,
    Job,
    JobKind,
    JobList,
    JobRequest,
    JobState,
    PlanRequest,
    TrainRequest,
)
from earmark.web.services import Services, ServicesDep
from earmark.web.store import JobRow, Store

routes = router("jobs")

_STREAM: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}},
    **refusals(404),
}


@routes.post("/jobs", status_code=202, responses=refusals(404, 409, 501))
async def submit(wanted: JobRequest, services: ServicesDep) -> Job:
    """Queue a job."""
    root = services.roots[wanted.library_id]
    request = wanted.model_dump(exclude={"kind", "library_id"})
    alone = ""
    if isinstance(wanted, PlanRequest | EvaluateRequest):
        request |= await _with_model(services, wanted)
        what = "Plan" if isinstance(wanted, PlanRequest) else "Evaluate"
        title = f"{what} {root.name} by {request['model_name']}"
    elif isinstance(wanted, TrainRequest):
        recipes.check(wanted.recipe, wanted.epochs)
        services.models.folder_for(wanted.name)
        title, alone = f"Train {wanted.name} on {root.name}", "name"
    else:
        title = f"Scan {root.name}"
    row = await services.jobs.submit(wanted.kind, root, readable(title), request, alone=alone)
    return shown(services, row)


@routes.get("/jobs")
async def jobs(
    services: ServicesDep,
    kind: JobKind | None = None,
    state: JobState | None = None,
    library_id: Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> JobList:
    """Jobs, latest first."""
    conditions = ["1"]
    values: list[str] = []
    for column, value in (("kind", kind), ("state", state)):
        if value is not None:
            conditions.append(f"{column} = ?")
            values.append(value)
    if library_id is not None:
        root = services.roots.all.get(library_id)
        conditions.append("root = ?")
        values.append(json.dumps(root.path) if root else "")

    def read(store: Store) -> list[JobRow]:
        return store.jobs(" AND ".join(conditions), *values, limit=limit)

    return JobList(jobs=[shown(services, row) for row in await services.jobs.stored(read)])


@routes.get("/jobs/{job_id}", responses=refusals(404))
async def job(job_id: Number, services: ServicesDep) -> Job:
    """One job."""
    return shown(services, await services.jobs.get(job_id))


@routes.post("/jobs/{job_id}/cancel", status_code=202, responses=refusals(404))
async def cancel(job_id: Number, services: ServicesDep) -> Job:
    """Ask a job to end. Files written so far stay written; a training keeps its best network."""
    return shown(services, await services.jobs.cancel(job_id))


@routes.get("/jobs/{job_id}/events", response_class=StreamingResponse, responses=_STREAM)
async def events(
    job_id: Number,
    services: ServicesDep,
    after: Annotated[int, Query(ge=0, le=2**53, description="Only events after this one.")] = 0,
    last_event_id: Annotated[str | None, Header(pattern=r"^[0-9]{0,15}$")] = None,
) -> StreamingResponse:
    """A stream of what happens, from the beginning or from where it broke off, to the end.

    Events are `job` (a change of state; the last is of one that has ended), `progress`, `skipped`,
    `note` and `epoch`.
    """
    await services.jobs.get(job_id)
    start = int(last_event_id) if last_event_id else after
    watched = services.jobs.watch(job_id, start)
    # The first piece is drawn here, so that a refusal still becomes a status.
    first = await anext(watched, None)

    async def stream() -> AsyncIterator[bytes]:
        async with contextlib.aclosing(watched):
            if first is not None:
                yield _line(services, first)
            async for sent in watched:
                yield _line(services, sent)

    return StreamingResponse(
        stream(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
    )


def shown(services: Services, row: JobRow) -> Job:
    """A job as the API tells it, without what is for the server alone."""
    root = services.roots.of(row.root)
    request = {k: v for k, v in row.request.items() if k not in ("model_path", "vote")}
    return Job(
        job_id=row.job_id,
        kind=row.kind,  # type: ignore[arg-type]
        state=row.state,  # type: ignore[arg-type]
        library_id=root.library_id if root else None,
        title=row.title,
        request=request,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        n_starts=row.n_starts,
        progress=services.jobs.progress(row.job_id),  # type: ignore[arg-type]
        n_skipped=row.n_skipped,
        error=row.error,
        result=row.result,
    )


def _line(services: Services, sent: Sent) -> bytes:
    if sent.event is not None:
        event = sent.event
        text = f"id: {event.seq}\nevent: {event.kind}\ndata: {event.data}\n\n"
    elif sent.job is not None:
        text = f"event: job\ndata: {shown(services, sent.job).model_dump_json()}\n\n"
    elif sent.progress is not None:
        text = f"event: progress\ndata: {jsontext.dumps(sent.progress)}\n\n"
    else:
        text = ": still here\n\n"
    return text.encode()


async def _with_model(services: Services, wanted: PlanRequest | EvaluateRequest) -> dict[str, Any]:
    """Which model, and how it votes: what is in use now, should the job wait."""
    bundle = await services.model(wanted.model_id)
    vote = services.models.vote_of(bundle).to_dict()
    vote.pop("network", None)  # bytes; the job takes the model's
    if isinstance(wanted, PlanRequest) and wanted.min_confidence is not None:
        vote["min_confidence"] = wanted.min_confidence
    return {
        "model_id": bundle.model_id,
        "model_name": bundle.meta.name,
        "model_path": str(bundle.path),
        "vote": vote,
    }

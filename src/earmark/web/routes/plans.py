"""Plans: reviewed album by album, changed, applied."""

from __future__ import annotations

import os
from typing import Annotated

from fastapi import Query

from earmark.library.plan import WRITING
from earmark.web import plans as stored_plans
from earmark.web.faults import Refused, not_found, readable
from earmark.web.plan_results import ResultOf, results
from earmark.web.plans import ItemRow, PlanRow
from earmark.web.roots import Root
from earmark.web.routes import PREFIX, Index, Number, refusals, router
from earmark.web.routes.jobs import shown as shown_job
from earmark.web.routes.libraries import media
from earmark.web.schemas.common import Share
from earmark.web.schemas.jobs import Job
from earmark.web.schemas.listening import GenreShare
from earmark.web.schemas.plans import (
    AlbumPage,
    Apply,
    Choosing,
    Chosen,
    ItemChange,
    PlanAlbum,
    PlanDetail,
    PlanItem,
    PlanList,
    PlanSummary,
    Show,
)
from earmark.web.services import Services, ServicesDep
from earmark.web.store import Store

routes = router("plans")


@routes.get("/plans", responses=refusals(404))
async def plans(
    services: ServicesDep,
    library_id: Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = None,
) -> PlanList:
    """Plans of the libraries served, latest first."""
    roots = [services.roots[library_id]] if library_id else list(services.roots.all.values())

    def read(store: Store) -> list[PlanSummary]:
        rows = stored_plans.latest(store, [root.path for root in roots])
        return [_summary(services, store, row) for row in rows]

    return PlanList(plans=await services.jobs.stored(read))


@routes.get("/plans/{plan_id}", responses=refusals(404))
async def plan(plan_id: Number, services: ServicesDep) -> PlanDetail:
    """One plan, with what it takes to choose by confidence and to change genres."""

    def read(store: Store) -> PlanDetail:
        row, _ = _find(services, store, plan_id)
        return PlanDetail(
            **_summary(services, store, row).model_dump(),
            confidences=stored_plans.confidences(store, plan_id),
            genres=stored_plans.genres(store, row),
        )

    return await services.jobs.stored(read)


@routes.get("/plans/{plan_id}/albums", responses=refusals(404))
async def albums(
    plan_id: Number,
    services: ServicesDep,
    show: Show = "proposed",
    min_confidence: Annotated[Share, Query()] = 0.0,
    max_confidence: Annotated[Share, Query()] = 1.0,
    offset: Annotated[int, Query(ge=0, le=2**53)] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> AlbumPage:
    """A page of albums with those of their items that are shown."""

    def read(store: Store) -> AlbumPage:
        row, root = _find(services, store, plan_id)
        n_albums, found = stored_plans.albums(
            store, plan_id, show, min_confidence, max_confidence, offset, limit
        )
        return AlbumPage(
            plan_id=plan_id,
            offset=offset,
            n_albums=n_albums,
            albums=_albums(services, store, row, root, found),
        )

    return await services.jobs.stored(read)


@routes.patch("/plans/{plan_id}/items/{item_id}", responses=refusals(404, 409))
async def change(
    plan_id: Number, item_id: Index, wanted: ItemChange, services: ServicesDep
) -> PlanItem:
    """Accept, reject or change one item."""

    def write(store: Store) -> PlanItem:
        row, root = _find(services, store, plan_id)
        changed = stored_plans.change_item(store, row, item_id, wanted)
        with results(services.settings.catalogue, store, row) as result_of:
            return _item(root, changed, result_of)

    return await services.jobs.stored(write)


@routes.post("/plans/{plan_id}/choose", responses=refusals(404, 409))
async def choose(plan_id: Number, wanted: Choosing, services: ServicesDep) -> Chosen:
    """Accept or reject many proposed items at once."""

    def write(store: Store) -> Chosen:
        _find(services, store, plan_id)
        n_changed = stored_plans.choose(store, plan_id, wanted)
        return Chosen(n_changed=n_changed, counts=stored_plans.counts(store, plan_id))

    return await services.jobs.stored(write)


@routes.post("/plans/{plan_id}/apply", status_code=202, responses=refusals(404, 409))
async def apply(plan_id: Number, wanted: Apply, services: ServicesDep) -> Job:
    """Write the accepted items to their files. Needs --allow-write."""
    services.require_write()

    def read(store: Store) -> tuple[Root, int]:
        _, root = _find(services, store, plan_id)
        return root, len(stored_plans.accepted_changes(store, plan_id))

    root, n_due = await services.jobs.stored(read)
    if not n_due:
        raise Refused(409, "nothing is to be written", "accept some proposals first")
    request = {"plan_id": plan_id, "keep_mtime": wanted.keep_mtime}
    title = f"Write {n_due} genres in {root.name}"
    return shown_job(
        services, await services.jobs.submit("apply", root, title, request, alone="plan_id")
    )


def _find(services: Services, store: Store, plan_id: int) -> tuple[PlanRow, Root]:
    row = stored_plans.get(store, plan_id)
    root = services.roots.of(row.root)
    if root is None:
        raise not_found("such plan of a library that is served")
    return row, root


def _summary(services: Services, store: Store, row: PlanRow) -> PlanSummary:
    root = services.roots.of(row.root)
    return PlanSummary(
        plan_id=row.plan_id,
        job_id=row.job_id,
        library_id=root.library_id if root else None,
        mode=row.mode,  # type: ignore[arg-type]
        model_id=row.model_id,
        model_name=row.model_name,
        created_at=row.created_at,
        counts=stored_plans.counts(store, row.plan_id),
    )


def _albums(
    services: Services,
    store: Store,
    row: PlanRow,
    root: Root,
    found: list[tuple[int, str, list[ItemRow]]],
) -> list[PlanAlbum]:
    with results(services.settings.catalogue, store, row) as result_of:
        return [_album(root, *album, result_of) for album in found]


def _album(
    root: Root, album_id: int, heading: str, rows: list[ItemRow], result_of: ResultOf
) -> PlanAlbum:
    first = rows[0].item
    file_id = root.file_id(first.path)
    is_file = heading == os.path.dirname(first.path)  # noqa: PTH120 - text as the system has it
    return PlanAlbum(
        album_id=album_id,
        heading=root.shown(heading) if is_file else readable(heading),
        artist=readable(first.artist),
        album=readable(first.album),
        cover_url=f"{PREFIX}/libraries/{root.library_id}/files/{file_id}/cover",
        items=[_item(root, row, result_of) for row in rows],
    )


def _item(root: Root, row: ItemRow, result_of: ResultOf) -> PlanItem:
    item = row.item
    file_id, shown = root.file_id(item.path), root.shown(item.path)
    return PlanItem(
        item_id=row.item_id,
        file_id=file_id,
        path=shown,
        artist=readable(item.artist),
        title=readable(item.title),
        before=[readable(value) for value in item.before],
        proposed=list(item.genres),
        after=[readable(value) for value in item.after],
        action=item.action,
        writes=item.action in WRITING,
        reason=readable(item.reason),
        confidence=item.confidence,
        agreement=item.agreement,
        runners_up=[GenreShare(genre=genre, p=p) for genre, p in item.runners_up],
        edited=row.edited,
        choice=row.choice,  # type: ignore[arg-type]
        written=row.written,
        media=media(root, file_id, item.path),
        result=result_of(item, shown),
    )

"""Upload a song, be told its genre and why."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import Query, Request, Response
from fastapi.responses import FileResponse

from earmark.errors import FileError
from earmark.models.bundle import Bundle
from earmark.web.faults import not_found
from earmark.web.media import Palette
from earmark.web.presenting import answer_of, answering_model, failed, media_at, media_type
from earmark.web.routes import AUDIO, PNG, PREFIX, ModelId, Name, refusals, router
from earmark.web.schemas.listening import Classified, Media, Overview, TrackAnswer
from earmark.web.services import Services, ServicesDep
from earmark.web.uploads import FIELD, Upload, receive

routes = router("listening")

_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [FIELD],
                    "properties": {
                        FIELD: {
                            "type": "array",
                            "minItems": 1,
                            "items": {"type": "string", "format": "binary"},
                        }
                    },
                }
            }
        },
    }
}


@routes.post(
    "/classify",
    openapi_extra=_FORM,
    responses={
        422: {"model": Classified, "description": "No file could be heard, or there was none."},
        **refusals(400, 404, 408, 413, 415, 507),
    },
)
async def classify(
    request: Request,
    response: Response,
    services: ServicesDep,
    model_id: ModelId = None,
    keep: Annotated[
        bool, Query(description="Keep the files for a while, to be played and looked at.")
    ] = False,
) -> Classified:
    """Say the genre of one or many files, sent as a multipart form in fields called `files`."""
    async with services.receiving(), _received(request, services, keep) as uploads:
        bundle = await services.model(model_id)
        results = await asyncio.gather(*(_answer(services, u, bundle, keep) for u in uploads))
    if all(answer.result.error for answer in results):
        response.status_code = 422
    return Classified(model=answering_model(bundle), results=list(results))


@contextlib.asynccontextmanager
async def _received(
    request: Request, services: Services, keep: bool
) -> AsyncIterator[list[Upload]]:
    """The files of a request, which are gone afterwards unless they are to be kept."""
    uploads = await receive(request, services.uploads, services.settings.bounds)
    services.metrics.upload_bytes.inc(sum(upload.size for upload in uploads))
    try:
        yield uploads
    finally:
        for upload in uploads:
            if not (keep and services.uploads.is_kept(upload)):
                services.uploads.remove(upload)


async def _answer(services: Services, upload: Upload, bundle: Bundle, keep: bool) -> TrackAnswer:
    try:
        served = await services.workers.predict(upload.path, bundle, None)
    except FileError as e:
        services.metrics.files.labels("failed").inc()
        return failed(e, upload.name)
    if keep:
        services.uploads.keep(upload)
    media = _media(upload) if services.uploads.is_kept(upload) else None
    vote = services.models.vote_of(bundle)
    answer = answer_of(served, bundle, vote, upload.name, media=media)
    services.metrics.files.labels("answered" if answer.result.genre else "unknown").inc()
    return answer


def _media(upload: Upload) -> Media:
    base = f"{PREFIX}/uploads/{upload.upload_id}"
    return media_at(
        base, upload.path.name, expires_at=upload.expires_at, upload_id=upload.upload_id
    )


def _upload(services: Services, upload_id: str) -> Upload:
    found = services.uploads.get(upload_id)
    if found is None:
        raise not_found("such upload, or its time is up")
    return found


@routes.get("/uploads/{upload_id}/audio", response_class=FileResponse, responses=AUDIO)
async def audio(upload_id: Name, services: ServicesDep) -> FileResponse:
    """The file as it was sent; answers range requests."""
    upload = _upload(services, upload_id)
    return FileResponse(upload.path, media_type=media_type(upload.path.suffix))


@routes.get("/uploads/{upload_id}/preview", response_class=FileResponse, responses=AUDIO)
async def preview(upload_id: Name, services: ServicesDep) -> FileResponse:
    """The sound as Ogg Opus, mono, for what a browser cannot play as it is."""
    upload = _upload(services, upload_id)
    path = await services.cache.preview(str(upload.path), upload.folder)
    return FileResponse(path, media_type="audio/ogg")


@routes.get("/uploads/{upload_id}/overview", responses=refusals(404))
async def overview(upload_id: Name, services: ServicesDep) -> Overview:
    """Peaks of the whole track, and what its spectrogram spans."""
    upload = _upload(services, upload_id)
    url = _media(upload).spectrogram_url
    return await services.cache.overview(str(upload.path), upload.folder, url)


@routes.get(
    "/uploads/{upload_id}/spectrogram.png",
    response_class=FileResponse,
    responses={**PNG, **refusals(404)},
)
async def spectrogram(
    upload_id: Name, services: ServicesDep, palette: Palette = "magma"
) -> FileResponse:
    """The whole track, a column of pixels for each peak, low frequencies at the bottom."""
    upload = _upload(services, upload_id)
    path = await services.cache.spectrogram(str(upload.path), upload.folder, palette)
    return FileResponse(path, media_type="image/png")


@routes.delete("/uploads/{upload_id}", status_code=204, responses=refusals(404))
async def remove(upload_id: Name, services: ServicesDep) -> None:
    """Remove an upload before its time."""
    services.uploads.remove(_upload(services, upload_id))

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
from earmark.web import intake
from earmark.web.faults import not_found
from earmark.web.pictures import Palette
from earmark.web.presenting import answering, failed, media_type, told
from earmark.web.routes import PREFIX, ModelId, Name, refusals, router
from earmark.web.schemas.listening import Classified, Listened, Media, Overview
from earmark.web.services import At, Hub
from earmark.web.uploads import Upload

routes = router("listening")

_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [intake.FIELD],
                    "properties": {
                        intake.FIELD: {
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
PNG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}}}}
AUDIO: dict[int | str, dict[str, Any]] = {
    200: {"content": {"audio/*": {}}},
    206: {"content": {"audio/*": {}}},
    **refusals(404),
    416: {"description": "The range lies outside of the file."},
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
    hub: At,
    model_id: ModelId = None,
    keep: Annotated[
        bool, Query(description="Keep the files for a while, to be played and looked at.")
    ] = False,
) -> Classified:
    """Say the genre of one or many files, sent as a multipart form in fields called `files`."""
    async with hub.receiving(), _received(request, hub, keep) as uploads:
        bundle = await hub.model(model_id)
        results = await asyncio.gather(*(_hear(hub, u, bundle, keep) for u in uploads))
    if all(result.error for result in results):
        response.status_code = 422
    return Classified(model=answering(bundle), results=list(results))


@contextlib.asynccontextmanager
async def _received(request: Request, hub: Hub, keep: bool) -> AsyncIterator[list[Upload]]:
    """The files of a request, which are gone afterwards unless they are to be kept."""
    uploads = await intake.receive(request, hub.uploads, hub.settings.bounds)
    hub.metrics.upload_bytes.inc(sum(upload.size for upload in uploads))
    try:
        yield uploads
    finally:
        for upload in uploads:
            if not (keep and hub.uploads.is_kept(upload)):
                hub.uploads.remove(upload)


async def _hear(hub: Hub, upload: Upload, bundle: Bundle, keep: bool) -> Listened:
    try:
        heard = await hub.ears.hear(upload.path, bundle, None)
    except FileError as e:
        hub.metrics.files.labels("failed").inc()
        return failed(e, upload.name)
    if keep:
        hub.uploads.keep(upload)
    media = _media(upload) if hub.uploads.is_kept(upload) else None
    answer = told(heard, bundle, hub.models.vote_of(bundle), upload.name, media=media)
    hub.metrics.files.labels("answered" if answer.genre else "unknown").inc()
    return answer


def _media(upload: Upload) -> Media:
    base = f"{PREFIX}/uploads/{upload.upload_id}"
    return Media(
        audio_url=f"{base}/audio",
        audio_type=media_type(upload.path.suffix),
        preview_url=f"{base}/preview",
        overview_url=f"{base}/overview",
        spectrogram_url=f"{base}/spectrogram.png",
        expires_at=upload.expires_at,
        upload_id=upload.upload_id,
    )


def _upload(hub: Hub, upload_id: str) -> Upload:
    found = hub.uploads.get(upload_id)
    if found is None:
        raise not_found("such upload, or its time is up")
    return found


@routes.get("/uploads/{upload_id}/audio", response_class=FileResponse, responses=AUDIO)
async def audio(upload_id: Name, hub: At) -> FileResponse:
    """The file as it was sent; answers range requests."""
    upload = _upload(hub, upload_id)
    return FileResponse(upload.path, media_type=media_type(upload.path.suffix))


@routes.get("/uploads/{upload_id}/preview", response_class=FileResponse, responses=AUDIO)
async def preview(upload_id: Name, hub: At) -> FileResponse:
    """The sound as Ogg Opus, mono, for what a browser cannot play as it is."""
    upload = _upload(hub, upload_id)
    path = await hub.derived.preview(str(upload.path), upload.folder)
    return FileResponse(path, media_type="audio/ogg")


@routes.get("/uploads/{upload_id}/overview", responses=refusals(404))
async def overview(upload_id: Name, hub: At) -> Overview:
    """Peaks of the whole track, and what its spectrogram spans."""
    upload = _upload(hub, upload_id)
    url = _media(upload).spectrogram_url
    return await hub.derived.overview(str(upload.path), upload.folder, url)


@routes.get(
    "/uploads/{upload_id}/spectrogram.png",
    response_class=FileResponse,
    responses={**PNG, **refusals(404)},
)
async def spectrogram(upload_id: Name, hub: At, palette: Palette = "magma") -> FileResponse:
    """The whole track, a column of pixels for each peak, low frequencies at the bottom."""
    upload = _upload(hub, upload_id)
    path = await hub.derived.spectrogram(str(upload.path), upload.folder, palette)
    return FileResponse(path, media_type="image/png")


@routes.delete("/uploads/{upload_id}", status_code=204, responses=refusals(404))
async def remove(upload_id: Name, hub: At) -> None:
    """Remove an upload before its time."""
    hub.uploads.remove(_upload(hub, upload_id))

"""The libraries that are served: what is in them, and single files of them."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import Counter
from pathlib import Path

from fastapi import Response
from fastapi.responses import FileResponse

from earmark.errors import FileError
from earmark.genres import one_spelling, parse
from earmark.genres.labels import choose_labels
from earmark.inference.prediction import remember_prediction
from earmark.library import Catalogue, Summary
from earmark.models.bundle import Bundle
from earmark.web.faults import Refused, not_found
from earmark.web.media import LARGEST_COVER, Palette
from earmark.web.presenting import (
    answer_of,
    answering_model,
    failed,
    media_at,
    media_type,
    refused,
)
from earmark.web.roots import Root
from earmark.web.routes import AUDIO, PNG, PREFIX, FileId, Name, refusals, router
from earmark.web.schemas.jobs import Learning
from earmark.web.schemas.libraries import (
    GenreCount,
    Labels,
    Library,
    LibraryDetail,
    LibraryList,
)
from earmark.web.schemas.listening import Classified, LibraryFiles, Media, Overview, TrackAnswer
from earmark.web.services import Services, ServicesDep

routes = router("libraries")

_FILES = "/libraries/{library_id}/files/{file_id}"
_COVER_NAMES = ("cover", "folder", "front", "album", "albumart")
_KINDS = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF8": "image/gif",
    b"BM": "image/bmp",
}


@routes.get("/libraries")
async def libraries(services: ServicesDep) -> LibraryList:
    """The folders that were given at the start."""

    def read(catalogue: Catalogue) -> list[Library]:
        return [
            _library(root, catalogue.summary(root.path)) for root in services.roots.all.values()
        ]

    found = await services.with_catalogue(read)
    return LibraryList(libraries=found, allow_write=services.settings.allow_write)


@routes.get("/libraries/{library_id}", responses=refusals(404))
async def library(library_id: Name, services: ServicesDep) -> LibraryDetail:
    """What the last scan knows of a library."""
    root = services.roots[library_id]
    summary = await services.with_catalogue(lambda catalogue: catalogue.summary(root.path))
    counts, n_missing = _genre_counts(summary)
    return LibraryDetail(
        **_library(root, summary).model_dump(),
        duration_s=summary.duration_s,
        n_missing_genre=n_missing,
        n_unreadable=len(summary.unreadable),
        formats=dict(summary.containers.most_common()),
        genres=_counts(counts),
    )


@routes.post(
    "/libraries/{library_id}/classify",
    responses={422: {"model": Classified}, **refusals(404)},
)
async def classify(
    library_id: Name, wanted: LibraryFiles, response: Response, services: ServicesDep
) -> Classified:
    """Say the genre of files of a library."""
    root = services.roots[library_id]
    bundle = await services.model(wanted.model_id)
    results = await asyncio.gather(*(_answer(services, root, p, bundle) for p in wanted.paths))
    if all(answer.result.error for answer in results):
        response.status_code = 422
    return Classified(model=answering_model(bundle), results=list(results))


@routes.post("/libraries/{library_id}/labels", responses=refusals(404))
async def labels(library_id: Name, wanted: Learning, services: ServicesDep) -> Labels:
    """What would be learned from a library's tags with these merges."""
    root = services.roots[library_id]

    def read(catalogue: Catalogue) -> Labels:
        values = [track.tags.genres for track in catalogue.tracks(root.path) if not track.error]
        choice = choose_labels(
            values,
            merges=wanted.merges,
            min_tracks=wanted.min_tracks,
            roll_up=wanted.roll_up,
            only=wanted.only,
        )
        return Labels(
            genres=_counts(Counter(choice.counts)),
            dropped=_counts(Counter(choice.dropped)),
            merged=choice.merged,
            n_unlabelled=choice.n_unlabelled,
            n_ambiguous=choice.n_ambiguous,
            enough=len(choice.counts) >= 2,
        )

    return await services.with_catalogue(read)


@routes.get(f"{_FILES}/audio", response_class=FileResponse, responses=AUDIO)
async def audio(library_id: Name, file_id: FileId, services: ServicesDep) -> FileResponse:
    """A file as it is; answers range requests."""
    path = services.roots[library_id].by_id(file_id)
    return FileResponse(path, media_type=media_type(Path(path).suffix))


@routes.get(f"{_FILES}/preview", response_class=FileResponse, responses=AUDIO)
async def preview(library_id: Name, file_id: FileId, services: ServicesDep) -> FileResponse:
    """The sound as Ogg Opus, mono, for what a browser cannot play as it is."""
    path = services.roots[library_id].by_id(file_id)
    made = await services.cache.preview(path, services.cache.folder_of(path))
    return FileResponse(made, media_type="audio/ogg")


@routes.get(f"{_FILES}/overview", responses=refusals(404))
async def overview(library_id: Name, file_id: FileId, services: ServicesDep) -> Overview:
    """Peaks of the whole track, and what its spectrogram spans."""
    root = services.roots[library_id]
    path = root.by_id(file_id)
    url = media(root, file_id, path).spectrogram_url
    return await services.cache.overview(path, services.cache.folder_of(path), url)


@routes.get(
    f"{_FILES}/spectrogram.png",
    response_class=FileResponse,
    responses={**PNG, **refusals(404)},
)
async def spectrogram(
    library_id: Name, file_id: FileId, services: ServicesDep, palette: Palette = "magma"
) -> FileResponse:
    """The whole track, a column of pixels for each peak, low frequencies at the bottom."""
    path = services.roots[library_id].by_id(file_id)
    made = await services.cache.spectrogram(path, services.cache.folder_of(path), palette)
    return FileResponse(made, media_type="image/png")


@routes.get(
    f"{_FILES}/cover",
    response_class=FileResponse,
    responses={200: {"content": {"image/*": {}}}, **refusals(404)},
)
async def cover(library_id: Name, file_id: FileId, services: ServicesDep) -> FileResponse:
    """The picture in a file, or else the one beside it."""
    root = services.roots[library_id]
    path = root.by_id(file_id)
    found: Path | None = None
    with contextlib.suppress(FileError):  # damaged, and its folder may have a picture all the same
        found = await services.cache.cover(path, services.cache.folder_of(path))
    kind = await asyncio.to_thread(_image_type, found)
    if kind is None:
        found = await asyncio.to_thread(_beside, root, path)
        kind = await asyncio.to_thread(_image_type, found)
    if found is None or kind is None:
        raise not_found("cover")
    return FileResponse(found, media_type=kind, headers={"Cache-Control": "private, max-age=3600"})


def media(root: Root, file_id: str, path: str) -> Media:
    """Where a file of a library can be heard and seen."""
    return media_at(f"{PREFIX}/libraries/{root.library_id}/files/{file_id}", path)


async def _answer(services: Services, root: Root, name: str, bundle: Bundle) -> TrackAnswer:
    try:
        path = root.by_name(name)
    except Refused as e:
        return refused(e.fault, name)
    file_id = root.file_id(path)
    try:
        served = await services.workers.predict(path, bundle, services.settings.catalogue)
    except FileError as e:
        services.metrics.files.labels("failed").inc()
        return failed(e, name, file_id)
    await services.with_catalogue(
        lambda catalogue: remember_prediction(catalogue, path, served.prediction, bundle.model_id)
    )
    vote = services.models.vote_of(bundle)
    answer = answer_of(served, bundle, vote, name, file_id, media(root, file_id, path))
    services.metrics.files.labels("answered" if answer.result.genre else "unknown").inc()
    return answer


def _library(root: Root, summary: Summary) -> Library:
    return Library(
        library_id=root.library_id,
        name=root.name,
        path=root.shown(root.path),
        available=os.access(root.path, os.R_OK | os.X_OK),
        n_tracks=summary.n_tracks,
    )


def _genre_counts(summary: Summary) -> tuple[Counter[str], int]:
    """Readable files of each canonical genre, and those without one."""
    raw: Counter[str] = Counter()
    n_missing = 0
    for values, n in summary.genres.items():
        found = parse(values)
        raw.update(dict.fromkeys(found, n))
        n_missing += 0 if found else n
    total: Counter[str] = Counter()
    for name, spelling in one_spelling(raw).items():
        total[spelling] += raw[name]
    return total, n_missing


def _counts(counts: Counter[str]) -> list[GenreCount]:
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [GenreCount(genre=genre, n=n) for genre, n in ranked]


def _image_type(path: Path | None) -> str | None:
    """By what is inside, of the kinds that browsers draw and that carry no script."""
    if path is None:
        return None
    with path.open("rb") as file:
        data = file.read(12)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for magic, kind in _KINDS.items() if data.startswith(magic)), None)


def _beside(root: Root, path: str) -> Path | None:
    """The album's cover, where it lies as a picture in the folder of its tracks."""
    folder = Path(path).parent
    found = {}
    for entry in folder.iterdir():
        is_picture = entry.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp", ".gif")
        if is_picture and entry.stem.lower() in _COVER_NAMES:
            found[_COVER_NAMES.index(entry.stem.lower())] = entry
    for _, entry in sorted(found.items()):
        if root.holds(str(entry)) and entry.is_file() and entry.stat().st_size <= LARGEST_COVER:
            return entry
    return None

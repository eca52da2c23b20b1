"""Where the API answers, one file a subject."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from earmark.web.schemas.common import Refusal

PREFIX = "/api/v1"

Number = Annotated[int, Path(ge=1, le=2**53)]
Index = Annotated[int, Path(ge=0, le=2**53)]
Name = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
FileId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,6000}$")]
ModelId = Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


def router(tag: str) -> APIRouter:
    """A router whose routes all may be refused in the one shape."""
    return APIRouter(
        prefix=PREFIX, tags=[tag], responses=refusals(400, 401, 403, 421, 422, 429, 503)
    )


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For the description: these answers have the shape of a refusal."""
    return {status: {"model": Refusal} for status in statuses}


PNG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}}}}
AUDIO: dict[int | str, dict[str, Any]] = {
    200: {"content": {"audio/*": {}}},
    206: {"content": {"audio/*": {}}},
    **refusals(404),
    416: {"description": "The range lies outside of the file."},
}

"""The page: built files that ship with the package, and nothing from elsewhere."""

from __future__ import annotations

import mimetypes
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse, Response

from earmark.web.faults import Refused, not_found
from earmark.web.protection import page_policy

routes = APIRouter(include_in_schema=False)

STATIC = Path(__file__).parents[1] / "page" / "static"

# What the system's own table says of these differs, and scripts must be called scripts.
_TYPES = {
    ".css": "text/css",
    ".ico": "image/x-icon",
    ".js": "text/javascript",
    ".json": "application/json",
    ".map": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}


@routes.get("/{path:path}")
def page(path: str) -> Response:
    """A built file, or for any other address of the page the page itself."""
    if path == "api" or path.startswith("api/"):
        raise not_found("such address")
    found = _file(path)
    if found is not None:
        kind = _TYPES.get(found.suffix) or mimetypes.guess_type(found.name)[0]
        hashed = path.startswith("assets/")
        lasting = "public, max-age=31536000, immutable" if hashed else "no-cache"
        return FileResponse(found, media_type=kind, headers={"Cache-Control": lasting})
    if "." in path.rpartition("/")[2]:
        raise not_found("such file")
    return _index()


def _file(path: str) -> Path | None:
    # A name with "..", an absolute one or a link leads out, and so is none of ours.
    if not path or "\0" in path or path == "index.html":
        return None
    try:
        found = (STATIC / path).resolve()
        return found if found.is_relative_to(STATIC.resolve()) and found.is_file() else None
    except (OSError, ValueError):  # a name that no file can have
        return None


def _index() -> Response:
    try:
        text = (STATIC / "index.html").read_text("utf-8")
    except OSError as e:
        raise Refused(
            404,
            "the page has not been built",
            "from source: npm ci && npm run build, in the folder web",
        ) from e
    return HTMLResponse(
        text,
        headers={"Content-Security-Policy": page_policy(), "Cache-Control": "no-cache"},
    )

"""What the server is, how it feels, and who may use it."""

from __future__ import annotations

import asyncio

from fastapi import Request, Response

from earmark.library import AUDIO_EXTENSIONS
from earmark.version import __version__
from earmark.web import recipes
from earmark.web.auth import COOKIE, LIFETIME_S, address_of
from earmark.web.faults import Refused
from earmark.web.metrics import CONTENT_TYPE
from earmark.web.routes import refusals, router
from earmark.web.schemas.common import Health, Info, Limits, Token
from earmark.web.services import ServicesDep

routes = router("system")

_WRONG_TOKEN_S = 0.5


@routes.get("/health", responses={503: {"model": Health}})
def health(request: Request, response: Response, services: ServicesDep) -> Health:
    """Whether the server is up. Needs no token."""
    if services.stopping:
        response.status_code = 503
    return Health(
        status="stopping" if services.stopping else "ok",
        version=__version__,
        token_required=services.auth.required,
        signed_in=services.auth.is_signed_in(request.scope),
    )


@routes.get("/info")
def info(services: ServicesDep) -> Info:
    """What this server may do, and how much it takes."""
    bounds = services.settings.bounds
    return Info(
        version=__version__,
        allow_write=services.settings.allow_write,
        can_train=[recipe.name for recipe in recipes.summaries() if not recipe.missing_extra],
        limits=Limits(
            max_files=bounds.max_files,
            max_upload_bytes=bounds.max_upload_bytes,
            max_request_bytes=bounds.max_request_bytes,
            max_duration_s=bounds.max_duration_s,
            max_overview_s=bounds.max_overview_s,
            kept_s=bounds.kept_s,
        ),
        formats=sorted(AUDIO_EXTENSIONS),
        n_workers=services.settings.n_workers,
    )


@routes.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(services: ServicesDep) -> Response:
    """Counters in Prometheus' text format."""
    sql = "SELECT state, count(*) FROM jobs GROUP BY state"
    jobs = dict(await services.jobs.stored(lambda store: store.query(sql)))
    return Response(services.metrics.text(jobs), media_type=CONTENT_TYPE)


@routes.post("/session", status_code=204, responses=refusals(401))
async def sign_in(
    token: Token, request: Request, response: Response, services: ServicesDep
) -> None:
    """Exchange the token for a cookie, which streams and players in a browser can bring."""
    if not services.auth.required:
        return
    if not services.auth.is_token(token.token, address_of(request.scope)):
        await asyncio.sleep(_WRONG_TOKEN_S)
        raise Refused(401, "that is not the token", "it was shown when the server started")
    response.set_cookie(
        COOKIE,
        services.auth.new_cookie(),
        max_age=LIFETIME_S,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
        path="/",
    )


@routes.delete("/session", status_code=204)
async def sign_out(request: Request, response: Response, services: ServicesDep) -> None:
    """Forget the cookie, which is no longer good for anybody."""
    if services.auth.sign_out(request.scope):
        await services.jobs.stored(services.auth.remember)
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")

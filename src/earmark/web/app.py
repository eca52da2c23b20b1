"""The application put together."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI

from earmark.version import __version__
from earmark.web import faults
from earmark.web.connections import Places
from earmark.web.guard import Guard
from earmark.web.limits import BodyLimits, Lingering
from earmark.web.metrics import Measured
from earmark.web.routes import (
    PREFIX,
    docs,
    jobs,
    journal,
    libraries,
    listening,
    models,
    page,
    plans,
    system,
)
from earmark.web.services import Services
from earmark.web.settings import WebSettings


def create_app(settings: WebSettings) -> FastAPI:
    """The API and the page as an ASGI application; its parts start with its lifespan."""
    services = Services(settings)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with services.running():
            yield

    app = FastAPI(
        title="Earmark",
        version=__version__,
        description="Says the genre of music, and why; plans and writes genre tags.",
        lifespan=lifespan,
        openapi_url=f"{PREFIX}/openapi.json",
        # Their pages load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        separate_input_output_schemas=False,
    )
    app.state.services = services
    faults.install(app)
    for part in (system, models, listening, libraries, jobs, plans, journal, docs, page):
        app.include_router(part.routes)
    # The last one added is the first to see a request.
    app.add_middleware(BodyLimits, bounds=settings.bounds)
    app.add_middleware(Guard, settings=settings, auth=services.auth)
    app.add_middleware(Lingering)
    app.add_middleware(Measured, metrics=services.metrics)
    app.add_middleware(Places, bounds=settings.bounds)
    return app

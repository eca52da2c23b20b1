"""All that the routes share, made once for an application."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, TypeVar

from fastapi import Depends, Request

from earmark.errors import LibraryError
from earmark.library import Catalogue
from earmark.locking import try_lock
from earmark.models.bundle import Bundle
from earmark.web.auth import Auth
from earmark.web.cache import Cache
from earmark.web.faults import Refused
from earmark.web.jobs.queue import Jobs
from earmark.web.metrics import Metrics
from earmark.web.models import Models
from earmark.web.roots import Roots
from earmark.web.settings import WebSettings
from earmark.web.store import Store
from earmark.web.uploads import Uploads
from earmark.web.workers import ServerWorkers

T = TypeVar("T")


class Services:
    """The parts of a running server.

    Attributes
    ----------
    stopping : bool
        Set as soon as the server is told to stop, before its last answers are out.
    """

    def __init__(self, settings: WebSettings) -> None:
        self.settings = settings
        self.roots = Roots(settings.libraries)
        self.auth = Auth(settings.token)
        self.models = Models(settings)
        self.workers = ServerWorkers(settings)
        self.uploads = Uploads(settings.home / "uploads", settings.bounds)
        self.cache = Cache(settings.home / "cache", self.workers)
        self.jobs = Jobs(settings, self.roots)
        self.metrics = Metrics()
        self.stopping = False
        self._n_receiving = 0
        self.metrics.watch(
            "waiting_files", "Files that wait for a worker.", lambda: self.workers.n_waiting
        )
        self.metrics.watch(
            "kept_upload_bytes", "Bytes of uploads kept.", lambda: self.uploads.n_bytes
        )

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start all parts, and stop them; to be used within `claimed`."""
        self.uploads.start()
        self.workers.start()
        await self.jobs.stored(self.models.start)
        await self.jobs.stored(self.auth.start)
        await self.jobs.start()
        try:
            yield
        finally:
            self.begin_stop()
            await self.jobs.stop()
            await self.workers.stop()
            await self.uploads.stop()

    def begin_stop(self) -> None:
        """The server is about to stop: streams end, nothing new is begun."""
        self.stopping = True
        self.jobs.begin_stop()

    def open_catalogue(self) -> Catalogue:
        """A catalogue for one request; it belongs to the thread that opens it."""
        return Catalogue.open(self.settings.catalogue)

    async def with_catalogue(self, work: Callable[[Catalogue], T]) -> T:
        """Do something with the catalogue, away from the event loop."""

        def do() -> T:
            with self.open_catalogue() as catalogue:
                return work(catalogue)

        return await asyncio.to_thread(do)

    async def model(self, model_id: str | None) -> Bundle:
        """The model named, or the one in use."""
        return await asyncio.to_thread(self.models.choose, model_id)

    @contextlib.asynccontextmanager
    async def receiving(self) -> AsyncIterator[None]:
        """A place among the requests that bring files.

        Raises
        ------
        Refused
            There is none (503).
        """
        if self.stopping or self._n_receiving >= self.settings.bounds.n_uploads:
            raise Refused(503, "too many uploads at a time", retry_after_s=2, close=True)
        self._n_receiving += 1
        try:
            yield
        finally:
            self._n_receiving -= 1

    def require_write(self) -> None:
        """Refuse what would write to music files unless that was allowed at the start."""
        if not self.settings.allow_write:
            raise Refused(
                403,
                "this server may not write tags",
                "start it with --allow-write",
                code="read_only",
            )


@contextlib.contextmanager
def claimed(settings: WebSettings) -> Iterator[None]:
    """Make the data folder ready, and keep other servers out of it meanwhile.

    Raises
    ------
    LibraryError
        Another server uses it, or it cannot be written.
    """
    home = settings.home
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = try_lock(home / ".lock")
    except OSError as e:
        raise LibraryError(f"{home} cannot be written: {e.strerror}") from e
    if lock is None:
        raise LibraryError(
            f"another earmark serve is using {home}",
            "stop it, or choose another data folder with EARMARK_HOME",
        )
    try:
        # Workers open it for reading, and then it has to be there.
        Catalogue.open(settings.catalogue).close()
        Store.open(home / "web.sqlite").close()
        yield
    finally:
        lock.release()


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(_services)]
"""What a route declares to get the services."""

"""The worker processes that listen: they stay, and nothing that strangers send is decoded outside.

A file that makes a worker hang, crash or eat memory costs that worker, which is replaced.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import TypeVar

from earmark.errors import FileError
from earmark.inference.serving import Served, serve_prediction, warm_up
from earmark.models.bundle import Bundle
from earmark.pool import FilePool
from earmark.web.faults import Refused
from earmark.web.media import TrackOverview, overview, write_cover, write_preview
from earmark.web.settings import WebSettings

T = TypeVar("T")

# Waiting for a worker, of all requests together; what one request may send fits in.
_MOST_WAITING = 1000


class ServerWorkers:
    """Asks the workers. To be used in one event loop."""

    def __init__(self, settings: WebSettings) -> None:
        self._settings = settings
        self._n_waiting = 0
        self._pool: FilePool | None = None
        self._stack = contextlib.ExitStack()
        self._lock = threading.Lock()
        self._warming: asyncio.Future[tuple[FilePool, Future[str]]] | None = None

    def start(self) -> None:
        """Have the workers get ready for the first file, without waiting for them."""
        model = self._settings.model
        work = partial(warm_up, bundle_path=model.path)
        self._warming = asyncio.get_running_loop().run_in_executor(None, self._submit, work, "")

    async def predict(self, path: Path | str, bundle: Bundle, catalogue: Path | None) -> Served:
        """Slice probabilities of one file.

        Raises
        ------
        FileError
            The file cannot be used.
        EarmarkError
            The model cannot be used, or there are no workers.
        Refused
            Too many are waiting (503).
        """
        bounds = self._settings.bounds
        work = partial(
            serve_prediction,
            bundle_path=bundle.path,
            model_id=bundle.model_id,
            catalogue_path=catalogue,
            max_duration_s=bounds.max_duration_s,
        )
        return await self._ask(work, str(path))

    async def overview(self, path: Path | str) -> TrackOverview:
        """Spectrogram and peaks of one file; raises as `predict`."""
        return await self._ask(partial(overview, max_s=self._settings.bounds.max_overview_s), path)

    async def write_preview(self, path: Path | str, target: Path) -> None:
        """The sound of a file in a form that browsers play; raises as `predict`."""
        most = self._settings.bounds.max_overview_s
        await self._ask(partial(write_preview, target=target, max_s=most), path)

    async def write_cover(self, path: Path | str, target: Path) -> None:
        """The picture in a file, an empty one where there is none; raises as `predict`."""
        await self._ask(partial(write_cover, target=target), path)

    async def stop(self) -> None:
        """End the workers, whatever they are doing."""
        await asyncio.to_thread(self._drop, self._pool)

    @property
    def n_waiting(self) -> int:
        """Files that are listened to, or wait for it."""
        return self._n_waiting

    async def _ask(self, work: Callable[[str], T], path: Path | str) -> T:
        if self._n_waiting >= _MOST_WAITING:
            raise Refused(503, "too much is waiting to be listened to", retry_after_s=10)
        self._n_waiting += 1
        name = str(path)
        try:
            if self._warming is None or self._warming.done():
                pool, future = self._submit(work, name)
            else:  # the workers are being started, which takes a while
                pool, future = await asyncio.to_thread(self._submit, work, name)
            done = asyncio.wrap_future(future)
            await asyncio.wait([done])
            if done.cancelled():  # the workers were ended
                raise Refused(503, "listening was broken off", retry_after_s=5)
            if isinstance(done.exception(), BrokenProcessPool):
                # The next file gets new workers.
                await asyncio.to_thread(self._drop, pool)
            outcome = pool.outcome(future, name)
            if isinstance(outcome, FileError):
                raise outcome
            return outcome
        finally:
            self._n_waiting -= 1

    def _submit(self, work: Callable[[str], T], path: str) -> tuple[FilePool, Future[T]]:
        with self._lock:
            if self._pool is None:
                self._pool = self._stack.enter_context(
                    FilePool(
                        self._settings.n_workers,
                        time_limit_s=self._settings.bounds.time_limit_s,
                        memory_limit_bytes=self._settings.bounds.memory_bytes,
                    )
                )
            return self._pool, self._pool.submit(work, path)

    def _drop(self, pool: FilePool | None) -> None:
        with self._lock:
            if pool is not None and self._pool is pool:
                self._pool = None
                self._stack.close()

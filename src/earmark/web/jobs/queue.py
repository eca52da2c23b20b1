"""Long work: a queue in the store, a process for each job, and those who watch.

A job outlives the page, and the server too: what runs when the server stops, or dies, is queued
again by the next one. The workflows make that cheap: what was listened to is remembered, a
training goes on from its last epoch, and the journal knows what was written.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from earmark import jsontext
from earmark.errors import LibraryError
from earmark.web.faults import Refused, not_found
from earmark.web.jobs import CANCEL, STOP
from earmark.web.roots import Root, Roots
from earmark.web.settings import WebSettings
from earmark.web.store import ACTIVE, FINISHED, EventRow, JobRow, Store

T = TypeVar("T")

log = logging.getLogger("earmark.web")

# Writing and planning wait for each other; a training of hours makes neither wait.
_LANES = {
    **dict.fromkeys(("scan", "plan", "apply", "undo"), "library"),
    **dict.fromkeys(("train", "evaluate"), "learning"),
}
_MOST_QUEUED = 50
_MOST_KEPT = 500
_GRACE_S = 20.0
_HEARTBEAT_S = 15.0
_COALESCE_S = 0.2
_LONGEST_LINE = 1 << 20

# Ctrl-C in the server's terminal is the server's business.
_OWN_GROUP: dict[str, Any]
if sys.platform == "win32":
    _OWN_GROUP = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
else:
    _OWN_GROUP = {"start_new_session": True}


@dataclass(slots=True)
class _Running:
    lane: str
    process: asyncio.subprocess.Process | None = None
    progress: dict[str, Any] | None = None
    task: asyncio.Task[None] | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """What a watcher is told: a job's new state, its progress, an event, or nothing in a while."""

    job: JobRow | None = None
    progress: dict[str, Any] | None = None
    event: EventRow | None = None


@dataclass(slots=True)
class Jobs:
    """All jobs. To be used in one event loop."""

    settings: WebSettings
    roots: Roots
    _running: dict[int, _Running] = field(default_factory=dict)
    _watchers: dict[int, set[asyncio.Event]] = field(default_factory=dict)
    _stopping: bool = False

    async def start(self) -> None:
        """Queue what an earlier server left unfinished, and begin."""

        def take_over(store: Store) -> None:
            sql = "UPDATE jobs SET state = 'queued', result = NULL WHERE state = 'running'"
            store.change(sql)
            sql = "UPDATE jobs SET state = 'cancelled', finished_at = ? WHERE state = 'cancelling'"
            store.change(sql, time.time())
            sql = f"DELETE FROM jobs WHERE state IN {FINISHED} AND job_id NOT IN"
            store.change(f"{sql} (SELECT job_id FROM jobs ORDER BY job_id DESC LIMIT {_MOST_KEPT})")

        await self.stored(take_over)
        await self._pump()

    def begin_stop(self) -> None:
        """Let watchers go, so that their connections end; no job is started any more."""
        self._stopping = True
        for events in self._watchers.values():
            for event in events:
                event.set()

    async def stop(self) -> None:
        """Tell what runs to stop, and wait until it has."""
        self.begin_stop()
        tasks = [running.task for running in self._running.values() if running.task]
        for running in self._running.values():
            _tell(running.process, STOP)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=_GRACE_S)
            for running in self._running.values():
                if running.task in late:
                    _kill(running.process)
            if late:
                await asyncio.wait(late)

    async def stored(self, work: Callable[[Store], T]) -> T:
        """Do something with the store, away from the event loop."""

        def do() -> T:
            with Store.open(self.settings.home / "web.sqlite") as store:
                return work(store)

        return await asyncio.to_thread(do)

    async def submit(
        self, kind: str, root: Root, title: str, request: dict[str, Any], *, alone: str = ""
    ) -> JobRow:
        """Queue a job.

        Parameters
        ----------
        alone : str
            Key of `request` that no other unfinished job of this kind may share.

        Raises
        ------
        Refused
            Such a job is under way (409), or too many are (503).
        """
        if self._stopping:
            raise Refused(503, "the server is stopping", retry_after_s=10)

        def add(store: Store) -> JobRow:
            with store.transaction():
                waiting = store.jobs(f"state IN {ACTIVE}")
                if len(waiting) >= _MOST_QUEUED:
                    raise Refused(503, "too many jobs are waiting", retry_after_s=60)
                for job in waiting:
                    if alone and job.kind == kind and job.request[alone] == request[alone]:
                        raise Refused(409, f"job {job.job_id} is at it already")
                job_id = store.add_job(kind, root.path, title, request)
            added = store.job(job_id)
            assert added is not None
            return added

        job = await self.stored(add)
        await self._pump()
        return job

    async def get(self, job_id: int) -> JobRow:
        job = await self.stored(lambda store: store.job(job_id))
        if job is None:
            raise not_found("such job")
        return job

    def progress(self, job_id: int) -> dict[str, Any] | None:
        """Where a running job is."""
        running = self._running.get(job_id)
        return running.progress if running else None

    async def cancel(self, job_id: int) -> JobRow:
        """Ask a job to end; one that has ended stays as it is."""
        job = await self.get(job_id)

        def mark(store: Store) -> bool:
            if store.move_job(job_id, ["queued"], "cancelled", finished_at=time.time()):
                return False
            return store.move_job(job_id, ["running"], "cancelling")

        if job.state in ACTIVE and await self.stored(mark):
            running = self._running.get(job_id)
            if running:
                _tell(running.process, CANCEL)
        self._notify(job_id)
        return await self.get(job_id)

    async def watch(self, job_id: int, after: int) -> AsyncGenerator[Sent, None]:
        """What happens to a job, from the event after that number on, until it has ended.

        Raises
        ------
        Refused
            There is no such job (404), or too many watch (503).
        """
        job = await self.get(job_id)
        if sum(map(len, self._watchers.values())) >= self.settings.bounds.n_events:
            raise Refused(503, "too many are watching", retry_after_s=5)
        changed = asyncio.Event()
        self._watchers.setdefault(job_id, set()).add(changed)
        try:
            async for sent in self._watched(job, after, changed):
                yield sent
        finally:
            self._watchers[job_id].discard(changed)
            if not self._watchers[job_id]:
                del self._watchers[job_id]

    async def _watched(
        self, job: JobRow, after: int, changed: asyncio.Event
    ) -> AsyncIterator[Sent]:
        told_state, told_progress = "", None
        while True:
            changed.clear()
            job, events = await self.stored(partial(_news, job_id=job.job_id, after=after))
            over = job.state in FINISHED
            if job.state != told_state and not over:
                told_state = job.state
                yield Sent(job=job)
            for event in events:
                after = event.seq
                yield Sent(event=event)
            if events:
                continue
            if over:
                yield Sent(job=job)
                return
            progress = self.progress(job.job_id)
            if progress is not told_progress:
                told_progress = progress
                yield Sent(progress=progress)
            if self._stopping:
                return
            try:
                async with asyncio.timeout(_HEARTBEAT_S):
                    await changed.wait()
            except TimeoutError:
                yield Sent()
            else:
                await asyncio.sleep(_COALESCE_S)

    def _notify(self, job_id: int) -> None:
        for event in self._watchers.get(job_id, ()):
            event.set()

    async def _pump(self) -> None:
        """Start the oldest job of each lane in which none runs."""
        if self._stopping:
            return
        queued = await self.stored(lambda store: store.jobs("state = 'queued'"))
        busy = {running.lane for running in self._running.values()}
        for job in reversed(queued):
            lane = _LANES[job.kind]
            if lane not in busy and job.job_id not in self._running:
                busy.add(lane)
                running = self._running[job.job_id] = _Running(lane)
                running.task = asyncio.create_task(self._run(job, running))

    async def _run(self, job: JobRow, running: _Running) -> None:
        try:
            if await self.stored(lambda store: _begin(store, job)):
                self._notify(job.job_id)
                reason = await self._do(job, running)
                await self.stored(lambda store: self._settle(store, job.job_id, reason))
        except (OSError, LibraryError) as e:
            log.error("job %d cannot be run: %s", job.job_id, e)
            reason = str(e)
            with contextlib.suppress(LibraryError):
                await self.stored(lambda store: self._settle(store, job.job_id, reason))
        finally:
            del self._running[job.job_id]
            self._notify(job.job_id)
        await self._pump()

    async def _do(self, job: JobRow, running: _Running) -> str:
        """Run the job's process to its end; what to say where the store does not say it."""
        root = self.roots.of(job.root)
        if root is None:
            return "its library is not served any more"
        running.process = process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "earmark.web.jobs.process"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LONGEST_LINE,
            **_OWN_GROUP,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        order = {
            "store": str(self.settings.home / "web.sqlite"),
            "data_dir": str(self.settings.data_dir),
            "job_id": job.job_id,
            "library_id": root.library_id,
            "n_workers": self.settings.n_workers,
            "time_limit_s": self.settings.file_time_limit_s,
        }
        process.stdin.write(jsontext.dumps(order).encode() + b"\n")
        with contextlib.suppress(ConnectionError):
            # It stays open: should this server die, its end tells the process so.
            await process.stdin.drain()
        # Between the state and the process, somebody may have cancelled or stopped.
        if self._stopping:
            _tell(process, STOP)
        elif (await self.get(job.job_id)).state == "cancelling":
            _tell(process, CANCEL)
        try:
            async for line in process.stdout:
                message = json.loads(line)
                if "progress" in message:
                    running.progress = message["progress"]
                self._notify(job.job_id)
        except ValueError as e:  # cut short by a signal, or longer than any of ours
            log.error("job %d says what cannot be read: %s", job.job_id, e)
            _tell(process, STOP)
        code = await process.wait()
        return f"its process ended unexpectedly (exit code {code}); the server's log may say why"

    def _settle(self, store: Store, job_id: int, reason: str) -> None:
        """Give a job whose process has ended a state, unless the process has done so."""
        now = time.time()
        if store.move_job(job_id, ["cancelling"], "cancelled", finished_at=now):
            return
        if self._stopping:
            store.move_job(job_id, ["running"], "queued")
        else:
            store.move_job(job_id, ["running"], "failed", finished_at=now, error=reason)


def _begin(store: Store, job: JobRow) -> bool:
    """Mark a queued job as running; False if it was cancelled meanwhile."""
    return store.move_job(
        job.job_id,
        ["queued"],
        "running",
        started_at=job.started_at or time.time(),
        n_starts=job.n_starts + 1,
        n_skipped=0,
        result=None,
    )


def _news(store: Store, job_id: int, after: int) -> tuple[JobRow, list[EventRow]]:
    # The job first: what it said before it ended is then among the events.
    job = store.job(job_id)
    assert job is not None
    return job, store.events(job_id, after)


def _tell(process: asyncio.subprocess.Process | None, word: bytes) -> None:
    """Say something to a process that still listens; see `earmark.web.jobs.process`."""
    if process is not None and process.returncode is None and process.stdin is not None:
        process.stdin.write(word + b"\n")


def _kill(process: asyncio.subprocess.Process | None) -> None:
    """End a process at once, and where the system has groups of processes, its workers with it."""
    if process is None or process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)

"""The process of one job: ``python -m earmark.web.work``, started by `earmark.web.jobs`.

What it is to do comes as a line of JSON on its input, whose end means that the server is gone. On
its output it says, in lines of JSON, how far it is, and that there are new events in the store.
SIGINT means that the job is not wanted any more; SIGTERM that it will be taken up again later.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

from earmark import jsontext
from earmark.errors import EarmarkError
from earmark.training.settings import Epoch
from earmark.web.chores import CHORES, Chore
from earmark.web.faults import readable
from earmark.web.store import JobRow, Store
from earmark.workflows.events import Event, FileSkipped, Note, Progress, Workflow

TO_BE_CONTINUED = 75
"""Exit code of a job that was told to stop and will be taken up again."""

_PROGRESS_S = 0.2
# Of a library of broken files, so many are named; all are counted.
_MOST_SKIPPED = 5000


class _Postponed(BaseException):
    """The server shuts down."""


def main() -> None:
    """Do one job; exit code 0 when the store says how it ended."""
    told = _Told()
    order = json.loads(sys.stdin.readline())
    threading.Thread(target=_outlive_nobody, daemon=True).start()
    with Store.open(Path(order["store"])) as store:
        job = store.job(int(order["job_id"]))
        assert job is not None
        try:
            with _signals(job):
                result = _do(store, job, Chore.from_order(order, job), told)
        except _Postponed:
            sys.exit(TO_BE_CONTINUED)
        except KeyboardInterrupt:
            sys.exit(130)
        except EarmarkError as e:
            _finish(store, job, "failed", error=readable(str(e)))
        else:
            interrupted = bool(result.get("interrupted"))
            store.set_job(job.job_id, result=result)
            if not interrupted:
                _finish(store, job, "done")


def _outlive_nobody() -> None:
    """Stop when the server dies without a word: the next one takes the job up again."""
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _finish(store: Store, job: JobRow, state: str, **columns: Any) -> None:
    store.set_job(job.job_id, state=state, finished_at=time.time(), **columns)


def _do(store: Store, job: JobRow, chore: Chore, told: _Told) -> dict[str, Any]:
    """Run the workflow to its end, passing on what it says; an interrupt is thrown into it."""
    flow: Workflow[dict[str, Any]] = CHORES[job.kind](store, chore)
    n_skipped = 0
    pending: KeyboardInterrupt | None = None
    try:
        while True:
            try:
                event = flow.throw(pending) if pending else next(flow)
                pending = None
                if isinstance(event, FileSkipped):
                    n_skipped += 1
                    store.set_job(job.job_id, n_skipped=n_skipped)
                if isinstance(event, Progress):
                    told.progress(chore, event)
                elif n_skipped <= _MOST_SKIPPED or not isinstance(event, FileSkipped):
                    store.add_event(job.job_id, *_stored(chore, event))
                    told.news()
            except StopIteration as stop:
                result: dict[str, Any] = stop.value
                return result
            except KeyboardInterrupt as interrupt:
                if inspect.getgeneratorstate(flow) == inspect.GEN_CLOSED:
                    raise
                pending = interrupt
    finally:
        # Workers are ended before this process is.
        flow.close()


def _stored(chore: Chore, event: Event) -> tuple[str, dict[str, Any]]:
    if isinstance(event, FileSkipped):
        return "skipped", {"path": chore.shown(event.path), "reason": readable(event.reason)}
    if isinstance(event, Note):
        return "note", {"text": readable(event.text)}
    assert isinstance(event, Epoch)
    return "epoch", dataclasses.asdict(event)


class _Told:
    """Lines for the server. What libraries print goes to stderr instead."""

    def __init__(self) -> None:
        self._out = os.dup(1)
        os.dup2(2, 1)
        self._next_s = 0.0
        self._stage = ""

    def progress(self, chore: Chore, event: Progress) -> None:
        now = time.monotonic()
        last = event.done == event.total
        if event.stage == self._stage and now < self._next_s and not last:
            return
        self._stage, self._next_s = event.stage, now + _PROGRESS_S
        values = dataclasses.asdict(event) | {"label": chore.shown(event.label)}
        self._say({"progress": values})

    def news(self) -> None:
        self._say({"news": True})

    def _say(self, message: dict[str, Any]) -> None:
        try:
            # At once, or not at all: a signal may come in between.
            os.write(self._out, jsontext.dumps(message).encode("ascii") + b"\n")
        except BrokenPipeError:
            # The server is gone without a word; another takes the job up again.
            raise _Postponed from None


@contextmanager
def _signals(job: JobRow) -> Iterator[None]:
    def cancel(*_: object) -> NoReturn:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise KeyboardInterrupt

    def postpone(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if job.kind not in ("apply", "undo"):
            raise _Postponed
        signal.raise_signal(signal.SIGINT)  # they know how to end after the file at hand

    signal.signal(signal.SIGINT, cancel)
    signal.signal(signal.SIGTERM, postpone)
    try:
        yield
    finally:
        with suppress(ValueError):
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)


if __name__ == "__main__":
    main()

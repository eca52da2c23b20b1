"""The process of one job, started by `earmark.web.jobs.queue`.

What it is to do comes as a line of JSON on its input. A line `CANCEL` after that means that the
job is not wanted any more; `STOP`, or the end of the input as the server is gone, that it will be
taken up again later. SIGINT and SIGTERM mean the same. On its output it says, in lines of JSON, how
far it is, and that there are new events in the store.
"""

from __future__ import annotations

import _thread
import dataclasses
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
from earmark.events import Epoch, Event, FileSkipped, Note, Progress, Workflow, run
from earmark.web.faults import readable
from earmark.web.jobs import CANCEL
from earmark.web.jobs.tasks import TASKS, Task
from earmark.web.store import JobRow, Store

TO_BE_CONTINUED = 75
"""Exit code of a job that was told to stop and will be taken up again."""

_PROGRESS_S = 0.2
# Of a library of broken files, so many are named; all are counted.
_MOST_SKIPPED = 5000


class _Postponed(BaseException):
    """The server shuts down."""


def main() -> None:
    """Do one job; exit code 0 when the store says how it ended."""
    output = _Output()
    lines = _lines()
    order = json.loads(next(lines))
    with Store.open(Path(order["store"])) as store:
        job = store.job(int(order["job_id"]))
        assert job is not None
        try:
            with _signals(job):
                threading.Thread(target=_obey, args=(lines,), daemon=True).start()
                result = _do(store, job, Task.from_order(order, job), output)
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


def _lines() -> Iterator[bytes]:
    """Lines of the server's as they come. Unbuffered: an exit waits for who reads `sys.stdin`."""
    pending = b""
    while chunk := os.read(0, 1 << 16):
        *lines, pending = (pending + chunk).split(b"\n")
        yield from lines


def _obey(lines: Iterator[bytes]) -> None:
    """Interrupt the job when the server says so, or dies without a word."""
    for line in lines:
        _interrupt(signal.SIGINT if line == CANCEL else signal.SIGTERM)
    _interrupt(signal.SIGTERM)


def _interrupt(number: signal.Signals) -> None:
    """Have the main thread handle a signal, out of what it waits for where the system can."""
    if sys.platform == "win32":  # where sending it would end the process
        _thread.interrupt_main(number)
    else:
        os.kill(os.getpid(), number)


def _finish(store: Store, job: JobRow, state: str, **columns: Any) -> None:
    store.set_job(job.job_id, state=state, finished_at=time.time(), **columns)


def _do(store: Store, job: JobRow, task: Task, output: _Output) -> dict[str, Any]:
    """Run the workflow to its end, passing on what it says; an interrupt is thrown into it."""
    flow: Workflow[dict[str, Any]] = TASKS[job.kind](store, task)
    n_skipped = 0

    def on_event(event: Event) -> None:
        nonlocal n_skipped
        if isinstance(event, FileSkipped):
            n_skipped += 1
            store.set_job(job.job_id, n_skipped=n_skipped)
        if isinstance(event, Progress):
            output.progress(task, event)
        elif n_skipped <= _MOST_SKIPPED or not isinstance(event, FileSkipped):
            store.add_event(job.job_id, *_stored(task, event))
            output.news()

    try:
        return run(flow, on_event)
    finally:
        # Workers are ended before this process is.
        flow.close()


def _stored(task: Task, event: Event) -> tuple[str, dict[str, Any]]:
    if isinstance(event, FileSkipped):
        return "skipped", {"path": task.shown(event.path), "reason": readable(event.reason)}
    if isinstance(event, Note):
        about = f"{task.shown(event.path)}: " if event.path else ""
        return "note", {"text": readable(about + event.text)}
    assert isinstance(event, Epoch)
    return "epoch", dataclasses.asdict(event)


class _Output:
    """Lines for the server. What libraries print goes to stderr instead."""

    def __init__(self) -> None:
        self._out = os.dup(1)
        os.dup2(2, 1)
        self._next_s = 0.0
        self._stage = ""

    def progress(self, task: Task, event: Progress) -> None:
        now = time.monotonic()
        last = event.done == event.total
        if event.stage == self._stage and now < self._next_s and not last:
            return
        self._stage, self._next_s = event.stage, now + _PROGRESS_S
        values = dataclasses.asdict(event) | {"label": task.shown(event.label)}
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

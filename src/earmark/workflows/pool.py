"""Worker processes that a bad file cannot take down.

Every file is worked on in a process of its own choosing, under a time limit. One whose decoder
crashes or hangs costs that worker, which is replaced, and that file, which is reported.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from itertools import islice
from multiprocessing import resource_tracker
from multiprocessing.context import SpawnContext
from multiprocessing.synchronize import RLock
from typing import Any, TypeVar

from pebble import ProcessExpired, ProcessPool

from earmark.errors import AudioError, EarmarkError, FileError

T = TypeVar("T")

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

# Why the initializer failed in this worker process, if it did.
_unready: EarmarkError | None = None


class _UnreadyError(Exception):
    """Carries what the initializer failed with to the parent; no file is at fault."""


class _KeepingLocks(SpawnContext):
    """Spawns workers, and keeps their locks for as long as this context is there.

    A lock's name is gone as soon as the parent drops it. The pool does so before it ends its
    workers, and one that was still starting would complain that it cannot find its lock.
    """

    def __init__(self) -> None:
        super().__init__()
        self._locks: list[RLock] = []

    def RLock(self) -> RLock:  # noqa: N802 - the base class's name
        lock = super().RLock()
        self._locks.append(lock)
        return lock


def map_files(
    work: Callable[[str], T],
    paths: Iterable[str],
    *,
    n_workers: int,
    time_limit_s: float,
    initializer: Callable[..., None] | None = None,
    initargs: tuple[Any, ...] = (),
) -> Iterator[tuple[str, T | FileError]]:
    """Call `work` on every path in worker processes; yields pairs as they are done.

    Parameters
    ----------
    work : callable
        Importable by name; may raise `FileError`.
    paths : iterable of str
        Drawn from only as workers get free.
    n_workers : int
        Processes, one thread each.
    time_limit_s : float
        For each file.
    initializer, initargs
        Called once in every worker.

    Yields
    ------
    path : str
    result : T or FileError
        What `work` returned, or why it did not.

    Raises
    ------
    EarmarkError
        What `initializer` raised, or that workers cannot be started.
    """
    # Numerical libraries read these when a worker first loads them: n workers use n cores.
    for name in _ONE_THREAD:
        os.environ.setdefault(name, "1")
    waiting = iter(paths)
    # A short queue keeps workers busy and a library of any size out of memory.
    first = list(islice(waiting, 3 * n_workers))
    if not first:
        return
    context = _KeepingLocks()
    pool = ProcessPool(
        max_workers=min(n_workers, len(first)),
        initializer=partial(_start, initializer, initargs),
        context=context,
    )
    running: dict[Future[Any], str] = {}

    def schedule(paths: Iterable[str]) -> None:
        for path in paths:
            try:
                future = pool.schedule(_run, args=[work, path], timeout=time_limit_s)
            except RuntimeError as e:
                raise _broken() from e
            running[future] = path

    try:
        with _interrupts_held_back():
            schedule(first)  # this starts the workers
        while running:
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                path = running.pop(future)
                outcome = _outcome(future, path, time_limit_s)
                schedule(islice(waiting, 1))
                yield path, outcome
        pool.close()
    finally:
        pool.stop()
        pool.join()


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Processes and threads started meanwhile get no SIGINT, and this thread gets it afterwards.

    Ctrl-C reaches the whole process group; stopping the workers is the parent's business. That a
    worker ignores the signal itself comes too late: until then it has to import much.
    """
    # multiprocessing lets signals through again when it starts this helper of its own.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start(initializer: Callable[..., None] | None, initargs: tuple[Any, ...]) -> None:
    global _unready
    try:
        if initializer is not None:
            initializer(*initargs)
    except EarmarkError as e:
        _unready = e
    except Exception as e:  # noqa: BLE001 - the boundary: reported by the parent, once
        _unready = EarmarkError(
            f"a worker cannot get ready: {type(e).__name__}: {e}", "please report this"
        )


def _run(work: Callable[[str], T], path: str) -> T:
    if _unready is not None:
        raise _UnreadyError(_unready)
    return work(path)


def _broken() -> EarmarkError:
    return EarmarkError(
        "the worker processes cannot be started, or end at once",
        "if memory is short, try fewer --workers",
    )


def _outcome(future: Future[Any], path: str, time_limit_s: float) -> Any | FileError:
    try:
        return future.result()
    except FileError as e:
        return e
    except _UnreadyError as e:
        raise e.args[0] from e
    except BrokenProcessPool as e:
        raise _broken() from e
    except TimeoutError as e:
        error = AudioError(path, f"took longer than {time_limit_s:g} s and was given up")
        error.__cause__ = e
        return error
    except ProcessExpired as e:
        error = AudioError(path, f"the decoder crashed on it (exit code {e.exitcode})")
        error.__cause__ = e
        return error
    except Exception as e:  # noqa: BLE001 - the boundary: no single file may stop a run
        error = AudioError(path, f"unexpected {type(e).__name__}: {e}", "please report this")
        error.__cause__ = e
        return error

"""Worker processes that a bad file cannot take down.

Every file is worked on in a process of its own choosing, under a time limit. One whose decoder
crashes or hangs costs that worker, which is replaced, and that file, which is reported.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from functools import partial
from itertools import islice
from multiprocessing import get_context
from typing import Any, TypeVar

from pebble import ProcessExpired, ProcessPool

from earmark.errors import AudioError, FileError

T = TypeVar("T")

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


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
    """
    # Numerical libraries read these when a worker first loads them: n workers use n cores.
    for name in _ONE_THREAD:
        os.environ.setdefault(name, "1")
    waiting = iter(paths)
    pool = ProcessPool(
        max_workers=n_workers,
        initializer=partial(_start, initializer, initargs),
        context=get_context("spawn"),
    )
    running: dict[Future[Any], str] = {}

    def schedule(n: int) -> None:
        for path in islice(waiting, n):
            running[pool.schedule(work, args=[path], timeout=time_limit_s)] = path

    try:
        # A short queue keeps workers busy and a library of any size out of memory.
        schedule(3 * n_workers)
        while running:
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                path = running.pop(future)
                schedule(1)
                yield path, _outcome(future, path, time_limit_s)
        pool.close()
    finally:
        pool.stop()
        pool.join()


def _start(initializer: Callable[..., None] | None, initargs: tuple[Any, ...]) -> None:
    # Ctrl-C reaches the whole process group; stopping the workers is the parent's business.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if initializer is not None:
        initializer(*initargs)


def _outcome(future: Future[Any], path: str, time_limit_s: float) -> Any | FileError:
    try:
        return future.result()
    except FileError as e:
        return e
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

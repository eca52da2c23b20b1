"""Worker processes that a bad file cannot take down.

Every file is worked on in a process of its own choosing, under a time limit. One whose decoder
crashes or hangs costs that worker, which is replaced, and that file, which is reported.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from itertools import islice
from multiprocessing import resource_tracker
from multiprocessing.context import SpawnContext
from multiprocessing.synchronize import RLock
from pathlib import Path
from typing import Any, Self, TypeVar, cast

from pebble import ProcessExpired, ProcessPool

from earmark.children import check_can_start
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


class FilePool:
    """Worker processes for files; a context manager that ends them.

    Parameters
    ----------
    n_workers : int
        Processes, one thread each. They start with the first file.
    time_limit_s : float
        For each file.
    memory_limit_bytes : int, optional
        How much more memory a worker may take for a file than it holds when it is ready. Kept on
        Linux only.
    initializer, initargs
        Called once in every worker.
    """

    def __init__(
        self,
        n_workers: int,
        *,
        time_limit_s: float,
        memory_limit_bytes: int | None = None,
        initializer: Callable[..., None] | None = None,
        initargs: tuple[Any, ...] = (),
    ) -> None:
        # Numerical libraries read these when a worker first loads them: n workers use n cores.
        for name in _ONE_THREAD:
            os.environ.setdefault(name, "1")
        self.n_workers = n_workers
        self._time_limit_s = time_limit_s
        self._started = False
        self._pool = ProcessPool(
            max_workers=n_workers,
            initializer=partial(_start, initializer, initargs, memory_limit_bytes),
            context=cast(Any, _KeepingLocks()),  # typeshed has another Pipe on Windows
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @property
    def is_whole(self) -> bool:
        """Whether none of its processes has died for itself."""
        return bool(self._pool.active)

    def close(self) -> None:
        """End the processes, whatever they are doing."""
        self._pool.stop()
        self._pool.join()

    def submit(self, work: Callable[[str], T], path: str) -> Future[T]:
        """Have `work`, which can be pickled, called on `path`; see `outcome`.

        Raises
        ------
        EarmarkError
            The workers cannot be started.
        """
        with contextlib.nullcontext() if self._started else _interrupts_held_back():
            try:
                future: Future[T] = self._pool.schedule(
                    _run, args=[work, path], timeout=self._time_limit_s
                )
            except RuntimeError as e:
                raise _broken() from e
        self._started = True
        return future

    def outcome(self, future: Future[T], path: str) -> T | FileError:
        """What became of a file that was submitted, as soon as it is known.

        Raises
        ------
        EarmarkError
            What `initializer` raised, or that workers cannot be started.
        """
        return _outcome(future, path, self._time_limit_s)


class Workers:
    """Worker processes for one job after another; a context manager that ends them.

    They start with the first file, stay for the next call that needs them ready in the same way,
    and are replaced for one that does not.

    Parameters
    ----------
    n_workers, time_limit_s, memory_limit_bytes
        See `FilePool`.
    """

    def __init__(
        self, n_workers: int, *, time_limit_s: float, memory_limit_bytes: int | None = None
    ) -> None:
        self.n_workers, self.time_limit_s = n_workers, time_limit_s
        self.memory_limit_bytes = memory_limit_bytes
        self._idle: tuple[FilePool, object] | None = None
        self._busy: list[FilePool] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """End the processes, also those at work; the next call starts new ones."""
        self._drop_idle()
        while self._busy:
            self._busy.pop().close()

    def _drop_idle(self) -> None:
        if self._idle is not None:
            pool, self._idle = self._idle[0], None
            pool.close()

    def map(
        self,
        work: Callable[[str], T],
        paths: Iterable[str],
        *,
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
        initializer, initargs
            Called once in every worker before its first file.

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
        waiting = iter(paths)
        # A short queue keeps workers busy and a library of any size out of memory.
        first = list(islice(waiting, 3 * self.n_workers))
        if not first:
            return
        with self._pool(min(self.n_workers, len(first)), initializer, initargs) as pool:
            running: dict[Future[T], str] = {pool.submit(work, path): path for path in first}
            while running:
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    path = running.pop(future)
                    outcome = pool.outcome(future, path)
                    for following in islice(waiting, 1):
                        running[pool.submit(work, following)] = following
                    yield path, outcome

    @contextmanager
    def _pool(
        self, size: int, initializer: Callable[..., None] | None, initargs: tuple[Any, ...]
    ) -> Iterator[FilePool]:
        """At least `size` processes that are ready so: those of the last call, or new ones."""
        made_ready_by = (initializer, initargs)
        # Taken while it is in use: a call within this one gets processes of its own.
        idle, self._idle = self._idle, None
        if idle is not None and not (
            idle[0].is_whole and idle[1] == made_ready_by and idle[0].n_workers >= size
        ):
            idle[0].close()
            idle = None
        pool = idle[0] if idle else None
        try:
            if pool is None:
                check_can_start()
                pool = FilePool(
                    size,
                    time_limit_s=self.time_limit_s,
                    memory_limit_bytes=self.memory_limit_bytes,
                    initializer=initializer,
                    initargs=initargs,
                )
            self._busy.append(pool)
            yield pool
        except BaseException:
            # Files are still being worked on, or there are no workers any more.
            if pool is not None:
                pool.close()
            raise
        finally:
            was_closed = pool not in self._busy
            if pool is not None and not was_closed:
                self._busy.remove(pool)
        if not was_closed:
            self._drop_idle()
            self._idle = pool, made_ready_by


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Processes and threads started meanwhile get no SIGINT, and this thread gets it afterwards.

    Ctrl-C reaches the whole process group; stopping the workers is the parent's business. That a
    worker ignores the signal itself comes too late: until then it has to import much.
    """
    if sys.platform == "win32":  # which has no signals to hold back
        yield
        return
    # multiprocessing lets signals through again when it starts this helper of its own.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start(
    initializer: Callable[..., None] | None,
    initargs: tuple[Any, ...],
    memory_limit_bytes: int | None,
) -> None:
    global _unready
    try:
        if initializer is not None:
            initializer(*initargs)
        if memory_limit_bytes is not None:
            _limit_memory(memory_limit_bytes)
    except EarmarkError as e:
        _unready = e
    except Exception as e:  # noqa: BLE001 - the boundary: reported by the parent, once
        _unready = EarmarkError(
            f"a worker cannot get ready: {type(e).__name__}: {e}", "please report this"
        )


def _limit_memory(n_bytes: int) -> None:
    """Let this process take `n_bytes` more than it has; nothing happens but on Linux."""
    if sys.platform != "linux":
        return
    import resource

    status = Path("/proc/self/status").read_text("ascii", "replace")
    lines = dict(line.split(":", 1) for line in status.splitlines())
    limit = int(lines["VmData"].split()[0]) * 1024 + n_bytes
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


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
    except CancelledError as e:
        raise EarmarkError("the worker processes were ended") from e
    except BrokenProcessPool as e:
        raise _broken() from e
    except TimeoutError as e:
        error = AudioError(path, f"took longer than {time_limit_s:g} s and was given up")
        error.__cause__ = e
        return error
    except MemoryError as e:
        error = AudioError(path, "takes more memory than one file may")
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

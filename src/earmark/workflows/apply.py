"""``earmark tag --apply`` and ``earmark undo``: the only verbs that write to music files."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from types import FrameType
from typing import NoReturn, TypeVar

from earmark.errors import FileError, LibraryError
from earmark.events import FileSkipped, Note, Progress, Workflow
from earmark.library import Catalogue
from earmark.tags import Change, ChangeState, Journal, Written, apply_change, undo_change
from earmark.types import TagChange

C = TypeVar("C", TagChange, Change)

OpenCatalogue = Callable[[], AbstractContextManager[Catalogue]]


@dataclass(frozen=True, slots=True)
class ApplyReport:
    """What became of a plan, or of its undoing.

    Attributes
    ----------
    run_id : int
        Number to give to ``earmark undo``.
    n_written, n_already : int
        Files changed, and files that were as they should be.
    skipped : tuple of (str, str)
        Path and reason of files left as they were.
    interrupted : bool
        Ctrl-C came before the last file.
    journal : str
        File that the run is recorded in.
    """

    run_id: int
    n_written: int
    n_already: int
    skipped: tuple[tuple[str, str], ...]
    interrupted: bool = False
    journal: str = ""


def apply_changes(
    changes: Sequence[TagChange],
    journal: Journal,
    catalogue: Catalogue,
    *,
    note: str = "",
    keep_mtime: bool = False,
) -> Workflow[ApplyReport]:
    """Write the changes of a plan, each file on its own; one that cannot be written is skipped.

    Ctrl-C ends it after the file at hand, a second one at once, with that file as it was; the
    report counts what was written.

    Raises
    ------
    LibraryError
        The journal cannot be written, or another run is writing. Files done so far stay done; it
        says how they are taken back.
    """
    tally = _Tally(journal.new_run("tag", note))
    try:
        yield from _each_file(
            changes,
            lambda change: apply_change(journal, tally.run_id, change, keep_mtime=keep_mtime),
            "writing",
            tally,
        )
        if not tally.interrupted:
            journal.finish_run(tally.run_id)
        journal.recover()
        n_written = journal.run(tally.run_id).counts.get(ChangeState.DONE, 0)
    except LibraryError as e:
        yield from tally.stopped(e, journal, "written", "takes them back")
    yield from _refresh(lambda: nullcontext(catalogue), tally.written)
    return replace(tally.report(), n_written=n_written, journal=str(journal.path))


def settled(change: Change, shown: str) -> Note:
    """What is said of a change that `Journal.recover` has settled; `shown` is its path in words."""
    return Note(f"an earlier run was cut off at {shown}: {change.state}")


def undo_run(
    journal: Journal, open_catalogue: OpenCatalogue, run_id: int | None = None
) -> Workflow[ApplyReport]:
    """Give the files of a run (by default the latest that wrote) back what they held before.

    That needs the journal alone: the catalogue is brought up to date if it can be opened. Ctrl-C
    ends it as it ends `apply_changes`; called again, it goes on.

    Raises
    ------
    LibraryError
        There is no such run or nothing to undo in it, or the journal cannot be written; it says how
        to go on.
    """
    for change in journal.recover():
        yield settled(change, change.path)
    run = journal.run_to_undo(run_id)
    tally = _Tally(run.run_id)
    changes = journal.changes_to_undo(run.run_id)
    try:
        yield from _each_file(
            changes, lambda change: undo_change(journal, change), "undoing", tally
        )
        journal.recover()
        journal.finish_undo(run.run_id)
        n_undone = len(changes) - len(journal.changes_to_undo(run.run_id))
    except LibraryError as e:
        yield from tally.stopped(e, journal, "restored", "goes on")
    yield from _refresh(open_catalogue, tally.written)
    return replace(tally.report(), n_written=n_undone - tally.n_already)


def _each_file(
    changes: Sequence[C], work: Callable[[C], Written], stage: str, tally: _Tally
) -> Workflow[None]:
    """Do the work for every change until it is interrupted; `tally` counts."""
    try:
        with _interrupts_held() as interrupts:
            for n_done, change in enumerate(changes, start=1):
                try:
                    written = work(change)
                except FileError as e:
                    yield tally.skip(change.path, e)
                else:
                    tally.add(change.path, written)
                    if written.remark:
                        yield Note(written.remark, change.path)
                yield Progress(stage, n_done, len(changes), change.path)
                if interrupts and n_done < len(changes):
                    tally.interrupted = True
                    break
    except KeyboardInterrupt:
        tally.interrupted = True


@contextmanager
def _interrupts_held() -> Iterator[list[int]]:
    """Give a list that grows with each Ctrl-C, in place of the first interrupt.

    Raised in the midst of a file, it could get lost: PyAV drops what is raised while it reads. Only
    from the second one on, an interrupt is tried to be raised as well.
    """
    held: list[int] = []
    in_main_thread = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT) if in_main_thread else None
    if not callable(before):  # interrupts go elsewhere, or are ignored
        yield held
        return
    interrupt = before

    def hold(number: int, frame: FrameType | None) -> None:
        held.append(number)
        if len(held) > 1:
            interrupt(number, frame)

    signal.signal(signal.SIGINT, hold)
    try:
        yield held
    finally:
        signal.signal(signal.SIGINT, interrupt)


def _refresh(
    open_catalogue: OpenCatalogue, written: Sequence[tuple[str, Written]]
) -> Iterator[Note]:
    """Tell the catalogue of files written, or say why it cannot be told."""
    try:
        with open_catalogue() as catalogue:
            for path, now in written:
                if now.tags is not None:
                    catalogue.refresh(path, now.size, now.mtime_ns, now.tags)
    except LibraryError as e:
        yield Note(f"the catalogue could not be updated: {e}; the next scan will do it")


class _Tally:
    """Counts while files are written."""

    def __init__(self, run_id: int) -> None:
        self.run_id = run_id
        self.written: list[tuple[str, Written]] = []
        self.interrupted = False
        self._skipped: list[tuple[str, str]] = []

    @property
    def n_already(self) -> int:
        return sum(not written.changed for _, written in self.written)

    def add(self, path: str, written: Written) -> None:
        self.written.append((path, written))

    def skip(self, path: str, e: FileError) -> FileSkipped:
        self._skipped.append((path, e.explanation))
        return FileSkipped(path, e.explanation)

    def stopped(
        self, e: LibraryError, journal: Journal, done: str, command_does: str
    ) -> Generator[Note, None, NoReturn]:
        """The journal ends the run: say what becomes of the files that are done."""
        paths = [path for path, written in self.written if written.changed]
        if not paths:
            raise e
        many = "1 file was" if len(paths) == 1 else f"{len(paths)} files were"
        command = journal.undo_command(self.run_id)
        if command:
            way_back = f"{many} {done} before; `{command}` {command_does}"
        else:
            way_back = f"{many} {done} before, which cannot be taken back"
            for path in paths:
                yield Note(f"{done}, and cannot be taken back", path)
        raise LibraryError(e.reason, "; ".join(filter(None, (e.hint, way_back)))) from e

    def report(self) -> ApplyReport:
        n_written = len(self.written) - self.n_already
        skipped = tuple(self._skipped)
        return ApplyReport(self.run_id, n_written, self.n_already, skipped, self.interrupted)

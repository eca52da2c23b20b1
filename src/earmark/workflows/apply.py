"""``earmark tag --apply`` and ``earmark undo``: the only verbs that write to music files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from earmark.errors import FileError
from earmark.library import Catalogue
from earmark.tags import Journal, Written, apply_change, undo_change
from earmark.types import TagChange
from earmark.workflows.events import FileSkipped, Note, Progress, Workflow


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
    """

    run_id: int
    n_written: int
    n_already: int
    skipped: tuple[tuple[str, str], ...]


def apply_changes(
    changes: Sequence[TagChange],
    journal: Journal,
    catalogue: Catalogue,
    *,
    note: str = "",
    keep_mtime: bool = False,
) -> Workflow[ApplyReport]:
    """Write the changes of a plan, each file on its own; one that cannot be written is skipped.

    Raises
    ------
    LibraryError
        The journal cannot be written, or another run is writing. Files done so far stay done.
    """
    run_id = journal.new_run("tag", note)
    tally = _Tally(run_id, catalogue)
    for n_done, change in enumerate(changes, start=1):
        try:
            written = apply_change(journal, run_id, change, keep_mtime=keep_mtime)
            tally.add(change.path, written)
        except FileError as e:
            yield tally.skip(change.path, e)
        yield Progress("writing", n_done, len(changes), change.path)
    journal.finish_run(run_id)
    return tally.report()


def undo_run(
    journal: Journal, catalogue: Catalogue, run_id: int | None = None
) -> Workflow[ApplyReport]:
    """Give the files of a run (by default the latest that wrote) back what they held before.

    Raises
    ------
    LibraryError
        There is no such run or nothing to undo in it, or the journal cannot be written.
    """
    for change in journal.recover():
        yield Note(f"an earlier run was cut off at {change.path}: {change.state}")
    run = journal.run_to_undo(run_id)
    tally = _Tally(run.run_id, catalogue)
    changes = journal.changes_to_undo(run.run_id)
    for n_done, change in enumerate(changes, start=1):
        try:
            tally.add(change.path, undo_change(journal, change))
        except FileError as e:
            yield tally.skip(change.path, e)
        yield Progress("undoing", n_done, len(changes), change.path)
    journal.finish_undo(run.run_id)
    return tally.report()


class _Tally:
    """Counts while files are written, and keeps the catalogue in step with them."""

    def __init__(self, run_id: int, catalogue: Catalogue) -> None:
        self._run_id, self._catalogue = run_id, catalogue
        self._n_written = self._n_already = 0
        self._skipped: list[tuple[str, str]] = []

    def add(self, path: str, written: Written) -> None:
        self._n_written += written.changed
        self._n_already += not written.changed
        self._catalogue.refresh(path, written.size, written.mtime_ns, written.tags)

    def skip(self, path: str, e: FileError) -> FileSkipped:
        self._skipped.append((path, e.reason))
        return FileSkipped(path, e.reason)

    def report(self) -> ApplyReport:
        return ApplyReport(self._run_id, self._n_written, self._n_already, tuple(self._skipped))

"""``earmark duplicates``: files that hold the same recording."""

from __future__ import annotations

import os

from earmark.datasets.fingerprints import DuplicateReport, compare
from earmark.events import Progress, Workflow
from earmark.inference.batch import files_below
from earmark.session import Resources


def duplicates(
    root: str | os.PathLike[str],
    resources: Resources,
) -> Workflow[DuplicateReport]:
    """Compare all files below `root`, as `compare` does. Tags are not read: damaged ones do
    not matter to the sound.

    Raises
    ------
    LibraryError
        `root` cannot be read, or the store not be used.
    """
    yield Progress("looking", 0, None, "")
    name = os.fspath(root)
    below = yield from files_below([name])
    paths = sorted(below[name], key=os.fsencode)
    return (yield from compare(paths, resources.fingerprints, resources.workers))

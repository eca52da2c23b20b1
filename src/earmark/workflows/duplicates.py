"""``earmark duplicates``: files that hold the same recording."""

from __future__ import annotations

import os
from collections import Counter

from earmark.datasets.fingerprints import DuplicateReport, compare
from earmark.events import FileSkipped, Progress, Workflow
from earmark.library import WalkProblem, walk
from earmark.library.passed_over import Kind
from earmark.library.scan import say_passed_over
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
    paths = []
    passed_over: Counter[Kind] = Counter()
    for found in walk(root, passed_over):
        if isinstance(found, WalkProblem):
            yield FileSkipped(found.path, found.reason)
        else:
            paths.append(found.path)
    yield from say_passed_over(passed_over)
    paths.sort(key=os.fsencode)
    return (yield from compare(paths, resources.fingerprints, resources.workers))

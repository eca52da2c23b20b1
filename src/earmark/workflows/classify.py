"""``earmark classify``: files in, genres out."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from earmark.decision.result import Result
from earmark.decision.voting import decide
from earmark.errors import FileError
from earmark.events import FileSkipped, Progress, Workflow
from earmark.inference.batch import predictions
from earmark.library import Found, walk
from earmark.library.passed_over import Kind
from earmark.library.scan import say_passed_over
from earmark.models.bundle import Bundle
from earmark.session import Resources
from earmark.types import VoteConfig


def files_of(
    paths: Iterable[str], passed_over: Counter[Kind] | None = None
) -> list[str | FileError]:
    """Every file in `paths`, and every music file in its folders, each once.

    Parameters
    ----------
    paths : iterable of str
    passed_over : Counter, optional
        As for `earmark.library.walk`.

    Returns
    -------
    list of str or FileError
        In the order of `paths`, folders in the order of their walk; spelled as in `paths`. An error
        in place of what cannot be read.
    """
    files: dict[str, str | FileError] = {}
    for found in _expand(paths, Counter() if passed_over is None else passed_over):
        path = found.path if isinstance(found, FileError) else found
        files.setdefault(os.path.abspath(path), found)  # noqa: PTH100 - surrogate-safe text
    return list(files.values())


def results(
    files: Sequence[str | FileError],
    bundle: Bundle,
    vote: VoteConfig,
    resources: Resources,
    *,
    remember: bool = True,
) -> Iterator[Result]:
    """A result for each of `files_of`, as they are ready.

    Parameters
    ----------
    remember : bool
        As for `earmark.inference.batch.predictions`.
    """
    for file in files:
        if isinstance(file, FileError):
            yield Result(file.path, error=file.reason)
    usable = [file for file in files if isinstance(file, str)]
    for path, outcome in predictions(usable, bundle, resources, remember=remember):
        if isinstance(outcome, FileError):
            yield Result(path, error=outcome.reason)
        else:
            yield Result.of(path, decide(outcome.probs.proba, bundle.meta.labels, vote))


def classify(
    paths: Sequence[str],
    bundle: Bundle,
    vote: VoteConfig,
    resources: Resources,
    *,
    remember: bool = True,
) -> Workflow[list[Result]]:
    """All `results` together, in the order of `files_of`; each file left out is reported."""
    passed_over: Counter[Kind] = Counter()
    files = files_of(paths, passed_over)
    yield from say_passed_over(passed_over)
    found: dict[str, Result] = {}
    yield Progress("listening", 0, len(files))
    for result in results(files, bundle, vote, resources, remember=remember):
        found[result.path] = result
        if result.error:
            yield FileSkipped(result.path, result.error)
        yield Progress("listening", len(found), len(files), result.path)
    return [found[file if isinstance(file, str) else file.path] for file in files]


def to_dict(bundle: Bundle, results: Sequence[Result]) -> dict[str, Any]:
    """What ``earmark classify --json`` prints."""
    return {
        "model": {
            "name": bundle.meta.name,
            "id": bundle.model_id,
            "labels": list(bundle.meta.labels),
        },
        "tracks": [result.to_dict() for result in results],
    }


def _expand(paths: Iterable[str], passed_over: Counter[Kind]) -> Iterator[str | FileError]:
    for path in paths:
        if not os.path.isdir(path):  # noqa: PTH112 - surrogate-safe text
            yield path
            continue
        # As the person wrote it, not from the root of the disk.
        absolute = os.path.abspath(path)  # noqa: PTH100 - surrogate-safe text
        for found in walk(path, passed_over):
            name = path.rstrip("/") + found.path.removeprefix(absolute)
            yield name if isinstance(found, Found) else FileError(name, found.reason)

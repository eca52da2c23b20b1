"""``earmark classify``: files in, decisions out."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from earmark.errors import FileError
from earmark.library import Catalogue, Found, walk
from earmark.library.passed_over import Kind
from earmark.models.bundle import Bundle
from earmark.types import Decision, VoteConfig
from earmark.voting import decide
from earmark.workflows.events import FileSkipped, Workflow
from earmark.workflows.judging import judge_all
from earmark.workflows.scan import say_passed_over


@dataclass(frozen=True, slots=True)
class TrackResult:
    """A file's decision, or in `error` why there is none."""

    path: str
    decision: Decision | None
    error: str = ""


def classify(
    paths: Sequence[str],
    bundle: Bundle,
    vote: VoteConfig,
    catalogue: Catalogue | None,
    *,
    n_workers: int,
    time_limit_s: float,
) -> Workflow[list[TrackResult]]:
    """Decide about every file named, and every music file in the folders named.

    Returns
    -------
    list of TrackResult
        In the order of `paths`, folders in the order of their walk; each file once, as it was
        named first.
    """
    files: dict[str, str] = {}
    problems: dict[str, str] = {}
    passed_over: Counter[Kind] = Counter()
    for found in _expand(paths, passed_over):
        path = found.path if isinstance(found, FileError) else found
        absolute = os.path.abspath(path)  # noqa: PTH100 - surrogate-safe text
        if absolute in files:
            continue
        files[absolute] = path
        if isinstance(found, FileError):
            problems[path] = found.reason
            yield FileSkipped(path, found.reason)
    yield from say_passed_over(passed_over)
    judged = yield from judge_all(
        [path for path in files.values() if path not in problems],
        bundle,
        catalogue,
        n_workers=n_workers,
        time_limit_s=time_limit_s,
    )
    results = []
    for path in files.values():
        outcome = judged.get(path)
        if outcome is None:
            results.append(TrackResult(path, None, problems[path]))
        elif isinstance(outcome, FileError):
            results.append(TrackResult(path, None, outcome.reason))
        else:
            results.append(TrackResult(path, decide(outcome.probs.proba, bundle.meta.labels, vote)))
    return results


def _expand(paths: Sequence[str], passed_over: Counter[Kind]) -> Iterator[str | FileError]:
    for path in paths:
        if not os.path.isdir(path):  # noqa: PTH112 - surrogate-safe text
            yield path
            continue
        # As the person wrote it, not from the root of the disk.
        absolute = os.path.abspath(path)  # noqa: PTH100 - surrogate-safe text
        for found in walk(path, passed_over):
            name = path.rstrip("/") + found.path.removeprefix(absolute)
            yield name if isinstance(found, Found) else FileError(name, found.reason)


def as_dict(bundle: Bundle, results: Sequence[TrackResult]) -> dict[str, Any]:
    """The one JSON shape of classification results, wherever they are given out."""
    return {
        "model": {
            "name": bundle.meta.name,
            "id": bundle.model_id,
            "labels": list(bundle.meta.labels),
        },
        "tracks": [_track_as_dict(result) for result in results],
    }


def _track_as_dict(result: TrackResult) -> dict[str, Any]:
    decision = result.decision
    return {
        "path": result.path,
        "genre": decision.genre if decision else None,
        "confidence": decision.confidence if decision else None,
        "agreement": decision.agreement if decision else None,
        "proba": decision.proba if decision else {},
        "slices": decision.n_slices if decision else 0,
        "rejected": decision.rejected or None if decision else None,
        "error": result.error or None,
    }

"""How long a model takes for a track, from file to decision, on one thread."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from earmark.decision.voting import decide
from earmark.errors import FileError
from earmark.events import Progress, Workflow
from earmark.features.listen import listen
from earmark.models import bundle as bundles
from earmark.models.bundle import Bundle
from earmark.models.runtime import Classifier
from earmark.pool import Workers

N_TIMED = 16

# Set once in the worker process.
_classifier: Classifier | None = None


def _start(bundle_path: Path) -> None:
    global _classifier
    _classifier = Classifier(bundles.load(bundle_path))


def _decide(path: str) -> float:
    """Processor seconds: what else the machine does meanwhile does not count."""
    assert _classifier is not None
    meta = _classifier.bundle.meta
    began = time.process_time()
    probs = _classifier.slice_probs(listen(path, meta.listen))
    decide(probs.proba, meta.labels, meta.vote)
    return time.process_time() - began


def track_ms(bundle: Bundle, paths: Sequence[str], workers: Workers) -> Workflow[float]:
    """Median milliseconds of processor time a track, over some of `paths`, evenly chosen.

    In a worker process whose libraries use one thread each. The first track warms it up and does
    not count. NaN where fewer than two tracks could be heard.
    """
    ordered = sorted(set(paths))
    step = max(len(ordered) / N_TIMED, 1)
    chosen = [ordered[int(i * step)] for i in range(min(N_TIMED, len(ordered)))]
    # The first once more, to warm up: one worker takes them one after the other.
    paths = [*chosen[:1], *chosen]
    seconds = []
    with Workers(1, time_limit_s=workers.time_limit_s) as one:
        outcomes = one.map(_decide, paths, initializer=_start, initargs=(bundle.path,))
        for n_done, (path, outcome) in enumerate(outcomes, start=1):
            if not isinstance(outcome, FileError):
                seconds.append(outcome)
            yield Progress("timing", n_done, len(paths), path)
    return 1000 * median(seconds[1:]) if len(seconds) > 1 else math.nan

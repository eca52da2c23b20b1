"""File to decision: the way of `earmark classify` against decoding the whole file, in one run.

    python -m benchmarks.classify [--tracks 200]

Four-minute MP3s, CPU seconds of one thread against librosa for the whole file and the same
network; then tracks a second by one and by two worker processes, start-up included, and the peak
memory of a worker.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks._memory import peak_mb

if TYPE_CHECKING:
    from earmark.models.runtime import Classifier
    from earmark.types import Decision

ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA")}
SECONDS = 240.0
REPEATS = 15


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tracks", type=int, default=200)
    parser.add_argument("--child", choices=("cpu", "workers"), help=argparse.SUPPRESS)
    parser.add_argument("arguments", nargs="*", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child == "cpu":
        _cpu(chosen.arguments[0])
    elif chosen.child == "workers":
        _workers(chosen.arguments[0], int(chosen.arguments[1]))
    else:
        _all(chosen.tracks)


def _all(n_tracks: int) -> None:
    from tests.audiofiles import synth, write

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        first = write(folder / "0.mp3", synth("music", SECONDS), 44100, "mp3")
        for i in range(1, n_tracks):
            shutil.copyfile(first, folder / f"{i}.mp3")
        _child("cpu", str(first))
        for n_workers in (1, 2):
            _child("workers", name, str(n_workers))


def _child(what: str, *arguments: str) -> None:
    # How many threads numpy may use is settled when it is imported.
    command = [sys.executable, "-m", "benchmarks.classify", "--child", what, *arguments]
    subprocess.run(command, env=os.environ | ONE_THREAD, check=True)


def _cpu(path: str) -> None:
    from earmark.models import bundle
    from earmark.models.catalog import shipped_model
    from earmark.models.runtime import Classifier

    classifier = Classifier(bundle.load(shipped_model()))
    ways = {
        "earmark": lambda: decide_by_excerpts(path, classifier),
        "whole file": lambda: decide_by_whole_file(path, classifier),
    }
    ms = cpu_ms(ways)
    print(
        f"file to decision, one thread: {ms['earmark']:.1f} ms of CPU;"
        f" whole file by librosa, same network: {ms['whole file']:.0f} ms"
        f" ({ms['whole file'] / ms['earmark']:.1f} times as much)"
    )


def decide_by_excerpts(path: str, classifier: Classifier) -> Decision:
    """As `earmark classify` does."""
    from earmark.decision.voting import decide
    from earmark.features.listen import listen

    meta = classifier.bundle.meta
    probs = classifier.slice_probs(listen(path, meta.listen))
    return decide(probs.proba, meta.labels, meta.vote)


def decide_by_whole_file(path: str, classifier: Classifier) -> Decision:
    """As it is usually done: librosa, from the first second to the last."""
    import librosa
    import numpy as np

    from earmark.decision.calibration import softmax
    from earmark.decision.voting import decide
    from earmark.features import quantise
    from earmark.slices import cut

    meta = classifier.bundle.meta
    features = meta.listen.features
    y, _ = librosa.load(path, sr=features.sr)
    S = librosa.feature.melspectrogram(
        y=y,
        sr=features.sr,
        n_fft=features.n_fft,
        hop_length=features.hop_length,
        n_mels=features.n_mels,
        fmin=features.fmin,
        fmax=features.fmax,
    )
    decibels = librosa.power_to_db(S, top_db=None).astype(np.float32)
    X, _ = cut(quantise(decibels, features), meta.listen.slices)
    proba = softmax(classifier.logits(X), meta.temperature)
    return decide(proba.astype(np.float32), meta.labels, meta.vote)


def cpu_ms(ways: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Median CPU milliseconds of each way, the ways taking turns."""
    times: dict[str, list[float]] = {way: [] for way in ways}
    for repeat in range(REPEATS + 1):
        for way, run in ways.items():
            start = time.process_time()
            run()
            if repeat:  # the first one imports and compiles
                times[way].append(1e3 * (time.process_time() - start))
    return {way: statistics.median(found) for way, found in times.items()}


def _workers(folder: str, n_workers: int) -> None:
    from earmark.events import run
    from earmark.models import bundle
    from earmark.models.catalog import shipped_model
    from earmark.session import Resources
    from earmark.workflows.classify import classify

    model = bundle.load(shipped_model())
    start = time.perf_counter()
    with Resources(Path(folder), n_workers=n_workers, time_limit_s=60) as resources:
        flow = classify([folder], model, model.meta.vote, resources, remember=False)
        results = run(flow)
    seconds = time.perf_counter() - start
    rss_mb = peak_mb(of_children=True)
    assert not any(result.error for result in results)
    print(
        f"{n_workers} workers: {len(results) / seconds:.1f} tracks/s"
        f" ({60 * len(results) / seconds:.0f} a minute), largest worker {rss_mb:.0f} MB"
    )


if __name__ == "__main__":
    main()

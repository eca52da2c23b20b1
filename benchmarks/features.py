"""From files to stored slices: files a second by one and by two worker processes.

    python -m benchmarks.features [--files 600] [--repeats 3]

Half-minute MP3s with ten excerpts each, start-up of the workers included; every run has an empty
store. The median of interleaved repeats.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from tests.audiofiles import synth, write

from earmark.events import run
from earmark.features.store import FeatureStore
from earmark.inference.batch import fill
from earmark.pool import Workers
from earmark.types import ExcerptConfig, ListenConfig

BOUND = 1.8
CONFIG = ListenConfig(excerpts=ExcerptConfig(n_excerpts=10))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=600)
    parser.add_argument("--repeats", type=int, default=3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        paths = _make(Path(name), chosen.files)
        seconds: dict[int, list[float]] = {1: [], 2: []}
        for repeat in range(chosen.repeats):
            for n_workers, taken in seconds.items():
                taken.append(_hear(paths, Path(name) / f"store-{repeat}-{n_workers}", n_workers))
    median = {n: statistics.median(taken) for n, taken in seconds.items()}
    for n_workers, taken_s in median.items():
        print(f"{n_workers} workers: {len(paths) / taken_s:.1f} files/s, {taken_s:.1f} s")
    ratio = median[1] / median[2]
    met = "met" if ratio >= BOUND else "MISSED"
    print(f"two workers are {ratio:.2f} times as fast   bound: {BOUND}, {met}")


def _make(folder: Path, n: int) -> list[str]:
    """Copies with a byte of their own at the end, so that each is another recording."""
    first = write(folder / "0.mp3", synth("music", 30.0), 44100, "mp3")
    paths = [first]
    for i in range(1, n):
        paths.append(Path(shutil.copyfile(first, folder / f"{i}.mp3")))
        with paths[-1].open("ab") as file:
            file.write(i.to_bytes(4, "big"))
    return [str(path) for path in paths]


def _hear(paths: list[str], folder: Path, n_workers: int) -> float:
    start = time.perf_counter()
    with FeatureStore(folder, CONFIG) as store:
        heard = run(fill(store, paths, Workers(n_workers, time_limit_s=60)))
    assert len(heard) == len(paths)
    seconds = time.perf_counter() - start
    shutil.rmtree(folder)
    return seconds


if __name__ == "__main__":
    main()

"""Duplicates: how many are found after what was done to them, what it costs, and how it scales.

    python -m benchmarks.fingerprint [--data ../shared/data] [--tracks 100] [--library 10000]

Real music from a folder with a ``manifest.csv`` is cut, made quieter and encoded, and looked for
among all originals; a pair that is not an original and its own copy is false. Then the CPU time of
one 4-minute MP3, and time and memory of a search through a library of 4-minute tracks with random
landmarks, of which two agree as often as in real music.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tests.audiofiles import CONTAINERS, synth, write

from benchmarks._memory import peak_mb
from earmark.audio import read_excerpts
from earmark.audio.fingerprint import TICK_S, Fingerprint, fingerprint
from earmark.datasets import join_groups
from earmark.datasets.duplicates import find_duplicates
from earmark.types import ExcerptConfig

ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
WHOLE = ExcerptConfig(n_excerpts=1, excerpt_s=1e6, margin=0.0)
START_S = 5.37
# As in the music in ../shared/data: two landmarks of different tracks agree once in 2^22.4 times.
N_HASHES = 2**22


@dataclass(frozen=True, slots=True)
class Damage:
    """What is done to a track."""

    container: str
    sr: int
    bit_rate: int
    seconds: float | None
    gain: float = 0.3

    def __str__(self) -> str:
        length = f"{self.seconds:g} s" if self.seconds else "whole"
        return f"{self.container} {self.bit_rate // 1000} kbit/s {self.sr} Hz, {length}"


DAMAGES = (
    Damage("mp3", 44100, 128_000, None, 1.0),
    Damage("mp3", 22050, 32_000, None),
    Damage("mp3", 44100, 128_000, 10.0),
    Damage("mp3", 22050, 32_000, 10.0),
    Damage("m4a", 44100, 64_000, 10.0),
    Damage("opus", 48000, 24_000, 10.0),
    Damage("mp3", 16000, 24_000, 10.0),
    Damage("mp3", 44100, 128_000, 5.0),
    Damage("mp3", 22050, 32_000, 5.0),
    Damage("mp3", 44100, 128_000, 3.0),
    Damage("mp3", 22050, 32_000, 3.0),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--tracks", type=int, default=100)
    parser.add_argument("--library", type=int, default=10_000)
    parser.add_argument("--child", choices=("find", "cost", "scale"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        if chosen.child == "find":
            find(chosen.data, chosen.tracks)
        elif chosen.child == "cost":
            cost()
        else:
            scale(chosen.library)
        return
    for child in ("find", "cost", "scale"):
        # How many threads numpy may use is settled when it is imported; memory is each one's own.
        command = [sys.executable, "-m", "benchmarks.fingerprint", "--child", child, *sys.argv[1:]]
        subprocess.run(command, env=os.environ | ONE_THREAD, check=True)


def _originals(data: Path) -> list[Path]:
    """Clips of half a minute of the manifest."""
    try:
        with (data / "manifest.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except FileNotFoundError:
        return []
    return [data / row["path"] for row in rows if 29 < float(row["seconds"]) < 31]


def find(data: Path, n_tracks: int) -> None:
    paths = _originals(data)
    if not paths:
        print(f"no manifest.csv in {data}: what is found of real music is not measured")
        return
    items = [fingerprint(path) for path in paths]
    own = find_duplicates(items)
    print(f"{len(paths)} originals, {len(own)} pairs of duplicates among them:")
    for pair in own:
        a, b = (paths[place].relative_to(data) for place in (pair.a, pair.b))
        print(f"  {a}  {b}  {pair.offset_s:+.2f} s, score {pair.score:.2f}")
    group = join_groups([str(i) for i in range(len(items))], [(p.a, p.b) for p in own])
    sample = random.Random(0).sample(range(len(paths)), min(n_tracks, len(paths)))
    print(f"{'a copy, if cut from 5.37 s on':44}{'found':>10}{'false':>8}{'score 5 %':>11}")
    for damage in DAMAGES:
        with tempfile.TemporaryDirectory() as folder:
            copies = [_copy(paths[i], damage, Path(folder)) for i in sample]
        found, n_false, scores = set(), 0, []
        for pair in find_duplicates([*items, *copies]):
            one, other = (i if i < len(items) else sample[i - len(items)] for i in (pair.a, pair.b))
            if group[one] != group[other]:
                n_false += 1
            elif one == other:
                found.add(one)
                scores.append(pair.score)
        low = f"{np.percentile(scores, 5):.2f}" if scores else "-"
        print(f"{damage!s:44}{len(found):6}/{len(sample)}{n_false:8}{low:>11}", flush=True)


def _copy(path: Path, damage: Damage, folder: Path) -> Fingerprint:
    (excerpt,) = read_excerpts(path, WHOLE, damage.sr)
    y = damage.gain * excerpt.signal.y
    if damage.seconds:
        begin = round(START_S * damage.sr)
        y = y[begin : begin + round(damage.seconds * damage.sr)]
    spec = CONTAINERS[damage.container]
    target = folder / f"copy{spec.suffix}"
    return fingerprint(write(target, y, damage.sr, damage.container, None, damage.bit_rate))


def cost() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "song.mp3", synth("music", 240.0), 44100, "mp3")
        fingerprint(path)
        begin = time.process_time()
        for _ in range(5):
            fingerprint(path)
        ms = 1e3 * (time.process_time() - begin) / 5
    print(f"a 4-minute MP3: {ms:.0f} ms of CPU, {240e3 / ms:.0f} × real time")


def scale(n: int) -> None:
    """A library with 100 copies among it, each with a third of its original's landmarks."""
    rng = np.random.default_rng(0)
    n_landmarks, n_ticks = (13 * 240), round(240 / TICK_S)
    items = []
    for i in range(n):
        ticks = np.sort(rng.integers(0, n_ticks, n_landmarks)).astype(np.int32)
        hashes = rng.integers(0, N_HASHES, n_landmarks, dtype=np.uint32)
        items.append(Fingerprint(str(i), hashes, ticks, 240.0))
    copies = set()
    for original, copy in zip(range(0, n, 2), range(n - 1, n - 200, -2), strict=False):
        kept = np.flatnonzero(rng.random(n_landmarks) < 1 / 3)
        items[copy].hashes[kept] = items[original].hashes[kept]
        items[copy].ticks[kept] = items[original].ticks[kept] + 500
        copies.add((original, copy))
    before_mb = peak_mb()
    begin = time.perf_counter()
    found = {(pair.a, pair.b) for pair in find_duplicates(items)}
    seconds = time.perf_counter() - begin
    print(
        f"{n} tracks, {n * n_landmarks / 1e6:.1f} million landmarks: {seconds:.0f} s,"
        f" peak {peak_mb():.0f} MB (the fingerprints alone {before_mb:.0f});"
        f" {len(found & copies)} of {len(copies)} copies found, {len(found - copies)} false pairs"
    )


if __name__ == "__main__":
    main()

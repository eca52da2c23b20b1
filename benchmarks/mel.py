"""From file to log-mel: five excerpts by us against the whole file by librosa, in one run.

    python -m benchmarks.mel [--repeats 15]

CPU time of one thread, medians of interleaved repeats on 4 minutes of synthetic music, caches warm.
Then the peak memory of a process that listens to three hours.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks._memory import peak_mb

SECONDS = 240.0
CONTAINERS = ("mp3", "m4a", "flac", "ogg", "opus", "wav")
BOUND_MS, BOUND_RATIO, BOUND_RSS_MB = 25.0, 15.0, 350.0
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA", "VECLIB")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--child", choices=("make", "times", "memory"), help=argparse.SUPPRESS)
    parser.add_argument("paths", nargs="*", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child == "make":
        _make(Path(chosen.paths[0]))
    elif chosen.child == "times":
        _times(chosen.paths, chosen.repeats)
    elif chosen.child == "memory":
        _memory(chosen.paths[0])
    else:
        with tempfile.TemporaryDirectory() as folder:
            # In a child too: a process starts with the peak memory of the one that started it.
            _child("make", folder)
            songs = sorted(str(path) for path in Path(folder).glob("song.*"))
            _child("times", "--repeats", str(chosen.repeats), *songs)
            for mix in sorted(Path(folder).glob("three hours.*")):
                _child("memory", str(mix))


def _child(what: str, *arguments: str) -> None:
    # How many threads numpy may use is settled when it is imported.
    command = [sys.executable, "-m", "benchmarks.mel", "--child", what, *arguments]
    subprocess.run(command, env=os.environ | ONE_THREAD, check=True)


def _make(folder: Path) -> None:
    """Songs of 4 minutes, and mixes of three hours, the same minute over and over."""
    from tests.audiofiles import CONTAINERS as SPECS
    from tests.audiofiles import synth, write

    for container in CONTAINERS:
        sr = 48000 if container == "opus" else 44100
        path = folder / f"song{SPECS[container].suffix}"
        write(path, synth("music", SECONDS, sr), sr, container)
    for container in ("mp3", "adts"):
        minute = folder / "minute"
        write(minute, synth("music", 60.0), 44100, container, bit_rate=64_000)
        mix = folder / f"three hours{SPECS[container].suffix}"
        mix.write_bytes(minute.read_bytes() * 180)


def _times(paths: list[str], repeats: int) -> None:
    import librosa

    from earmark.features.listen import listen
    from earmark.types import ListenConfig

    config = ListenConfig()
    sr = config.features.sr

    def by_librosa(path: str) -> object:
        y, _ = librosa.load(path, sr=sr)
        return librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=sr))

    print(f"{'':6}{'earmark ms':>12}{'librosa ms':>12}{'ratio':>8}")
    for path in paths:
        ways: dict[str, Callable[[str], object]] = {"earmark": lambda path: listen(path, config)}
        if not path.endswith(".m4a"):  # librosa reads none without FFmpeg's program
            ways["librosa"] = by_librosa
        times: dict[str, list[float]] = {way: [] for way in ways}
        for repeat in range(repeats + 1):
            for way, run in ways.items():
                start = time.process_time()
                run(path)
                if repeat:  # the first one imports and compiles
                    times[way].append(1e3 * (time.process_time() - start))
        print(_row(path, {way: statistics.median(t) for way, t in times.items()}))


def _row(path: str, ms: dict[str, float]) -> str:
    row = f"{Path(path).suffix[1:]:6}{ms['earmark']:12.1f}"
    if "librosa" in ms:
        ratio = ms["librosa"] / ms["earmark"]
        row += f"{ms['librosa']:12.0f}{ratio:8.1f}"
        if path.endswith(".mp3"):
            met = ratio >= BOUND_RATIO
            row += f"   bound: ratio ≥ {BOUND_RATIO:g}, {'met' if met else 'MISSED'}"
            row += f" ({BOUND_MS:g} ms where librosa takes 430)"
    return row


def _memory(path: str) -> None:
    from earmark.features.listen import listen
    from earmark.types import ListenConfig

    start = time.process_time()
    heard = listen(path, ListenConfig())
    seconds = time.process_time() - start
    rss_mb = peak_mb()
    met = "met" if rss_mb <= BOUND_RSS_MB else "MISSED"
    print(
        f"{Path(path).name}: {len(heard.X)} slices, the last at {heard.start_s[-1]:.0f} s, "
        f"{1e3 * seconds:.0f} ms, peak {rss_mb:.0f} MB   bound: {BOUND_RSS_MB:g} MB, {met}"
    )


if __name__ == "__main__":
    main()

"""What each front end costs: milliseconds for three seconds of audio, and bytes on disk.

    python -m benchmarks.frontends [--repeats 9] [NAME ...]

CPU time of one thread, median of interleaved repeats on synthetic music, everything compiled and
cached before; front ends whose libraries are not installed are left out. Configurations are those
that docs/frontends.md recommends.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time

# At 22,050 Hz where nothing else is said; `slices-2016` listens at 44,100.
SECONDS = 3.0
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA", "VECLIB")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("names", nargs="*")
    chosen = parser.parse_args()
    if chosen.child:
        _measure(chosen.names, chosen.repeats)
        return
    # In a child: how many threads numpy may use is settled when it is imported.
    command = [sys.executable, "-m", "benchmarks.frontends", "--child", *sys.argv[1:]]
    subprocess.run(command, env=os.environ | ONE_THREAD, check=True)


def _measure(names: list[str], repeats: int) -> None:
    from tests.audiofiles import synth
    from tests.frontends import EXAMPLES

    from earmark import features
    from earmark.errors import MissingExtraError

    times: dict[str, list[float]] = {}
    for name, config in EXAMPLES.items():
        try:
            if not names or name in names:
                features.check(config)
                times[name] = []
        except MissingExtraError as e:
            print(f"{name}: left out, {e.reason}")
    signals = {sr: synth("music", SECONDS, sr, 1)[0] for sr in {c.sr for c in EXAMPLES.values()}}
    stored = {}
    for repeat in range(repeats + 1):
        for name, taken in times.items():
            config = EXAMPLES[name]
            start = time.process_time()
            Q = features.quantise(features.compute(signals[config.sr], config), config)
            if repeat > 0:  # the first one compiles and fills caches
                taken.append(1000 * (time.process_time() - start))
            stored[name] = Q
    for name, taken in times.items():
        Q = stored[name]
        shape = " × ".join(map(str, Q.shape))
        print(
            f"{name:14} {statistics.median(taken):8.1f} ms   {shape:>11} {Q.dtype!s:6}"
            f" {Q.nbytes / 1000:6.0f} kB"
        )


if __name__ == "__main__":
    main()

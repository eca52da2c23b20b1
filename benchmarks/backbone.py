"""File to decision by the model that ships, by musicnn, and by librosa for the whole file.

    python -m benchmarks.backbone [--teacher musicnn]

A four-minute MP3, CPU milliseconds of one thread, the ways taking turns. musicnn is a model that
`earmark models add musicnn` fetches; it hears 5 × 3 s, as the shipped model does. What librosa
computes for the whole file goes through the shipped model's network.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.classify import ONE_THREAD, SECONDS, cpu_ms, decide_by_excerpts
from benchmarks.classify import decide_by_whole_file as whole_file

BOUND_MS, BOUND_RATIO = 30.0, 4.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--teacher", default="musicnn", help="a model's folder or name")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        _compare(chosen.child, chosen.teacher)
        return
    from tests.audiofiles import synth, write

    with tempfile.TemporaryDirectory() as name:
        song = write(Path(name) / "song.mp3", synth("music", SECONDS), 44100, "mp3")
        command = [sys.executable, "-m", "benchmarks.backbone", "--child", str(song)]
        command += ["--teacher", chosen.teacher]
        subprocess.run(command, env=os.environ | ONE_THREAD, check=True)


def _compare(path: str, teacher: str) -> None:
    from earmark import config
    from earmark.errors import BundleError
    from earmark.models import bundle, named
    from earmark.models.runtime import Classifier
    from earmark.workflows.classify import shipped_model

    ours = Classifier(bundle.load(shipped_model()))
    ways = {"shipped": lambda: decide_by_excerpts(path, ours)}
    try:
        theirs = Classifier(bundle.load(named.find(teacher, config.data_dir())))
        ways[teacher] = lambda: decide_by_excerpts(path, theirs)
    except BundleError as e:
        print(f"left out: {e}; see `earmark models add`")
    ways["librosa"] = lambda: whole_file(path, ours)
    ms = cpu_ms(ways)
    print(f"{'file to decision':20}{'ms of CPU':>12}{'× shipped':>12}")
    for way, found in ms.items():
        print(f"{way:20}{found:12.1f}{found / ms['shipped']:12.1f}")
    if teacher in ms:
        ratio = ms[teacher] / ms["shipped"]
        met = ratio >= BOUND_RATIO and ms["shipped"] <= BOUND_MS
        print(
            f"bounds: {BOUND_MS:g} ms, and {BOUND_RATIO:g} times less than {teacher}:"
            f" {'met' if met else 'MISSED'}"
        )


if __name__ == "__main__":
    main()

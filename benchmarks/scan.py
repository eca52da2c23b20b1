"""Scan in files/s: first, second, and against plain mutagen over the same files in the same run.

    python -m benchmarks.scan [--files 3000] [--repeats 3]

Each scan runs in a process of its own, which also tells its peak memory. Caches are warm: the files
have just been written. Medians of interleaved repeats.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks._memory import peak_mb

_PER_ALBUM = 12
_GENRES = ("Rock", "hip hop", "(17)", "", "Drum & Bass", "Klassik")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=3000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        print(json.dumps(_measure(*chosen.child)))
        return
    with tempfile.TemporaryDirectory() as folder:
        music = Path(folder) / "music"
        _make_library(music, chosen.files)
        results: dict[str, list[dict[str, float]]] = {"mutagen": [], "first": [], "second": []}
        for repeat in range(chosen.repeats):
            database = Path(folder) / f"{repeat}.sqlite"
            for what in results:
                results[what].append(_in_child(what, music, database))
    _report(results, chosen.files)


def _make_library(music: Path, n_files: int) -> None:
    """Albums of MP3, FLAC and M4A files of one second with full tags."""
    import mutagen
    from tests.audiofiles import sample

    music.mkdir()
    names = ("mp3", "flac", "m4a")
    originals = [sample(music.parent / f"original.{name}", name) for name in names]
    for i in range(n_files):
        album = music / f"Artist {i // _PER_ALBUM // 10}" / f"Album {i // _PER_ALBUM}"
        album.mkdir(parents=True, exist_ok=True)
        original = originals[i // _PER_ALBUM % len(originals)]
        path = shutil.copyfile(original, album / f"{i % _PER_ALBUM:02} Title{original.suffix}")
        tags: Any = mutagen.File(path, easy=True)
        if tags.tags is None:
            tags.add_tags()
        tags["artist"], tags["album"] = f"Artist {i // _PER_ALBUM // 10}", album.name
        tags["title"] = f"Title {i}"
        if genre := _GENRES[i % len(_GENRES)]:
            tags["genre"] = genre
        tags.save()


def _in_child(what: str, music: Path, database: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.scan", "--child", what, str(music), str(database)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def _measure(what: str, music: str, database: str) -> dict[str, float]:
    from earmark.events import run
    from earmark.library import Catalogue, Found, walk
    from earmark.library.scan import scan

    if what == "mutagen":
        import mutagen

        paths = [found.path for found in walk(music) if isinstance(found, Found)]
        start = time.perf_counter()
        for path in paths:
            mutagen.File(path)
        seconds = time.perf_counter() - start
    else:
        start = time.perf_counter()
        with Catalogue.open(database) as catalogue:
            report = run(scan(music, catalogue))
        seconds = time.perf_counter() - start
        fresh = report.n_new if what == "first" else report.n_unchanged
        assert fresh == report.n_tracks > 0, report
    return {"seconds": seconds, "rss_mb": peak_mb()}


def _report(results: dict[str, list[dict[str, float]]], n_files: int) -> None:
    seconds = {
        what: statistics.median(m["seconds"] for m in measured)
        for what, measured in results.items()
    }
    for what, name in (
        ("mutagen", "mutagen.File, nothing kept"),
        ("first", "first scan"),
        ("second", "second scan, unchanged"),
    ):
        rss_mb = max(m["rss_mb"] for m in results[what])
        rate = n_files / seconds[what]
        print(f"{name:28}{rate:10,.0f} files/s {seconds[what]:8.3f} s  peak {rss_mb:4.0f} MB")
    print(f"first scan / mutagen  {seconds['first'] / seconds['mutagen']:.2f}")
    print(f"second / first scan   {seconds['second'] / seconds['first']:.3f}")


if __name__ == "__main__":
    main()

"""Tags in files/s: read, safe write, undo, against plain mutagen over the same files in one run.

    python -m benchmarks.tagwrites [--files 50]

MP3s and FLACs of some 4 MB with a cover, so that 50 of them take 200 MB of disk for a while. Times
are wall clock, medians over all files; caches are warm. The plain way, mutagen's ``save()``,
writes into the file itself, without a copy, a check, a flush to the disk or a way back. ``copy``
is what a safe write cannot do without: a copy that has reached the disk. The rest is mostly the
proof that the audio is unchanged, two passes of the demuxer.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

WAYS = ("read", "mutagen read", "write", "undo", "mutagen save", "copy")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=50)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = _make(Path(folder), chosen.files)
        for suffix in (".mp3", ".flac"):
            _report(suffix, _measure(Path(folder), [p for p in files if p.suffix == suffix]))


def _make(folder: Path, n_files: int) -> list[Path]:
    from mutagen.flac import FLAC, Picture
    from mutagen.id3 import APIC, ID3, TCON, TIT2
    from tests.audiofiles import synth, write

    cover = os.urandom(200_000)
    mp3 = write(folder / "original.mp3", synth("music", 240.0), container="mp3")
    tags = ID3()
    for frame in (
        TIT2(encoding=3, text="Title"),
        TCON(encoding=3, text="Jazz"),
        APIC(encoding=0, mime="image/jpeg", type=3, desc="", data=cover),
    ):
        tags.add(frame)
    tags.save(mp3)
    flac = write(folder / "original.flac", synth("music", 45.0), container="flac")
    audio = FLAC(flac)
    picture = Picture()
    picture.data, picture.mime = cover, "image/jpeg"
    audio.add_picture(picture)
    audio["genre"] = "Jazz"
    audio.save()
    files = []
    for i in range(n_files):
        original = (mp3, flac)[i % 2]
        files.append(Path(shutil.copy2(original, folder / f"{i:03}{original.suffix}")))
    return files


def _measure(folder: Path, files: list[Path]) -> dict[str, list[float]]:
    """Seconds that each way took for each file."""
    import mutagen

    from earmark.tags import Journal, apply_change, read_tags, undo_change
    from earmark.types import TagChange

    times: dict[str, list[float]] = {way: [] for way in WAYS}

    def timed(way: str, call: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        result = call()
        times[way].append(time.perf_counter() - start)
        return result

    def save(path: Path) -> None:
        audio: Any = mutagen.File(path)
        if path.suffix == ".flac":
            audio["genre"] = ["Rock"]
        else:
            audio["TCON"].text = ["Rock"]
        audio.save()

    def copy(path: Path) -> None:
        with Path(shutil.copyfile(path, folder / "copy")).open("rb+") as f:
            os.fsync(f.fileno())

    with Journal(folder / "data") as journal:
        run_id = journal.new_run()
        for path in files:
            for _ in range(20):
                tags = timed("read", lambda: read_tags(path))  # noqa: B023
                timed("mutagen read", lambda: mutagen.File(path))  # noqa: B023
            st = path.stat()
            after = ("Rock", "Pop")
            change = TagChange(str(path), "genre", tags.genres, after, st.st_size, st.st_mtime_ns)
            timed("copy", lambda: copy(path))  # noqa: B023
            timed("write", lambda: apply_change(journal, run_id, change))  # noqa: B023
        for change_done in journal.changes_to_undo(run_id):
            timed("undo", lambda: undo_change(journal, change_done))  # noqa: B023
        for path in files:
            timed("mutagen save", lambda: save(path))  # noqa: B023
    return times


def _report(suffix: str, times: dict[str, list[float]]) -> None:
    ms = {way: 1e3 * statistics.median(found) for way, found in times.items()}
    print(f"{suffix[1:].upper()} ({len(times['write'])} files)")
    for way, plain in (("read", "mutagen read"), ("write", "mutagen save"), ("undo", "copy")):
        print(
            f"  {way:5} {ms[way]:7.3f} ms, {1e3 / ms[way]:6.0f} files/s;  "
            f"{plain} {ms[plain]:7.3f} ms;  ratio {ms[way] / ms[plain]:.1f}"
        )
    print(f"  write / copy {ms['write'] / ms['copy']:.1f}")


if __name__ == "__main__":
    main()

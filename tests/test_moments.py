"""Files whose modification time fits into no 64-bit number of nanoseconds."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.events import run
from earmark.library import Catalogue
from earmark.library.scan import scan
from earmark.moments import from_column, to_column
from earmark.tags import read_tags
from tests.audiofiles import synth, write
from tests.cli import earmark

SHM = Path("/dev/shm")
YEAR_2300, YEAR_2446 = 10_413_792_000_000_000_123, 15_032_385_535_000_000_000
TIMES = [
    *(YEAR_2300, YEAR_2446, -1_000_000_000_000_000_001),  # all that ext4 holds
    *(2**63 - 1, 2**63, 10**20 + 7, 10**27, -(2**63) - 1),  # tmpfs holds more
]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """On a file system that holds any time, where there is one."""
    with tempfile.TemporaryDirectory(dir=SHM if os.access(SHM, os.W_OK) else tmp_path) as name:
        yield Path(name)


def aged(path: Path, mtime_ns: int) -> Path:
    os.utime(path, ns=(mtime_ns, mtime_ns))
    if path.stat().st_mtime_ns != mtime_ns:
        pytest.skip(f"this file system does not hold the time {mtime_ns}")
    return path


@given(st.integers(-(2**90), 2**90), st.integers(-(2**90), 2**90))
def test_a_column_holds_any_time(a: int, b: int) -> None:
    with sqlite3.connect(":memory:") as db:
        db.execute("CREATE TABLE t (at INTEGER NOT NULL)")
        db.execute("INSERT INTO t VALUES (?)", (to_column(a),))
        assert [from_column(at) for (at,) in db.execute("SELECT at FROM t")] == [a]
        ((n,),) = db.execute("SELECT count(*) FROM t WHERE at = ?", (to_column(b),))
        assert n == (a == b)
    db.close()


@pytest.mark.parametrize("mtime_ns", TIMES)
def test_a_scan_knows_the_file_again(folder: Path, tmp_path: Path, mtime_ns: int) -> None:
    song = write(folder / "song.flac", synth("music", 1.0), container="flac")
    aged(song, mtime_ns)
    with Catalogue.open(tmp_path / "catalogue.sqlite") as catalogue:
        assert run(scan(folder, catalogue)).n_new == 1
        track = catalogue.track(song)
        assert track is not None
        assert track.mtime_ns == mtime_ns
        assert catalogue.stats(folder) == {str(song): (song.stat().st_size, mtime_ns)}
        catalogue.set_audio_id(str(song), "abc")
        assert catalogue.audio_id(str(song), track.size, mtime_ns) == "abc"
        assert run(scan(folder, catalogue)).n_unchanged == 1
        aged(song, mtime_ns - 1)
        assert run(scan(folder, catalogue)).n_changed == 1


@pytest.mark.parametrize("keep", [(), ("--keep-mtime",)])
@pytest.mark.parametrize("mtime_ns", [YEAR_2300, 10**20 + 7, -(10**18) - 1])
def test_a_plan_is_written_and_taken_back(
    folder: Path, mtime_ns: int, keep: tuple[str, ...]
) -> None:
    song = write(folder / "song.mp3", synth("music", 6.0), container="mp3")
    shutil.copyfile(song, folder / "plain.mp3")
    aged(song, mtime_ns)
    before = song.read_bytes()
    ran = earmark("tag", folder, "--apply", "--yes", "--min-confidence", "0", *keep)
    assert (ran.code, "2 files written" in ran.out) == (0, True), ran
    assert read_tags(song).genres
    assert (song.stat().st_mtime_ns == mtime_ns) == bool(keep)
    assert earmark("undo").code == 0
    assert song.read_bytes() == before
    assert song.stat().st_mtime_ns == mtime_ns


def test_learning_reads_such_a_library(folder: Path) -> None:
    for first, genre in enumerate(("Rock", "Jazz")):
        for i in range(3):
            name = folder / genre / f"{i}.flac"
            name.parent.mkdir(exist_ok=True)
            aged(write(name, synth("music", 4.0, seed=3 * first + i), container="flac"), YEAR_2300)
    ran = earmark(
        "audit", folder, "--labels", "folders", "--min-tracks", "3", "--cv", "2", "--json"
    )
    assert ran.code == 0, ran.err
    assert '"n_judged": 6' in ran.out

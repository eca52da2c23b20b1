"""From a folder to what is in it twice, and the fingerprints that are kept on the way."""

import csv
import io
import json
import re
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from earmark.audio.fingerprint import Fingerprint, fingerprint
from earmark.cli.app import app
from earmark.datasets import fingerprints
from earmark.datasets.duplicates import DuplicatePair
from earmark.datasets.fingerprints import FingerprintStore, fingerprinted_ids
from earmark.errors import LibraryError
from earmark.events import FileSkipped, Progress, run
from earmark.pool import Workers
from tests.audiofiles import synth, write


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A song, its copy under another name and tag, a quiet low cut of it; another song; no song."""
    root = tmp_path / "library"
    (root / "old").mkdir(parents=True)
    song = synth("music", 20.0)
    write(root / "song.mp3", song, container="mp3", tags={"title": "Song"})
    write(
        root / "old" / "cöpy.mp3",
        song,
        container="mp3",
        tags={"title": "Copy", "artist": "Someone"},
    )
    write(root / "old" / "cut.ogg", 0.3 * song[:, 5 * 44100 : 15 * 44100], container="ogg")
    write(root / "other.flac", synth("music", 20.0, seed=3), container="flac")
    (root / "broken.mp3").write_bytes(b"this is no music" * 100)
    return root


def ran(*args: object) -> Result:
    words = ["duplicates", *map(str, args), "--quiet", "--workers", "1"]
    return CliRunner().invoke(app, words)


def test_a_person_sees_what_belongs_together(library: Path) -> None:
    done = ran(library)
    assert done.exit_code == 3
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    assert lines[0] == f"{library}/old/cut.ogg"
    assert re.fullmatch(rf"{library}/old/cöpy.mp3 +(9|10) s in common, moved by 0:05", lines[1])
    assert re.fullmatch(rf"{library}/song.mp3 +the same audio", lines[2])
    assert lines[3] == ""
    assert lines[4] == "4 tracks, 1 recordings are there more than once"
    assert "broken.mp3" in done.stderr


def test_what_cannot_be_heard_is_named_once(library: Path) -> None:
    (library / "empty.mp3").touch()
    (library / "gone.flac").symlink_to("nowhere")
    told = ran(library).stderr.splitlines()
    assert told == [
        f"skipped: {library}/gone.flac: broken link: No such file or directory",
        f"skipped: {library}/broken.mp3: not a music file, or damaged beyond reading",
        f"skipped: {library}/empty.mp3: empty file (zero bytes)",
    ]


def test_damaged_tags_hide_no_copy(library: Path) -> None:
    content = bytearray((library / "song.mp3").read_bytes())
    assert content.startswith(b"ID3")
    content[3] = 9  # ID3v2.9, which there is not
    (library / "untold.mp3").write_bytes(content)
    done = ran(library, "--json")
    found = json.loads(done.stdout)
    copies = {Path(p[side]).name for p in found["pairs"] for side in "ab" if p["kind"] == "exact"}
    assert copies == {"cöpy.mp3", "song.mp3", "untold.mp3"}
    assert "untold.mp3" not in done.stderr


def test_for_programs(library: Path) -> None:
    found = json.loads(ran(library, "--json").stdout)
    assert found["n_tracks"] == 4
    kinds = {(Path(p["a"]).name, Path(p["b"]).name): p for p in found["pairs"]}
    assert len(kinds) == 2
    exact = next(p for p in kinds.values() if p["kind"] == "exact")
    assert (exact["a"], exact["b"]) == (f"{library}/old/cöpy.mp3", f"{library}/song.mp3")
    near = next(p for p in kinds.values() if p["kind"] == "near")
    assert abs(near["offset_s"]) == pytest.approx(5, abs=0.1)
    rows = list(csv.DictReader(io.StringIO(ran(library, "--csv").stdout)))
    assert [row["kind"] for row in rows] == [p["kind"] for p in found["pairs"]]
    assert ran(library, "--csv", "--json").exit_code == 2


def test_a_second_run_listens_to_nothing_new(
    library: Path, earmark_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fingerprints, "_known", set())
    paths = [str(library / "song.mp3"), str(library / "other.flac")]
    events: list[object] = []
    with Workers(1, time_limit_s=60) as workers:
        flow = fingerprints.compare(paths, earmark_home / "fingerprints", workers)
        first = run(flow, events.append)
    assert sum(isinstance(e, Progress) and e.stage == "listening" for e in events) == 3
    assert len(fingerprinted_ids(earmark_home / "fingerprints")) == 2
    (library / "song.mp3").rename(library / "moved.mp3")
    fingerprints._start(earmark_home / "fingerprints", 2)
    assert isinstance(fingerprints._take(str(library / "moved.mp3")), str)
    assert isinstance(fingerprints._take(str(library / "old" / "cut.ogg")), Fingerprint)
    assert first.pairs == ()


def test_groups_follow_links() -> None:
    pairs = tuple(DuplicatePair(a, b, "near", 1.0, 0.0, 0.5) for a, b in ((0, 3), (3, 4), (1, 5)))
    report = fingerprints.DuplicateReport(tuple("abcdef"), pairs)
    assert report.groups() == [[0, 3, 4], [1, 5]]


def test_what_cannot_be_read_is_reported_and_the_rest_compared(
    library: Path, earmark_home: Path
) -> None:
    names = ("song.mp3", "broken.mp3", "gone.mp3", "old/cut.ogg")
    events: list[object] = []
    paths = [str(library / name) for name in names]
    with Workers(1, time_limit_s=60) as workers:
        flow = fingerprints.compare(paths, earmark_home / "fingerprints", workers)
        report = run(flow, events.append)
    skipped = {Path(e.path).name for e in events if isinstance(e, FileSkipped)}
    assert skipped == {"broken.mp3", "gone.mp3"}
    assert [Path(path).name for path in report.paths] == ["song.mp3", "cut.ogg"]
    assert [(p.a, p.b) for p in report.pairs] == [(0, 1)]


def test_a_store_gives_back_what_it_was_given(tmp_path: Path, library: Path) -> None:
    item = fingerprint(library / "song.mp3")
    silent = Fingerprint("silent", np.zeros(0, np.uint32), np.zeros(0, np.int32), 3.5)
    with FingerprintStore(tmp_path / "new") as store:
        store.add([item, silent])
        store.add([item])
        assert store.get("unknown") is None
    with FingerprintStore(tmp_path / "new") as store:
        for expected in (item, silent):
            found = store.get(expected.audio_id)
            assert found is not None
            assert np.array_equal(found.hashes, expected.hashes)
            assert np.array_equal(found.ticks, expected.ticks)
            assert found.duration_s == expected.duration_s
    assert fingerprinted_ids(tmp_path / "new") == {item.audio_id, "silent"}
    assert fingerprinted_ids(tmp_path / "none") == set()


def test_another_recipe_is_another_file(
    tmp_path: Path, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FingerprintStore(tmp_path) as store:
        store.add([fingerprint(library / "song.mp3")])
    monkeypatch.setattr(fingerprints, "RECIPE", 2)
    assert fingerprinted_ids(tmp_path) == set()


def test_a_damaged_store_says_what_to_do(tmp_path: Path) -> None:
    with FingerprintStore(tmp_path) as store:
        path = store._path
    path.write_bytes(b"no database, and not empty" * 100)
    with pytest.raises(LibraryError, match="cannot be used: file is not a database"):
        FingerprintStore(tmp_path)


def test_a_store_that_another_holds_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda path, timeout: connect(path, timeout=0.05))
    silent = Fingerprint("silent", np.zeros(0, np.uint32), np.zeros(0, np.int32), 3.5)
    with FingerprintStore(tmp_path) as store:
        other = connect(store._path)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LibraryError, match="locked"):
            store.add([silent])
        other.close()

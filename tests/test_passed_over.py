"""Which files count, verb by verb: names with a leading dot do, recycle bins do not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from earmark.events import Event, Note, run
from earmark.inference.batch import files_below
from earmark.library import Catalogue
from earmark.library.scan import scan
from earmark.workflows.duplicates import duplicates
from tests.audiofiles import synth, write
from tests.cli import earmark
from tests.sessions import resources

HEARD = (
    "...And Justice for All/...Baby One More Time.mp3",
    ".38 Special/01.mp3",
    "Recycler/01.mp3",
)
PASSED_OVER = (
    *("@Recycle/old.mp3", "$Recycle.Bin/old.mp3", "RECYCLER/S-1-5-21-1-2-3-4/old.mp3"),
    *("#recycle/old.mp3", "#snapshot/old.mp3", "@Recently-Snapshot/old.mp3", "@__thumb/old.mp3"),
    *(".cache/old.mp3", ".38 Special/._01.mp3"),
)
SAID = (
    "4 recycle bins, 2 folders of older copies, 1 folder of the system, 1 hidden folder,"
    " 1 macOS side file"
)


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """The same song in all these places, each time without a genre."""
    song = write(tmp_path / "song.mp3", synth("music", 4.0), container="mp3")
    for name in (*HEARD, *PASSED_OVER):
        path = tmp_path / "library" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(song, path)
    return tmp_path / "library"


def notes(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Note)]


def test_scan_counts_them_and_says_what_it_passed_over(library: Path) -> None:
    ran = earmark("scan", library)
    assert (ran.code, ran.err) == (0, "")
    assert f"tracks         {len(HEARD)} (" in ran.out
    assert f"passed over    {SAID}" in ran.out
    assert "passed over" not in earmark("scan", library / "Recycler").out


def test_classify_hears_them(library: Path) -> None:
    ran = earmark("classify", library, "--json")
    assert ran.code == 0
    paths = [track["path"] for track in json.loads(ran.out)["tracks"]]
    assert paths == [str(library / name) for name in HEARD]
    assert ran.err == f"passed over: {SAID}\n"


def test_tag_plans_them(library: Path) -> None:
    ran = earmark("tag", library, "--export", library.parent / "plan.csv", "--min-confidence", "0")
    assert f"{len(HEARD)} tracks: " in ran.out
    table = (library.parent / "plan.csv").read_text("utf-8-sig")
    assert all(str(library / name) in table for name in HEARD)
    assert "old.mp3" not in table
    assert SAID in ran.err


def test_nothing_is_learned_from_what_is_passed_over(library: Path, tmp_path: Path) -> None:
    (library / ".cache").rename(library / "plain")
    with Catalogue.open(tmp_path / "catalogue.sqlite") as catalogue:
        run(scan(library, catalogue))
        assert str(library / "plain" / "old.mp3") in catalogue.stats(library)
        (library / "plain").rename(library / "#recycle" / "plain")
        report = run(scan(library, catalogue))
        assert report.n_removed == 1  # what was put into a bin is gone
        tracks = [track.path for track in catalogue.tracks(library)]
    assert tracks == sorted(str(library / name) for name in HEARD)


def test_unlabelled_folders_and_duplicates_pass_over_the_same(
    library: Path, tmp_path: Path
) -> None:
    expected = [str(library / name) for name in HEARD]
    events: list[Event] = []
    assert run(files_below([str(library)]), events.append) == {str(library): expected}
    with resources(tmp_path / "home") as opened:
        report = run(duplicates(library, opened), events.append)
    assert list(report.paths) == sorted(expected)
    assert notes(events) == [f"passed over: {SAID}"] * 2

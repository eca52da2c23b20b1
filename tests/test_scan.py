"""The scan: what is new is read, what is known is only looked at, nothing stops it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mutagen.flac import FLAC

from earmark.errors import LibraryError
from earmark.events import Event, FileSkipped, Progress, run
from earmark.library import Catalogue
from earmark.library import scan as scan_module
from earmark.library.scan import ScanReport, scan
from earmark.types import Tags
from tests.audiofiles import sample
from tests.systems import make_pipe

TagFile = Callable[..., Path]


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One song in several containers, encoded once."""
    folder = tmp_path_factory.mktemp("songs")
    for container in ("mp3", "flac", "ogg", "opus", "m4a"):
        sample(folder / f"song.{container}", container)
    return folder


@pytest.fixture
def music(tmp_path: Path) -> Path:
    folder = tmp_path / "music"
    folder.mkdir()
    return folder


@pytest.fixture
def add(music: Path, songs: Path) -> TagFile:
    """Put a FLAC with genres into the music folder."""

    def _add(name: str, *genres: str) -> Path:
        path = music / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(songs / "song.flac", path)
        tags = FLAC(path)
        tags["genre"] = list(genres)
        tags.save()
        return path

    return _add


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    with Catalogue.open(tmp_path / "catalogue.sqlite") as opened:
        yield opened


def changed(report: ScanReport) -> tuple[int, int, int, int]:
    return report.n_new, report.n_changed, report.n_removed, report.n_unchanged


def test_report(music: Path, songs: Path, add: TagFile, catalogue: Catalogue) -> None:
    shutil.copytree(songs, music / "plain")
    add("a.flac", "hip hop", "Trash Metal")
    add("b.flac", "Hip-Hop")
    add("c.flac", "(255)")
    add("d.flac", "Chip-Breakz")
    add("e.flac", "chip breakz")
    add("f.flac", "Chip-Breakz; Rock")
    (music / "empty.mp3").touch()
    (music / "gone.ogg").symlink_to("nothing.ogg")
    report = run(scan(music, catalogue))
    assert report.n_tracks == 12
    assert report.formats == {"flac": 7, "mp3": 1, "mp4": 1, "ogg": 1, "opus": 1}
    assert report.genres == {"Chip-Breakz": 3, "Hip-Hop": 2, "Rock": 1, "Thrash Metal": 1}
    assert report.n_missing_genre == 6
    assert report.duration_s == pytest.approx(11.0, rel=0.1)
    assert [path for path, _ in report.unreadable] == [
        str(music / "empty.mp3"),
        str(music / "gone.ogg"),
    ]
    assert all(reason for _, reason in report.unreadable)
    assert changed(report) == (12, 0, 0, 0)


def test_genres_as_shops_and_programs_of_all_languages_write_them(
    music: Path, add: TagFile, catalogue: Catalogue
) -> None:
    names = ["Techno (Peak Time / Driving)", "Electro (Classic / Detroit / Modern)"]
    for i, genre in enumerate([*names, "140 / Deep Dubstep / Grime", "R&B/Soul"]):
        add(f"{i}.flac", genre)
    missing = ["Без жанра", "ジャンル", "Genre inconnu", "<unknown>", "n/a", "Ｕｎｄｅｆｉｎｅｄ"]
    for i, genre in enumerate(missing):
        add(f"missing {i}.flac", genre)
    report = run(scan(music, catalogue))
    assert set(report.genres) == {*names, "Deep Dubstep", "Grime", "R&B"}
    assert report.n_missing_genre == len(missing)


def test_every_unreadable_file_is_told_each_time(
    music: Path, add: TagFile, catalogue: Catalogue
) -> None:
    add("a.flac", "Rock")
    (music / "text.flac").write_text("this is no music")
    make_pipe(music / "pipe.mp3")
    for _ in range(2):
        events: list[Event] = []
        report = run(scan(music, catalogue), events.append)
        skipped = [event.path for event in events if isinstance(event, FileSkipped)]
        assert sorted(skipped) == [str(music / "pipe.mp3"), str(music / "text.flac")]
        assert tuple(sorted(skipped)) == tuple(path for path, _ in report.unreadable)
    # Its tags are of no use, but nobody has tried its audio yet.
    track = catalogue.track(music / "text.flac")
    assert track is not None
    assert track.error


def test_only_new_and_changed_files_are_read(
    add: TagFile, music: Path, catalogue: Catalogue
) -> None:
    kept, edited, removed = (add(f"{name}.flac", "Rock") for name in ("kept", "edited", "removed"))
    assert changed(run(scan(music, catalogue))) == (3, 0, 0, 0)
    assert changed(run(scan(music, catalogue))) == (0, 0, 0, 3)

    before = {track.path: track for track in catalogue.tracks(music)}
    catalogue.set_audio_id(str(kept), "abc")
    catalogue.set_audio_id(str(edited), "def")
    tags = FLAC(edited)
    tags["genre"] = "Jazz"
    tags.save()
    removed.unlink()
    add("new.flac", "Pop")
    report = run(scan(music, catalogue))
    assert changed(report) == (1, 1, 1, 1)
    assert report.genres == {"Jazz": 1, "Pop": 1, "Rock": 1}
    after = {track.path: track for track in catalogue.tracks(music)}
    assert after[str(edited)].track_id == before[str(edited)].track_id
    assert after[str(kept)].audio_id == "abc"
    assert after[str(edited)].audio_id == ""


COUNTING_OPENS = """
import json, sys
from earmark.library import Catalogue
from earmark.events import run
from earmark.library.scan import scan

root, database = sys.argv[1:]
opened = []
sys.addaudithook(
    lambda event, args: opened.append(str(args[0])) if event == "open" else None
)
with Catalogue.open(database) as catalogue:
    report = run(scan(root, catalogue))
print(json.dumps([report.n_new, report.n_unchanged, [p for p in opened if p.startswith(root)]]))
"""


def test_a_second_scan_opens_no_file(tmp_path: Path, music: Path, add: TagFile) -> None:
    names = [str(add(f"album/{i}.flac", "Rock")) for i in range(5)]
    (music / "bad.mp3").write_bytes(b"")

    def scan_elsewhere() -> tuple[int, int, list[str]]:
        command = [sys.executable, "-c", COUNTING_OPENS, str(music), str(tmp_path / "c.sqlite")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        n_new, n_unchanged, opened = json.loads(done.stdout)
        return n_new, n_unchanged, opened

    n_new, _, opened = scan_elsewhere()
    assert n_new == 6
    assert set(names) <= set(opened)  # the hook sees what there is to see
    assert scan_elsewhere() == (0, 6, [])


def test_a_file_that_vanishes_midway_is_skipped(
    music: Path, add: TagFile, catalogue: Catalogue
) -> None:
    for name in ("a", "b", "c"):
        add(f"{name}.flac", "Rock")
    run(scan(music, catalogue))
    for name in ("a", "b", "c"):
        add(f"{name}.flac", "Jazz", "Blues", "a longer list")
    skipped = []
    workflow = scan(music, catalogue)
    while True:
        try:
            event = next(workflow)
        except StopIteration as stop:
            report = stop.value
            break
        if isinstance(event, Progress) and event.done == 1:
            (music / "b.flac").unlink()
        if isinstance(event, FileSkipped):
            skipped.append(event)
    assert skipped == [FileSkipped(str(music / "b.flac"), "vanished while it was looked at")]
    assert changed(report) == (0, 2, 1, 0)
    assert report.unreadable == ()
    assert [Path(t.path).name for t in catalogue.tracks(music)] == ["a.flac", "c.flac"]


def test_what_was_read_survives_an_interrupt(
    music: Path, add: TagFile, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan_module, "_BATCH", 2)
    for i in range(5):
        add(f"{i}.flac", "Rock")
    with pytest.raises(KeyboardInterrupt):
        run(scan(music, catalogue), interrupt_after(3))
    assert len(list(catalogue.tracks(music))) == 2
    assert changed(run(scan(music, catalogue))) == (3, 0, 0, 2)


def interrupt_after(n: int) -> Callable[[Event], None]:
    def on_event(event: Event) -> None:
        if isinstance(event, Progress) and event.stage == "reading tags" and event.done == n:
            raise KeyboardInterrupt

    return on_event


def test_a_closed_folder_forgets_nothing(
    music: Path, add: TagFile, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    add("open/a.flac", "Rock")
    add("closed/b.flac", "Jazz")
    run(scan(music, catalogue))
    real_scandir = os.scandir

    # Permissions would not stop a test that runs as root.
    def scandir(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", path)
        return real_scandir(path)

    monkeypatch.setattr(os, "scandir", scandir)
    (music / "open" / "a.flac").unlink()
    report = run(scan(music, catalogue))
    assert changed(report) == (0, 0, 1, 1)
    assert report.genres == {"Jazz": 1}
    assert report.unreadable == (
        (str(music / "closed"), "folder cannot be read: Permission denied"),
    )


def test_what_may_not_be_touched_is_listed_and_never_opened(
    music: Path, add: TagFile, catalogue: Catalogue, tmp_path: Path
) -> None:
    add("in.flac", "Rock")
    far = add("../far/out.flac", "Jazz")
    (music / "link.flac").symlink_to(far)
    (music / "folder").symlink_to(far.parent, target_is_directory=True)
    links = [str(music / "folder" / "out.flac"), str(music / "link.flac")]
    inside = os.path.realpath(music) + os.sep
    assert run(scan(music, catalogue)).genres == {"Jazz": 2, "Rock": 1}
    # What was known of it is forgotten, and known again once it may be looked at.
    for _ in range(2):
        report = run(scan(music, catalogue, lambda path: os.path.realpath(path).startswith(inside)))
        assert report.genres == {"Rock": 1}
        assert [path for path, _ in report.unreadable] == links
        assert {reason for _, reason in report.unreadable} == {"leads out of the library"}
        tracks = {track.path: track for track in catalogue.tracks(music)}
        assert all(tracks[link].tags == Tags() for link in links)
    assert run(scan(music, catalogue)).genres == {"Jazz": 2, "Rock": 1}


def test_one_folder_leaves_the_others_alone(
    music: Path, add: TagFile, catalogue: Catalogue
) -> None:
    add("a/1.flac", "Rock")
    add("ab/2.flac", "Jazz")
    run(scan(music, catalogue))
    shutil.rmtree(music / "ab")
    assert changed(run(scan(music / "a", catalogue))) == (0, 0, 0, 1)
    assert len(list(catalogue.tracks(music))) == 2
    assert changed(run(scan(music, catalogue))) == (0, 0, 1, 1)


def test_names_that_are_no_text(music: Path, add: TagFile, catalogue: Catalogue) -> None:
    name = os.fsdecode(b"caf\xe9 \xff.flac")
    add(name, "Rock")
    assert run(scan(music, catalogue)).genres == {"Rock": 1}
    assert [t.path for t in catalogue.tracks(music)] == [str(music / name)]
    assert changed(run(scan(music, catalogue))) == (0, 0, 0, 1)


def test_a_single_file(music: Path, add: TagFile, catalogue: Catalogue) -> None:
    path = add("a.flac", "Rock")
    add("b.flac", "Jazz")
    report = run(scan(path, catalogue))
    assert (report.n_tracks, report.genres) == (1, {"Rock": 1})


def test_a_missing_root_changes_nothing(music: Path, add: TagFile, catalogue: Catalogue) -> None:
    add("a.flac", "Rock")
    run(scan(music, catalogue))
    shutil.rmtree(music)
    with pytest.raises(LibraryError, match="No such file"):
        run(scan(music, catalogue))
    assert len(list(catalogue.tracks(music))) == 1


def test_progress(music: Path, add: TagFile, catalogue: Catalogue) -> None:
    for i in range(3):
        add(f"{i}.flac", "Rock")
    events: list[Event] = []
    run(scan(music, catalogue), events.append)
    assert events == [
        Progress("looking", 3, 3),
        *(Progress("reading tags", i + 1, 3, str(music / f"{i}.flac")) for i in range(3)),
    ]


def test_looking_ends_at_what_was_found(
    music: Path, add: TagFile, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan_module, "_BATCH", 2)
    for name in ("a", "b", "c"):
        add(f"{name}.flac", "Rock")
    (music / "d.ogg").symlink_to("nothing.ogg")
    (music / "e.ogg").symlink_to("nothing.ogg")
    events: list[Event] = []
    run(scan(music, catalogue), events.append)
    looking = [e for e in events if isinstance(e, Progress) and e.stage == "looking"]
    assert [(e.done, e.total) for e in looking] == [(2, None), (5, 5)]

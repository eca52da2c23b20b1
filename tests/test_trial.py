"""What a plan promises can be written: asked beforehand, and tried, both say the same."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from earmark.errors import TagError
from earmark.events import run
from earmark.library import Catalogue
from earmark.tags import Journal, apply_change, check_could_write, read_tags
from earmark.types import TagChange
from earmark.workflows.plan import import_plan
from tests.audiofiles import sample, synth, write
from tests.cli import earmark

if sys.platform == "win32":
    pytest.skip("files have owners, groups and modes elsewhere", allow_module_level=True)

NOBODY = 65534
IS_ROOT = os.geteuid() == 0


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal") as opened:
        yield opened


@pytest.fixture
def song(tmp_path: Path) -> Path:
    folder = tmp_path / "music"
    folder.mkdir()
    return sample(folder / "song.mp3", "mp3")


def attempt(journal: Journal, path: Path) -> None:
    status = path.stat()
    change = TagChange(
        str(path), "genre", read_tags(path).genres, ("Polka",), status.st_size, status.st_mtime_ns
    )
    apply_change(journal, journal.new_run(), change)


def refused(journal: Journal, path: Path, match: str) -> None:
    """Asked and tried, both refuse; asked, in words that say why."""
    before = path.read_bytes()
    with pytest.raises(TagError, match=match) as asked:
        check_could_write(str(path))
    assert asked.value.path == os.path.realpath(path)
    with pytest.raises(TagError):
        attempt(journal, path)
    assert path.read_bytes() == before
    assert sorted(each.name for each in path.parent.iterdir() if each.name[0] == ".") == []


@pytest.mark.parametrize("container", ["mp3", "flac", "ogg", "opus", "m4a", "wav", "aiff", "wma"])
def test_what_is_promised_is_kept(tmp_path: Path, journal: Journal, container: str) -> None:
    path = sample(tmp_path / f"song.{container}", container)
    link = tmp_path / f"link.{container}"
    link.symlink_to(path)
    before = path.read_bytes()
    for name in (path, link):
        check_could_write(str(name))
    assert path.read_bytes() == before
    attempt(journal, link)
    assert read_tags(path).genres == ("Polka",)


def test_read_only_files(journal: Journal, song: Path) -> None:
    song.chmod(0o444)
    refused(journal, song, "the file is read-only")


def test_hard_links(journal: Journal, song: Path, tmp_path: Path) -> None:
    os.link(song, tmp_path / "other.mp3")
    refused(journal, song, "2 hard links")


@pytest.mark.parametrize(("name", "container"), [("raw.aac", "adts"), ("a.mkv", "mkv_video")])
def test_containers_that_hold_no_tags_of_ours(tmp_path: Path, name: str, container: str) -> None:
    path = sample(tmp_path / name, container)
    with pytest.raises(TagError, match=r"cannot hold tags|not written"):
        check_could_write(str(path))


def test_what_is_gone_or_no_file(tmp_path: Path) -> None:
    (tmp_path / "gone.mp3").symlink_to(tmp_path / "nothing.mp3")
    os.mkfifo(tmp_path / "pipe.mp3")
    for name, match in (("gone.mp3", "no such file"), ("pipe.mp3", "not a regular file")):
        with pytest.raises(TagError, match=match):
            check_could_write(str(tmp_path / name))


@contextmanager
def somebody(uid: int = NOBODY) -> Iterator[None]:
    os.setegid(uid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@pytest.mark.skipif(not IS_ROOT, reason="only root can become somebody else")
@pytest.mark.parametrize(
    ("prepare", "match"),
    [
        (lambda song: None, "its owner or group could not be kept"),
        (lambda song: os.chown(song, NOBODY, 0), "its owner or group could not be kept"),
        (lambda song: song.parent.chmod(0o1777), "only its owner may replace it"),
    ],
)
def test_files_of_others(tmp_path: Path, prepare: Callable[[Path], object], match: str) -> None:
    # pytest's folders are closed to others.
    outer = Path("/tmp") / f"earmark-test-{os.getpid()}"
    (outer / "music").mkdir(parents=True)
    try:
        song = sample(outer / "music" / "song.mp3", "mp3")
        for folder in (outer, outer / "music"):
            folder.chmod(0o777)
        song.chmod(0o666)
        prepare(song)
        with somebody(), Journal(outer / "journal") as journal:
            refused(journal, song, match)
    finally:
        shutil.rmtree(outer)


@pytest.mark.skipif(not IS_ROOT, reason="only root may mount and lock")
@pytest.mark.parametrize("how", ["i", "a"])
def test_locked_files(journal: Journal, song: Path, how: str) -> None:
    if subprocess.run(["chattr", f"+{how}", song], capture_output=True, check=False).returncode:
        pytest.skip("no locks on this file system")
    try:
        refused(journal, song, "the file is locked against changes")
    finally:
        subprocess.run(["chattr", f"-{how}", song], check=True)


@pytest.mark.skipif(not IS_ROOT, reason="only root may mount and lock")
@pytest.mark.parametrize(
    ("options", "match"),
    [("size=3m", "the disk has no room"), ("size=64m,ro", "the file system is read-only")],
)
def test_disks(journal: Journal, tmp_path: Path, options: str, match: str) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    size = options.removesuffix(",ro")
    mount = ["mount", "-t", "tmpfs", "-o", size, "none", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        path = write(disk / "song.wav", synth("music", 10.0), container="wav")
        if options.endswith("ro"):
            subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        refused(journal, path, match)
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_table_promises_no_more_than_listening_does(song: Path, tmp_path: Path) -> None:
    good = shutil.copyfile(song, song.with_name("good.mp3"))
    song.chmod(0o444)
    table = tmp_path / "plan.csv"
    table.write_text(f"path,genre\n{song},Polka\n{good},Polka\n")
    with Catalogue.open(tmp_path / "catalogue.sqlite") as catalogue:
        plan = run(import_plan(str(song.parent), table, catalogue))
    said = {Path(item.path).name: (item.action, item.reason) for item in plan.items}
    assert said == {
        "good.mp3": ("fill", ""),
        "song.mp3": ("error", "the file is read-only (allow writing to it first)"),
    }
    ran = earmark("tag", song.parent, "--import", table, "--apply", "--yes")
    assert "1 files written" in ran.out
    assert "read-only" in ran.out
    assert ran.code == 3


def test_a_typed_genre_is_text_on_one_line(song: Path, tmp_path: Path) -> None:
    table = tmp_path / "plan.csv"
    table.write_text(f'path,genre\n{song},"Po\x00lka\r\n Dance;\x00"\n', newline="")
    ran = earmark("tag", song.parent, "--import", table, "--apply", "--yes")
    assert ran.code == 0, ran
    assert read_tags(song).genres == ("Po lka Dance",)

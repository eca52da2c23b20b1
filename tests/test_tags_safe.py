"""The file around the tags: attributes and names that stay, and files that are refused."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from earmark.errors import FileChangedError, TagError
from earmark.tags import Journal, apply_change, read_tags
from tests.audiofiles import sample
from tests.tagfiles import leftovers, make, plan, undo, write
from tests.tagmakers import add_id3, bare_mp3, encode


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "data") as journal:
        yield journal


# --- the file around the tags ---------------------------------------------------------------------


def test_mode_xattrs_and_owner_are_kept(tmp_path: Path, journal: Journal) -> None:
    if sys.platform != "linux":
        pytest.skip("Python sets extended attributes on Linux only")
    path = make(tmp_path, "flac")
    path.chmod(0o640)
    try:
        os.setxattr(path, "user.mood", b"blue")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    stat = path.stat()
    write(journal, path, "Rock")
    for _ in ("written", "undone"):
        now = path.stat()
        assert (now.st_mode, now.st_uid, now.st_gid) == (stat.st_mode, stat.st_uid, stat.st_gid)
        assert os.getxattr(path, "user.mood") == b"blue"
        if journal.runs()[0].counts == {"done": 1}:
            undo(journal)


def test_mtime_moves_on_unless_it_is_to_be_kept(tmp_path: Path, journal: Journal) -> None:
    path = bare_mp3(tmp_path / "a.mp3")
    os.utime(path, (10**9, 10**9))
    write(journal, path, "Rock", keep_mtime=True)
    assert path.stat().st_mtime == 10**9
    write(journal, path, "Pop")
    assert path.stat().st_mtime > 10**9
    undo(journal)
    assert path.stat().st_mtime == 10**9


@pytest.mark.parametrize(
    "raw", ["ünï — 東京.mp3".encode(), b"caf\xe9 \xff.mp3", b".mp3", b"n\nl.mp3"]
)
def test_any_name(tmp_path: Path, journal: Journal, raw: bytes) -> None:
    path = tmp_path / os.fsdecode(raw)
    add_id3(bare_mp3(path), 3, "Jazz")
    before = path.read_bytes()
    write(journal, path, "Rock")
    assert read_tags(path).genres == ("Rock",)
    assert journal.changes(1)[0].path == str(path)
    undo(journal)
    assert path.read_bytes() == before


def test_wrong_suffix_does_not_matter(tmp_path: Path, journal: Journal) -> None:
    path = make(tmp_path, "flac").rename(tmp_path / "flac.mp3")
    write(journal, path, "Rock")
    assert read_tags(path).container == "flac"
    assert read_tags(path).genres == ("Rock",)


def test_symbolic_link_stays_one(tmp_path: Path, journal: Journal) -> None:
    target = make(tmp_path, "flac")
    link = tmp_path / "link.flac"
    link.symlink_to("flac.flac")
    assert write(journal, link, "Rock").path == str(target)
    assert link.is_symlink()
    assert read_tags(target).genres == ("Rock",)


def test_nothing_is_written_where_nothing_changes(tmp_path: Path, journal: Journal) -> None:
    path = make(tmp_path, "flac")
    stat = path.stat()
    written = write(journal, path, "Jazz")
    assert not written.changed
    assert path.stat() == stat
    # Also where a plan is carried out a second time, after the file has changed by the first.
    stale = replace(plan(path, "Jazz"), before=("Old",), size=1)
    assert not apply_change(journal, 1, stale).changed


# --- what is refused ------------------------------------------------------------------------------


def refused(journal: Journal, path: Path, *after: str, match: str) -> None:
    before = path.read_bytes()
    with pytest.raises(TagError, match=match):
        write(journal, path, *after)
    assert path.read_bytes() == before
    assert leftovers(path.parent) == []


def test_hard_links_are_refused(tmp_path: Path, journal: Journal) -> None:
    path = make(tmp_path, "flac")
    (tmp_path / "other.flac").hardlink_to(path)
    refused(journal, path, "Rock", match="2 hard links")


def test_read_only_file_is_refused(tmp_path: Path, journal: Journal) -> None:
    path = make(tmp_path, "flac")
    path.chmod(0o444)
    refused(journal, path, "Rock", match="read-only")


@pytest.mark.parametrize("genre", ["", "  ", "a\0b", "\ud800"])
def test_impossible_genres_are_refused(tmp_path: Path, journal: Journal, genre: str) -> None:
    refused(journal, make(tmp_path, "flac"), "Rock", genre, match="empty genre, or one that is no")


def test_other_fields_are_refused(tmp_path: Path, journal: Journal) -> None:
    change = replace(plan(make(tmp_path, "flac"), "Rock"), field="title")
    with pytest.raises(TagError, match="'title' cannot be written"):
        apply_change(journal, 1, change)


def test_types_that_can_only_be_read_are_refused(tmp_path: Path, journal: Journal) -> None:
    path = encode(tmp_path / "a.ac3", "ac3", "ac3", "fltp")
    refused(journal, path, "Rock", match="can be read and not written")


def test_raw_aac_without_a_tag_is_refused(tmp_path: Path, journal: Journal) -> None:
    refused(journal, sample(tmp_path / "a.aac", "adts"), "Rock", match="raw AAC cannot hold tags")


def test_changed_file_is_refused(tmp_path: Path, journal: Journal) -> None:
    path = make(tmp_path, "flac")
    change = plan(path, "Rock")
    os.utime(path, ns=(1, change.mtime_ns + 1))
    with pytest.raises(FileChangedError, match="since the plan"):
        apply_change(journal, 1, change)
    before = path.read_bytes()
    with pytest.raises(FileChangedError, match="since the plan"):
        apply_change(journal, 1, replace(plan(path, "Rock"), before=("Blues",)))
    assert path.read_bytes() == before
    assert journal.changes(1) == []


def test_file_that_changes_meanwhile_is_left_alone(
    tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make(tmp_path, "flac")

    def slow_hash(file: str) -> str:
        with path.open("ab") as f:
            f.write(b"more")
        return ""

    monkeypatch.setattr("earmark.tags.rewrite.packet_hash", slow_hash)
    with pytest.raises(FileChangedError, match="while it was being written"):
        write(journal, path, "Rock")
    assert path.read_bytes().endswith(b"more")
    assert journal.runs()[0].counts == {"failed": 1}
    assert leftovers(tmp_path) == []


def test_changed_audio_aborts(
    tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("earmark.tags.rewrite.packet_hash", lambda file: file)
    refused(journal, make(tmp_path, "flac"), "Rock", match="would have changed the audio")


def test_changed_other_tag_aborts(
    tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    from earmark.tags.flac import FlacFamily

    put = FlacFamily.put

    def careless(self: FlacFamily, f: Any, native: Any) -> None:
        put(self, f, {"comments": [*native["comments"], b"TITLE=new"]})

    monkeypatch.setattr(FlacFamily, "put", careless)
    refused(journal, make(tmp_path, "flac"), "Rock", match="would have changed other tags")


def test_vanished_file(tmp_path: Path, journal: Journal) -> None:
    path = make(tmp_path, "flac")
    change = plan(path, "Rock")
    path.unlink()
    with pytest.raises(TagError, match="no such file"):
        apply_change(journal, 1, change)

"""One suite over every container and dialect: read, write, undo."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import mutagen
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from earmark.errors import FileChangedError, TagError
from earmark.tags import Journal, Run, Written, apply_change, read_tags, undo_change
from earmark.types import TagChange
from tests.tagfiles import (
    SPECIMENS,
    add_id3,
    bare_mp3,
    by_mutagen,
    decoded,
    edit_title,
    encode,
    everything_else,
    genres_by_mutagen,
    make,
)

specimens = pytest.mark.parametrize("name", SPECIMENS)


@pytest.fixture
def journal(tmp_path: Path) -> Any:
    with Journal(tmp_path / "data") as journal:
        yield journal


def plan(path: Path, *after: str) -> TagChange:
    tags, stat = read_tags(path), path.stat()
    return TagChange(str(path), "genre", tags.genres, after, stat.st_size, stat.st_mtime_ns)


def write(journal: Journal, path: Path, *after: str, **options: Any) -> Written:
    return apply_change(journal, journal.new_run(), plan(path, *after), **options)


def undo(journal: Journal, run: Run | None = None) -> list[Written]:
    run = run or journal.run_to_undo()
    written = [undo_change(journal, change) for change in journal.changes_to_undo(run.run_id)]
    journal.finish_undo(run.run_id)
    return written


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".earmark-")]


@specimens
def test_reads_what_the_file_says(tmp_path: Path, name: str) -> None:
    tags = read_tags(make(tmp_path, name))
    expected = SPECIMENS[name]
    assert (tags.genres, tags.dialect, tags.container) == (
        expected.genres,
        expected.dialect,
        expected.container,
    )
    assert tags.duration_s == pytest.approx(1.0, abs=0.1)


@specimens
def test_write_and_undo(tmp_path: Path, journal: Journal, name: str) -> None:
    path = make(tmp_path, name)
    versions = [path.read_bytes()]
    mtime_ns = path.stat().st_mtime_ns
    sound, others, tags = decoded(path), everything_else(path), read_tags(path)

    for after in (("Zydeco", "Größe 東京"), ("Rock",)):
        written = write(journal, path, *after)

        assert written.changed
        assert written.tags == read_tags(path)
        assert (written.size, written.mtime_ns) == (path.stat().st_size, path.stat().st_mtime_ns)
        assert written.tags.genres == after
        assert replace(written.tags, genres=(), dialect="") == replace(
            tags, genres=(), dialect="", duration_s=written.tags.duration_s
        )
        if tags.dialect and tags.dialect not in ("RIFF INFO", "ID3v1"):
            assert written.tags.dialect == tags.dialect
        assert genres_by_mutagen(path) == list(after)
        assert everything_else(path) == others
        assert decoded(path) == sound
        versions.append(path.read_bytes())

    for version in versions[-2::-1]:
        run = journal.run_to_undo(None if version is versions[1] else 1)
        (restored,) = undo(journal, run)
        assert path.read_bytes() == version
    assert path.stat().st_mtime_ns == mtime_ns == restored.mtime_ns
    assert restored.tags == tags
    assert leftovers(tmp_path) == []


@specimens
def test_genre_can_be_taken_away_and_given_back(
    tmp_path: Path, journal: Journal, name: str
) -> None:
    path = make(tmp_path, name)
    before = path.read_bytes()
    if SPECIMENS[name].dialect == "RIFF INFO" and SPECIMENS[name].genres:
        with pytest.raises(TagError, match="reads back"):  # INFO is never written
            write(journal, path)
        return
    written = write(journal, path)
    assert written.changed == bool(SPECIMENS[name].genres)
    assert read_tags(path).genres == ()
    assert genres_by_mutagen(path) == []
    if written.changed:
        undo(journal)
    assert path.read_bytes() == before


@specimens
def test_another_programs_edit_survives_undo(tmp_path: Path, journal: Journal, name: str) -> None:
    path = make(tmp_path, name)
    write(journal, path, "Rock")
    edit_title(by_mutagen(path))
    title, dialect = read_tags(path).title, read_tags(path).dialect
    assert title == "Edited"
    if SPECIMENS[name].dialect in ("ID3v1", "ID3v2.2"):
        assert dialect.startswith("ID3v2")  # the other program's doing

    undo(journal)

    tags = read_tags(path)
    assert tags.genres in (SPECIMENS[name].genres, _resolved(name))
    assert tags.title == "Edited"


def _resolved(name: str) -> tuple[str, ...]:
    """ID3v1's genre comes back as a name where mutagen has copied it to a frame."""
    return {"mp3_v1": ("Jazz",)}.get(name, SPECIMENS[name].genres)


@pytest.mark.parametrize("name", ["mp3_v23_two", "mp3_v24", "flac", "ogg", "m4a", "wma", "wavpack"])
def test_join_writes_one_value(tmp_path: Path, journal: Journal, name: str) -> None:
    path = make(tmp_path, name)
    write(journal, path, "Rock", "Pop", join="; ")
    assert read_tags(path).genres == ("Rock; Pop",)
    assert genres_by_mutagen(path) == ["Rock; Pop"]


def test_tags_that_agree_stay_in_agreement(tmp_path: Path, journal: Journal) -> None:
    """ID3v2, APEv2 and ID3v1 of one MP3: no player may show the old genre."""
    path = make(tmp_path, "mp3_all")
    write(journal, path, "Rock")
    data = path.read_bytes()
    assert data[-128:-125] == b"TAG"
    assert data[-1] == 17  # Rock
    assert mutagen.apev2.APEv2(path)["Genre"] == "Rock"
    assert str(mutagen.id3.ID3(path)["TCON"]) == "Rock"
    write(journal, path, "Zydeco")
    assert path.read_bytes()[-1] == 255  # not in the list
    assert path.read_bytes()[-128:-1] == data[-128:-1]


def test_id3v1_alone_stays_alone_while_it_can_hold_the_genre(
    tmp_path: Path, journal: Journal
) -> None:
    path = make(tmp_path, "mp3_v1")
    before = path.read_bytes()
    assert write(journal, path, "Rock").tags.dialect == "ID3v1"
    assert path.read_bytes() == before[:-1] + b"\x11"
    tags = write(journal, path, "Zydeco").tags
    assert tags.dialect == "ID3v2.3"
    # A player that looks no further than the new tag still shows the old fields.
    new = mutagen.id3.ID3(path, load_v1=False, translate=False)
    assert {key: str(new[key]) for key in ("TIT2", "TPE1", "TALB", "TYER", "TRCK")} == {
        "TIT2": "Title",
        "TPE1": "Trio",
        "TALB": "Live",
        "TYER": "1999",
        "TRCK": "7",
    }


def test_frames_that_nobody_understands_stay(tmp_path: Path, journal: Journal) -> None:
    path = make(tmp_path, "mp3_v22")
    assert b"XYZ\0\0\x07unknown" in path.read_bytes()
    write(journal, path, "Rock")
    data = path.read_bytes()
    assert data[:4] == b"ID3\x02"
    assert b"XYZ\0\0\x07unknown" in data
    assert b"TCO\0\0\x05\0Rock" in data


def test_untidy_comments_stay_as_they_were(tmp_path: Path, journal: Journal) -> None:
    path = make(tmp_path, "flac_untidy")
    write(journal, path, "Rock", "Pop")
    data = path.read_bytes()
    for comment in (b"ARTIST=caf\xe9", b"no key", b"~=tilde", b"", b"TITLE=T"):
        assert len(comment).to_bytes(4, "little") + comment in data
    assert b"GENRE=Rock" in data
    assert b"GENRE=Pop" in data


def test_numeric_mp4_genre_goes_and_comes_back(tmp_path: Path, journal: Journal) -> None:
    path = make(tmp_path, "m4a_gnre")
    assert b"gnre" in path.read_bytes()
    write(journal, path, "Rock")
    assert b"gnre" not in path.read_bytes()
    undo(journal)
    assert b"gnre" in path.read_bytes()


def test_several_id3v23_genres_are_separated_by_nul(tmp_path: Path, journal: Journal) -> None:
    path = make(tmp_path, "mp3_v23")
    write(journal, path, "Rock", "Pop")
    assert b"TCON\0\0\0\x09\0\0\0Rock\0Pop" in path.read_bytes()


@pytest.mark.parametrize("name", ["mp3_v24", "flac", "m4a", "aiff_id3"])
def test_small_edit_does_not_move_the_audio(tmp_path: Path, journal: Journal, name: str) -> None:
    """Padding is used up first, so that a second edit costs no more than the first."""
    path = make(tmp_path, name)
    write(journal, path, "Rock")
    size = path.stat().st_size
    write(journal, path, "A rather longer genre than before")
    assert path.stat().st_size == size


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    name=st.sampled_from(sorted(SPECIMENS)),
    after=st.lists(
        st.text(
            st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1
        ).filter(str.strip),
        min_size=1,
        max_size=4,
        unique=True,
    ).map(tuple),
)
def test_write_then_undo_is_the_identity(
    tmp_path_factory: pytest.TempPathFactory, name: str, after: tuple[str, ...]
) -> None:
    folder = tmp_path_factory.mktemp("property")
    path = make(folder, name)
    before, tags = path.read_bytes(), read_tags(path)
    with Journal(folder / "data") as journal:
        written = write(journal, path, *after)
        assert written.tags.genres == after
        if written.changed:
            undo(journal)
    assert path.read_bytes() == before
    assert read_tags(path) == tags


# --- the file around the tags ---------------------------------------------------------------------


def test_mode_xattrs_and_owner_are_kept(tmp_path: Path, journal: Journal) -> None:
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
    from earmark.tags.vorbis import VorbisFamily

    put = VorbisFamily.put

    def careless(self: VorbisFamily, f: Any, native: Any) -> None:
        put(self, f, {"comments": [*native["comments"], b"TITLE=new"]})

    monkeypatch.setattr(VorbisFamily, "put", careless)
    refused(journal, make(tmp_path, "flac"), "Rock", match="would have changed other tags")


def test_vanished_file(tmp_path: Path, journal: Journal) -> None:
    path = make(tmp_path, "flac")
    change = plan(path, "Rock")
    path.unlink()
    with pytest.raises(TagError, match="no such file"):
        apply_change(journal, 1, change)

"""One suite over every container and dialect: read, write, undo."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import mutagen
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from earmark.tags import Journal, read_tags
from tests.tagfiles import (
    SPECIMENS,
    by_mutagen,
    decoded,
    edit_title,
    everything_else,
    genres_by_mutagen,
    leftovers,
    make,
    tags_after,
    undo,
    write,
)
from tests.tagmakers import append, bare_mp3, id3_header, prepend

specimens = pytest.mark.parametrize("name", SPECIMENS)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "data") as journal:
        yield journal


@specimens
def test_reads_what_the_file_says(tmp_path: Path, name: str) -> None:
    tags = read_tags(make(tmp_path, name))
    expected = SPECIMENS[name]
    assert (tags.genres, tags.dialect, tags.container) == (
        expected.genres,
        expected.dialect,
        expected.container,
    )
    if name == "m4a_fragmented":
        assert tags.duration_s is None  # only its fragments would say
    else:
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
        assert tags_after(written).genres == after
        assert replace(written.tags, genres=(), dialect="") == replace(
            tags, genres=(), dialect="", duration_s=written.tags.duration_s
        )
        gets_id3 = name == "mp3_ape" or tags.dialect in ("RIFF INFO", "ID3v1")
        if tags.dialect and not gets_id3:
            assert written.tags.dialect == tags.dialect
        assert genres_by_mutagen(path) == list(after)
        now = everything_else(path)
        if tags.dialect == "ID3v1":  # whose comment mutagen shows under a description of its own
            now.pop("COMM::eng", None)
        if name != "mp3_ape":  # of which mutagen looks at the new ID3 tag alone from now on
            assert now == others
        assert decoded(path) == sound
        versions.append(path.read_bytes())

    for version in versions[-2::-1]:
        assert undo(journal, None if version is versions[1] else 1) == []
        assert path.read_bytes() == version
    assert path.stat().st_mtime_ns == mtime_ns
    assert read_tags(path) == tags
    assert leftovers(tmp_path) == []


@specimens
def test_genre_can_be_taken_away_and_given_back(
    tmp_path: Path, journal: Journal, name: str
) -> None:
    path = make(tmp_path, name)
    before = path.read_bytes()
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


def test_riff_info_is_kept_in_step(tmp_path: Path, journal: Journal) -> None:
    path = make(tmp_path, "wav_info")
    before = path.read_bytes()
    assert b"IGNR\x05\0\0\0Jazz\0\0" in before
    write(journal, path, "Rock", "Pop")
    after = path.read_bytes()
    assert b"IGNR\x0a\0\0\0Rock; Pop\0" in after
    assert int.from_bytes(after[4:8], "little") == len(after) - 8
    assert b"ISFT" in after
    assert read_tags(path).dialect == "ID3v2.3"
    undo(journal)
    assert path.read_bytes() == before


def test_genre_stands_before_rubbish(tmp_path: Path, journal: Journal) -> None:
    """Readers stop at what is no frame; it stays, and the genre goes before it."""
    path = bare_mp3(tmp_path / "a.mp3")
    rubbish = b"\xfe\xfd\xfc\xfb" * 9
    prepend(path, id3_header(3, 0, b"TIT2\0\0\0\5\0\0\0Song" + rubbish + bytes(50)))
    write(journal, path, "Rock")
    assert read_tags(path).genres == ("Rock",)
    assert rubbish in path.read_bytes()
    assert read_tags(path).title == "Song"


def test_id3v1_alone_stays_alone_while_it_can_hold_the_genre(
    tmp_path: Path, journal: Journal
) -> None:
    path = make(tmp_path, "mp3_v1")
    before = path.read_bytes()
    assert tags_after(write(journal, path, "Rock")).dialect == "ID3v1"
    assert path.read_bytes() == before[:-1] + b"\x11"
    tags = tags_after(write(journal, path, "Zydeco"))
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
    assert str(new["COMM::eng"]) == "a note"


@pytest.mark.parametrize("comment", [b"caf\xe9", b"thirty characters without track"[:30]])
def test_id3v1_comments_of_any_kind_are_copied(
    tmp_path: Path, journal: Journal, comment: bytes
) -> None:
    v1 = b"TAG" + bytes(94) + comment.ljust(30, b"\0") + b"\xff"
    path = append(bare_mp3(tmp_path / "a.mp3"), v1)
    write(journal, path, "Zydeco")
    new = mutagen.id3.ID3(path, load_v1=False)
    assert str(new["COMM::eng"]) == comment.decode("latin-1")
    assert "TRCK" not in new


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


def test_index_of_fragments_keeps_pointing_at_them(tmp_path: Path, journal: Journal) -> None:
    path = make(tmp_path, "m4a_fragmented")
    size = path.stat().st_size
    write(journal, path, "Rock")
    data = path.read_bytes()
    assert len(data) > size  # so that all fragments have moved
    at = data.index(b"tfra") + 4
    assert data[at] == 1
    n_entries = int.from_bytes(data[at + 12 : at + 16], "big")
    for i in range(n_entries):
        entry = at + 16 + i * 19  # time, offset, three numbers of one byte
        offset = int.from_bytes(data[entry + 8 : entry + 16], "big")
        assert data[offset + 4 : offset + 8] == b"moof"


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
        assert tags_after(written).genres == after
        if written.changed:
            undo(journal)
    assert path.read_bytes() == before
    assert read_tags(path) == tags

"""Tags, folders and manifests as labelled tracks, and the names that sources go by."""

import os
from pathlib import Path

import pytest

from earmark.datasets import (
    SOURCES,
    GroupBy,
    LabelledTrack,
    from_library,
    present,
    read,
    read_folders,
    read_manifest,
)
from earmark.datasets.tracks import fold_artist
from earmark.errors import ConfigError, DataError
from earmark.types import Tags, Track


def track(path: str, **tags: str | tuple[str, ...]) -> Track:
    return Track(path, 1, 1, Tags(**tags))  # type: ignore[arg-type]


# --- groups -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("artist", "album", "by_artist", "by_album"),
    [
        ("Miles  Davis", "Kind of Blue", "artist:miles davis", "album:kind of blue"),
        ("miles davis ", "", "artist:miles davis", "artist:miles davis"),
        ("Various Artists", "Now 12", "album:now 12", "album:now 12"),
        ("", "Now 12", "album:now 12", "album:now 12"),
        ("Unknown Artist", "", "folder:x", "folder:x"),
    ],
)
def test_groups_by_what_is_known(artist: str, album: str, by_artist: str, by_album: str) -> None:
    a = LabelledTrack("/x/1", (), artist, album, fallback="folder:x")
    assert a.group("artist") == a.group() == by_artist
    assert a.group("album") == by_album
    assert a.group("track") == "track:/x/1"


@pytest.mark.parametrize("by", ["artist", "album"])
def test_a_track_of_which_nothing_is_known_is_on_its_own(by: GroupBy) -> None:
    assert LabelledTrack("/x/1", ()).group(by) == "track:/x/1"


def test_album_artists_tell_albums_of_one_name_apart() -> None:
    a = LabelledTrack("/1", (), "Queen", "Greatest Hits", album_artist="Queen")
    b = LabelledTrack("/2", (), "Abba", "Greatest Hits", album_artist="Abba")
    sampler = [
        LabelledTrack(f"/{who}", (), who, "Greatest Hits", album_artist="Various Artists")
        for who in ("Queen", "Abba")
    ]
    assert len({t.group("album") for t in (a, b, *sampler)}) == 3


def test_the_album_artist_stands_in_for_an_artist_who_is_nobody() -> None:
    assert LabelledTrack("/1", (), "Unknown", album_artist="Abba").group() == "artist:abba"


@pytest.mark.parametrize(
    "spelling",
    ["The Clash", "CLASH", "clash, the", "The  Clash feat. Futura 2000", "The Clash (ft. Ranking)"],
)
def test_spellings_of_one_artist(spelling: str) -> None:
    assert fold_artist(spelling) == "clash"


def test_spellings_that_differ() -> None:
    names = ["The The", "Feature", "Ft. Worth Band", "Daft Punk", "Simon & Garfunkel"]
    assert [fold_artist(name) for name in names] == [
        "the", "feature", "ft. worth band", "daft punk", "simon and garfunkel",
    ]  # fmt: skip


# --- tags and folders ---------------------------------------------------------------------------


def test_a_library_gives_any_field_with_all_that_is_known() -> None:
    full = track(
        "/m/a/1.mp3", genres=("Rock", "Pop"), moods=("Happy",), groupings=("Party",),
        artist="A", album="B", title="T", album_artist="AA",
    )  # fmt: skip
    bad = Track("/m/a/2.mp3", 1, 1, Tags(), error="unreadable")
    (found,) = from_library([full, bad])
    assert found == LabelledTrack(
        "/m/a/1.mp3", ("Rock", "Pop"), "A", "B", "T", "AA", fallback="folder:/m/a"
    )
    assert from_library([full], "mood")[0].values == ("Happy",)
    assert from_library([full], "grouping")[0].values == ("Party",)
    with pytest.raises(ConfigError, match=r"'tempo'.*genre, mood, grouping"):
        from_library([full], "tempo")


def test_folders_are_genres_and_no_groups() -> None:
    tracks = [
        track("/m/rock/x/1.mp3", artist="A", genres=("Wrong",)),
        track("/m/rock/2.mp3"),
        track("/m/loose.mp3"),
    ]
    found = read_folders("/m", tracks)
    assert [(t.values, t.group()) for t in found] == [
        (("rock",), "artist:a"),
        (("rock",), "track:/m/rock/2.mp3"),
    ]
    with pytest.raises(DataError, match="no tracks in folders"):
        read_folders("/m", tracks[2:])


def test_folders_whose_names_are_no_unicode_give_labels_that_can_be_written(tmp_path: Path) -> None:
    song = tmp_path / os.fsdecode(b"\xe9lectro") / "1.mp3"
    try:
        song.parent.mkdir()
    except (OSError, UnicodeEncodeError):
        pytest.skip("names must be valid Unicode here")
    song.touch()
    (found,) = read("folders", tmp_path, tracks=[track(str(song))]).tracks
    assert (found.path, found.values) == (str(song), ("?lectro",))


# --- manifests ----------------------------------------------------------------------------------


def test_a_manifest_with_all_columns(tmp_path: Path) -> None:
    table = tmp_path / "m.csv"
    table.write_text(
        "\ufeffpath,genre,artist,album,title,album_artist,split,mood,extra\n"
        'a/1.mp3,Rock; Pop,A,B,"T, 1",AA,Training,Happy,x\n'
        f"{tmp_path}/b/2.mp3,Jazz,,,,,dev,,\n",
        encoding="utf-8",
    )
    first, second = read_manifest(table)
    assert first == LabelledTrack(
        f"{tmp_path}/a/1.mp3", ("Rock", "Pop"), "A", "B", "T, 1", "AA", split="train"
    )
    assert (second.values, second.split, second.group()) == (
        ("Jazz",),
        "valid",
        f"track:{tmp_path}/b/2.mp3",
    )
    assert [t.values for t in read_manifest(table, "mood")] == [("Happy",), ()]
    assert [t.path for t in read_manifest(table, below=tmp_path / "b")] == [second.path]


def test_a_column_of_several_genres_may_be_named_so(tmp_path: Path) -> None:
    table = tmp_path / "m.csv"
    table.write_text("path,genres\n1.mp3,Rock;Pop\n")
    assert read_manifest(table)[0].values == ("Rock", "Pop")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("file,genre\n1.mp3,Rock\n", r"no column path \(its columns are: file, genre\)"),
        ("path,artist\n1.mp3,A\n", r"no column genre \(its columns are: path, artist\)"),
        ("a\n", "no column path and no column genre"),
        ("", "its columns are: none"),
        ("path,genre\n", "lists no tracks"),
        ("path,genre\n1.mp3,Rock\n,Rock\n", "line 3: the path is empty"),
        ("path,genre,split\n1.mp3,Rock,half\n", "line 2: split 'half' is none of"),
    ],
)
def test_bad_manifests_say_what_is_wrong(tmp_path: Path, text: str, reason: str) -> None:
    table = tmp_path / "m.csv"
    table.write_text(text)
    with pytest.raises(DataError, match=reason):
        read_manifest(table)


def test_a_manifest_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read: No such file"):
        read_manifest(tmp_path / "none.csv")


# --- sources by name ----------------------------------------------------------------------------


def test_vanished_files_are_reported_and_the_rest_goes_on(tmp_path: Path) -> None:
    (tmp_path / "1.mp3").touch()
    table = tmp_path / "m.csv"
    lines = "".join(f"{i}.mp3,Rock,A\n" for i in range(1, 7))
    table.write_text(f"path,genre,artist\n{lines}")
    found = read(str(table), tmp_path)
    assert [t.path for t in found.tracks] == [f"{tmp_path}/1.mp3"]
    assert found.notes == (
        f"5 of 6 listed files are not there: {tmp_path}/2.mp3, {tmp_path}/3.mp3, {tmp_path}/4.mp3"
        " and 2 more",
    )
    kept, gone = present(read_manifest(table))
    assert len(kept) == 1
    assert len(gone) == 5


def test_no_file_left_is_an_error(tmp_path: Path) -> None:
    table = tmp_path / "m.csv"
    table.write_text("path,genre\n1.mp3,Rock\n")
    with pytest.raises(DataError, match="none of the 1 files"):
        read(str(table), tmp_path)


def test_sources_from_the_catalogue(tmp_path: Path) -> None:
    path = tmp_path / "rock" / "1.mp3"
    path.parent.mkdir()
    path.touch()
    tracks = [track(str(path), genres=("Pop",), moods=("Sad",), artist="A")]
    assert read("tags", tmp_path, tracks=tracks).tracks[0].values == ("Pop",)
    assert read("tags", tmp_path, tracks=tracks, field="mood").tracks[0].values == ("Sad",)
    found = read("folders", tmp_path, tracks=tracks)
    assert found.tracks[0].values == ("rock",)
    assert found.notes == ()


@pytest.mark.parametrize(
    ("source", "field", "reason"),
    [
        ("gtzen", "genre", r"no source 'gtzen' of labels \(known are: tags, folders, gtzan,"),
        ("mirdata", "genre", "no source 'mirdata'"),
        ("gtzan:fold4", "genre", r"no variant 'fold4' of GTZAN \(known are: all, fault-filtered"),
        ("fma:huge", "genre", r"no subset 'huge' of FMA \(known are: small, medium, large"),
        ("folders", "mood", "folders has no field 'mood'"),
        ("fma", "mood", "no field 'mood' in FMA"),
        ("tags", "tempo", "no field 'tempo' in tags"),
    ],
)
def test_what_is_not_known_is_a_usage_error(
    tmp_path: Path, source: str, field: str, reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason):
        read(source, tmp_path, field=field)


def test_the_list_of_sources() -> None:
    assert SOURCES == (
        "tags", "folders", "gtzan", "gtzan:all", "gtzan:fault-filtered", "gtzan:fold1",
        "gtzan:fold2", "gtzan:fold3", "fma", "fma:small", "fma:medium", "fma:large",
        "mirdata:NAME", "FILE.csv",
    )  # fmt: skip

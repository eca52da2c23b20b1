"""FMA's tables and folders, on a tiny tree in their exact layout."""

import csv
from pathlib import Path

import pytest

from earmark.datasets import read, read_fma
from earmark.errors import DataError

# The table's first two rows name its columns, the third its index. More columns than are read.
COLUMNS = (
    ("album", "comments"), ("album", "title"), ("artist", "bio"), ("artist", "name"),
    ("set", "split"), ("set", "subset"), ("track", "bit_rate"), ("track", "genre_top"),
    ("track", "genres"), ("track", "genres_all"), ("track", "title"),
)  # fmt: skip
TRACKS = {
    2: ("0", "Way Of Life", "", "AWOL", "training", "small", "256000", "Hip-Hop", "[21]", "[21]",
        "Food"),
    1082: ("0", "Niris", "A long\nlife" * 20_000, "Nicky", "validation", "medium", "192000",
           "Pop", "[10, 76]", "[10, 76]", "Où, déjà?"),
    98565: ("0", "", "", "", "test", "large", "320000", "", "[76, 811, 21, 999]", "[]", ""),
    155066: ("0", "Self", "", "Self", "test", "small", "320000", "Hip-Hop", "[21, 811]", "[]", "X"),
}  # fmt: skip
GENRES = """genre_id,#tracks,parent,title,top_level
21,8389,0,Hip-Hop,21
10,13845,0,Pop,10
76,4252,10,Experimental Pop,10
811,193,21,Hip-Hop Beats,21
"""


def make(root: Path, size: str = "large") -> Path:
    meta = root / "fma_metadata"
    meta.mkdir(parents=True)
    with (meta / "tracks.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["", *(upper for upper, _ in COLUMNS)])
        writer.writerow(["", *(lower for _, lower in COLUMNS)])
        writer.writerow(["track_id", *("" for _ in COLUMNS)])
        writer.writerows((number, *cells) for number, cells in TRACKS.items())
    (meta / "genres.csv").write_text(GENRES)
    for name in ("000/000002", "001/001082", "098/098565", "155/155066"):
        path = root / f"fma_{size}" / f"{name}.mp3"
        path.parent.mkdir(parents=True)
        path.touch()
    return root


def test_what_a_track_is(tmp_path: Path) -> None:
    first, second, third, fourth = read_fma(make(tmp_path))
    audio = f"{tmp_path}/fma_large"
    assert (first.path, first.values, first.artist, first.album, first.title, first.split) == (
        f"{audio}/000/000002.mp3", ("Hip-Hop",), "AWOL", "Way Of Life", "Food", "train",
    )  # fmt: skip
    assert (second.path, second.title, second.split) == (
        f"{audio}/001/001082.mp3", "Où, déjà?", "valid",
    )  # fmt: skip
    assert (third.values, third.split, third.group()) == (
        ("Pop", "Hip-Hop"), "test", f"track:{audio}/098/098565.mp3",
    )  # fmt: skip
    assert fourth.path == f"{audio}/155/155066.mp3"


def test_finer_genres(tmp_path: Path) -> None:
    assert [t.values for t in read_fma(make(tmp_path), field="genres")] == [
        ("Hip-Hop",),
        ("Pop", "Experimental Pop"),
        ("Experimental Pop", "Hip-Hop Beats", "Hip-Hop"),
        ("Hip-Hop", "Hip-Hop Beats"),
    ]


def test_subsets_hold_the_smaller_ones(tmp_path: Path) -> None:
    make(tmp_path)
    sizes = {s: len(read_fma(tmp_path, s)) for s in ("small", "medium", "large")}
    assert sizes == {"small": 2, "medium": 3, "large": 4}
    assert len(read("fma:medium", tmp_path).tracks) == 3


@pytest.mark.parametrize(("size", "n"), [("small", 2), ("medium", 3), ("large", 4), ("full", 4)])
def test_the_folder_says_which_subset_it_is(tmp_path: Path, size: str, n: int) -> None:
    make(tmp_path, size)
    assert len(read_fma(tmp_path)) == n
    assert len(read_fma(tmp_path / f"fma_{size}")) == n


def test_the_smallest_folder_that_will_do_is_used(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "fma_small").mkdir()
    assert "fma_small/" in read_fma(tmp_path, "small")[0].path
    assert "fma_large/" in read_fma(tmp_path, "medium")[0].path
    assert "fma_large/" in read_fma(tmp_path)[0].path


def test_missing_audio_is_reported(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "fma_large/098/098565.mp3").unlink()
    found = read("fma", tmp_path)
    assert len(found.tracks) == 3
    assert found.notes[0].startswith("1 of 4 listed files are not there")


def test_tables_elsewhere(tmp_path: Path) -> None:
    make(tmp_path / "a")
    (tmp_path / "a" / "fma_metadata").rename(tmp_path / "tables")
    assert len(read("fma", tmp_path / "a", meta=tmp_path / "tables").tracks) == 4
    with pytest.raises(DataError, match=r"no fma_metadata/tracks\.csv in or beside"):
        read_fma(tmp_path / "a")


def test_no_audio_folder(tmp_path: Path) -> None:
    make(tmp_path, "small")
    with pytest.raises(DataError, match=r"no folder fma_medium or fma_large or fma_full"):
        read_fma(tmp_path, "medium")


def test_a_table_of_another_kind(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "fma_metadata" / "tracks.csv").write_text("track_id,title\n1,x\n")
    with pytest.raises(DataError, match=r"no column set\.split, set\.subset"):
        read_fma(tmp_path)
    (tmp_path / "fma_metadata" / "genres.csv").write_text("id,name\n1,x\n")
    with pytest.raises(DataError, match="no column genre_id, title, top_level"):
        read_fma(tmp_path)


def test_a_table_that_was_cut_off(tmp_path: Path) -> None:
    table = make(tmp_path) / "fma_metadata" / "tracks.csv"
    text = table.read_text()
    table.write_text(text[: text.rindex("320000")])
    with pytest.raises(DataError, match="track 155066 lacks cells"):
        read_fma(tmp_path)

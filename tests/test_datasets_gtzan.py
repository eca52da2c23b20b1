"""GTZAN in the layouts that it comes in, with the lists that make it usable."""

from pathlib import Path

import pytest

from earmark.datasets import grouped_folds, leaks, read, read_gtzan
from earmark.datasets.gtzan import GENRES, known_faults
from earmark.errors import DataError

SHARED = Path(__file__).parents[2] / "shared" / "data"
needs_lists = pytest.mark.skipif(
    not (SHARED / "gtzan_meta").is_dir(), reason="GTZAN's lists are not at hand"
)

INDEX = """## Bob L. Sturm, 2012
blues.00000.wav ::: John Lee Hooker ::: One Bourbon, One Scotch And One Beer
blues.00001.wav ::: John Lee Hooker :::
metal.00058.wav ::: Queen ::: Tie Your Mother Down
metal.00011.wav ::: :::
rock.00016.wav ::: Queen ::: Tie Your Mother Down
"""


def make(root: Path, suffix: str = ".wav") -> Path:
    """Six files; the first metal track is by nobody known, the second is the same as the rock."""
    for name in ("blues.00000", "blues.00001", "metal.00011", "metal.00058", "rock.00016"):
        path = root / name.partition(".")[0] / f"{name}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (root / "blues" / "blues.00000.png").touch()
    (root / "blues" / "readme.txt").touch()
    return root


@pytest.mark.parametrize("folder", ["", "genres", "genres_original", "Data/genres_original"])
@pytest.mark.parametrize("suffix", [".wav", ".au", ".ogg", ".mp3", ".flac"])
def test_layouts(tmp_path: Path, folder: str, suffix: str) -> None:
    home = make(tmp_path / folder, suffix)
    tracks = read_gtzan(tmp_path, "all")
    assert [Path(t.path).relative_to(home) for t in tracks] == [
        Path(f"{name.partition('.')[0]}/{name}{suffix}")
        for name in ("blues.00000", "blues.00001", "metal.00011", "metal.00058", "rock.00016")
    ]
    assert [t.values for t in tracks[:3]] == [("blues",), ("blues",), ("metal",)]
    assert not any(t.artist or t.split for t in tracks)


@pytest.mark.parametrize("place", [".", "gtzan_meta", "../gtzan_meta"])
def test_artists_and_titles_come_from_the_index(tmp_path: Path, place: str) -> None:
    root = make(tmp_path / "gtzan")
    (root / place).mkdir(exist_ok=True)
    (root / place / "GTZANindex.txt").write_text(INDEX)
    tracks = read_gtzan(root, "all")
    assert [(t.artist, t.title) for t in tracks] == [
        ("John Lee Hooker", "One Bourbon, One Scotch And One Beer"),
        ("John Lee Hooker", ""),
        ("", ""),
        ("Queen", "Tie Your Mother Down"),
        ("Queen", "Tie Your Mother Down"),
    ]
    assert tracks[2].group() == f"track:{tracks[2].path}"


def test_known_repetitions_are_left_out_but_once(tmp_path: Path) -> None:
    names = [Path(t.path).stem for t in read_gtzan(make(tmp_path))]
    assert names == ["blues.00000", "blues.00001", "metal.00011", "metal.00058"]
    (note,) = read("gtzan", tmp_path).notes
    assert "gtzan:all keeps them" in note


def test_a_split_with_files_that_are_not_there(tmp_path: Path) -> None:
    meta = tmp_path / "lists"
    meta.mkdir()
    (meta / "train_filtered.txt").write_text("blues/blues.00000.wav\nmetal/metal.00011.wav\n")
    (meta / "valid_filtered.txt").write_text("blues/blues.00001.wav\n")
    (meta / "test_filtered.txt").write_text("rock/rock.00016.wav\nrock/rock.00017.wav\n")
    root = make(tmp_path / "gtzan", ".ogg")
    tracks = read_gtzan(root, "fault-filtered", meta)
    assert [(Path(t.path).name, t.split) for t in tracks] == [
        ("blues.00000.ogg", "train"),
        ("blues.00001.ogg", "valid"),
        ("metal.00011.ogg", "train"),
        ("rock.00016.ogg", "test"),
        ("rock.00017.ogg", "test"),
    ]
    found = read("gtzan:fault-filtered", root, meta=meta)
    assert len(found.tracks) == 4
    assert found.notes[0] == f"1 of 5 listed files are not there: {root}/rock/rock.00017.ogg"


def test_folds(tmp_path: Path) -> None:
    meta = tmp_path / "sturm_3folds"
    meta.mkdir()
    (meta / "f2_train.txt").write_text("./blues_00000.wav\tblues\n./metal_00058.wav\tmetal\n")
    (meta / "f2_test.txt").write_text("./blues_00001.wav\n")
    tracks = read_gtzan(make(tmp_path), "fold2")
    assert [t.split for t in tracks] == ["train", "test", "train"]


def test_no_audio_and_no_lists(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"does not hold GTZAN.*blues\.00000\.wav"):
        read_gtzan(tmp_path)
    with pytest.raises(DataError, match=r"train_filtered\.txt is not beside"):
        read_gtzan(make(tmp_path), "fault-filtered")


def test_known_faults_are_names_of_tracks() -> None:
    assert len(known_faults()) == 53
    for name in known_faults():
        genre, _, number = name.partition(".")
        assert genre in GENRES
        assert 0 <= int(number) < 100


@needs_lists
def test_the_published_splits(tmp_path: Path) -> None:
    for genre in GENRES:
        (tmp_path / genre).mkdir()
        for i in range(100):
            (tmp_path / genre / f"{genre}.{i:05d}.wav").touch()
    meta = SHARED / "gtzan_meta"
    assert len(read_gtzan(tmp_path, "all", meta)) == 1000
    filtered = read_gtzan(tmp_path, "fault-filtered", meta)
    parts = [t.split for t in filtered]
    assert [parts.count(p) for p in ("train", "valid", "test")] == [443, 197, 290]
    for k, n_test in ((1, 315), (2, 316), (3, 317)):
        fold = read_gtzan(tmp_path, f"fold{k}", meta)
        assert [t.split for t in fold].count("test") == n_test
        assert len(fold) == 948
    assert not leaks(filtered, parts)
    clean = read_gtzan(tmp_path, "", meta)
    folds = grouped_folds([t.group() for t in clean], [t.values[0] for t in clean], 5)
    assert max(folds.count(i) for i in range(5)) - min(folds.count(i) for i in range(5)) < 40

"""The way from mirdata's tracks to ours, and what happens without mirdata."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from earmark.datasets import read
from earmark.datasets.mir import from_dataset
from earmark.errors import ConfigError, DataError, MissingExtraError


class Dataset:
    """What the adapter uses of ``mirdata.core.Dataset``; tracks of two data sets differ."""

    name = "tiny"

    def __init__(self, tracks: dict[str, Any], splits: dict[str, list[str]] | None = None) -> None:
        self._tracks, self._splits = tracks, splits

    def load_tracks(self) -> dict[str, Any]:
        return self._tracks

    def get_track_splits(self) -> dict[str, list[str]]:
        if self._splits is None:
            raise NotImplementedError
        return self._splits


def test_attributes_of_every_shape() -> None:
    tracks = {
        "a": SimpleNamespace(audio_path="/d/a.wav", genre="rock", artist="A", title="T"),
        "b": SimpleNamespace(audio_path="/d/b.wav", genre=["rock", "pop"], artists=["A", "B"]),
        "c": SimpleNamespace(
            audio_path="/d/c.wav", genre={"genres": ["House"], "sub_genres": []}, release="R"
        ),
        "d": SimpleNamespace(audio_path="/d/d.wav", genre=None),
        "e": SimpleNamespace(audio_path=None, genre="rock"),
    }
    found = from_dataset(Dataset(tracks), "genre")
    assert [(t.path, t.values, t.artist, t.album, t.title) for t in found] == [
        ("/d/a.wav", ("rock",), "A", "", "T"),
        ("/d/b.wav", ("rock", "pop"), "A and B", "", ""),
        ("/d/c.wav", ("House",), "", "R", ""),
        ("/d/d.wav", (), "", "", ""),
    ]


def test_a_split_of_their_own_is_kept_and_folds_are_not() -> None:
    tracks = {x: SimpleNamespace(audio_path=f"/{x}", instrument="flute") for x in "ab"}
    own = Dataset(tracks, {"train": ["a"], "validation": [], "test": ["b"]})
    assert [t.split for t in from_dataset(own, "instrument")] == ["train", "test"]
    folds = Dataset(tracks, {"0": ["a"], "1": ["b"]})
    assert [t.split for t in from_dataset(folds, "instrument")] == ["", ""]


def test_a_label_that_they_lack_is_refused_with_those_they_have() -> None:
    tracks = {"a": SimpleNamespace(audio_path="/a", instrument="flute")}
    with pytest.raises(ConfigError, match=r"have no 'genre' \(they have: audio_path, instrument\)"):
        from_dataset(Dataset(tracks), "genre")


def test_without_mirdata_the_way_to_get_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mirdata", None)
    with pytest.raises(MissingExtraError, match=r"'\.\[mirdata\]'"):
        read("mirdata:gtzan_genre", "/nowhere")


def test_with_mirdata_itself(tmp_path: Path) -> None:
    pytest.importorskip("mirdata", reason="mirdata is not installed")
    with pytest.raises(ConfigError, match="no data set 'gtzen'"):
        read("mirdata:gtzen", tmp_path)
    with pytest.raises(DataError, match="let mirdata download it first"):
        read("mirdata:dagstuhl_choirset", tmp_path)

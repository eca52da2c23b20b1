"""Heads learned from a few tracks of each genre: how tracks are drawn, and what comes of it."""

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

pytest.importorskip("sklearn", reason="needs earmark[head]")
pytest.importorskip("onnx", reason="needs earmark[head]")
pytest.importorskip("matplotlib", reason="needs earmark[report]")

from earmark.datasets.sample import draw_shots
from earmark.errors import DataError
from earmark.training.provenance import short_hash
from tests import backbones
from tests.audiofiles import Kind, synth, write
from tests.cli import Ran, earmark

KINDS: dict[str, Kind] = {"Folk": "music", "Jazz": "tone", "Rock": "noise"}
N_ARTISTS, N_TRACKS = 4, 3

TRACKS = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 9)), min_size=20, max_size=60
)  # an artist may have several genres


@settings(max_examples=50)
@given(TRACKS, st.integers(1, 4), st.integers(0, 3))
def test_every_genre_is_learned_from_and_left_to_be_tested(
    tracks: list[tuple[str, int]], n: int, seed: int
) -> None:
    labels, groups = [label for label, _ in tracks], [str(artist) for _, artist in tracks]
    try:
        drawn = draw_shots(labels, groups, n, seed)
    except DataError:
        assume(False)
    assert drawn == sorted(set(drawn)) == draw_shots(labels, groups, n, seed)
    assert Counter(labels[i] for i in drawn) == dict.fromkeys(labels, n)
    heard = {groups[i] for i in drawn}
    assert {label for label, group in zip(labels, groups, strict=True) if group not in heard} == {
        *labels
    }


def test_as_many_artists_as_can_be() -> None:
    labels = ["rock"] * 30 + ["blues"] * 12
    groups = [f"r{i % 10}" for i in range(30)] + ["b1"] * 6 + ["b2"] * 3 + ["b3"] * 3
    for seed in range(10):
        drawn = draw_shots(labels, groups, 5, seed)
        artists = {label: {groups[i] for i in drawn if labels[i] == label} for label in labels}
        assert {label: len(found) for label, found in artists.items()} == {"rock": 5, "blues": 2}
    left_out = {
        frozenset({"b1", "b2", "b3"} - {groups[i] for i in draw_shots(labels, groups, 5, seed)})
        for seed in range(20)
    }
    assert left_out == {frozenset({name}) for name in ("b1", "b2", "b3")}


@pytest.mark.parametrize(
    ("groups", "n"), [(["a", "b"] * 3 + ["c"] * 6, 2), (["a", "b"] * 3 + ["c"] * 3 + ["d"] * 3, 4)]
)
def test_too_few_artists_or_tracks_are_said(groups: list[str], n: int) -> None:
    with pytest.raises(DataError, match="too few tracks for"):
        draw_shots(["rock"] * 6 + ["blues"] * 6, groups, n)


# --- the command -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("library")
    for genre, kind in KINDS.items():
        for i in range(N_ARTISTS * N_TRACKS):
            tags = {"artist": f"{genre} artist {i // N_TRACKS}", "genre": genre}
            y = synth(kind, 4.0, 22050, 1, seed=i)
            write(root / f"{genre}-{i}.flac", y, 22050, "flac", tags)
    return root


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that has learned from a Jazz artist of the library."""
    learned = {"tracks": "", "groups": short_hash("artist:jazz artist 0")}
    return backbones.write(tmp_path_factory.mktemp("models") / "bins", learned).path


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared-home")


def measured(library: Path, backbone: Path, out: Path, *more: object) -> tuple[Ran, Any]:
    ran = earmark(
        *("evaluate", "head", library, "--backbone", backbone, "--shots", "2", "--draws", "6"),
        *("--out", out, "--workers", "1", *more),
    )
    assert ran.code == 0, ran.err
    (found,) = json.loads((out / "metrics.json").read_text())["evaluations"]
    return ran, found


def test_heads_learn_from_few_and_are_judged_on_other_artists(
    library: Path, backbone: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EARMARK_HOME", str(home))
    ran, found = measured(library, backbone, tmp_path / "report")
    assert found["protocol"] == "few-shot"
    assert found["track"]["accuracy"]["value"] >= 0.9  # tones, noise and melodies
    assert len(found["draws"]) == 6
    assert found["n_tracks"] <= len(KINDS) * N_ARTISTS * N_TRACKS
    with (tmp_path / "report" / "tracks.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    # Two of four artists are drawn for each genre each time; all tracks of the others are judged.
    assert len(rows) == found["track"]["accuracy"]["n"] == 6 * len(KINDS) * 2 * N_TRACKS
    right = [row["reference"] == row["estimate"] for row in rows]
    assert found["track"]["accuracy"]["value"] == pytest.approx(np.mean(right), abs=1e-6)
    assert found["track"]["accuracy"]["value"] == pytest.approx(np.mean(found["draws"]), abs=1e-6)
    assert {Path(row["path"]).name.partition("-")[0] for row in rows} == set(KINDS)
    assert all(row["answered"] == "True" for row in rows)
    assert "right in single draws" in ran.out
    leaked = f"learned from {N_TRACKS} of these"
    assert any(leaked in warning for warning in found["warnings"])
    for name in ("report.html", "report.md"):
        assert "Learned 6 times" in (tmp_path / "report" / name).read_text()


def test_the_draws_are_the_same_for_another_backbone(
    library: Path, backbone: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EARMARK_HOME", str(home))
    other = backbones.write(tmp_path / "other").path

    def judged(model: Path, *more: object) -> Counter[str]:
        out = tmp_path / f"report of {model.name}{more}"
        measured(library, model, out, *more)
        with (out / "tracks.csv").open(newline="") as file:
            return Counter(Path(row["path"]).name for row in csv.DictReader(file))

    assert judged(backbone) == judged(other)
    assert judged(other) != judged(other, "--seed", "1")


def test_what_is_no_head_cannot_learn_from_few(library: Path) -> None:
    ran = earmark("evaluate", "cnn", library, "--shots", "2")
    assert ran.code == 2
    assert "cnn is no head" in ran.err
    for more in (("--cv", "3"), ("--unlabelled", library)):
        ran = earmark("evaluate", "head", library, "--shots", "2", *more)
        assert ran.code == 2
        assert "protocol of its own" in ran.err


def test_unlabelled_music_is_of_no_use_where_nothing_is_trained(library: Path) -> None:
    ran = earmark("evaluate", "ear", library, "--unlabelled", library)
    assert ran.code == 2
    assert "add --cv or --protocol" in ran.err

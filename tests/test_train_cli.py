"""``earmark train`` from tagged files to a model that knows them, and what gets in its way."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs earmark[train]")

from earmark.models import bundle
from tests.audiofiles import Kind, synth, write
from tests.cli import earmark

KINDS: dict[str, Kind] = {"Jazz": "tone", "Rock": "noise", "Folk": "music"}
# As people write them: all of these are one genre.
SPELLINGS = {"Jazz": ["Jazz", "JAZZ", "(8)"], "Rock": ["rock", "(17)Rock"], "Folk": ["Folk"]}
QUICK = ("--min-tracks", "5", "--epochs", "40", "--batch-size", "8", "--quiet")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three genres by five artists each, two tracks an artist, and three tracks of no use."""
    root = tmp_path_factory.mktemp("library")
    for genre, kind in KINDS.items():
        for i in range(10):
            spelling = SPELLINGS[genre][i % len(SPELLINGS[genre])]
            tags = {"artist": f"{genre} artist {i // 2}", "genre": spelling}
            y = synth(kind, 7.0, 22050, 1, seed=i)
            write(root / f"{genre}-{i}.flac", y, 22050, "flac", tags)
    y = synth("chirp", 7.0, 22050, 1)
    write(root / "rare.flac", y, 22050, "flac", {"genre": "Polka", "artist": "P"})
    write(root / "torn.flac", y, 22050, "flac", {"genre": "Rock; Jazz", "artist": "T"})
    (root / "broken.flac").write_bytes(b"fLaC" + bytes(100))
    return root


@pytest.fixture(scope="module")
def trained(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("models") / "toy"
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EARMARK_HOME", str(home))
        ran = earmark("train", library, "--out", out, *QUICK)
    assert ran.code == 3, ran.err
    assert "broken.flac" in ran.err
    assert "right (95 % interval" in ran.out
    return out


def test_the_model_knows_the_genres(trained: Path, library: Path) -> None:
    meta = bundle.load(trained).meta
    assert meta.labels == ("Folk", "Jazz", "Rock")
    assert meta.scores["accuracy"] >= 0.95
    ran = earmark("classify", library, "--model", trained, "--json", "--min-confidence", "0")
    found = {Path(t["path"]).stem: t["genre"] for t in json.loads(ran.out)["tracks"]}
    right = [genre == name.partition("-")[0] for name, genre in found.items() if "-" in name]
    assert len(right) == 30
    assert sum(right) >= 28


def test_the_split_is_by_artist_and_written_down(trained: Path) -> None:
    with trained.with_name("toy-run").joinpath("split.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 30
    parts = defaultdict(set)
    for row in rows:
        parts[row["group"]].add(row["part"])
    assert len(parts) == 15
    assert all(len(found) == 1 for found in parts.values())
    assert {row["part"] for row in rows} == {"train", "valid", "test"}


def test_the_bundle_says_what_it_is_made_of(trained: Path) -> None:
    meta = bundle.load(trained).meta
    assert meta.data["dropped_genres"] == {"Polka": 1}
    assert meta.data["n_ambiguous"] == 1
    assert sum(part["n_tracks"] for part in meta.data["parts"].values()) == 30
    assert meta.scores["n_tracks"] == meta.data["parts"]["test"]["n_tracks"]
    assert meta.training["environment"]["torch"]
    assert 0 < meta.temperature < 20


def test_the_run_folder_is_complete(trained: Path) -> None:
    run = trained.with_name("toy-run")
    for name in ("settings.json", "history.csv", "scores.json", "loss.png", "confusion.png"):
        assert (run / name).stat().st_size > 0, name
    with (run / "history.csv").open(newline="") as file:
        assert 1 <= len(list(csv.DictReader(file))) <= 40


def test_labels_by_folder_and_by_manifest(library: Path, tmp_path: Path) -> None:
    root = tmp_path / "music"
    for track in library.glob("*-*.flac"):
        genre, _, number = track.stem.partition("-")
        folder = root / ("Beat" if genre == "Rock" else genre.lower())
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.flac").symlink_to(track)
    quick = (*QUICK, "--epochs", "1")
    ran = earmark("train", root, "--labels", "folders", "--out", tmp_path / "a", *quick)
    assert ran.code == 0, ran.err
    assert bundle.load(tmp_path / "a").meta.labels == ("Beat", "Folk", "Jazz")

    manifest = root / "labels.csv"
    rows = [f"{p.relative_to(root)},{p.parent.name},{p.name}" for p in root.rglob("*.flac")]
    manifest.write_text("\n".join(["path,genre,artist", *rows]))
    merge = ("--merge", "Beat=Jazz", "--run-dir", tmp_path / "run")
    ran = earmark("train", root, "--labels", manifest, "--out", tmp_path / "b", *quick, *merge)
    assert ran.code == 0, ran.err
    assert bundle.load(tmp_path / "b").meta.labels == ("Folk", "Jazz")
    assert (tmp_path / "run" / "settings.json").exists()


def test_ctrl_c_keeps_the_best_network_so_far(library: Path, tmp_path: Path) -> None:
    out = tmp_path / "model"
    program = [sys.executable, "-c", "from earmark.cli import main; main()", "train", str(library)]
    options = ["--out", str(out), *QUICK, "--epochs", "500", "--patience", "500"]
    with subprocess.Popen([*program, *options], stdout=subprocess.PIPE, text=True) as running:
        deadline = time.monotonic() + 120
        while not (tmp_path / "model-run" / "best.pt").exists():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        os.kill(running.pid, signal.SIGINT)
        told, _ = running.communicate(timeout=120)
    assert running.returncode == 130
    assert "the best network so far was kept" in told
    assert bundle.load(out).meta.labels == ("Folk", "Jazz", "Rock")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--only", "Jazz"), "fewer than two genres"),
        (("--labels", "/no/table.csv"), "/no/table.csv cannot be read"),
        (("--labels", "folders"), "no tracks in folders named by genre"),
    ],
)
def test_data_that_cannot_be_learned_from_is_told(
    library: Path, tmp_path: Path, options: tuple[str, ...], complaint: str
) -> None:
    ran = earmark("train", library, "--out", tmp_path / "model", *QUICK, *options)
    assert ran.code == 1
    assert complaint in ran.err
    assert not (tmp_path / "model").exists()


def test_progress_is_told_in_words(library: Path, tmp_path: Path) -> None:
    options = ("--min-tracks", "5", "--epochs", "1", "--batch-size", "8")
    ran = earmark("train", library, "--out", tmp_path / "model", *options)
    assert "epoch 1: training loss " in ran.err
    assert "tracks right (best so far)" in ran.err
    assert "split by artist" in ran.err

"""``earmark train`` from tagged files to a model that knows them, and what gets in its way."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs earmark[train]")

from earmark.models import bundle
from earmark.training import recipes
from earmark.training.run_folder import claimed
from tests.audiofiles import Kind, synth, write
from tests.cli import earmark
from tests.systems import KILLED, limit_file_size
from tests.trainings import on_one_core

KINDS: dict[str, Kind] = {"Jazz": "tone", "Rock": "noise", "Folk": "music"}
# As people write them: all of these are one genre.
SPELLINGS = {"Jazz": ["Jazz", "JAZZ", "(8)"], "Rock": ["rock", "(17)Rock"], "Folk": ["Folk"]}
COMMON = ("--min-tracks", "5", "--no-fingerprints")
SMALL = """
description = "small slices, a small network"
[excerpts]
n_excerpts = 2
excerpt_s = 1.5
[features]
n_mels = 32
[slices]
n_frames = 32
hop_frames = 32
[network]
widths = [8, 16, 16, 32]
[schedule]
epochs = 12
batch_size = 8
min_steps = 12
[augmentation]
stretch = 0.05
pitch_semitones = 0.5
mixup = 0.2
"""


@pytest.fixture(scope="module", autouse=True)
def one_core() -> Iterator[None]:
    with on_one_core():
        yield


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> tuple[object, ...]:
    recipe = tmp_path_factory.mktemp("recipes") / "small.toml"
    recipe.write_text(SMALL)
    return ("--recipe", recipe, *COMMON, "--quiet")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three genres by five artists each, two tracks an artist, and three tracks of no use."""
    root = tmp_path_factory.mktemp("library")
    for genre, kind in KINDS.items():
        for i in range(10):
            spelling = SPELLINGS[genre][i % len(SPELLINGS[genre])]
            tags = {"artist": f"{genre} artist {i // 2}", "genre": spelling}
            y = synth(kind, 4.0, 22050, 1, seed=i)
            write(root / f"{genre}-{i}.flac", y, 22050, "flac", tags)
    y = synth("chirp", 4.0, 22050, 1)
    write(root / "rare.flac", y, 22050, "flac", {"genre": "Polka", "artist": "P"})
    write(root / "torn.flac", y, 22050, "flac", {"genre": "Rock; Jazz", "artist": "T"})
    (root / "broken.flac").write_bytes(b"fLaC" + bytes(100))
    return root


@pytest.fixture(scope="module")
def trained(
    library: Path, quick: tuple[object, ...], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    out = tmp_path_factory.mktemp("models") / "toy"
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EARMARK_HOME", str(home))
        ran = earmark("train", library, "--out", out, *quick)
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


def test_a_network_over_tracks_decides_in_place_of_a_vote(
    trained: Path, library: Path, tmp_path: Path
) -> None:
    recipe, out = tmp_path / "second.toml", tmp_path / "model"
    track = '[track]\nname = "attention"\nschedule = { epochs = 10, min_steps = 10 }\n'
    recipe.write_text(SMALL + track)
    ran = earmark("train", library, "--out", out, "--recipe", recipe, "--vote", "network", *COMMON)
    assert ran.code == 3, ran.err
    assert "the network over tracks is right about" in ran.err + ran.out
    meta = bundle.load(out).meta
    assert meta.vote.mode == "network"
    assert (out / "vote.onnx").stat().st_size > 0
    assert "network" in meta.scores["votes"]
    assert meta.training["track_network"]["n_epochs"] <= 10
    for vote in ((), ("--vote", "mean")):
        ran = earmark("classify", library, "--model", out, "--json", "--min-confidence", "0", *vote)
        found = {Path(t["path"]).stem: t["genre"] for t in json.loads(ran.out)["tracks"]}
        right = [genre == name.partition("-")[0] for name, genre in found.items() if "-" in name]
        assert sum(right) >= 28
    ran = earmark("classify", library, "--model", trained, "--vote", "network")
    assert ran.code == 2
    assert "has no network over tracks" in ran.err


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
        assert 1 <= len(list(csv.DictReader(file))) <= 12


def test_the_recipe_as_used_is_kept(trained: Path) -> None:
    kept = recipes.load(str(trained.with_name("toy-run") / "recipe.toml"))
    assert kept.schedule.epochs == 12
    assert kept.network.options == {"widths": [8, 16, 16, 32]}
    recorded = bundle.load(trained).meta.training["recipe"]
    assert recorded == json.loads(json.dumps({"name": "small", **kept.to_dict()}))


def test_labels_by_folder_and_by_manifest(
    library: Path, quick: tuple[object, ...], tmp_path: Path
) -> None:
    root = tmp_path / "music"
    for track in library.glob("*-*.flac"):
        genre, _, number = track.stem.partition("-")
        folder = root / ("Beat" if genre == "Rock" else genre.lower())
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.flac").symlink_to(track)
    # By a recipe that comes with Earmark, but for one epoch only.
    short = ("--recipe", "cnn", *COMMON, "--epochs", "1", "--batch-size", "8", "--quiet")
    ran = earmark("train", root, "--labels", "folders", "--out", tmp_path / "a", *short)
    assert ran.code == 0, ran.err
    assert bundle.load(tmp_path / "a").meta.labels == ("Beat", "Folk", "Jazz")
    recorded = bundle.load(tmp_path / "a").meta.training["recipe"]
    assert (recorded["name"], recorded["schedule"]["epochs"]) == ("cnn", 1)

    manifest = root / "labels.csv"
    rows = [f"{p.relative_to(root)},{p.parent.name},{p.name}" for p in root.rglob("*.flac")]
    manifest.write_text("\n".join(["path,genre,artist", *rows]))
    merge = ("--merge", "Beat=Jazz", "--run-dir", tmp_path / "run")
    ran = earmark("train", root, "--labels", manifest, "--out", tmp_path / "b", *quick, *merge)
    assert ran.code == 0, ran.err
    assert bundle.load(tmp_path / "b").meta.labels == ("Folk", "Jazz")
    assert (tmp_path / "run" / "settings.json").exists()


def start(*arguments: object, **options: Any) -> subprocess.Popen[str]:
    program = [sys.executable, "-c", "from earmark.cli import main; main()"]
    return subprocess.Popen(
        [*program, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def wait_for(path: Path, running: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while not path.exists():
        assert time.monotonic() < deadline
        assert running.poll() is None
        time.sleep(0.02)


def test_ctrl_c_keeps_the_best_network_so_far(
    library: Path, quick: tuple[object, ...], tmp_path: Path
) -> None:
    out = tmp_path / "model"
    options = (*quick, "--epochs", 5000, "--patience", 5000)
    with start("train", library, "--out", out, *options) as running:
        wait_for(tmp_path / "model-run" / "best.pt", running)
        os.kill(running.pid, signal.SIGINT)
        told, _ = running.communicate(timeout=120)
    assert running.returncode == 130
    assert "the best network so far was kept" in told
    assert bundle.load(out).meta.labels == ("Folk", "Jazz", "Rock")


def test_a_run_that_was_killed_goes_on(
    library: Path, quick: tuple[object, ...], tmp_path: Path
) -> None:
    arguments = ("train", library, "--out", tmp_path / "model", *quick[:-1], "--epochs", 30)
    with start(*arguments) as running:
        wait_for(tmp_path / "model-run" / "last.pt", running)
        running.kill()
    assert running.returncode == KILLED
    ran = earmark(*arguments)
    assert ran.code == 3, ran.err
    assert "going on after epoch" in ran.err
    assert bundle.load(tmp_path / "model").meta.training["n_epochs"] <= 30


def test_a_full_disk_is_told_and_costs_nothing(
    library: Path, quick: tuple[object, ...], tmp_path: Path
) -> None:
    arguments = ("train", library, "--out", tmp_path / "model", *quick)
    # Enough for the slices, not for a checkpoint.
    with start(*arguments, preexec_fn=partial(limit_file_size, 180_000)) as running:
        _, told = running.communicate(timeout=120)
    assert running.returncode == 1, told
    assert "cannot write the checkpoint" in told
    assert "make room and run the same command again" in told
    assert "Traceback" not in told
    assert not (tmp_path / "model").exists()
    assert not list((tmp_path / "model-run").glob("*.tmp"))
    assert earmark(*arguments, "--epochs", 1).code == 3


@pytest.mark.parametrize(
    ("options", "code", "complaint"),
    [
        (("--only", "Jazz"), 1, "fewer than two genres"),
        (("--labels", "/no/table.csv"), 1, "/no/table.csv cannot be read"),
        (("--labels", "folders"), 1, "no tracks in folders named by genre"),
        (("--recipe", "resnet"), 2, "there is no recipe 'resnet'"),
        (("--recipe", "head", "--epochs", "3"), 2, "there is no epochs in recipe head"),
        (("--accelerator", "abacus"), 2, "cannot train on accelerator abacus"),
        (("--lr", "100"), 2, "command line: [optimiser] lr is 100.0, but should be from"),
        (("--run-dir", "/dev/null/run"), 1, "cannot write to the run folder /dev/null/run"),
    ],
)
def test_what_cannot_be_learned_from_is_told(
    library: Path,
    quick: tuple[object, ...],
    tmp_path: Path,
    options: tuple[str, ...],
    code: int,
    complaint: str,
) -> None:
    ran = earmark("train", library, "--out", tmp_path / "model", *quick, *options)
    assert ran.code == code
    assert complaint in ran.err
    assert not (tmp_path / "model").exists()


def test_an_option_that_the_network_does_not_have(
    library: Path, quick: tuple[object, ...], tmp_path: Path
) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text("[network]\ndropuot = 0.1")
    ran = earmark("train", library, "--out", tmp_path / "model", *quick, "--recipe", recipe)
    assert ran.code == 2
    assert "cnn has no option dropuot (did you mean dropout?)" in ran.err
    assert "listening" not in ran.err


def test_where_no_model_can_be_written_nothing_is_listened_to(
    library: Path, tmp_path: Path, quick: tuple[object, ...]
) -> None:
    (tmp_path / "file").write_text("years of work")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("years of work")
    for out, code, reason in (
        ("file", 1, "is not a folder"),
        ("file/model", 1, "cannot write the model to"),
        ("full", 1, "is not empty and holds no model"),
        ("model", 2, "lies within the model's"),
    ):
        run_dir = tmp_path / "model" / "run"
        ran = earmark("train", library, "--out", tmp_path / out, "--run-dir", run_dir, *quick)
        assert ran.code == code, ran.err
        assert reason in ran.err
        assert "skipped" not in ran.err
        assert "Traceback" not in ran.err
    assert (tmp_path / "full" / "thesis.txt").read_text() == "years of work"


def test_a_genre_asked_for_that_no_track_has_is_told(library: Path, tmp_path: Path) -> None:
    only = ("--only", "Jazz", "--only", "Rokc")
    ran = earmark("train", library, "--out", tmp_path / "model", *only, *COMMON)
    assert ran.code == 1
    assert "none is of Rokc, which --only asks for" in ran.err


def test_a_head_is_what_is_learned_by_default(library: Path, tmp_path: Path) -> None:
    ran = earmark("train", library, "--out", tmp_path / "model", *COMMON, "--quiet")
    assert ran.code == 3, ran.err
    assert bundle.load(tmp_path / "model").meta.training["recipe"]["name"] == "head"


def test_two_trainings_do_not_share_a_run_folder(library: Path, tmp_path: Path) -> None:
    with claimed(tmp_path / "model-run"):
        ran = earmark("train", library, "--out", tmp_path / "model", "--min-tracks", "5")
    assert ran.code == 1
    assert "another training is writing to" in ran.err

"""scikit-learn's classifiers on statistics: what they find, what becomes of them, how to ask."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import onnxruntime as ort
import pytest
from numpy.typing import NDArray

pytest.importorskip("sklearn", reason="needs earmark[summary]")
pytest.importorskip("skl2onnx", reason="needs earmark[summary]")
pytest.importorskip("librosa", reason="needs earmark[summary]")

from earmark.decision.calibration import softmax
from earmark.errors import BundleError, ConfigError
from earmark.models import bundle as bundles
from earmark.models.classical import summary_export
from earmark.models.classical.folds import folds
from earmark.models.classical.summary import ESTIMATORS, Found, fit, log_proba, search
from earmark.models.classical.summary_export import Standardisation, export
from earmark.models.runtime import Classifier
from earmark.training import recipes
from earmark.training.recipes.recipe import TrainingRecipe
from earmark.types import SliceConfig
from tests.audiofiles import Kind, synth, write
from tests.cli import earmark

T = TypeVar("T")
KINDS: dict[str, Kind] = {"Jazz": "tone", "Rock": "noise", "Folk": "music"}
Levels = NDArray[np.uint16]


def drained(flow: Generator[Any, None, T]) -> T:
    while True:
        try:
            next(flow)
        except StopIteration as stop:
            result: T = stop.value
            return result


def timbres(n_classes: int, spread: float = 800.0) -> tuple[Levels, NDArray[np.int64], list[str]]:
    """Levels of 12 statistics of 30 tracks a genre, three an artist; the last never changes."""
    rng = np.random.default_rng(0)
    centres = rng.integers(25_000, 35_000, (n_classes, 12))
    genre = np.repeat(np.arange(n_classes), 30)
    values = centres[genre] + spread * rng.normal(size=(len(genre), 12))
    values[:, -1] = 7
    groups = [f"artist {i // 3}" for i in range(len(genre))]
    return values.clip(0, 65535).astype(np.uint16)[:, :, None], genre, groups


def run(network: bytes, levels: Levels) -> tuple[NDArray[Any], NDArray[Any]]:
    session = ort.InferenceSession(network, providers=["CPUExecutionProvider"])
    logits, embedding = session.run(["logits", "embedding"], {"slices": levels})
    return logits, embedding


# --- each estimator ----------------------------------------------------------------------------


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("name", ESTIMATORS)
class TestEachEstimator:
    def test_learns_timbres_and_answers_alike_as_a_network(self, name: str, n_classes: int) -> None:
        levels, genre, _ = timbres(n_classes)
        learned, heard = np.arange(len(genre)) % 3 > 0, np.arange(len(genre)) % 3 == 0
        standardise = Standardisation.of(levels[learned])
        found = Found(name, ESTIMATORS[name].settings(len(genre))[0], 0, 0, 0)
        fitted = fit(found, standardise(levels[learned]), genre[learned])
        network = export(fitted, standardise, n_classes, levels[learned])
        logits, embedding = run(network, levels[heard])
        assert logits.shape == (heard.sum(), n_classes)
        assert logits.dtype == embedding.dtype == np.float32
        np.testing.assert_array_equal(embedding, standardise(levels[heard]))
        expected = log_proba(fitted, standardise(levels[heard]))
        np.testing.assert_allclose(softmax(logits), softmax(expected), atol=1e-4)
        right = (logits.argmax(axis=1) == genre[heard]).mean()
        assert right == pytest.approx(1 / n_classes) if name == "dummy" else right > 0.95

    def test_is_the_same_again(self, name: str, n_classes: int) -> None:
        levels, genre, _ = timbres(n_classes)
        X = Standardisation.of(levels)(levels)
        found = Found(name, ESTIMATORS[name].settings(len(genre))[0], 0, 0, 0)
        once, again = (log_proba(fit(found, X, genre, seed=3), X) for _ in range(2))
        np.testing.assert_array_equal(once, again)


def test_statistics_are_standardised_and_what_never_changes_is_nothing() -> None:
    levels, _, _ = timbres(3)
    X = Standardisation.of(levels)(levels)
    np.testing.assert_allclose(X[:, :-1].mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(X[:, :-1].std(axis=0), 1, atol=1e-4)
    assert (X[:, -1] == 0).all()


def test_no_probability_is_nothing_for_sure() -> None:
    levels, genre, _ = timbres(3, spread=1.0)
    standardise = Standardisation.of(levels)
    fitted = fit(Found("k-nn", {"n_neighbors": 1}, 0, 0, 0), standardise(levels), genre)
    logits, _ = run(export(fitted, standardise, 3, levels), levels)
    assert np.isfinite(logits).all()


def test_an_export_that_answers_otherwise_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    levels, genre, _ = timbres(3)
    standardise = Standardisation.of(levels)
    fitted = fit(Found("logistic", {}, 0, 0, 0), standardise(levels), genre)
    monkeypatch.setattr(
        summary_export, "log_proba", lambda fitted, X: log_proba(fitted, X)[:, ::-1]
    )
    with pytest.raises(BundleError, match="differs from the fitted one"):
        export(fitted, standardise, 3, levels)


# --- the search --------------------------------------------------------------------------------


def test_the_best_setting_is_found() -> None:
    levels, genre, groups = timbres(3, spread=6000.0)
    X = Standardisation.of(levels)(levels)
    fold = folds(genre, groups, 3)
    tried = []
    flow = search("k-nn", X, genre, fold)
    while True:
        try:
            tried.append(next(flow)["n_neighbors"])
        except StopIteration as stop:
            found = stop.value
            break
    assert tried == ESTIMATORS["k-nn"].grid["n_neighbors"]
    assert found.params["n_neighbors"] > 1  # genres overlap: one neighbour is often of another
    assert found.accuracy > 0.4


def test_an_artist_left_out_is_not_known() -> None:
    """Each artist has a sound of its own, which says all about the genre; nothing else does."""
    rng = np.random.default_rng(0)
    sounds = rng.normal(size=(40, 30)).astype(np.float32)
    artist = np.repeat(np.arange(40), 5)
    X = sounds[artist] + 0.01 * rng.normal(size=(200, 30)).astype(np.float32)
    genre = artist % 2
    by_artist = drained(search("k-nn", X, genre, folds(genre, [str(a) for a in artist], 4)))
    by_track = drained(search("k-nn", X, genre, folds(genre, [str(i) for i in range(200)], 4)))
    assert by_track.accuracy == 1.0
    assert by_artist.accuracy < 0.7


def test_more_neighbours_than_tracks_are_not_asked_for() -> None:
    levels, genre, groups = timbres(2)
    few = np.flatnonzero(np.arange(len(genre)) % 30 < 9)
    X = Standardisation.of(levels)(levels)[few]
    fold = folds(genre[few], [groups[i] for i in few], 3)
    found = drained(search("k-nn", X, genre[few], fold))
    assert found.params["n_neighbors"] <= 12


# --- the recipe --------------------------------------------------------------------------------


def test_the_recipe_that_comes_with_earmark_is_the_default_of_its_kind() -> None:
    recipe = recipes.load("summary-sklearn")
    bare = TrainingRecipe.from_dict({"kind": "summary"}, "summary-sklearn", "bare")
    assert (bare.listen, bare.summary, bare.vote) == (recipe.listen, recipe.summary, recipe.vote)
    assert recipe.slices == SliceConfig(1, 1)
    assert set(recipe.summary.tried) == set(ESTIMATORS)


@pytest.mark.parametrize(
    ("section", "reason"),
    [
        ({"features": {"frontend": "mel"}}, "cannot have the front end mel"),
        ({"summary": {"estimator": "svn"}}, "should be one of best, dummy, k-nn"),
        ({"summary": {"tried": ["svm", "tree"]}}, "'tree', but should be one of dummy"),
        ({"summary": {"folds": 1}}, "folds is 1"),
        ({"network": {"name": "cnn"}}, "unknown key network"),
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused(section: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        TrainingRecipe.from_dict({"kind": "summary", **section}, "odd", "odd.toml")


# --- the command -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three genres by eight artists each, two tracks an artist."""
    root = tmp_path_factory.mktemp("library")
    for genre, kind in KINDS.items():
        for i in range(16):
            tags = {"artist": f"{genre} artist {i // 2}", "genre": genre}
            y = synth(kind, 3.0, 22050, 1, seed=i)
            write(root / f"{genre}-{i}.flac", y, 22050, "flac", tags)
    return root


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared-home")


# As where only earmark[summary] is installed.
WITHOUT_TORCH = """
import sys
from importlib.machinery import PathFinder

class WithoutTraining(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        absent = ("torch", "lightning_fabric", "matplotlib", "optuna")
        return None if name.partition(".")[0] in absent else super().find_spec(name, path, target)

sys.meta_path = [WithoutTraining if f is PathFinder else f for f in sys.meta_path]
from earmark.cli import main
main()
"""


@pytest.fixture(scope="module")
def trained(library: Path, home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """By three estimators, of which the dummy is no good."""
    folder = tmp_path_factory.mktemp("models")
    recipe = folder / "three.toml"
    recipe.write_text('kind = "summary"\n[summary]\ntried = ["dummy", "k-nn", "logistic"]\n')
    out = folder / "model"
    arguments = ["train", library, "--recipe", recipe, "--out", out, "--workers", "1"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EARMARK_HOME", str(home))
        command = [sys.executable, "-c", WITHOUT_TORCH, *map(str, arguments)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "3 estimators learned from" in ran.stderr
    return out


def test_the_model_knows_genres_like_any_other(trained: Path, library: Path) -> None:
    meta = bundles.load(trained).meta
    assert meta.labels == ("Folk", "Jazz", "Rock")
    assert meta.scores["accuracy"] >= 0.8
    ran = earmark("classify", library, "-m", trained, "--json", "--min-confidence", "0")
    found = {Path(t["path"]).stem: t["genre"] for t in json.loads(ran.out)["tracks"]}
    right = [genre == name.partition("-")[0] for name, genre in found.items()]
    assert len(right) == 48
    assert sum(right) >= 44


def test_all_estimators_are_told_of(trained: Path) -> None:
    told = bundles.load(trained).meta.training
    rows = told["estimators"]
    assert [row["estimator"] for row in rows][-1] == "dummy"
    assert told["estimator"]["name"] == rows[0]["estimator"] in ("k-nn", "logistic")
    assert rows[0]["left_out_macro_f1"] >= rows[1]["left_out_macro_f1"] > 0.8
    assert rows[-1]["left_out_macro_f1"] < 0.4
    with trained.with_name("model-run").joinpath("estimators.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["estimator"] for row in table] == [row["estimator"] for row in rows]
    assert float(table[0]["test_accuracy"]) == rows[0]["test_accuracy"]


def test_the_one_asked_for_becomes_the_model_and_nothing_is_heard_again(
    trained: Path, library: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EARMARK_HOME", str(home))
    (data,) = (home / "features").glob("*/slices.u16")
    before = data.stat().st_mtime_ns
    ran = earmark(
        *("train", library, "--recipe", trained.with_name("three.toml"), "--workers", "1"),
        *("--estimator", "dummy", "--out", tmp_path / "dummy"),
    )
    assert ran.code == 0, ran.err
    assert "the model is dummy" in ran.err
    assert data.stat().st_mtime_ns == before
    bundle = bundles.load(tmp_path / "dummy")
    assert bundle.meta.training["estimator"]["name"] == "dummy"
    logits = Classifier(bundle).logits(np.zeros((2, 89, 1), np.uint16))
    np.testing.assert_array_equal(logits[0], logits[1])


def test_it_can_be_measured_by_folds(
    trained: Path, library: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EARMARK_HOME", str(home))
    ran = earmark(
        *("evaluate", trained.with_name("three.toml"), library, "--cv", "2", "--workers", "1"),
        *("--out", tmp_path / "report"),
    )
    assert ran.code == 0, ran.err
    (measured,) = json.loads((tmp_path / "report" / "metrics.json").read_text())["evaluations"]
    assert measured["n_tracks"] == 48
    assert measured["track"]["accuracy"]["value"] > 0.9

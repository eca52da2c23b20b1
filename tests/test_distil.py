"""A backbone distilled from a teacher on unlabelled music, and a head on it: the whole command."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs earmark[head]")
pytest.importorskip("onnx", reason="needs earmark[head]")

from earmark.errors import DataError
from earmark.events import Event, Note, Progress, run
from earmark.features.store import FeatureStore
from earmark.models import bundle as bundles
from earmark.models.foreign import musicnn
from earmark.models.runtime import Classifier
from earmark.training import recipes
from earmark.training.learners import distil
from earmark.training.request import LabelRequest, TrainRequest
from earmark.training.train import train
from earmark.workflows.crossval import Trainings
from tests import backbones, foreign
from tests.audiofiles import Kind, synth, write
from tests.cli import Ran, earmark
from tests.sessions import resources

KINDS: dict[str, Kind] = {"Jazz": "tone", "Rock": "noise", "Folk": "music"}
RECIPE = """
kind = "distilled"
description = "quick"
[distil]
n_slices = 24
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where musicnn has been added, with random weights."""
    home = tmp_path_factory.mktemp("shared-home")
    foreign.add_musicnn(home)
    return home


@pytest.fixture(autouse=True)
def at_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EARMARK_HOME", str(home))


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three genres by eight artists each, two tracks an artist."""
    root = tmp_path_factory.mktemp("library")
    for genre, kind in KINDS.items():
        for i in range(16):
            tags = {"artist": f"{genre} artist {i // 2}", "genre": genre}
            y = synth(kind, 4.0, 16000, 1, seed=i)
            write(root / f"{genre}-{i}.flac", y, 16000, "flac", tags)
    return root


@pytest.fixture(scope="module")
def unlabelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Other sounds of the same kinds, and a file of no use."""
    root = tmp_path_factory.mktemp("unlabelled")
    for kind in KINDS.values():
        for i in range(10):
            y = synth(kind, 3.2, 16000, 1, seed=100 + i) * (0.1 + 0.09 * i)
            write(root / f"{kind}-{i}.flac", y.astype(np.float32), 16000, "flac")
    (root / "broken.flac").write_bytes(b"fLaC" + bytes(100))
    return root


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipes") / "quick.toml"
    path.write_text(RECIPE)
    return path


def trained_by(*options: object) -> Ran:
    return earmark("train", *options, "--workers", "1", "--no-fingerprints")


@pytest.fixture(scope="module")
def first(
    home: Path,
    library: Path,
    unlabelled: Path,
    recipe: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, Ran]:
    """The first model that was trained, and what was said meanwhile."""
    out = tmp_path_factory.mktemp("models") / "ear"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EARMARK_HOME", str(home))
        ran = trained_by(
            *(library, "-r", recipe, "--unlabelled", unlabelled, "--out", out, "--licence", "MIT")
        )
    return out, ran


def test_a_model_is_made_on_a_backbone_that_is_made(first: tuple[Path, Ran], home: Path) -> None:
    out, ran = first
    assert ran.code == 3, ran.err
    assert "broken.flac" in ran.err
    assert "distilled on 24 slices of 26 tracks" in ran.err
    assert "on 3 slices of 4 other tracks" in ran.err
    model = bundles.load(out)
    assert model.meta.labels == ("Folk", "Jazz", "Rock")
    assert model.meta.scores["accuracy"] >= 0.9
    assert model.meta.listen == musicnn.LISTEN
    backbone = bundles.load(out.with_name("ear-run") / "backbone")
    assert model.meta.training["backbone"]["model_id"] == backbone.model_id
    facts = backbone.meta.training["distilled"]
    assert facts["r2"] > 0.99
    X = np.random.default_rng(0).integers(0, 256, (3, 96, 187), dtype=np.uint8)
    expected = Classifier(backbone).embeddings(X)
    assert expected.shape == (3, facts["n_features"])
    assert np.abs(expected).max() <= 2.5
    np.testing.assert_allclose(Classifier(model).embeddings(X), expected, atol=1e-5)
    teacher = Classifier(bundles.load(home / "models/musicnn"))
    assert backbone.meta.labels == teacher.bundle.meta.labels
    assert model.network.stat().st_size < 6_000_000


def test_the_teachers_licence_goes_along(first: tuple[Path, Ran]) -> None:
    out, _ = first
    for folder in (out, out.with_name("ear-run") / "backbone"):
        text = bundles.texts(folder)[bundles.LICENCE_NAME]
        assert text.startswith("Made of musicnn, whose licence")
        assert "Permission to use" in text
    assert bundles.load(out).meta.licence == "MIT"


def test_it_is_said_what_the_backbone_has_learned_from(first: tuple[Path, Ran]) -> None:
    out, ran = first
    data = bundles.load(out.with_name("ear-run") / "backbone").meta.data
    assert len(data["learned"]["tracks"].split()) == data["n_tracks"] == 30
    assert data["teacher"]["name"] == "musicnn"
    # musicnn does not say what it has learned from, so nothing made of it can.
    assert not data["backbone_known"]
    assert "it is not known what the backbone has learned from" in ran.err
    learned = bundles.load(out).meta.data["learned"]["tracks"].split()
    assert set(data["learned"]["tracks"].split()) < set(learned)


def test_the_same_backbone_is_not_made_twice(
    first: tuple[Path, Ran], library: Path, unlabelled: Path, recipe: Path, tmp_path: Path
) -> None:
    two = ("--only", "Jazz", "--only", "Rock")
    ran = trained_by(
        library, *two, "-r", recipe, "--unlabelled", unlabelled, "--out", tmp_path / "two"
    )
    assert ran.code == 3, ran.err  # broken.flac again
    assert "has been distilled from this music before" in ran.err
    assert "distilled on" not in ran.err
    again = bundles.load(tmp_path / "two-run" / "backbone")
    assert again.model_id == bundles.load(first[0].with_name("ear-run") / "backbone").model_id


@pytest.mark.parametrize(
    ("options", "code", "reason"),
    [
        (("-r", "cnn", "--unlabelled", "MUSIC"), 2, "recipe cnn learns nothing from unlabelled"),
        (("-r", "RECIPE", "--unlabelled", "nowhere"), 1, "nowhere cannot be read"),
        (("-r", "RECIPE", "--unlabelled", "ONE"), 1, "1 tracks of music to distil on are too few"),
        (("-r", "OTHER", "--unlabelled", "MUSIC"), 1, "is not the network of musicnn"),
        (("-r", "ABSENT", "--unlabelled", "MUSIC"), 1, "add it by `earmark models add mn04`"),
        (("-r", "RECIPE", "--backbone", "x"), 2, "kind distilled have no [head]"),
    ],
)
def test_mistakes_are_told_apart(
    options: tuple[str, ...],
    code: int,
    reason: str,
    library: Path,
    unlabelled: Path,
    recipe: Path,
    tmp_path: Path,
) -> None:
    other = backbones.write(tmp_path / "bins").path
    named = {
        "MUSIC": unlabelled,
        "ONE": unlabelled / "tone-1.flac",
        "RECIPE": recipe,
        "OTHER": tmp_path / "other.toml",
        "ABSENT": tmp_path / "absent.toml",
    }
    named["OTHER"].write_text(f'{RECIPE}teacher = "{other}"')
    named["ABSENT"].write_text(f'{RECIPE}teacher = "mn04"')
    ran = trained_by(library, *(named.get(o, o) for o in options), "--out", tmp_path / "out")
    assert ran.code == code, ran.err
    assert reason in ran.err
    assert "Traceback" not in ran.err
    assert not (tmp_path / "out").exists()


def request_for(
    library: Path, unlabelled: Path, recipe: Path, out: Path, seed: int
) -> TrainRequest:
    """Another seed is another backbone."""
    how = recipes.load(str(recipe)).replaced({"seed": seed}, "test")
    labels = LabelRequest(str(library), fingerprints=False)
    return TrainRequest(labels, out, how, unlabelled=(str(unlabelled),))


def test_folds_share_a_backbone_and_say_what_it_has_heard(
    library: Path, recipe: Path, home: Path, tmp_path: Path
) -> None:
    # Without other music, it is distilled on what it is measured on.
    request = dataclasses.replace(
        request_for(library, library, recipe, tmp_path / "out", seed=4), unlabelled=()
    )
    events: list[Event] = []
    with resources(home) as session:
        trainings = Trainings(tmp_path / "folds", session)
        folds = run(trainings.folds(request, "artist", 2), events.append)
    said = "\n".join(event.text for event in events if isinstance(event, Note))
    assert said.count("no unlabelled music is given") == 2
    assert said.count("distilled on 24 slices of 42 tracks") == 1
    assert said.count("has been distilled from this music before") == 1
    assert len({fold.bundle.meta.training["backbone"]["model_id"] for fold in folds}) == 1
    for fold in folds:
        assert "from 24 of the 24 test tracks" in fold.bundle.meta.data["backbone_leak"]


def test_a_run_that_is_cut_short_leaves_no_half_backbone(
    library: Path, unlabelled: Path, recipe: Path, home: Path, tmp_path: Path
) -> None:
    before = set((home / "distilled").glob("*"))
    request = request_for(library, unlabelled, recipe, tmp_path / "out", seed=5)
    with resources(home) as session:
        flow = train(request, session)
        for event in flow:
            if isinstance(event, Progress) and (event.stage, event.done) == ("distilling", 8):
                break
        flow.close()
        assert set((home / "distilled").glob("*")) == before
        assert not (tmp_path / "out").exists()
        report = run(train(request, session))
    assert report.scores["accuracy"] >= 0.9
    assert len(set((home / "distilled").glob("*")) - before) == 1


def test_a_backbone_that_does_not_hear_as_its_teacher_does_is_refused(
    library: Path,
    unlabelled: Path,
    recipe: Path,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = set((home / "distilled").glob("*"))
    drawn = distil._drawn

    def hardly_any(store: FeatureStore, tracks: Sequence[str], n: int, seed: int) -> list[int]:
        found = drawn(store, tracks, n, seed)
        return found[:2] if n == 24 else found

    monkeypatch.setattr(distil, "_drawn", hardly_any)
    request = request_for(library, unlabelled, recipe, tmp_path / "out", seed=6)
    with (
        resources(home) as session,
        pytest.raises(DataError, match=r"matches only .* of its teacher's features"),
    ):
        run(train(request, session))
    assert set((home / "distilled").glob("*")) == before

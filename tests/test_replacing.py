"""A training over a model that is there: the same again is fine, another one is asked for."""

import dataclasses
import os
from pathlib import Path

import pytest

pytest.importorskip("sklearn", reason="needs earmark[head]")

from earmark.errors import BundleError
from earmark.models import bundle as bundles
from earmark.training.learning_set import LearningSet
from earmark.training.recipes.recipe import TrainingRecipe
from earmark.training.recipes.settings import Hardware
from earmark.training.request import LabelRequest, TrainRequest
from earmark.training.run_folder import check_replaced, write_settings
from tests import backbones
from tests.audiofiles import Kind, synth, write
from tests.cli import Ran, earmark


class Nothing(LearningSet):
    """A learning set of which nothing is to be noted."""

    def describe(self) -> dict[str, object]:
        return {}


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainRequest:
    """What the model in the current folder has been made from."""
    monkeypatch.chdir(tmp_path)
    labels = LabelRequest("music", source="labels.csv", merges={"A": "B"})
    request = TrainRequest(labels, Path("model"), TrainingRecipe(), unlabelled=("more",))
    write_settings(Path("model-run"), request, Nothing((), (), None, "", 0, 0, 0, ()))  # type: ignore[arg-type]
    Path("model").mkdir()
    Path("model/model.json").write_text("{}")
    return request


def test_the_same_again_is_fine(made: TrainRequest) -> None:
    check_replaced(made)


def test_so_is_what_makes_no_other_model(made: TrainRequest, tmp_path: Path) -> None:
    check_replaced(dataclasses.replace(made, about="jazz", licence="MIT", hardware=Hardware("cpu")))
    labels = dataclasses.replace(made.labels, root=f"{tmp_path}/music/", source="./labels.csv")
    check_replaced(dataclasses.replace(made, labels=labels, unlabelled=(f"{tmp_path}/more",)))
    recipe = dataclasses.replace(made.recipe, description="put otherwise")
    check_replaced(dataclasses.replace(made, recipe=recipe))


def test_where_there_is_no_model_there_is_none_to_lose(made: TrainRequest) -> None:
    Path("model/model.json").unlink()
    check_replaced(dataclasses.replace(made, target_precision=0.9))


def test_another_is_refused(made: TrainRequest, tmp_path: Path) -> None:
    labels = made.labels
    for other in (
        dataclasses.replace(made, labels=dataclasses.replace(labels, root="records")),
        dataclasses.replace(made, labels=dataclasses.replace(labels, merges={})),
        dataclasses.replace(made, labels=dataclasses.replace(labels, source="folders")),
        dataclasses.replace(made, recipe=dataclasses.replace(made.recipe, seed=1)),
        dataclasses.replace(made, target_precision=0.9),
        dataclasses.replace(made, not_music=("noises",)),
    ):
        with pytest.raises(BundleError) as caught:
            check_replaced(other)
        expected = f"model holds another model (made from {tmp_path}/music by recipe cnn)"
        assert caught.value.reason.startswith(expected)
        assert "--force" in caught.value.hint


def test_the_same_words_in_another_folder_name_other_music(
    made: TrainRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = dataclasses.replace(made, out=tmp_path / "model", run_dir=tmp_path / "model-run")
    check_replaced(whole)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with pytest.raises(BundleError, match="holds another model"):
        check_replaced(whole)


@pytest.mark.parametrize("noted", ["", "{}", '{"request": {"out": 1}, "folder": "/"}', "[]"])
def test_a_model_of_which_nothing_is_known_is_another(made: TrainRequest, noted: str) -> None:
    Path("model-run/settings.json").write_text(noted)
    with pytest.raises(BundleError, match="model holds another model, which would be lost"):
        check_replaced(made)


def test_a_run_folder_of_another_model_says_nothing(made: TrainRequest) -> None:
    Path("model").rename("second")
    with pytest.raises(BundleError, match="second holds another model, which would be lost"):
        check_replaced(dataclasses.replace(made, out=Path("second"), run_dir=Path("model-run")))


# --- the command -------------------------------------------------------------------------------

KINDS: dict[str, Kind] = {"Jazz": "tone", "Rock": "noise", "Folk": "music"}


def test_train_asks_before_it_replaces_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EARMARK_HOME", str(tmp_path / "home"))
    for genre, kind in KINDS.items():
        for i in range(10):
            tags = {"artist": f"{genre} {i}", "genre": genre}
            path = tmp_path / "music" / f"{genre}-{i}.flac"
            path.parent.mkdir(exist_ok=True)
            write(path, synth(kind, 2.0, 22050, 1, seed=i), 22050, "flac", tags)
    backbones.write(tmp_path / "bins")

    def train(*more: str) -> Ran:
        return earmark(
            *("train", "music", "--recipe", "head", "--backbone", "bins", "--out", "model"),
            *("--workers", "1", "--no-fingerprints", *more),
        )

    assert train().code == 0
    assert train("--about", "said later").code == 0
    before = bundles.load("model").meta
    assert before.data["about"] == "said later"
    two = ("--only", "Jazz", "--only", "Rock")
    ran = train(*two)
    assert ran.code == 1
    origin = os.fspath(tmp_path / "music")
    assert f"model holds another model (made from {origin} by recipe head)" in ran.err
    assert "add --force" in ran.err
    assert "tracks to learn from" not in ran.err
    assert bundles.load("model").meta == before
    assert train(*two, "--force").code == 0
    assert bundles.load("model").meta.labels == ("Jazz", "Rock")
    assert train(*two).code == 0

"""``earmark evaluate`` with names that a model and a recipe share, and with what makes no sense."""

import json
from pathlib import Path

import pytest

pytest.importorskip("matplotlib", reason="needs earmark[report]")
pytest.importorskip("onnx", reason="needs earmark[report]")

from earmark.events import run
from earmark.models import catalog
from earmark.workflows import models
from tests import backbones
from tests.audiofiles import synth, write
from tests.cli import earmark


def fill(root: Path, kinds: dict[str, str]) -> Path:
    for genre, kind in kinds.items():
        (root / genre).mkdir(parents=True)
        for i in range(3):
            y = synth(kind, 5.0, 22050, 1, seed=i)  # type: ignore[arg-type]
            tags = {"artist": f"{genre} {i}"}
            write(root / genre / f"{i}.flac", y, 22050, "flac", tags)
    return root


def measured(*args: object) -> tuple[str, int]:
    """Name of the model, and the number of tracks that it was measured on."""
    out = Path(str(args[-1])).with_name("report")
    ran = earmark("evaluate", *args, "--labels", "folders", "--out", out, "--no-fingerprints")
    assert ran.code == 0, ran.err
    (found,) = json.loads((out / "metrics.json").read_text())["evaluations"]
    return found["name"], found["n_tracks"]


def test_the_model_that_ships_is_measured_by_its_name(tmp_path: Path) -> None:
    assert catalog.SHIPPED == "ear"
    music = fill(tmp_path / "music", {"Jazz": "tone", "Rock": "noise"})
    assert measured("ear", music) == ("ear", 6)


@pytest.mark.parametrize("verb", [("evaluate", "head"), ("compare", "--recipes", "head")])
def test_one_fold_is_refused_before_anything_is_read(verb: tuple[str, ...], tmp_path: Path) -> None:
    ran = earmark(*verb, tmp_path / "none", "--cv", "1", "--out", tmp_path / "report")
    assert ran.code == 2
    assert "--cv" in ran.err
    assert "cannot be read" not in ran.err
    assert not (tmp_path / "report").exists()


def test_a_model_that_was_added_comes_before_a_recipe_of_its_name(
    earmark_home: Path, tmp_path: Path
) -> None:
    music = fill(tmp_path / "music", {"Polka": "tone", "Waltz": "noise"})
    refused = earmark("evaluate", "cnn", music, "--labels", "folders")
    assert (refused.code, "cnn is a recipe" in refused.err) == (2, True)
    run(models.add("cnn", earmark_home, backbones.write(tmp_path / "own").path))
    assert measured("cnn", music) == ("cnn", 6)

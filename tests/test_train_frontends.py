"""A recipe with each front end, from tagged files to a model that knows them and a picture."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

pytest.importorskip("torch", reason="needs earmark[train]")

from earmark import features
from earmark.cli.app import app
from earmark.errors import MissingExtraError
from earmark.evaluation.plots import slices as slice_plot
from earmark.features.store import FeatureStore
from earmark.models import bundle as bundles
from tests.audiofiles import write
from tests.frontends import EXAMPLES
from tests.trainings import on_one_core

SR = 22050
# Beside the front end's own: slices of 0.7 s, of raw samples fewer.
CNN = 'name = "cnn"\nwidths = [8, 8, 16, 16]'
SLICES = "n_frames = 32\nhop_frames = 32"
RECIPE = """
[excerpts]
n_excerpts = 1
excerpt_s = 5.0
margin = 0.0
[features]
{features}
[slices]
{slices}
[network]
{network}
[schedule]
epochs = 5
batch_size = 8
min_steps = 12
"""
NETWORKS = {"wave": 'name = "conv1d"\nchannels = [8, 16]\nfirst_kernel = 64\nfirst_stride = 8'}
CASES = {name: (name, SLICES) for name in EXAMPLES if name != "summary"} | {
    "wave": ("wave", "n_frames = 8192\nhop_frames = 8192"),
    "bars of mel": ("mel", f'{SLICES}\nkind = "beat"'),
}


@pytest.fixture(scope="module", autouse=True)
def one_core() -> Iterator[None]:
    with on_one_core():
        yield


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two genres, plucked and struck, by six artists each; a beat every half second or so."""
    root = tmp_path_factory.mktemp("library")
    rng = np.random.default_rng(0)
    t = np.arange(round(0.4 * SR)) / SR
    for i in range(6):
        pluck = np.sin(2 * np.pi * (200 + 20 * i) * t) * np.exp(-t / 0.15)
        strike = rng.standard_normal(t.size) * np.exp(-t / 0.05) / 4
        for genre, sound in (("Folk", pluck), ("Techno", strike)):
            y = 0.001 * rng.standard_normal(5 * SR)
            for at_s in np.arange(0.2, 4.5, 0.48 + 0.02 * i):
                y[round(at_s * SR) :][: t.size] += 0.6 * sound[: y.size - round(at_s * SR)]
            tags = {"genre": genre, "artist": f"{genre} artist {i}"}
            write(root / f"{genre}-{i}.flac", y[None].astype(np.float32), SR, "flac", tags)
    return root


def earmark(*args: object) -> Result:
    return CliRunner().invoke(app, [*map(str, args)])


@pytest.mark.parametrize("case", CASES)
def test_a_recipe_learns_classifies_and_is_drawn(
    case: str, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, slices = CASES[case]
    config = EXAMPLES[name]
    try:
        features.check(config)
    except MissingExtraError as e:
        pytest.skip(str(e))
    monkeypatch.setenv("EARMARK_HOME", str(tmp_path / "home"))
    text = "\n".join(f"{key} = {json.dumps(value)}" for key, value in config.to_dict().items())
    recipe, model, picture = (tmp_path / end for end in ("mine.toml", "model", "look.png"))
    recipe.write_text(
        RECIPE.format(features=text, slices=slices, network=NETWORKS.get(name, CNN)),
        encoding="utf-8",
    )

    options = ("--min-tracks", "5", "--no-fingerprints", "--workers", "1", "--quiet")
    ran = earmark("train", library, "--out", model, "--recipe", recipe, *options)
    assert ran.exit_code == 0, ran.output
    meta = bundles.load(model).meta
    assert meta.listen.features == config
    with FeatureStore(tmp_path / "home" / "features", meta.listen) as store:
        assert store.row_shape[0] == features.n_bins(config)

    ran = earmark(
        "classify", library, "-m", model, "--json", "--min-confidence", "0", "--workers", "1"
    )
    assert ran.exit_code == 0, ran.output
    found = {Path(track["path"]).name: track["genre"] for track in json.loads(ran.stdout)["tracks"]}
    right = [genre == file.partition("-")[0] for file, genre in found.items()]
    assert len(right) == 12
    assert sum(right) >= 11

    labels = []
    monkeypatch.setattr(
        slice_plot, "save", lambda figure, path: labels.append(figure.axes[0].get_ylabel())
    )
    ran = earmark("look", library / "Folk-0.flac", "-m", model, "--out", picture)
    assert ran.exit_code == 0, ran.output
    assert labels == [features.axis(config).label]

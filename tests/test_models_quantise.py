"""Models in eight bits: smaller, and of the same opinion."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="needs earmark[head]")

from earmark.errors import ConfigError
from earmark.events import run
from earmark.features.listen import listen
from earmark.models import bundle as bundles
from earmark.models.bundle import BundleMeta
from earmark.models.onnx.graph import Graph
from earmark.models.runtime import Classifier
from earmark.types import FeatureConfig, ListenConfig, SliceConfig, VoteConfig
from earmark.workflows.quantise import quantise
from tests.audiofiles import synth, write
from tests.cli import earmark
from tests.sessions import resources

LISTEN = ListenConfig(features=FeatureConfig(n_mels=32, n_fft=1024), slices=SliceConfig(64, 64))


def network(listen: ListenConfig, shape: tuple[int, int]) -> bytes:
    """Two convolutions and two dense layers, of random weights."""
    rng = np.random.default_rng(0)
    g = Graph()

    def weights(*of: int) -> str:
        return g.constant((rng.normal(size=of) / np.sqrt(np.prod(of[1:]))).astype(np.float32))

    x = g.scaled(g.unquantised(listen.features), 0.03, 0.0)
    for n_in, n_out in ((shape[0], 64), (64, 64)):
        x = g.add("Relu", g.add("Conv", x, weights(n_out, n_in, 5), kernel_shape=[5]))
    mean = g.add("ReduceMean", x, g.constant([2]), keepdims=0)
    embedding = g.add("Gemm", mean, weights(128, 64), transB=1, name="embedding")
    g.add("Gemm", embedding, weights(3, 128), transB=1, name="logits")
    return g.network((np.dtype(np.uint8), shape), {"logits": 3, "embedding": 128}, "a test's")


@pytest.fixture
def music(tmp_path: Path) -> Path:
    folder = tmp_path / "music"
    folder.mkdir()
    for i, kind in enumerate(("music", "tone", "noise", "music", "music", "chirp")):
        y = synth(kind, 5.0, 22050, 1, seed=i)  # type: ignore[arg-type]
        write(folder / f"{i}.flac", y, 22050, "flac")
    return folder


def test_a_model_in_eight_bits_is_smaller_and_says_the_same(tmp_path: Path, music: Path) -> None:
    meta = BundleMeta("toy", ("Jazz", "Rock", "Folk"), LISTEN, VoteConfig(), licence="CC0")
    whole = bundles.write(tmp_path / "whole", meta, network(LISTEN, (32, 64)), {"LICENSE": "CC0"})
    done = earmark("models", "quantise", whole.path, music, "--out", tmp_path / "int8")
    assert done.code == 0, done.err
    assert "on 3 other tracks" in done.out
    made = bundles.load(tmp_path / "int8")
    assert (made.meta.name, made.meta.licence) == ("toy-int8", "CC0")
    assert made.meta.training["quantised_from"] == whole.model_id
    assert bundles.texts(made.path) == {"LICENSE": "CC0"}
    assert made.network.stat().st_size < 0.6 * whole.network.stat().st_size
    X = listen(music / "3.flac", LISTEN).X
    before, after = (Classifier(each).embeddings(X) for each in (whole, made))
    error = np.abs(after - before).max() / np.abs(before).max()
    assert 0 < error < 0.1
    asked = earmark("classify", "--json", "--model", made.path, music / "0.flac")
    assert json.loads(asked.out)["model"]["name"] == "toy-int8"


def test_a_network_that_hears_samples_is_refused(tmp_path: Path) -> None:
    listen = ListenConfig(
        features=FeatureConfig(frontend="wave", hop_length=1), slices=SliceConfig(4096, 4096)
    )
    meta = BundleMeta("waves", ("Jazz", "Rock", "Folk"), listen, VoteConfig())
    bundle = bundles.write(tmp_path / "waves", meta, network(LISTEN, (1, 4096)))
    flow = quantise(bundle, str(tmp_path), tmp_path / "out", resources(tmp_path))
    with pytest.raises(ConfigError, match="spectrum itself"):
        run(flow)

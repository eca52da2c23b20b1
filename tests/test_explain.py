"""What a model listens to, asked of models of which it is known."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("onnx", reason="needs earmark[report]")
pytest.importorskip("matplotlib", reason="needs earmark[report]")

from onnx import TensorProto, helper, numpy_helper

from earmark import features
from earmark.errors import ConfigError
from earmark.evaluation.examples import Mistaken, mistaken, picks
from earmark.evaluation.judged import Judged
from earmark.evaluation.plots import filters as filter_plot
from earmark.models import bundle as bundles
from earmark.models import saliency
from earmark.models.bundle import Bundle, BundleMeta
from earmark.models.filters import Layer, layers
from earmark.models.runtime import Classifier
from earmark.types import Axis, FeatureConfig, ListenConfig, SliceConfig, VoteConfig
from tests.audiofiles import write
from tests.cli import earmark

SR = 22050
LABELS = ("Low", "High")
MEL = FeatureConfig(n_mels=32, n_fft=1024)
LOW, HIGH = slice(4, 8), slice(22, 26)
PNG = b"\x89PNG"


def model(
    folder: Path,
    config: FeatureConfig,
    weights: NDArray[Any],
    n_frames: int,
    temperature: float = 1.0,
) -> Bundle:
    """Logits are levels (as 0 to 1) times `weights` (n_classes, n_bins, n_frames)."""
    top = np.iinfo(features.dtype(config)).max
    kind = {8: TensorProto.UINT8, 16: TensorProto.UINT16}[8 * features.dtype(config).itemsize]
    n_classes, n_bins, _ = weights.shape
    constants: dict[str, NDArray[Any]] = {
        "top": np.array(top, np.float32),
        "flat": np.array([0, -1], np.int64),
        "weights": weights.reshape(n_classes, -1).astype(np.float32),
        "zeros": np.zeros(n_classes, np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["slices"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["floats", "top"], ["scaled"]),
        helper.make_node("Reshape", ["scaled", "flat"], ["embedding"]),
        helper.make_node("Gemm", ["embedding", "weights", "zeros"], ["logits"], transB=1),
    ]
    outputs = [
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", n_classes]),
        helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", n_bins * n_frames]),
    ]
    network = graph(nodes, kind, (n_bins, n_frames), outputs, constants)
    meta = BundleMeta(
        name="bands",
        labels=LABELS,
        listen=ListenConfig(features=config, slices=SliceConfig(n_frames, n_frames)),
        vote=VoteConfig(),
        temperature=temperature,
    )
    return bundles.write(folder, meta, network)


def graph(
    nodes: Sequence[Any],
    kind: int,
    shape: tuple[int, int],
    outputs: Sequence[Any],
    constants: dict[str, NDArray[Any]],
) -> bytes:
    made = helper.make_graph(
        list(nodes),
        "known",
        [helper.make_tensor_value_info("slices", kind, ["n", *shape])],
        list(outputs),
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", 18)]
    content: bytes = helper.make_model(
        made, opset_imports=opsets, ir_version=10
    ).SerializeToString()
    return content


def two_bands(folder: Path, temperature: float = 1.0) -> Bundle:
    """Low and High go by the level of one band of mel bins each, and by nothing else."""
    weights = np.zeros((2, 32, 32))
    weights[0, LOW], weights[1, HIGH] = 0.1, 0.1
    return model(folder, MEL, weights, 32, temperature)


def heard(n: int = 2) -> NDArray[np.uint8]:
    """Slices that are loud in the low band."""
    X = np.random.default_rng(0).integers(60, 100, (n, 32, 32), dtype=np.uint8)
    X[:, LOW] += 120
    return X


# --- saliency ----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["occlusion", "rise"])
class TestOfABand:
    def test_it_peaks_where_the_model_listens(
        self, method: saliency.Method, tmp_path: Path
    ) -> None:
        classifier, X = Classifier(two_bands(tmp_path / "m")), heard()
        found = saliency.saliency(X, classifier, 0, method)
        assert found.shape == X.shape
        assert found.dtype == np.float32
        by_bin = found.mean(axis=(0, 2))
        assert LOW.start <= by_bin.argmax() < LOW.stop
        far_from_both = by_bin[LOW.stop + 5 : HIGH.start - 5]
        assert by_bin[LOW].mean() > 8 * np.abs(far_from_both).max()

    def test_what_speaks_for_one_speaks_against_the_other(
        self, method: saliency.Method, tmp_path: Path
    ) -> None:
        classifier, X = Classifier(two_bands(tmp_path / "m")), heard()
        low, high = (saliency.saliency(X, classifier, i, method) for i in (0, 1))
        np.testing.assert_allclose(low, -high, atol=1e-4)
        assert low[:, LOW].mean() > 0.1

    def test_a_genre_that_is_not_there_is_seen_in_what_is_missing(
        self, method: saliency.Method, tmp_path: Path
    ) -> None:
        """Its band is softer than the mean that covers it: covering it would help the genre."""
        classifier, X = Classifier(two_bands(tmp_path / "m")), heard()
        by_bin = saliency.saliency(X, classifier, 1, method).mean(axis=(0, 2))
        assert by_bin[HIGH].mean() < -0.01


def test_it_is_of_the_place_in_time_too(tmp_path: Path) -> None:
    weights = np.zeros((2, 32, 32))
    weights[0, LOW, 20:24] = 0.5
    classifier = Classifier(model(tmp_path / "m", MEL, weights, 32))
    for method in ("occlusion", "rise"):
        found = saliency.saliency(heard(1), classifier, 0, saliency.parse_method(method))[0]
        row, column = np.unravel_index(found.argmax(), found.shape)
        assert 3 <= row < 9
        assert 18 <= column < 26


def test_a_model_that_means_less_by_its_logits_is_told_so(tmp_path: Path) -> None:
    X = heard(1)
    sure, unsure = (
        saliency.saliency(X, Classifier(two_bands(tmp_path / str(t), t)), 0) for t in (1.0, 2.0)
    )
    np.testing.assert_allclose(sure, 2 * unsure, atol=1e-5)


@pytest.mark.parametrize("method", ["occlusion", "rise"])
def test_of_a_signal_it_is_the_stretch(method: saliency.Method, tmp_path: Path) -> None:
    config = FeatureConfig("wave", hop_length=1)
    weights = np.zeros((2, 1, 640))
    weights[0, 0, 300:340] = 1.0
    classifier = Classifier(model(tmp_path / "m", config, weights, 640))
    X = np.full((1, 1, 640), 40_000, np.uint16)
    found = saliency.saliency(X, classifier, 0, method)[0, 0]
    assert 295 <= found.argmax() < 345
    assert np.abs(found[:270]).max() < found.max() / 4


def test_of_statistics_it_is_each_by_itself(tmp_path: Path) -> None:
    pytest.importorskip("librosa", reason="needs earmark[features]")
    config = FeatureConfig("summary")
    weights = np.zeros((2, 89, 1))
    weights[0, 17], weights[1, 40] = 5.0, 5.0
    classifier = Classifier(model(tmp_path / "m", config, weights, 1))
    X = np.full((1, 89, 1), 30_000, np.uint16)
    found = saliency.saliency(X, classifier, 0)[0, :, 0]
    # The embedding is 0 at level 0, so that is what a covered statistic is given.
    assert found[17] == pytest.approx(5.0 * 30_000 / 65_535, rel=1e-3)
    assert found[40] == pytest.approx(-found[17], rel=1e-3)
    assert np.abs(np.delete(found, [17, 40])).max() < 1e-5


def test_every_place_is_covered() -> None:
    X = heard(1)[0][:27, :13]
    under = np.zeros(X.shape)
    for cells in ((8, 8), (27, 1), (1, 13), (3, 5)):
        found = saliency.occlusion(X, lambda copies: copies.sum(axis=(1, 2)), under, cells)
        assert (found > 0).all()


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"no saliency by 'guess' \(choose one of occlusion"):
        saliency.parse_method("guess")


# --- filters -----------------------------------------------------------------------------------


def test_layers_are_read_in_their_order(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    kernels = rng.normal(size=(5, 1, 3, 3)).astype(np.float32)
    bank = rng.uniform(0.1, 1, (8, 32)).astype(np.float32)
    last = rng.normal(size=(40, 2)).astype(np.float32)
    constants = {
        "log bank": np.log(bank),
        "kernels": kernels,
        "last": last,
        "one": np.array([1], np.int64),
        "time": np.array([3], np.int64),
        "flat": np.array([0, -1], np.int64),
    }
    nodes = [
        helper.make_node("Cast", ["slices"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Exp", ["log bank"], ["bank"]),
        helper.make_node("MatMul", ["bank", "floats"], ["mel"]),
        helper.make_node("Unsqueeze", ["mel", "one"], ["image"]),
        helper.make_node("Conv", ["image", "kernels"], ["maps"], pads=[1, 1, 1, 1]),
        helper.make_node("ReduceMean", ["maps", "time"], ["means"], keepdims=0),
        helper.make_node("Reshape", ["means", "flat"], ["embedding"]),
        helper.make_node("MatMul", ["embedding", "last"], ["logits"]),
    ]
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", n])
        for name, n in (("logits", 2), ("embedding", 40))
    ]
    listen = ListenConfig(features=MEL, slices=SliceConfig(16, 16))
    meta = BundleMeta(name="known", labels=LABELS, listen=listen, vote=VoteConfig())
    network = graph(nodes, TensorProto.UINT8, (32, 16), outputs, constants)
    first, second, third = layers(bundles.write(tmp_path / "m", meta, network))
    np.testing.assert_allclose(first.weights, bank, rtol=1e-5)
    np.testing.assert_array_equal(second.weights, kernels)
    np.testing.assert_array_equal(third.weights, last.T)
    assert [layer.kind for layer in (first, second, third)] == ["matrix", "convolution", "matrix"]
    assert str(second) == "kernels (convolution, 5 × 1 × 3 × 3)"


def test_a_matrix_that_is_told_to_be_turned_is_not_turned_again(tmp_path: Path) -> None:
    (layer,) = layers(two_bands(tmp_path / "m"))
    assert layer.weights.shape == (2, 32 * 32)


@pytest.mark.parametrize(
    "shape", [(24, 1, 3, 3), (20, 12, 3, 3), (40, 32, 5), (16, 1, 64), (50, 32), (2, 32), (2, 700)]
)
def test_weights_of_every_shape_are_drawn(shape: tuple[int, ...], tmp_path: Path) -> None:
    weights = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    bins = Axis("Hz", np.linspace(0, 11025, 32))
    picture = tmp_path / "filters.png"
    filter_plot.filters(picture, weights, bins, SR, LABELS, str(Layer("w", "matrix", weights)))
    assert picture.read_bytes().startswith(PNG)


# --- examples ----------------------------------------------------------------------------------


def judged(answers: Sequence[tuple[int, int, float]]) -> Judged:
    reference, estimated, confidence = map(np.array, zip(*answers, strict=True))
    n = len(answers)
    return Judged(
        probas=[np.full((1, 3), 1 / 3, np.float32)] * n,
        reference=reference,
        groups=[str(i) for i in range(n)],
        proba=np.full((n, 3), 1 / 3),
        estimated=estimated,
        confidence=confidence,
        answered=np.full(n, True),
    )


ANSWERS = [
    *((0, 0, 0.6), (0, 0, 0.9), (0, 1, 0.7), (0, 0, 0.8)),
    *((1, 1, 0.5), (1, 0, 0.55), (1, 0, 0.95), (1, 2, 0.4)),
]


def test_the_surest_are_picked_right_ones_first() -> None:
    found = judged(ANSWERS)
    assert [(p.track, p.is_right) for p in picks(found, 0, 2)] == [(1, True), (3, True), (2, False)]
    assert [p.track for p in picks(found, 1, 2)] == [4, 6, 5]
    assert picks(found, 2, 2) == []


def test_mistakes_are_told_by_their_share() -> None:
    found = mistaken(judged(ANSWERS), ["a", "b", "c"], 3)
    assert found == [Mistaken(1, 0, 2, 4), Mistaken(0, 1, 1, 4), Mistaken(1, 2, 1, 4)]


# --- the commands ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tones, low and high, three of each, and a high one whose tag says Low."""
    root = tmp_path_factory.mktemp("music")
    for genre, hz in {"Low": 300.0, "High": 4000.0}.items():
        for i in range(3):
            y = 0.5 * np.sin(2 * np.pi * (hz + 9 * i) * np.arange(3 * SR) / SR)
            tags = {"artist": f"{genre} {i}", "genre": genre}
            write(root / f"{genre}-{i}.flac", y[None].astype(np.float32), SR, "flac", tags)
    y = 0.5 * np.sin(2 * np.pi * 4100 * np.arange(3 * SR) / SR)
    tags = {"artist": "Somebody", "genre": "Low"}
    write(root / "wrong.flac", y[None].astype(np.float32), SR, "flac", tags)
    return root


def test_look_draws_what_speaks_for_a_genre(music: Path, tmp_path: Path) -> None:
    two_bands(tmp_path / "m")
    sizes = []
    for i, options in enumerate([[], ["--why", "occlusion"], ["--why", "rise", "--genre", "High"]]):
        picture = tmp_path / f"{i}.png"
        ran = earmark(
            "look", music / "Low-0.flac", "-m", tmp_path / "m", "--out", picture, *options
        )
        assert ran.code == 0, ran.err
        assert "Low, drawn in" in ran.out
        assert picture.read_bytes().startswith(PNG)
        sizes.append(picture.stat().st_size)
    assert len(set(sizes)) == 3


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--why", "guess"], "there is no saliency by 'guess'"),
        (["--why", "rise", "--genre", "Polka"], "the model knows no Polka"),
    ],
)
def test_look_refuses_what_makes_no_sense(
    options: list[str], reason: str, music: Path, tmp_path: Path
) -> None:
    two_bands(tmp_path / "m")
    ran = earmark("look", music / "Low-0.flac", "-m", tmp_path / "m", *options)
    assert ran.code == 2
    assert reason in ran.err


def test_explain_shows_the_model_and_its_surest_answers(music: Path, tmp_path: Path) -> None:
    two_bands(tmp_path / "m")
    out = tmp_path / "page"
    ran = earmark("explain", tmp_path / "m", music, "--out", out, "--workers", "1")
    assert ran.code == 0, ran.err
    with (out / "examples.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    told = [(Path(row["path"]).stem[:-2], row["genre"], row["taken_for"]) for row in rows]
    assert told[:3] == [("Low", "Low", "Low"), ("Low", "Low", "Low"), ("wro", "Low", "High")]
    assert told[3:] == [("High", "High", "High")] * 2
    pictures = sorted(path.name for path in out.glob("*.png"))
    assert pictures == [*(row["picture"] for row in rows), "filters.png"]
    page = (out / "explain.md").read_text()
    assert "Low for High | 1 | 4 | 25%" in page
    assert "wrong.flac: High" in page
    assert "but is Low" in page
    assert (out / "explain.html").read_text().count("data:image/png") == len(pictures)


def test_explain_needs_no_music_for_filters(tmp_path: Path) -> None:
    two_bands(tmp_path / "m")
    ran = earmark("explain", tmp_path / "m", "--out", tmp_path / "page")
    assert ran.code == 0, ran.err
    assert {path.name for path in (tmp_path / "page").iterdir()} == {
        *("explain.html", "explain.md", "filters.png"),
    }
    ran = earmark("explain", tmp_path / "m", "--layer", "2", "--out", tmp_path / "page")
    assert ran.code == 2
    assert "no layer 2 (choose one from 1 to 1)" in ran.err

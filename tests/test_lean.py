"""A lean network made of musicnn's: the same numbers from fewer channels."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="needs earmark[head]")

import onnx
import onnxruntime as ort

from earmark.errors import BundleError, DataError
from earmark.models.foreign import musicnn
from earmark.models.foreign.lean import Lean, lean
from earmark.models.foreign.musicnn_layers import read_layers
from earmark.models.foreign.survey import Survey, Surveyor, open_session
from earmark.types import FloatArray, LevelArray
from tests import backbones, foreign

SIZES = (204, 204, 51, 51, 51, 64, 64, 64)


def music(n: int, seed: int) -> LevelArray:
    """Slices that differ in level, in colour and in how they move."""
    rng = np.random.default_rng(seed)
    level = rng.uniform(60, 200, (n, 1, 1))
    colour = rng.normal(0, 30, (n, 96, 1))
    time = rng.normal(0, 30, (n, 1, 187))
    found = level + colour + time + rng.normal(0, 15, (n, 96, 187))
    return found.clip(0, 255).astype(np.uint8)


def heard() -> LevelArray:
    """What the survey is of, from silence to as loud as can be."""
    extremes = np.stack([np.zeros((96, 187), np.uint8), np.full((96, 187), 255, np.uint8)])
    return np.concatenate([music(30, seed=1), extremes])


def surveyed(network: Path, X: LevelArray) -> Survey:
    surveyor = Surveyor(network)
    for start in range(0, len(X), 5):
        surveyor.add(X[start : start + 5])
    return surveyor.found()


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("teacher") / "model.onnx"
    path.write_bytes(musicnn.network(foreign.musicnn_mostly_dead()))
    return path


@pytest.fixture(scope="module")
def survey(teacher: Path) -> Survey:
    return surveyed(teacher, heard())


@pytest.fixture(scope="module")
def whole(teacher: Path, survey: Survey) -> Lean:
    """Nothing is cut off."""
    return lean(teacher, survey, clip=0)


def answers(network: bytes, X: LevelArray) -> list[FloatArray]:
    found: list[FloatArray] = open_session(network).run(["embedding", "logits"], {"slices": X})
    return found


def unscaled(made: Lean, embedding: FloatArray) -> FloatArray:
    """The part of the embedding that stands for the teacher's."""
    return embedding[:, -len(made.imitated) :] * made.spread + made.mean


def test_layers_are_read_as_they_were_written(teacher: Path) -> None:
    variables, layers = foreign.musicnn_mostly_dead(), read_layers(teacher)
    assert tuple(layers.sizes) == SIZES
    timbral = layers.timbral[1]
    kernel = variables["conv2d_1/kernel"].transpose(3, 2, 1, 0)
    np.testing.assert_array_equal(timbral.weights * timbral.sign[:, None, None, None], kernel)
    np.testing.assert_array_equal(timbral.bias * timbral.sign, variables["conv2d_1/bias"])
    assert set(timbral.sign) == {-1, 1}
    assert (timbral.sign == np.sign(timbral.scale)).all()
    np.testing.assert_array_equal(layers.tags[0], variables["dense_1/kernel"])


def test_another_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(backbones.network())
    with pytest.raises(BundleError, match=r"is not the network of musicnn.*models add"):
        read_layers(path)


def test_a_survey_finds_what_is_constant_and_how_the_rest_spreads(
    teacher: Path, survey: Survey
) -> None:
    alive = np.split(survey.alive, np.cumsum(SIZES)[:-1])
    # One that could fire may still not have, on so little.
    assert all(0 < part.sum() <= n for part, n in zip(alive, foreign.ALIVE, strict=False))
    assert sum(int(part.sum()) for part in alive[:6]) >= sum(foreign.ALIVE) - 8
    assert survey.n_slices == 32
    embedding = answers(teacher.read_bytes(), heard())[0]
    np.testing.assert_allclose(survey.mean[-200:], embedding.mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(survey.spread[-200:], embedding.std(axis=0), atol=1e-4)


def test_the_lean_network_answers_as_its_teacher_does(teacher: Path, whole: Lean) -> None:
    for X in (music(9, seed=2), heard()[-2:]):
        expected, tags = answers(teacher.read_bytes(), X)
        embedding, logits = answers(whole.network, X)
        assert embedding.shape == (len(X), whole.n_features)
        found = unscaled(whole, embedding)
        np.testing.assert_allclose(found, expected[:, whole.imitated], rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(logits, tags, rtol=1e-4, atol=1e-4)


def test_the_other_features_are_maxima_of_channels(
    teacher: Path, whole: Lean, survey: Survey
) -> None:
    X = music(4, seed=3)
    surveyor = Surveyor(teacher)
    surveyor.add(X)
    n_maxima = whole.n_features - len(whole.imitated)
    maxima = answers(whole.network, X)[0][:, :n_maxima]
    # Over few slices, the mean of a feature in its own units is what a survey of them finds.
    columns = np.flatnonzero(np.append(survey.alive, np.zeros(200, bool)) & (survey.spread > 0.01))
    assert n_maxima == len(columns)
    found = maxima.mean(axis=0) * survey.spread[columns] + survey.mean[columns]
    np.testing.assert_allclose(found, surveyor.found().mean[columns], rtol=1e-4, atol=1e-4)


def test_features_are_standardised_and_cut_off(teacher: Path, whole: Lean, survey: Survey) -> None:
    X = heard()
    embedding = answers(whole.network, X)[0]
    np.testing.assert_allclose(embedding.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(embedding.std(axis=0), 1, atol=1e-3)
    assert np.abs(embedding).max() > 1.5
    cut = answers(lean(teacher, survey, clip=1.5).network, X)[0]
    np.testing.assert_array_equal(cut, embedding.clip(-1.5, 1.5))


def test_answers_do_not_depend_on_the_batch(whole: Lean) -> None:
    X = np.concatenate([music(62, seed=4), np.zeros((2, 96, 187), np.uint8)])
    together = answers(whole.network, X)
    for one_by_one in zip(*(answers(whole.network, X[i : i + 1]) for i in range(64)), strict=True):
        batch = together.pop(0)
        np.testing.assert_allclose(np.concatenate(one_by_one), batch, rtol=1e-5, atol=1e-4)


def test_it_is_as_small_as_an_ear_has_to_be(whole: Lean) -> None:
    graph = onnx.load_from_string(whole.network).graph
    assert sum(int(np.prod(tensor.dims)) for tensor in graph.initializer) < 1_500_000
    assert len(whole.network) < 6_000_000
    assert 128 <= whole.n_features <= 512


@pytest.mark.parametrize("n_alive", [(40, 1, 16, 51, 1, 64), (1, 20, 0, 3, 33, 1)])
def test_any_number_of_channels_may_be_left(n_alive: tuple[int, ...], tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(musicnn.network(foreign.musicnn_mostly_dead(n_alive, seed=5)))
    made = lean(path, surveyed(path, music(10, seed=6)), clip=0)
    X = music(10, seed=6)  # the same: with so few to learn from, others wake some more
    expected, found = answers(path.read_bytes(), X)[0], answers(made.network, X)[0]
    np.testing.assert_allclose(
        unscaled(made, found), expected[:, made.imitated], rtol=1e-4, atol=1e-4
    )


def test_music_that_is_all_the_same_is_refused(teacher: Path) -> None:
    silence = np.zeros((5, 96, 187), np.uint8)
    with pytest.raises(DataError, match=r"sounds all the same.*of more kinds"):
        lean(teacher, surveyed(teacher, silence), clip=2.5)


def test_onnxruntime_takes_it_as_it_is(whole: Lean) -> None:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(whole.network, options, providers=["CPUExecutionProvider"])
    X = music(3, seed=7)
    found = session.run(["embedding"], {"slices": X})[0]
    np.testing.assert_allclose(found, answers(whole.network, X)[0], rtol=0, atol=1e-4)

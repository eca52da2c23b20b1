"""A second teacher's answers, told from a backbone's embedding and put behind it."""

import dataclasses
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

pytest.importorskip("torch", reason="needs earmark[train]")
pytest.importorskip("onnx", reason="needs earmark[train]")

import torch

from earmark.models.onnx.extension import extend
from earmark.training.recipes.settings import ImitationConfig
from earmark.training.torch.imitation import imitate
from earmark.types import FloatArray
from tests import backbones

CONFIG = ImitationConfig("other", n_hidden=64, n_components=3, epochs=60, batch_size=64, dropout=0)


def lesson(n: int = 2000) -> tuple[FloatArray, FloatArray]:
    """Eight features, and six answers that two products of them make, with next to no noise."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 8))
    hidden = np.stack([x[:, 0] * x[:, 1], np.abs(x[:, 2])], axis=1)
    answers = hidden @ rng.normal(size=(2, 6)) * 5 + 3 + 0.01 * rng.normal(size=(n, 6))
    return x.astype(np.float32), answers.astype(np.float32)


def test_what_can_be_told_is_learned() -> None:
    X, answers = lesson()
    held_out = np.arange(len(X)) % 5 == 0
    learned = imitate(X, answers, held_out, CONFIG, seed=0)
    assert learned.r2 > 0.9
    found = learned.features(X[held_out])
    assert found.shape == (400, 3)
    # The two largest components are what all answers are made of.
    basis = np.column_stack([found[:, :2], np.ones(len(found))])
    wanted = answers[held_out]
    rest = wanted - basis @ np.linalg.lstsq(basis, wanted, rcond=None)[0]
    assert 1 - rest.var() / wanted.var() > 0.9


def test_features_are_standardised_over_what_was_learned_from() -> None:
    X, answers = lesson()
    nobody = np.arange(len(X)) % 5 == 0
    found = imitate(X, answers, nobody, CONFIG, seed=0).features(X[~nobody])
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(found.std(axis=0), 1, atol=1e-3)


def test_no_more_features_are_made_than_there_is_to_tell() -> None:
    X, answers = lesson(400)
    answers[:, 1:] = answers[:, :1]  # a single number, told six times
    few = dataclasses.replace(CONFIG, n_components=6, n_hidden=2)
    found = imitate(X, answers, np.arange(400) % 4 == 0, few, seed=0).features(X)
    assert found.shape[1] <= 2  # of two units, all that follows has two dimensions
    assert np.abs(found).max() < 100


def test_noise_cannot_be_told() -> None:
    X, answers = lesson(400)
    np.random.default_rng(1).shuffle(answers)
    assert imitate(X, answers, np.arange(400) % 4 == 0, CONFIG, seed=0).r2 < 0.1


def test_the_same_seed_learns_the_same_and_leaves_the_generator_alone() -> None:
    X, answers = lesson(300)
    held_out = np.arange(300) % 5 == 0
    torch.manual_seed(7)
    first = imitate(X, answers, held_out, CONFIG, seed=3)
    after = torch.rand(1)
    torch.manual_seed(7)
    assert torch.equal(after, torch.rand(1))
    again = imitate(X, answers, held_out, CONFIG, seed=3)
    np.testing.assert_array_equal(first.features(X), again.features(X))
    assert not np.array_equal(
        first.features(X), imitate(X, answers, held_out, CONFIG, seed=4).features(X)
    )


@pytest.mark.parametrize("clip", [0.0, 0.5])
def test_an_extended_backbone_answers_as_backbone_and_perceptron(
    clip: float, tmp_path: Path
) -> None:
    backbone = backbones.write(tmp_path / "backbone")
    slices = np.random.default_rng(0).integers(0, 256, (64, 32, 64), dtype=np.uint8)
    own = backbones.expected(slices)
    answers = np.random.default_rng(1).normal(size=(64, 5)).astype(np.float32)
    learned = imitate(own, answers, np.arange(64) % 4 == 0, CONFIG, seed=0)
    session = ort.InferenceSession(
        extend(backbone.network, learned.layers, clip), providers=["CPUExecutionProvider"]
    )
    before = ort.InferenceSession(str(backbone.network), providers=["CPUExecutionProvider"])
    logits, embedding = session.run(["logits", "embedding"], {"slices": slices})
    np.testing.assert_array_equal(logits, before.run(["logits"], {"slices": slices})[0])
    limit = clip or np.inf
    expected = learned.features(own).clip(-limit, limit)
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(
        embedding, np.concatenate([own, expected], axis=1), atol=1e-4 * scale
    )
    assert session.get_outputs()[1].shape[1] == embedding.shape[1]

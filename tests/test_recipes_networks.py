"""Every named recipe with a network: the same tests for all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

pytest.importorskip("torch", reason="needs earmark[train]")

import torch
from torch import nn

from earmark import features
from earmark.errors import ConfigError
from earmark.features.store import FeatureStore
from earmark.models import registry
from earmark.training import recipes
from earmark.training.recipes.recipe import TrainingRecipe
from earmark.training.torch.data import Part
from earmark.training.torch.export import TOLERANCE, to_onnx
from earmark.training.torch.fit import fit
from tests.timbres import TIMBRES, signal, tracks
from tests.trainings import drain, on_one_core

NAMES = [name for name in recipes.names() if recipes.load(name).kind == "network"]

# What makes each network quick to train; all else is as in its recipe.
SMALLER: dict[str, dict[str, Any]] = {
    "block-attention": {"network.widths": [8, 8, 16, 16], "network.block": 16},
    "cnn": {"network.widths": [8, 8, 16, 16]},
    "conv1d": {"network.channels": [16, 32], "network.dense": 32},
    "conv2d": {"network.channels": [8, 16, 16], "network.dense": 32},
    "mel-bank": {"network.body": {"name": "cnn", "widths": [8, 8, 16, 16]}},
    "recurrent": {"network.units": [24]},
    "tcn": {"network.channels": 16, "network.n_blocks": 4},
}
QUICKER = {
    "slices.n_frames": 32,
    "slices.hop_frames": 32,
    "optimiser.lr": 3e-3,
    "schedule.epochs": 6,
    "schedule.batch_size": 16,
    "schedule.min_steps": 20,
    "schedule.patience": 6,
    "vote.mode": "mean",
}


@pytest.fixture(scope="module", autouse=True)
def one_core() -> Iterator[None]:
    with on_one_core():
        yield


def built(recipe: TrainingRecipe, n_classes: int = 3, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return registry.build(
        recipe.network.name, *shape(recipe), n_classes, recipe.network.options, recipe.features
    )


def shape(recipe: TrainingRecipe) -> tuple[int, int]:
    return features.n_bins(recipe.features), recipe.slices.n_frames


def any_slices(recipe: TrainingRecipe, n: int) -> torch.Tensor:
    dtype = features.dtype(recipe.features)
    rng = np.random.default_rng(0)
    levels = rng.integers(0, np.iinfo(dtype).max, (n, *shape(recipe)), dtype, endpoint=True)
    return torch.from_numpy(levels)


def quick(name: str) -> TrainingRecipe:
    recipe = recipes.load(name)
    changes = QUICKER | SMALLER.get(recipe.network.name, {})
    if recipe.network.name == "recurrent" and recipe.network.options.get("channels"):
        changes |= {"network.channels": [8, 16]}
    if recipe.features.frontend == "wave":
        changes |= {"slices.n_frames": 4096, "slices.hop_frames": 4096}
    for key in ("mask_frames", "mask_bins"):
        changes[f"augmentation.{key}"] = getattr(recipe.augmentation, key) // 8
    return recipe.replaced(changes, "test")


@pytest.mark.parametrize("name", NAMES)
class TestEveryRecipe:
    def test_slices_of_its_own_shape(self, name: str) -> None:
        recipe = recipes.load(name)
        network = built(recipe, n_classes=5)
        logits = network(any_slices(recipe, 2))
        assert logits.shape == (2, 5)
        logits.square().sum().backward()
        dead = [
            key
            for key, p in network.named_parameters()
            if p.grad is None or not p.grad.abs().sum() > 0
        ]
        assert dead == []

    def test_the_same_seed_gives_the_same_weights(self, name: str) -> None:
        recipe = quick(name)
        one, same, other = (built(recipe, seed=seed).state_dict() for seed in (1, 1, 2))
        assert all(torch.equal(tensor, same[key]) for key, tensor in one.items())
        assert any(not torch.equal(tensor, other[key]) for key, tensor in one.items())

    def test_timbres_are_learned_and_exported(self, name: str, tmp_path: Path) -> None:
        recipe = quick(name)
        with FeatureStore(tmp_path / "store", recipe.listen) as store:
            heard = list(tracks(range(14), recipe.listen))
            for slices, _ in heard:
                store.add(slices)
            store.flush()
            spans = store.locate([slices.audio_id for slices, _ in heard])
            timbres = [timbre for _, timbre in heard]
            n = 10 * len(TIMBRES)
            training = Part.of(store, spans[:n], timbres[:n])
            valid = Part.of(store, spans[n:], timbres[n:])
            fitted = drain(fit(training, valid, len(TIMBRES), recipe, tmp_path / "run"))
        exported = to_onnx(fitted.network, *shape(recipe), features.dtype(recipe.features))
        session = ort.InferenceSession(exported, providers=["CPUExecutionProvider"])
        new = list(tracks(range(100, 115), recipe.listen))
        X = np.concatenate([slices.X for slices, _ in new])
        reference = np.repeat([timbre for _, timbre in new], [len(s.X) for s, _ in new])
        logits, embedding = session.run(["logits", "embedding"], {"slices": X})
        assert (logits.argmax(axis=1) == reference).mean() > 0.95
        assert len(embedding) == len(X)
        with torch.inference_mode():
            expected = fitted.network(torch.from_numpy(X)).numpy()
        np.testing.assert_allclose(logits, expected, atol=TOLERANCE)

    def test_slices_of_another_shape_are_refused(self, name: str) -> None:
        recipe = quick(name)
        network = built(recipe).eval()
        n_bins, n_frames = shape(recipe)
        wrong = any_slices(recipe, 1)[:, :, :-1]
        complaint = f"slices of {n_bins} × {n_frames - 1} in a network for slices of {n_bins} ×"
        with pytest.raises(ValueError, match=complaint):
            network(wrong)

    def test_options_that_make_no_sense_are_refused(self, name: str) -> None:
        recipe = quick(name)
        for change in ({"dropout": 1.5}, {"droput": 0.1}):
            options = {**recipe.network.options, **change}
            if recipe.network.name == "mel-bank":
                options = {**recipe.network.options, "body": {"name": "cnn", **change}}
            with pytest.raises(ConfigError, match=r"dro?pou?t"):
                registry.build(recipe.network.name, *shape(recipe), 3, options, recipe.features)


@pytest.mark.parametrize(
    ("name", "size", "options", "complaint"),
    [
        ("conv2d", (8, 128), {}, "8 bins are too small to be pooled 4 times by 2, 9 at least"),
        ("conv2d", (64, 64), {"channels": []}, "channels is .., but should be whole numbers"),
        ("conv2d", (64, 64), {"activation": "gelu"}, "activation is 'gelu', .* one of relu, elu"),
        ("conv2d", (64, 64), {"initial": "zero"}, "initial is 'zero', .* torch, xavier, he"),
        ("conv1d", (1, 100), {"first_stride": 64}, "2 steps are too small to be pooled 3 times"),
        ("conv1d", (1, 100), {"pooling": "sum"}, "pooling is 'sum', .* mean-max, last"),
        ("recurrent", (20, 41), {"units": [0]}, "units is .0., but should be whole numbers"),
        ("recurrent", (20, 41), {"normalise": "all"}, "normalise is 'all', .* none, slice, bins"),
        ("recurrent", (4, 41), {"channels": [8, 8, 8]}, "4 bins are too small to be pooled 3"),
        ("tcn", (64, 64), {"kernel": 4}, "kernel is 4, but should be odd"),
        ("block-attention", (64, 100), {"block": 32}, "100 frames cannot be cut into blocks of 32"),
        ("mel-bank", (512, 32), {}, 'takes slices of .features. frontend = "linear"'),
    ],
)
def test_what_cannot_be_built_is_told(
    name: str, size: tuple[int, int], options: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        registry.build(name, *size, 3, options)


class TestMelBank:
    def test_frozen_it_hears_what_the_mel_front_end_gives(self) -> None:
        recipe = recipes.load("mel-frozen")
        network = built(recipe)
        mel = network.given
        for timbre in TIMBRES:
            y = signal(timbre, 0, mel.sr, recipe.slices.n_frames * mel.hop_length - 1)
            linear = features.quantise(features.compute(y, recipe.features), recipe.features)
            expected = features.quantise(features.compute(y, mel), mel)
            found = network.filtered(torch.from_numpy(linear)[None])[0].numpy()
            off = np.abs(found.clip(0, 255) - expected)[:, 1:-1]
            assert np.median(off) < 1.0, timbre
            assert np.percentile(off, 95) < 6.0, timbre

    def test_only_a_trainable_one_learns(self) -> None:
        trained, frozen = (built(recipes.load(f"mel-{how}")) for how in ("trained", "frozen"))
        assert "change" in dict(trained.named_parameters())
        assert "change" not in dict(frozen.named_parameters())
        assert torch.equal(trained.filters(), frozen.filters())


def test_pooling_before_the_activation_changes_nothing() -> None:
    x = torch.randn(2, 3, 8, 8)
    for rise in (nn.ELU(), nn.ReLU()):
        pool = nn.MaxPool2d(2)
        torch.testing.assert_close(rise(pool(x)), pool(rise(x)))


def test_a_recipe_is_another_front_end_with_any_network() -> None:
    # What the recipes do not combine: cepstral coefficients through a TCN, a waveform through it.
    for name, changes in (
        ("mfcc-lstm", {"network": {"name": "tcn", "channels": 8, "n_blocks": 2}}),
        ("wave-1d", {"network": {"name": "tcn", "channels": 8, "n_blocks": 2}}),
        ("slices-2016", {"network": {"name": "recurrent", "units": [8]}}),
    ):
        values = recipes.load(name).to_dict() | changes
        recipe = TrainingRecipe.from_dict(values, name, name)
        assert built(recipe)(any_slices(recipe, 2)).shape == (2, 3)

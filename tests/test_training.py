"""The training loop, its checkpoints and the export; on slices whose genres are patterns."""

from collections.abc import Generator, Iterator
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

pytest.importorskip("torch", reason="needs earmark[train]")

import torch

from earmark.errors import ConfigError, DataError
from earmark.features.store import FeatureStore
from earmark.models import registry
from earmark.training.augment import mask, mixup
from earmark.training.data import Part
from earmark.training.export import to_onnx
from earmark.training.fit import Fitted, fit, track_means
from earmark.training.settings import Epoch, Step, TrainConfig
from earmark.types import FeatureConfig, ListenConfig, SliceConfig, Slices

N = 16
LISTEN = ListenConfig(features=FeatureConfig(n_mels=N), slices=SliceConfig(N, N))
QUICK = TrainConfig(epochs=4, patience=4, batch_size=8, max_masked_frames=2, max_masked_bins=2)


def track(genre: int, seed: int) -> Slices:
    """Three slices: genre 0 has its energy in the low bins, 1 in the high, 2 in a pulse."""
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 60, (3, N, N), dtype=np.uint8)
    where = (slice(0, 5), slice(11, 16), slice(None))[genre]
    X[:, where, :: (4 if genre == 2 else 1)] += 120
    return Slices(X, np.arange(3, dtype=np.float32), f"{genre}-{seed}")


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[tuple[Part, Part]]:
    with FeatureStore(tmp_path / "store", LISTEN) as store:
        tracks = [(track(genre, seed), genre) for seed in range(12) for genre in range(3)]
        for slices, _ in tracks:
            store.add(slices)
        store.flush()
        names, genres = [s.audio_id for s, _ in tracks], [genre for _, genre in tracks]
        yield Part.of(store, names[:24], genres[:24]), Part.of(store, names[24:], genres[24:])


def drain(flow: Generator[Step | Epoch, None, Fitted]) -> Fitted:
    while True:
        try:
            next(flow)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]


def test_patterns_are_learned_and_exported(parts: tuple[Part, Part], tmp_path: Path) -> None:
    train, valid = parts
    fitted = drain(fit(train, valid, 3, QUICK, tmp_path / "run"))
    assert max(epoch.valid_accuracy for epoch in fitted.history) == 1.0
    exported = to_onnx(fitted.network, N, N)
    session = ort.InferenceSession(exported, providers=["CPUExecutionProvider"])
    X, reference = next(valid.batches(len(valid)))
    logits = session.run(["logits"], {"slices": X})[0]
    assert (logits.argmax(axis=1) == reference).all()
    one_by_one = [session.run(["logits"], {"slices": X[i : i + 1]})[0][0] for i in range(len(X))]
    np.testing.assert_allclose(one_by_one, logits, atol=1e-4)


def test_a_run_that_was_cut_off_ends_with_the_same_network(
    parts: tuple[Part, Part], tmp_path: Path
) -> None:
    train, valid = parts
    whole = drain(fit(train, valid, 3, QUICK, tmp_path / "whole"))
    flow = fit(train, valid, 3, QUICK, tmp_path / "cut")
    n_epochs = 0
    for event in flow:
        n_epochs += isinstance(event, Epoch)
        if n_epochs == 2 and isinstance(event, Step):
            break
    flow.close()
    resumed = drain(fit(train, valid, 3, QUICK, tmp_path / "cut"))
    assert [e.train_loss for e in resumed.history] == [e.train_loss for e in whole.history]
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(tensor, resumed.network.state_dict()[name]), name


def test_other_settings_do_not_resume(parts: tuple[Part, Part], tmp_path: Path) -> None:
    train, valid = parts
    drain(fit(train, valid, 3, QUICK, tmp_path))
    other = TrainConfig(**{**QUICK.to_dict(), "seed": 1})
    events = list(fit(train, valid, 3, other, tmp_path))
    assert sum(isinstance(event, Epoch) for event in events) == QUICK.epochs


def test_an_interrupt_keeps_the_best_so_far(parts: tuple[Part, Part], tmp_path: Path) -> None:
    train, valid = parts
    flow = fit(train, valid, 3, QUICK, tmp_path)
    while not isinstance(next(flow), Epoch):
        pass
    with pytest.raises(StopIteration) as stop:
        flow.throw(KeyboardInterrupt())
    fitted = stop.value.value
    assert fitted.interrupted
    assert len(fitted.history) == 1


def test_an_interrupt_before_the_first_epoch_is_over_has_nothing_to_keep(
    parts: tuple[Part, Part], tmp_path: Path
) -> None:
    flow = fit(*parts, 3, QUICK, tmp_path)
    next(flow)
    with pytest.raises(KeyboardInterrupt):
        flow.throw(KeyboardInterrupt())


def test_training_stops_when_it_no_longer_gets_better(
    parts: tuple[Part, Part], tmp_path: Path
) -> None:
    train, valid = parts
    upside_down = Part(valid.store, valid.numbers, 2 - valid.reference, valid.track)
    config = TrainConfig(**{**QUICK.to_dict(), "epochs": 30, "patience": 2})
    fitted = drain(fit(train, upside_down, 3, config, tmp_path))
    best = max(e.epoch for e in fitted.history if e.best)
    assert len(fitted.history) == best + 2 < 30


def test_an_empty_part_is_refused(parts: tuple[Part, Part], tmp_path: Path) -> None:
    train, _ = parts
    empty = Part.of(train.store, [], [])
    with pytest.raises(DataError, match="no slices for validation"):
        next(fit(train, empty, 3, QUICK, tmp_path))


def test_track_means_follow_the_tracks(parts: tuple[Part, Part]) -> None:
    _, valid = parts
    proba = np.eye(3, dtype=np.float32)[valid.reference]
    proba[0] = (0, 0, 1)
    means, reference = track_means(proba, valid)
    np.testing.assert_array_equal(reference, [0, 1, 2] * 4)
    np.testing.assert_allclose(means[0], [2 / 3, 0, 1 / 3], atol=1e-6)
    np.testing.assert_allclose(means[1:], np.eye(3)[reference[1:]], atol=1e-6)


def test_masks_cover_at_most_what_they_may_and_keep_the_level() -> None:
    X = torch.rand(50, N, N) + 1.0
    masked = mask(X.clone(), 4, 3, np.random.default_rng(0))
    changed = masked != X
    assert changed.any()
    whole_frames, whole_bins = changed.all(dim=1).sum(dim=1), changed.all(dim=2).sum(dim=1)
    assert int(whole_frames.max()) <= 4
    assert int(whole_bins.max()) <= 3
    torch.testing.assert_close(masked.mean(dim=(1, 2)), X.mean(dim=(1, 2)), atol=0.05, rtol=0)


def test_mixup_mixes_towards_the_slice_itself() -> None:
    X = torch.arange(4.0)[:, None, None].expand(4, N, N)
    mixed, partner, share = mixup(X, 0.3, np.random.default_rng(0))
    assert 0.5 <= share <= 1
    torch.testing.assert_close(mixed, share * X + (1 - share) * X[partner])


@pytest.mark.parametrize("name", registry.NETWORKS)
class TestEveryNetwork:
    def test_shape_and_gradients(self, name: str) -> None:
        network = registry.build(name, 32, 48, 5)
        slices = torch.randint(0, 256, (3, 32, 48), dtype=torch.uint8)
        logits = network(slices)
        assert logits.shape == (3, 5)
        logits.square().sum().backward()
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())

    def test_loudness_does_not_matter(self, name: str) -> None:
        network = registry.build(name, 32, 48, 5).eval()
        slices = torch.randint(0, 100, (2, 32, 48), dtype=torch.uint8)
        with torch.inference_mode():
            torch.testing.assert_close(network(slices), network(slices + 50), atol=1e-4, rtol=1e-4)

    def test_too_small_slices_are_refused(self, name: str) -> None:
        with pytest.raises(ValueError, match="too small"):
            registry.build(name, 8, 8, 5)


def test_an_unknown_network_is_named_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"no network 'resnet' \(known: cnn\)"):
        registry.build("resnet", 32, 32, 5)

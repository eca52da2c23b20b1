"""The training loop, its checkpoints and the export; on slices whose genres are patterns."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

pytest.importorskip("torch", reason="needs earmark[train]")

import torch

from earmark.errors import ConfigError, DataError, LibraryError
from earmark.events import Epoch, Note, Progress
from earmark.features.store import FeatureStore
from earmark.models import registry
from earmark.training.recipes.settings import Hardware, ScheduleConfig
from earmark.training.torch import checkpoints
from earmark.training.torch.data import Part, ahead
from earmark.training.torch.export import to_onnx
from earmark.training.torch.fit import Fitted, fit, learning_rate
from earmark.training.torch.objectives import track_means
from tests.systems import KILLED, limited_file_size
from tests.trainings import QUICK, N, drain, fill, on_one_core, train


@pytest.fixture(scope="module", autouse=True)
def one_core() -> Iterator[None]:
    with on_one_core():
        yield


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[tuple[Part, Part]]:
    with FeatureStore(tmp_path / "store", QUICK.listen) as store:
        yield fill(store)


def assert_same(one: Fitted, other: Fitted) -> None:
    assert [e.train_loss for e in one.history] == [e.train_loss for e in other.history]
    for name, tensor in one.network.state_dict().items():
        assert torch.equal(tensor, other.network.state_dict()[name]), name


def test_patterns_are_learned_and_exported(parts: tuple[Part, Part], tmp_path: Path) -> None:
    _, valid = parts
    fitted = drain(fit(*parts, 3, QUICK, tmp_path / "run"))
    assert max(epoch.valid_accuracy for epoch in fitted.history) == 1.0
    exported = to_onnx(fitted.network, N, N)
    session = ort.InferenceSession(exported, providers=["CPUExecutionProvider"])
    X, reference = next(valid.batches(len(valid)))
    logits = session.run(["logits"], {"slices": X})[0]
    assert (logits.argmax(axis=1) == reference).all()
    one_by_one = [session.run(["logits"], {"slices": X[i : i + 1]})[0][0] for i in range(len(X))]
    np.testing.assert_allclose(one_by_one, logits, atol=1e-4)


class TestGoingOn:
    def test_a_run_that_was_closed_ends_with_the_same_network(
        self, parts: tuple[Part, Part], tmp_path: Path
    ) -> None:
        whole = drain(fit(*parts, 3, QUICK, tmp_path / "whole"))
        flow = fit(*parts, 3, QUICK, tmp_path / "cut")
        n_epochs = 0
        for event in flow:
            n_epochs += isinstance(event, Epoch)
            if n_epochs == 2 and isinstance(event, Progress):
                break
        flow.close()
        flow = fit(*parts, 3, QUICK, tmp_path / "cut")
        assert next(flow) == Note("going on after epoch 2")
        assert_same(drain(flow), whole)

    # Each epoch reads ten batches to learn from and one to validate on, and saves the first
    # epoch's network twice, as the best and as the last.
    @pytest.mark.parametrize(("operation", "n"), [("read", 28), ("replace", 2)])
    def test_so_does_one_that_was_killed(self, operation: str, n: int, tmp_path: Path) -> None:
        command = [sys.executable, "-m", "tests.trainings", str(tmp_path), operation, str(n)]
        assert subprocess.run(command, check=False).returncode == KILLED
        n_done = {"read": 2, "replace": 0}[operation]
        with FeatureStore(tmp_path / "store", QUICK.listen) as store:
            flow = fit(*fill(store), 3, QUICK, tmp_path / "run")
            first = next(flow)
            assert isinstance(first, Note) == (n_done > 0)
            resumed = drain(flow)
        assert_same(resumed, train(tmp_path / "whole"))

    def test_other_settings_do_not_go_on(self, parts: tuple[Part, Part], tmp_path: Path) -> None:
        drain(fit(*parts, 3, QUICK, tmp_path))
        events = list(fit(*parts, 3, QUICK.replaced({"seed": 1}, ""), tmp_path))
        assert sum(isinstance(event, Epoch) for event in events) == QUICK.schedule.epochs
        assert "of other music or settings" in next(e.text for e in events if isinstance(e, Note))

    def test_nor_does_other_music(self, parts: tuple[Part, Part], tmp_path: Path) -> None:
        training, valid = parts
        drain(fit(training, valid, 3, QUICK, tmp_path))
        relabelled = Part(training.store, training.numbers, 2 - training.reference, training.track)
        for other in ((relabelled, valid), (training, relabelled)):
            remark = next(fit(*other, 3, QUICK, tmp_path))
            assert isinstance(remark, Note)
            assert "of other music" in remark.text

    def test_another_way_to_vote_does(self, parts: tuple[Part, Part], tmp_path: Path) -> None:
        drain(fit(*parts, 3, QUICK, tmp_path))
        events = list(fit(*parts, 3, QUICK.replaced({"vote.mode": "majority"}, ""), tmp_path))
        assert events == [Note("going on after epoch 4")]

    def test_a_full_disk_costs_the_epoch_and_no_more(
        self, parts: tuple[Part, Part], tmp_path: Path
    ) -> None:
        flow = fit(*parts, 3, QUICK, tmp_path / "run")
        while not isinstance(next(flow), Epoch):
            pass
        with (
            limited_file_size(8192),
            pytest.raises(LibraryError, match=r"the checkpoint .*make room"),
        ):
            drain(flow)
        assert not list((tmp_path / "run").glob("*.tmp"))
        resumed = fit(*parts, 3, QUICK, tmp_path / "run")
        assert next(resumed) == Note("going on after epoch 1")
        assert_same(drain(resumed), drain(fit(*parts, 3, QUICK, tmp_path / "whole")))

    def test_a_damaged_checkpoint_is_named(self, parts: tuple[Part, Part], tmp_path: Path) -> None:
        drain(fit(*parts, 3, QUICK, tmp_path))
        whole = (tmp_path / "last.pt").read_bytes()
        for content in (whole[:1000], b"", bytes(1000)):
            (tmp_path / "last.pt").write_bytes(content)
            with pytest.raises(LibraryError, match=r"last.pt cannot be read: .*delete the folder"):
                next(fit(*parts, 3, QUICK, tmp_path))

    def test_a_checkpoint_runs_no_code(self, tmp_path: Path) -> None:
        torch.save({"identity": Path("/")}, tmp_path / "last.pt")
        with pytest.raises(LibraryError, match="cannot be read"):
            checkpoints.load_last(tmp_path, torch.device("cpu"))


class TestStopping:
    def test_an_interrupt_keeps_the_best_so_far(
        self, parts: tuple[Part, Part], tmp_path: Path
    ) -> None:
        flow = fit(*parts, 3, QUICK, tmp_path)
        while not isinstance(next(flow), Epoch):
            pass
        with pytest.raises(StopIteration) as stop:
            flow.throw(KeyboardInterrupt())
        fitted = stop.value.value
        assert fitted.interrupted
        assert len(fitted.history) == 1

    def test_an_interrupt_before_the_first_epoch_is_over_has_nothing_to_keep(
        self, parts: tuple[Part, Part], tmp_path: Path
    ) -> None:
        flow = fit(*parts, 3, QUICK, tmp_path)
        next(flow)
        with pytest.raises(KeyboardInterrupt):
            flow.throw(KeyboardInterrupt())

    def test_an_interrupt_while_the_reader_of_batches_ends_is_not_lost(
        self, parts: tuple[Part, Part], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Interrupted(ThreadPoolExecutor):
            def __exit__(self, *exc_info: object) -> None:
                super().__exit__(None, None, None)
                raise KeyboardInterrupt

        monkeypatch.setattr("earmark.training.torch.data.ThreadPoolExecutor", Interrupted)
        with pytest.raises(KeyboardInterrupt):
            drain(fit(*parts, 3, QUICK, tmp_path))

    def test_when_it_no_longer_gets_better(self, parts: tuple[Part, Part], tmp_path: Path) -> None:
        training, valid = parts
        upside_down = Part(valid.store, valid.numbers, 2 - valid.reference, valid.track)
        recipe = QUICK.replaced({"schedule.epochs": 30, "schedule.patience": 2}, "")
        fitted = drain(fit(training, upside_down, 3, recipe, tmp_path))
        best = max(e.epoch for e in fitted.history if e.best)
        assert len(fitted.history) == best + 2 < 30

    def test_an_empty_part_is_refused(self, parts: tuple[Part, Part], tmp_path: Path) -> None:
        training, _ = parts
        empty = Part.of(training.store, [], [])
        with pytest.raises(DataError, match="no slices for validation"):
            next(fit(training, empty, 3, QUICK, tmp_path))

    def test_a_loss_that_is_no_number_is_told(
        self, parts: tuple[Part, Part], tmp_path: Path
    ) -> None:
        recipe = QUICK.replaced({"optimiser.name": "sgd", "optimiser.weight_decay": 1e30}, "")
        with pytest.raises(DataError, match="no longer a number"):
            drain(fit(*parts, 3, recipe, tmp_path))


class TestSettings:
    @pytest.mark.parametrize("name", ["adamw", "adam", "rmsprop", "sgd"])
    def test_every_optimiser_learns(
        self, name: str, parts: tuple[Part, Part], tmp_path: Path
    ) -> None:
        fitted = drain(fit(*parts, 3, QUICK.replaced({"optimiser.name": name}, ""), tmp_path))
        assert fitted.history[-1].train_loss < 0.8 * np.log(3)

    def test_mixed_precision(self, parts: tuple[Part, Part], tmp_path: Path) -> None:
        fitted = drain(fit(*parts, 3, QUICK, tmp_path, Hardware("cpu", 1, "bf16-mixed")))
        assert max(epoch.valid_accuracy for epoch in fitted.history) == 1.0
        assert all(p.dtype == torch.float32 for p in fitted.network.parameters())

    @pytest.mark.parametrize(
        "hardware",
        [Hardware("abacus"), Hardware("cpu", 0), Hardware("cpu", 1, "7-true"), Hardware("tpu")],
    )
    def test_hardware_that_there_is_not(
        self, hardware: Hardware, parts: tuple[Part, Part], tmp_path: Path
    ) -> None:
        with pytest.raises(
            ConfigError, match=f"cannot train on accelerator {hardware.accelerator}"
        ):
            next(fit(*parts, 3, QUICK, tmp_path, hardware))

    def test_several_devices(self, tmp_path: Path) -> None:
        command = [sys.executable, "-m", "tests.trainings", str(tmp_path), "devices", "2"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert len(json.loads(done.stdout)) == QUICK.schedule.epochs
        assert max(json.loads(done.stdout)) == 1.0

    def test_all_usable_cores_are_used(
        self, parts: tuple[Part, Part], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("earmark.training.torch.fit.usable_cores", lambda: 1)
        before = torch.get_num_threads()
        try:
            next(fit(*parts, 3, QUICK, tmp_path))
            assert torch.get_num_threads() == 1
        finally:
            torch.set_num_threads(before)

    def test_the_learning_rate_rises_and_falls(self) -> None:
        schedule = ScheduleConfig(epochs=10, warm_up=0.2)
        found = [learning_rate(1.0, schedule, epoch) for epoch in (0, 1, 2, 6, 10)]
        np.testing.assert_allclose(found, [0.1, 0.55, 1.0, 0.505, 0.01])
        flat = ScheduleConfig(epochs=10, warm_up=0.0, cosine=False)
        assert {learning_rate(1.0, flat, epoch) for epoch in (0, 3, 9.9)} == {1.0}


class TestBatches:
    def test_shuffled_ones_hold_every_slice_once(self, parts: tuple[Part, Part]) -> None:
        training, _ = parts
        order = training.shuffled(8, 9, np.random.default_rng(0))
        assert sorted(order) == list(range(72))
        assert list(order) != sorted(order)
        X, reference = next(training.batches(8, order))
        np.testing.assert_array_equal(reference, training.reference[order[:8]])
        np.testing.assert_array_equal(X, training.store.read(training.numbers[order[:8]]))

    def test_few_slices_are_gone_over_again(self, parts: tuple[Part, Part]) -> None:
        training, _ = parts
        order = training.shuffled(8, 30, np.random.default_rng(0))
        assert len(list(training.batches(8, order))) == 30
        counts = np.bincount(order)
        assert len(counts) == 72
        assert set(counts) == {3, 4}

    def test_a_lone_last_slice_is_left_out(self, parts: tuple[Part, Part]) -> None:
        training, _ = parts
        order = training.shuffled(71, 1, np.random.default_rng(0))
        assert [len(reference) for _, reference in training.batches(71, order)] == [71]

    def test_reading_ahead_changes_nothing(self, parts: tuple[Part, Part]) -> None:
        training, _ = parts
        plain, read_ahead = list(training.batches(10)), list(ahead(training.batches(10)))
        assert len(plain) == len(read_ahead)
        for (X, reference), (other, others) in zip(plain, read_ahead, strict=True):
            np.testing.assert_array_equal(X, other)
            np.testing.assert_array_equal(reference, others)

    def test_reading_ahead_ends_with_the_reader(self, parts: tuple[Part, Part]) -> None:
        n_threads = threading.active_count()
        batches = ahead(parts[0].batches(10))
        next(batches)
        batches.close()
        assert threading.active_count() == n_threads

    def test_a_failed_read_reaches_the_trainer(self, parts: tuple[Part, Part]) -> None:
        training, _ = parts
        beyond = Part(training.store, training.numbers + 10_000, training.reference, training.track)
        with pytest.raises(LibraryError, match="cut off"):
            next(ahead(beyond.batches(10)))

    def test_track_means_follow_the_tracks(self, parts: tuple[Part, Part]) -> None:
        _, valid = parts
        proba = np.eye(3, dtype=np.float32)[valid.reference]
        proba[0] = (0, 0, 1)
        means, reference = track_means(proba, valid)
        np.testing.assert_array_equal(reference, [0, 1, 2] * 4)
        np.testing.assert_allclose(means[0], [2 / 3, 0, 1 / 3], atol=1e-6)
        np.testing.assert_allclose(means[1:], np.eye(3)[reference[1:]], atol=1e-6)


@pytest.mark.parametrize("name", ["cnn"])
class TestNetworksOnSmallSlices:
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
        with pytest.raises(ConfigError, match="too small"):
            registry.build(name, 8, 8, 5)


@pytest.mark.parametrize(
    ("name", "options", "complaint"),
    [
        ("resnet", {}, r"no network 'resnet' \(known: .*cnn, conv1d"),
        ("cnn", {"dropuot": 0.1}, r"cnn has no option dropuot \(did you mean dropout\?\)"),
        ("cnn", {"n_classes": 3}, "cnn has no option n_classes"),
        ("cnn", {"dropout": 2.0}, "cannot be built: dropout probability"),
        ("cnn", {"dropout": "much"}, "cannot be built"),
        ("cnn", {"widths": [8, 8]}, "should be four numbers"),
    ],
)
def test_a_network_that_cannot_be_built_is_told(
    name: str, options: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        registry.build(name, 32, 32, 5, options)

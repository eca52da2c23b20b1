"""Networks over a track's slices: learned, exported, kept in a bundle, and voted by."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs earmark[train]")

import torch

from earmark.decision import track_network
from earmark.decision.calibration import Outputs
from earmark.decision.voting import check, decide, modes
from earmark.errors import BundleError, ConfigError
from earmark.evaluation.scores import compare_votes
from earmark.events import Note
from earmark.models import bundle as bundles
from earmark.models import registry
from earmark.models.bundle import Bundle, BundleMeta
from earmark.training import recipes
from earmark.training.recipes.recipe import TrainingRecipe
from earmark.training.torch.export import to_onnx, track_to_onnx
from earmark.training.torch.tracks import fit_on_tracks
from earmark.types import FeatureConfig, ListenConfig, SliceConfig, VoteConfig
from tests.test_stacker import Made, late_bloomers
from tests.trainings import drain, on_one_core

LABELS = ("Blues", "Jazz", "Rock")
NAMES = tuple(registry.TRACK_NETWORKS)


def recipe(name: str) -> TrainingRecipe:
    track = {
        "name": name,
        "optimiser": {"lr": 1e-2},
        "schedule": {"epochs": 15, "patience": 15, "min_steps": 15},
    }
    values = {"vote": {"mode": "network"}, "track": track}
    return TrainingRecipe.from_dict(values, name, name)


def few_speak(n_tracks: int = 90, seed: int = 0) -> Made:
    """Tracks of which two slices, anywhere, tell the genre; the others lean to the next genre."""
    rng = np.random.default_rng(seed)
    probas, reference, groups = [], [], []
    for track in range(n_tracks):
        genre = track % 3
        n = int(rng.integers(6, 10))
        logits = rng.normal(0, 0.2, (n, 3))
        telling = rng.choice(n, 2, replace=False)
        logits[:, (genre + 1) % 3] += 1.5
        logits[telling] = rng.normal(0, 0.2, (2, 3))
        logits[telling, genre] += 3.5
        probas.append(Outputs(logits.astype(np.float32)).proba())
        reference.append(genre)
        groups.append(f"artist {track // 3 // 2}")
    return probas, reference, groups


# What each kind can learn that a vote by mean cannot: the one hears order, the other weighs.
HARD = {"lstm": late_bloomers, "attention": few_speak}


@pytest.fixture(scope="module", params=NAMES)
def learned(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[bytes, Made]:
    """A network of each kind, and tracks that it has not learned from."""
    make = HARD[request.param]
    train, valid = make(90, 0), make(45, 1)
    folder = tmp_path_factory.mktemp("run")
    with on_one_core():
        flow = fit_on_tracks(train[:2], valid[:2], 3, recipe(request.param), folder)
        return track_to_onnx(drain(flow).network, 3), make(90, 2)


def test_it_knows_what_the_mean_does_not(learned: tuple[bytes, Made]) -> None:
    network, (probas, reference, groups) = learned
    assert all(abs(track_network.predict(network, p).sum() - 1) < 1e-9 for p in probas)
    compared = compare_votes(probas, reference, groups, LABELS, VoteConfig(network=network))
    assert list(compared) == ["mean", "majority", "confident", "network"]
    assert compared["network"].summary["accuracy"] > 0.9
    assert compared["mean"].summary["accuracy"] < 0.5


@pytest.mark.parametrize("name", NAMES)
class TestEveryTrackNetwork:
    def test_shape_gradients_and_padding(self, name: str) -> None:
        torch.manual_seed(0)
        network = registry.build_track_network(name, 4)
        proba = torch.softmax(torch.randn(2, 4, 6), dim=1)
        logits = network(proba)
        assert logits.shape == (2, 4)
        logits.square().sum().backward()
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())
        padded = torch.cat((proba, torch.zeros(2, 4, 3)), dim=2)
        torch.testing.assert_close(network.eval()(padded), network(proba))
        # A slice that is hardly music is a slice still.
        quiet = torch.cat((proba, 1e-4 * proba[..., :1]), dim=2)
        assert not torch.equal(network(quiet), network(proba))
        assert torch.isfinite(network(1e-6 * proba)).all()

    def test_the_same_seed_gives_the_same_network_and_goes_on(
        self, name: str, tmp_path: Path
    ) -> None:
        train, valid = (late_bloomers(24, seed)[:2] for seed in (0, 1))
        short = recipe(name).replaced({"seed": 3}, "test")
        with on_one_core():
            whole = drain(fit_on_tracks(train, valid, 3, short, tmp_path / "whole"))
            flow = fit_on_tracks(train, valid, 3, short, tmp_path / "cut")
            for _ in range(40):
                next(flow)
            flow.close()
            flow = fit_on_tracks(train, valid, 3, short, tmp_path / "cut")
            assert next(flow) == Note("going on after epoch 2")
            resumed = drain(flow)
        assert [e.train_loss for e in resumed.history] == [e.train_loss for e in whole.history]
        for key, tensor in whole.network.state_dict().items():
            assert torch.equal(tensor, resumed.network.state_dict()[key]), key

    def test_other_probabilities_start_afresh(self, name: str, tmp_path: Path) -> None:
        train, other = (late_bloomers(24, seed)[:2] for seed in (0, 5))
        short = recipe(name).replaced(
            {"track": {"name": name, "schedule": {"epochs": 1, "min_steps": 1}}}, "test"
        )
        with on_one_core():
            drain(fit_on_tracks(train, train, 3, short, tmp_path))
            remark = next(fit_on_tracks(other, train, 3, short, tmp_path))
        assert isinstance(remark, Note)
        assert "of other music" in remark.text


@pytest.mark.parametrize(
    ("name", "options", "complaint"),
    [
        ("gru", {}, r"no network 'gru' \(known: attention, lstm\)"),
        ("lstm", {"unit": [3]}, r"lstm has no option unit \(did you mean units\?\)"),
        ("lstm", {"units": [0]}, "units is .0., but should be whole numbers above 0"),
        ("lstm", {"dropout": 1.0}, "dropout is 1.0, but should be from 0 to below 1"),
        ("attention", {"n_hidden": 0}, "n_hidden is .0., but"),
    ],
)
def test_what_cannot_be_built_is_told(
    name: str, options: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        registry.build_track_network(name, 3, options)


# --- in a bundle -------------------------------------------------------------------------------


def meta(network: bytes = b"") -> BundleMeta:
    listen = ListenConfig(features=FeatureConfig(n_mels=16), slices=SliceConfig(16, 16))
    return BundleMeta("toy", LABELS, listen, VoteConfig("network", 0.2, network=network))


@pytest.fixture(scope="module")
def slice_network() -> bytes:
    return to_onnx(registry.build("cnn", 16, 16, 3), 16, 16)


@pytest.fixture(scope="module")
def untrained() -> bytes:
    torch.manual_seed(0)
    return track_to_onnx(registry.build_track_network("lstm", 3), 3)


@pytest.fixture
def bundle(tmp_path: Path, slice_network: bytes, untrained: bytes) -> Bundle:
    return bundles.write(tmp_path / "model", meta(untrained), slice_network)


def test_it_is_kept_in_a_file_of_its_own(bundle: Bundle, untrained: bytes) -> None:
    assert (bundle.path / "vote.onnx").read_bytes() == untrained
    assert "network" not in json.loads((bundle.path / "model.json").read_text())["vote"]
    again = bundles.load(bundle.path)
    assert again.meta == meta(untrained)
    assert again.meta.vote.network == untrained
    proba = late_bloomers(1)[0][0]
    decision = decide(proba, LABELS, again.meta.vote)
    share = track_network.predict(untrained, proba)
    assert next(iter(decision.proba)) == LABELS[share.argmax()]
    assert decision.confidence == pytest.approx(share.max(), abs=1e-6)
    assert "network" in modes(again.meta.vote)


def test_slices_are_judged_alike_whatever_decides(
    bundle: Bundle, slice_network: bytes, tmp_path: Path
) -> None:
    plain = dataclasses.replace(meta(), vote=VoteConfig())
    assert bundles.write(tmp_path / "plain", plain, slice_network).model_id == bundle.model_id


def test_written_over_by_a_model_without_one_it_is_gone(
    bundle: Bundle, slice_network: bytes
) -> None:
    plain = dataclasses.replace(meta(), vote=VoteConfig())
    assert bundles.write(bundle.path, plain, slice_network).meta.vote.network == b""
    assert not (bundle.path / "vote.onnx").exists()


def test_an_altered_one_is_refused(bundle: Bundle) -> None:
    with (bundle.path / "vote.onnx").open("ab") as file:
        file.write(b" ")
    with pytest.raises(BundleError, match=r"vote.onnx is not what it was .*wrong checksum"):
        bundles.load(bundle.path)


def test_so_is_one_that_nobody_has_summed(bundle: Bundle) -> None:
    sums = (bundle.path / "SHA256SUMS").read_text().splitlines()
    (bundle.path / "SHA256SUMS").write_text("\n".join(s for s in sums if "vote" not in s))
    with pytest.raises(BundleError, match=r"vote.onnx is not what it was"):
        bundles.load(bundle.path)


def test_a_missing_one_is_told(bundle: Bundle) -> None:
    (bundle.path / "vote.onnx").unlink()
    with pytest.raises(BundleError, match=r"vote.onnx cannot be read"):
        bundles.load(bundle.path)
    sums = (bundle.path / "SHA256SUMS").read_text().splitlines()
    (bundle.path / "SHA256SUMS").write_text("\n".join(s for s in sums if "vote" not in s))
    with pytest.raises(BundleError, match=r"vote.onnx, by which the model votes, is missing"):
        bundles.load(bundle.path)


@pytest.mark.parametrize("kind", ["rubbish", "other genres", "other interface"])
def test_one_that_does_not_fit_is_refused(
    kind: str, bundle: Bundle, slice_network: bytes, untrained: bytes
) -> None:
    content = {
        "rubbish": b"not onnx",
        "other genres": track_to_onnx(registry.build_track_network("lstm", 4), 4),
        "other interface": slice_network,
    }[kind]
    (bundle.path / "vote.onnx").write_bytes(content)
    old, new = (hashlib.sha256(data).hexdigest() for data in (untrained, content))
    sums = (bundle.path / "SHA256SUMS").read_text()
    (bundle.path / "SHA256SUMS").write_text(sums.replace(old, new))
    complaint = r"network over tracks .*probabilities of 3 genres"
    if kind == "rubbish":
        complaint = r"vote\.onnx is not a network that onnxruntime can run"
    with pytest.raises(BundleError, match=complaint):
        bundles.load(bundle.path)


def test_a_vote_by_what_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"no network over tracks.*train the model with --vote"):
        check(VoteConfig("network"))
    with pytest.raises(BundleError, match=r"is 'vote\.onnx', but should be bytes"):
        VoteConfig.from_dict({"mode": "network", "network": "vote.onnx"})


# --- in a recipe -------------------------------------------------------------------------------


def test_a_recipe_says_how_it_is_learned() -> None:
    track = recipes.load("cnn-lstm").track
    assert (track.network.name, track.network.options) == ("lstm", {"units": [16, 32]})
    assert track.schedule.patience == 10
    # What the tables leave out is this section's default, not the one for networks over slices.
    assert track.optimiser.label_smoothing == 0.0
    assert recipe("attention").track.optimiser.name == "adam"


@pytest.mark.parametrize(
    ("track", "complaint"),
    [
        ({"schedule": {"epoch": 3}}, r"\[track\]: \[schedule\]: unknown key epoch"),
        ({"optimiser": {"lr": -1}}, r"\[track\]: \[optimiser\] lr is -1"),
        ({"schedule": 3}, "should be a section"),
        ({"name": 3}, r"\[track\] name is 3, but should be a text"),
    ],
)
def test_what_makes_no_sense_is_named(track: dict[str, object], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        TrainingRecipe.from_dict({"track": track}, "mine", "mine.toml")

"""Bundles: whole or refused."""

import dataclasses
import hashlib
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs earmark[train]")

from earmark.decision.stacking import FEATURES
from earmark.errors import BundleError
from earmark.models import bundle as bundles
from earmark.models import registry
from earmark.models.bundle import Bundle, BundleMeta
from earmark.models.catalog import shipped_model
from earmark.models.runtime import BATCH, Classifier
from earmark.training.torch.export import to_onnx
from earmark.types import (
    FeatureConfig,
    ListenConfig,
    SliceConfig,
    Slices,
    Stacker,
    VoteConfig,
)
from tests import homes

META = BundleMeta(
    name="toy",
    labels=("Jazz", "Rock"),
    listen=ListenConfig(features=FeatureConfig(n_mels=16), slices=SliceConfig(16, 16)),
    vote=VoteConfig(min_confidence=0.4),
    temperature=1.5,
    data={"n_tracks": 7},
)


@pytest.fixture(scope="module")
def network() -> bytes:
    return to_onnx(registry.build("cnn", 16, 16, 2), 16, 16)


def test_a_network_says_nothing_of_the_machine_that_it_was_made_on(network: bytes) -> None:
    shipped = bundles.load(shipped_model()).network.read_bytes()
    for content in (network, shipped):
        assert b"site-packages" not in content
        assert str(Path(registry.__file__).parent).encode() not in content


@pytest.fixture
def bundle(tmp_path: Path, network: bytes) -> Bundle:
    return bundles.write(tmp_path / "model", META, network)


def reseal(folder: Path) -> None:
    """Make the checksums fit again after `model.json` was edited by a test."""
    lines = [
        f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n"
        for name in ("model.json", "model.onnx")
    ]
    (folder / "SHA256SUMS").write_text("".join(lines))


def edit(folder: Path, **changes: object) -> None:
    values = json.loads((folder / "model.json").read_text()) | changes
    (folder / "model.json").write_text(json.dumps(values))
    reseal(folder)


def test_what_is_written_is_read(bundle: Bundle) -> None:
    again = bundles.load(bundle.path)
    assert again.meta == META
    assert again.model_id == bundle.model_id
    assert sorted(p.name for p in bundle.path.iterdir()) == [
        "SHA256SUMS",
        "model.json",
        "model.onnx",
    ]


def test_checksums_are_those_of_sha256sum(bundle: Bundle) -> None:
    subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=bundle.path, check=True)


def test_writing_again_replaces_the_bundle_and_leaves_nothing_else(
    bundle: Bundle, network: bytes
) -> None:
    newer = dataclasses.replace(META, name="newer")
    assert bundles.write(bundle.path, newer, network).meta.name == "newer"
    assert [p.name for p in bundle.path.parent.iterdir()] == ["model"]


@pytest.mark.parametrize("name", ["model.json", "model.onnx"])
def test_an_altered_file_is_refused(bundle: Bundle, name: str) -> None:
    with (bundle.path / name).open("ab") as file:
        file.write(b" ")
    with pytest.raises(BundleError, match=f"{name} is not what it was .*wrong checksum"):
        bundles.load(bundle.path)


@pytest.mark.parametrize("name", ["model.onnx", "SHA256SUMS"])
def test_a_missing_file_is_refused(bundle: Bundle, name: str) -> None:
    (bundle.path / name).unlink()
    with pytest.raises(BundleError, match=f"{name} cannot be read"):
        bundles.load(bundle.path)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"is not a model: it has no model\.json"):
        bundles.load(tmp_path)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"format": 99}, "bundle format 99, this version reads 1"),
        ({"sparkle": 1}, "settings that this version does not know: sparkle"),
        ({"vote": {"mode": "mean", "quorum": 3}}, "VoteConfig has settings .*quorum"),
        (
            {"listen": {"features": {"frontend": "telepathy"}}},
            "unknown front end 'telepathy'",
        ),
        ({"labels": None}, "model: the labels is None, which is no list"),
        ({"listen": 1}, "where ListenConfig should be, there are no settings but 1"),
    ],
)
def test_what_this_version_cannot_compute_is_refused(
    bundle: Bundle, changes: dict[str, object], reason: str
) -> None:
    edit(bundle.path, **changes)
    with pytest.raises(BundleError, match=reason):
        bundles.load(bundle.path)


def test_a_folder_with_other_things_is_not_overwritten(tmp_path: Path, network: bytes) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(BundleError, match="is not empty and holds no model"):
        bundles.write(tmp_path, META, network)
    assert (tmp_path / "thesis.txt").exists()


def test_a_model_beside_other_things_is_not_overwritten(bundle: Bundle, network: bytes) -> None:
    for name in ("thesis.txt", "notes.md"):
        (bundle.path / name).write_text("years of work")
    with pytest.raises(BundleError, match=r"would be lost: notes\.md, thesis\.txt"):
        bundles.write(bundle.path, META, network)
    assert (bundle.path / "thesis.txt").read_text() == "years of work"
    assert bundles.load(bundle.path).meta == META


def test_what_is_no_valid_unicode_is_replaced(tmp_path: Path, network: bytes) -> None:
    odd = dataclasses.replace(
        META,
        name="caf\udce9",
        labels=("Jazz", "\udce9lectro"),
        data={"about": "lone \ud800", "not_music": {"folders": {"bruit\udce9": 3}}},
    )
    found = bundles.write(tmp_path / "model", odd, network)
    assert (found.meta.name, found.meta.labels) == ("caf?", ("Jazz", "?lectro"))
    assert found.meta.data == {"about": "lone ?", "not_music": {"folders": {"bruit?": 3}}}
    assert Classifier(found).logits(np.zeros((1, 16, 16), np.uint8)).shape == (1, 2)


def test_what_cannot_be_written_leaves_the_model_before_it_and_nothing_else(
    bundle: Bundle, network: bytes
) -> None:
    unwritable = dataclasses.replace(META, data={"when": object()})
    with pytest.raises(TypeError, match="not JSON serializable"):
        bundles.write(bundle.path, unwritable, network)
    assert [p.name for p in bundle.path.parent.iterdir()] == ["model"]
    assert bundles.load(bundle.path).meta == META


def test_a_target_that_is_no_folder_is_refused(tmp_path: Path, bundle: Bundle) -> None:
    (tmp_path / "file").write_text("years of work")
    (tmp_path / "link").symlink_to(bundle.path)
    for target, reason in (
        ("file", "is not a folder"),
        ("link", "is not a folder"),
        ("file/model", "cannot write the model to"),
        ("model/..", "as a whole"),
    ):
        with pytest.raises(BundleError, match=reason):
            bundles.check_target(tmp_path / target)
    bundles.check_target(bundle.path)
    bundles.check_target(tmp_path / "far" / "away")


@pytest.mark.parametrize("text", ["[]", "1", "null", '"model"'])
def test_metadata_of_another_kind_is_refused(bundle: Bundle, text: str) -> None:
    (bundle.path / "model.json").write_text(text)
    reseal(bundle.path)
    with pytest.raises(BundleError, match="holds no settings"):
        bundles.load(bundle.path)


def test_a_network_of_another_number_of_genres_is_refused(bundle: Bundle) -> None:
    edit(bundle.path, labels=["Jazz", "Rock", "Polka"])
    with pytest.raises(BundleError, match="give 3 logits"):
        Classifier(bundles.load(bundle.path))


def test_rubbish_in_place_of_a_network_is_refused(bundle: Bundle) -> None:
    bundle.network.write_bytes(b"not onnx")
    reseal(bundle.path)
    with pytest.raises(BundleError, match="not a network that onnxruntime can run"):
        Classifier(bundles.load(bundle.path))


def test_probabilities_sum_to_one_and_do_not_depend_on_the_batch(bundle: Bundle) -> None:
    classifier = Classifier(bundle)
    X = np.random.default_rng(0).integers(0, 256, (2 * BATCH + 3, 16, 16), dtype=np.uint8)
    slices = Slices(X, np.arange(len(X), dtype=np.float32), "x")
    probs = classifier.slice_probs(slices)
    np.testing.assert_allclose(probs.proba.sum(axis=1), 1, atol=1e-6)
    for answer in (classifier.logits, classifier.embeddings):
        one_by_one = np.concatenate([answer(X[i : i + 1]) for i in range(len(X))])
        np.testing.assert_allclose(answer(X), one_by_one, atol=1e-4)


def test_a_stacker_comes_back_as_it_was_and_in_few_lines(tmp_path: Path, network: bytes) -> None:
    stacker = Stacker(tuple(-1e-7 * i for i in range(len(FEATURES))), (0.5, -0.5))
    vote = VoteConfig(mode="stacker", stacker=stacker)
    found = bundles.write(tmp_path / "model", dataclasses.replace(META, vote=vote), network)
    assert found.meta.vote == vote
    lines = (found.path / "model.json").read_text().splitlines()
    assert sum("e-07" in line for line in lines) == 1


@pytest.mark.parametrize("bias", [[0.5], ["a", "b"]])
def test_a_stacker_that_does_not_fit_is_refused(bundle: Bundle, bias: list[object]) -> None:
    weights = [0.0] * len(FEATURES)
    edit(bundle.path, vote={"mode": "mean", "stacker": {"weights": weights, "bias": bias}})
    with pytest.raises(BundleError, match=r"stacker .* does not fit|is 'a', which is no number"):
        bundles.load(bundle.path)


def test_bundles_of_the_first_version_are_the_models_that_they_were(tmp_path: Path) -> None:
    folder = homes.unpack("0.1.0", tmp_path / "disk").folder
    known = {
        "bins": "8e7a201e8823abf483b83cbb",
        "home/models/parlour": "0b27c0fdf46b7e464db34a9c",
        "tiny": "9fefe82ca7973398aab50839",
        "tiny-run/draft": "9ba4ff543c56fa3f083310e3",
    }
    for place, model_id in known.items():
        bundle = bundles.load(folder / place)
        assert bundle.model_id == model_id
        assert Classifier(bundle).embedding_size > 0

"""A head on a frozen backbone: what it learns, what it becomes, and how it is asked for."""

import csv
import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

pytest.importorskip("sklearn", reason="needs earmark[head]")
pytest.importorskip("onnx", reason="needs earmark[head]")

import onnx
from sklearn.linear_model import LogisticRegression

from earmark.datasets import PARTS
from earmark.decision.calibration import fit_temperature
from earmark.errors import BundleError, DataError
from earmark.features.listen import listen
from earmark.models import bundle as bundles
from earmark.models.bundle import Bundle
from earmark.models.catalog import shipped_model
from earmark.models.classical.folds import folds
from earmark.models.classical.graft import graft
from earmark.models.classical.head import (
    GRID,
    Head,
    Tracks,
    choose_c,
    fit_head,
    fit_heads,
    hold_out,
    usual_distances,
)
from earmark.models.embeddings import EmbeddingStore, embed, embedded_ids
from earmark.models.runtime import Classifier
from earmark.training import run_folder
from earmark.training.learners.head import learnable
from earmark.training.learning_set import spans
from earmark.training.provenance import short_hash
from earmark.types import Slices, VoteConfig
from tests import backbones
from tests.audiofiles import Kind, synth, write
from tests.blobs import tracks
from tests.cli import earmark

KINDS: dict[str, Kind] = {"Jazz": "tone", "Rock": "noise", "Folk": "music"}


def retold(data: Tracks, times: int) -> Tracks:
    """The same tracks, the first of them heard over and over."""
    n = int(data.n_slices[0])
    slices = np.concatenate([np.tile(data.slices[:n], (times, 1)), data.slices[n:]])
    n_slices = [n * times, *data.n_slices[1:].tolist()]
    return Tracks(slices, n_slices, data.reference.tolist())


# --- learning ----------------------------------------------------------------------------------


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_folded_head_answers_as_scikit_learn_does(n_classes: int) -> None:
    data, _ = tracks(n_classes, spread=3.0)
    head = fit_head(data, n_classes, c=0.1)
    weight = 1 / data.n_slices[data.track]
    centre = np.average(data.slices, axis=0, weights=weight)
    scale = np.sqrt(np.average((data.slices - centre) ** 2, axis=0, weights=weight))
    X = ((data.means - centre) / scale).astype(np.float32)
    model = LogisticRegression(C=0.1, class_weight="balanced", max_iter=1000, tol=1e-3)
    model.fit(X, data.reference)
    expected = model.decision_function((data.slices - centre) / scale)
    found = head.logits(data.slices)
    if n_classes == 2:
        np.testing.assert_allclose(found[:, 1] - found[:, 0], expected, atol=1e-4)
    else:
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_long_track_counts_no_more_than_a_short_one() -> None:
    data, _ = tracks(spread=3.0)
    once, often = fit_head(data, 3, c=0.1), fit_head(retold(data, 40), 3, c=0.1)
    np.testing.assert_allclose(often.weights, once.weights, rtol=1e-3, atol=1e-5)


def test_a_feature_that_never_changes_does_no_harm() -> None:
    data, _ = tracks()
    constant = np.full((len(data.slices), 1), 1e6, np.float32)
    wider = Tracks(np.hstack([data.slices, constant]), data.n_slices.tolist(), data.reference)  # type: ignore[arg-type]
    head = fit_head(wider, 3, c=0.1)
    assert (head.weights[5] == 0).all()
    np.testing.assert_allclose(
        head.logits(wider.slices), fit_head(data, 3, 0.1).logits(data.slices), atol=1e-4
    )


def test_rare_genres_count_alike() -> None:
    data, _ = tracks(2, spread=4.0)
    rare = [i for i in range(len(data)) if data.reference[i] == 0 or i % 6 == 0]
    head = next(fit_heads(data, np.array(rare), 2, (0.1,)))
    answers = head.logits(data.slices).argmax(axis=1)
    reference = data.reference[data.track]
    recalls = [float((answers[reference == genre] == genre).mean()) for genre in (0, 1)]
    assert min(recalls) > 0.75


def test_what_is_easy_is_found_in_artists_never_heard() -> None:
    data, groups = tracks()
    found = hold_out(data, groups, 3, k=3)
    assert found.c in GRID
    assert found.accuracy[found.c] == 1.0
    assert found.loss[found.c] == min(found.loss.values()) < 0.2
    assert (found.proba.argmax(axis=1) == data.reference).all()
    np.testing.assert_allclose(found.proba.sum(axis=1), 1, atol=1e-5)


def test_an_artist_left_out_is_not_known() -> None:
    # Each artist has a sound of its own, which says all about the genre; nothing else does.
    rng = np.random.default_rng(0)
    sounds = rng.normal(size=(40, 60)).astype(np.float32)
    artist = np.repeat(np.arange(40), 5)
    slices = sounds[artist] + 0.01 * rng.normal(size=(200, 60)).astype(np.float32)
    data = Tracks(slices, [1] * 200, (artist % 2).tolist())
    told = fit_head(data, 2, c=0.1).logits(slices).argmax(axis=1) == artist % 2
    held_out = hold_out(data, [str(a) for a in artist], 2, k=4)
    assert told.mean() == 1.0
    assert max(held_out.accuracy.values()) < 0.7


def test_one_artist_alone_in_a_genre_is_not_judged_and_stops_nothing() -> None:
    data, groups = tracks()
    lonely = ["only" if genre == 2 else group for group, genre in zip(groups, data.reference)]  # noqa: B905
    found = hold_out(data, lonely, 3, k=3)
    assert np.isnan(found.proba[data.reference == 2]).all()
    assert np.isfinite(found.proba[data.reference != 2]).all()


def test_too_few_artists_leave_the_choice_to_the_default() -> None:
    data, _ = tracks()
    by_genre = [str(genre) for genre in data.reference]
    assert choose_c(data, by_genre, 3) is None
    with pytest.raises(DataError, match="fewer than two genres have tracks by two artists"):
        hold_out(data, by_genre, 3, k=3)


def test_folds_keep_artists_whole_and_every_genre_taught() -> None:
    _, groups = tracks(4)
    genres = [int(group[0]) for group in groups]
    # An artist of two genres, who is the only one of the last.
    genres += [4, 0]
    groups += ["both", "both"]
    found = folds(genres, groups, 3)
    assert set(found.tolist()) == {-1, 0, 1, 2}
    assert [g for g, fold in zip(groups, found, strict=True) if fold < 0] == ["both", "both"]
    for group in set(groups):
        assert len({f for f, g in zip(found.tolist(), groups, strict=True) if g == group}) == 1
    for k in range(3):
        taught = {g for g, fold in zip(genres, found, strict=True) if fold != k}
        assert taught == {0, 1, 2, 3, 4}


# --- the graph ---------------------------------------------------------------------------------


@pytest.fixture
def backbone(tmp_path: Path) -> Bundle:
    return backbones.write(tmp_path / "backbone")


def some_head(n_features: int, n_classes: int) -> Head:
    rng = np.random.default_rng(1)
    weights, bias = rng.normal(size=(n_features, n_classes)), rng.normal(size=n_classes)
    return Head(weights.astype(np.float32), bias.astype(np.float32))


def test_a_grafted_network_answers_as_backbone_and_head(backbone: Bundle) -> None:
    head = some_head(backbones.N_FEATURES, 5)
    content = graft(backbone, head)
    X = np.random.default_rng(2).integers(0, 256, (7, 32, 64), dtype=np.uint8)
    session = ort.InferenceSession(content, providers=["CPUExecutionProvider"])
    logits, embedding = session.run(["logits", "embedding"], {"slices": X})
    np.testing.assert_allclose(embedding, backbones.expected(X), atol=1e-6)
    np.testing.assert_allclose(logits, head.logits(backbones.expected(X)), atol=1e-4)
    graph = onnx.load_from_string(content).graph
    assert not any("old" in tensor.name for tensor in graph.initializer)
    assert [output.name for output in graph.output] == ["logits", "embedding"]


def test_a_head_goes_on_the_shipped_model_and_on_a_head(tmp_path: Path) -> None:
    shipped = bundles.load(shipped_model())
    n_features = onnx.load(shipped.network).graph.output[1].type.tensor_type.shape.dim[1].dim_value
    content = graft(shipped, some_head(n_features, 4))
    meta = bundles.BundleMeta("once", ("a", "b", "c", "d"), shipped.meta.listen, VoteConfig())
    once = bundles.write(tmp_path / "once", meta, content)
    twice = graft(once, some_head(n_features, 2))
    assert len(twice) < len(content)


def test_a_grafted_network_doubts_as_its_head_does(backbone: Bundle) -> None:
    X = np.random.default_rng(2).integers(0, 256, (40, 32, 64), dtype=np.uint8)
    embeddings = backbones.expected(X)
    data = Tracks(embeddings, [2] * 20, [i % 3 for i in range(20)])
    head = fit_head(data, 3, 0.1, np.linspace(-5.0, 5.0, 9))
    assert head.familiarity is not None
    content = graft(backbone, head)
    session = ort.InferenceSession(content, providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"slices": X})
    expected = head.logits(embeddings)
    assert not np.allclose(expected, dataclasses.replace(head, familiarity=None).logits(embeddings))
    np.testing.assert_allclose(logits, expected, atol=1e-4 * np.abs(expected).max())


def test_a_head_of_another_size_is_refused(backbone: Bundle) -> None:
    with pytest.raises(BundleError, match="no head for 3 features fits"):
        graft(backbone, some_head(3, 2))


# --- the store ---------------------------------------------------------------------------------


def test_embeddings_and_traits_come_back_under_their_backbone(
    backbone: Bundle, tmp_path: Path
) -> None:
    X = np.random.default_rng(0).integers(0, 256, (3, 32, 64), dtype=np.uint8)
    embedded = embed(Slices(X, np.arange(3, dtype=np.float32), "a"), Classifier(backbone))
    with EmbeddingStore(tmp_path / "store", backbone) as store:
        store.add(embedded)
    with EmbeddingStore(tmp_path / "store", backbone) as store:
        (span,) = store.locate(["a"])
        np.testing.assert_array_equal(store.embeddings(span), embedded.embeddings)
        np.testing.assert_array_equal(store.traits(span), embedded.traits)
    assert embedded_ids(tmp_path / "store", backbone) == {"a"}
    other = bundles.write(tmp_path / "other", backbone.meta, graft(backbone, some_head(64, 2)))
    assert embedded_ids(tmp_path / "store", other) == set()


# --- the command -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three genres by eight artists each, two tracks an artist, and a file of no use."""
    root = tmp_path_factory.mktemp("library")
    for genre, kind in KINDS.items():
        for i in range(16):
            tags = {"artist": f"{genre} artist {i // 2}", "genre": genre}
            y = synth(kind, 4.0, 22050, 1, seed=i)
            write(root / f"{genre}-{i}.flac", y, 22050, "flac", tags)
    (root / "broken.flac").write_bytes(b"fLaC" + bytes(100))
    return root


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared-home")


@pytest.fixture(scope="module")
def own_backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that has learned from a Jazz artist of the library."""
    learned = {"tracks": "", "groups": short_hash("artist:jazz artist 0")}
    return backbones.write(tmp_path_factory.mktemp("models") / "bins", learned).path


@pytest.fixture(scope="module")
def trained(library: Path, home: Path, own_backbone: Path) -> Path:
    out = own_backbone.with_name("head")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EARMARK_HOME", str(home))
        ran = earmark(
            *("train", library, "--recipe", "head", "--backbone", own_backbone),
            *("--out", out, "--workers", "1", "--licence", "MIT"),
        )
    assert ran.code == 3, ran.err
    assert "broken.flac" in ran.err
    assert "head learned from" in ran.err
    return out


def test_a_head_knows_genres_that_its_backbone_never_knew(trained: Path, library: Path) -> None:
    meta = bundles.load(trained).meta
    assert meta.labels == ("Folk", "Jazz", "Rock")
    assert meta.scores["accuracy"] >= 0.9
    assert meta.listen == backbones.LISTEN
    ran = earmark("classify", library, "-m", trained, "--json", "--min-confidence", "0")
    found = {Path(t["path"]).stem: t["genre"] for t in json.loads(ran.out)["tracks"]}
    right = [genre == name.partition("-")[0] for name, genre in found.items() if "-" in name]
    assert len(right) == 48
    assert sum(right) >= 45


def test_the_bundle_says_what_it_stands_on(trained: Path, own_backbone: Path) -> None:
    meta, backbone = bundles.load(trained).meta, bundles.load(own_backbone)
    assert meta.licence == "MIT"
    stated = {"name": "bins", "model_id": backbone.model_id, "licence": "CC0"}
    assert meta.training["backbone"] == stated
    assert meta.training["head"]["c"] in GRID
    assert set(meta.scores["votes"]) >= {"mean", "majority", "confident"}
    # Neither head nor backbone has these still to learn.
    learned = meta.data["learned"]["groups"].split()
    assert short_hash("artist:jazz artist 0") in learned
    with trained.with_name("head-run").joinpath("split.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    tested = [row for row in rows if row["part"] == "test"]
    seen = {row["group"] for row in rows} - {row["group"] for row in tested}
    assert seen <= {row["group"] for row in rows if short_hash(row["group"]) in learned}
    n_leaked = sum(row["group"] == "artist:jazz artist 0" for row in tested)
    said = f"has learned from {n_leaked} of the {len(tested)} test tracks" if n_leaked else ""
    assert said in meta.data["backbone_leak"]
    assert bool(said) == bool(meta.data["backbone_leak"])


def test_after_calibration_the_head_learns_from_the_validation_tracks_too(
    trained: Path, own_backbone: Path, home: Path
) -> None:
    meta = bundles.load(trained).meta
    examples = run_folder.read_split(trained.with_name("head-run"), meta.labels)
    train, valid, test = ([e for e in examples if e.part == part] for part in PARTS)
    with EmbeddingStore(home / "embeddings", bundles.load(own_backbone)) as store:
        alone, more = learnable(store, train), learnable(store, [*train, *valid])
        held_out = choose_c(alone, [e.group for e in train], 3)
        assert held_out
        usual = usual_distances(more, [e.group for e in (*train, *valid)], 3, 3)
        first = fit_head(alone, 3, held_out.c, held_out.distances)
        second = fit_head(more, 3, held_out.c, usual)
        heard = learnable(store, valid)
        temperature = fit_temperature(first.logits(heard.slices), heard.reference[heard.track])
        unheard = store.embeddings(np.concatenate(spans(store, test)))
    slices = np.concatenate([listen(e.path, meta.listen).X for e in test])
    found = Classifier(bundles.load(trained)).outputs(slices).logits
    np.testing.assert_allclose(found, second.logits(unheard), atol=1e-3)
    assert np.abs(found - first.logits(unheard)).max() > 0.1
    assert meta.temperature == round(temperature, 4)


# As where only earmark[head] is installed.
WITH_HEAD_ALONE = """
import sys
from importlib.machinery import PathFinder

class WithoutTraining(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        absent = ("torch", "lightning_fabric", "matplotlib", "optuna")
        return None if name.partition(".")[0] in absent else super().find_spec(name, path, target)

sys.meta_path = [WithoutTraining if f is PathFinder else f for f in sys.meta_path]
from earmark.cli import main
main()
"""


def test_a_second_head_listens_to_nothing_and_needs_no_torch(
    library: Path,
    home: Path,
    own_backbone: Path,
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EARMARK_HOME", str(home))
    (data,) = (home / "embeddings").glob("*/embeddings.f32")
    before = data.stat().st_mtime_ns
    arguments = [
        *("train", library, "--recipe", "head", "--backbone", own_backbone, "--only", "Jazz"),
        *("--only", "Rock", "--out", tmp_path / "two", "--workers", "1", "--vote", "stacker"),
    ]
    command = [sys.executable, "-c", WITH_HEAD_ALONE, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr  # broken.flac again
    assert data.stat().st_mtime_ns == before
    assert "the model votes by mean" in done.stderr  # far too few validation tracks
    assert "it is not known what the backbone has learned from" not in done.stderr
    meta = bundles.load(tmp_path / "two").meta
    assert (meta.labels, meta.vote.mode) == (("Jazz", "Rock"), "mean")
    assert (tmp_path / "two-run" / "scores.json").exists()
    assert not (tmp_path / "two-run" / "confusion.png").exists()


def test_a_backbone_without_an_embedding_is_refused(library: Path, tmp_path: Path) -> None:
    backbones.write(tmp_path / "plain", with_embedding=False)
    ran = earmark(
        *("train", library, "--recipe", "head", "--backbone", tmp_path / "plain"),
        *("--out", tmp_path / "head"),
    )
    assert ran.code == 1
    assert "has no output called embedding" in ran.err


def test_a_backbone_that_gives_no_numbers_is_found_out(library: Path, tmp_path: Path) -> None:
    backbones.write(tmp_path / "broken", broken=True)
    ran = earmark(
        *("train", library, "--recipe", "head", "--backbone", tmp_path / "broken"),
        *("--out", tmp_path / "head", "--workers", "1", "--quiet"),
    )
    assert ran.code == 1
    assert "Jazz-3.flac: the backbone's embedding of it is not finite" in ran.err
    assert "no track of Folk, Jazz, Rock is left to learn from" in ran.err

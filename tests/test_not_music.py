"""What is no music: learned beside the genres, kept by further heads, refused in use, measured."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

pytest.importorskip("sklearn", reason="needs earmark[head]")
pytest.importorskip("onnx", reason="needs earmark[head]")

from earmark.decision.calibration import Outputs, softmax
from earmark.errors import BundleError, DataError
from earmark.evaluation.detection import evaluate_music
from earmark.models import bundle as bundles
from earmark.models.bundle import Bundle
from earmark.models.classical.graft import graft, read_music
from earmark.models.classical.head import Head, Tracks
from earmark.models.classical.music import MUSIC, OTHER, fit_music, track_odds
from earmark.models.runtime import Classifier
from earmark.training.provenance import short_hash
from earmark.types import Slices
from tests import backbones
from tests.audiofiles import Kind, synth, write
from tests.cli import Ran, earmark

# --- learning ----------------------------------------------------------------------------------


def sounds(n_music: int, n_other: int, apart: float, seed: int = 0) -> tuple[Tracks, list[str]]:
    """Music and other sounds about ±`apart` along one of eight features; three of a group."""
    rng = np.random.default_rng(seed)
    reference = [MUSIC] * n_music + [OTHER] * n_other
    n_slices = rng.integers(1, 4, len(reference)).tolist()
    slices = rng.normal(size=(sum(n_slices), 8))
    slices[:, 2] += apart * np.repeat([1 if r == MUSIC else -1 for r in reference], n_slices)
    groups = [f"{r}/{i // 3}" for i, r in enumerate(reference)]
    return Tracks((10 * slices + 5).astype(np.float32), n_slices, reference), groups


def test_music_is_told_from_other_sounds_never_heard() -> None:
    head = fit_music(*sounds(60, 60, 2.0)).head
    data, _ = sounds(200, 200, 2.0, seed=1)
    odds = track_odds(data, head)
    assert (head.weights.shape, head.bias.shape) == ((8, 1), (1,))
    assert ((odds > 0.5) == (data.reference == MUSIC)).mean() > 0.95


def test_zero_means_even_odds_where_both_are_as_common() -> None:
    # Six times as much music as other sounds is no reason to expect music.
    head = fit_music(*sounds(360, 60, 0.5)).head
    data, _ = sounds(3000, 3000, 0.5, seed=1)
    logits = head.logits(data.slices)[:, 0]
    is_music = data.reference[data.track] == MUSIC
    # Of two normal distributions at ±a with deviation 1 the log-odds at x are 2ax.
    expected = 2 * 0.5 * (data.slices[:, 2] - 5) / 10
    assert np.abs(logits - expected).mean() < 0.3
    for low, high in ((-1.0, -0.3), (-0.3, 0.3), (0.3, 1.0)):
        near = (logits >= low) & (logits < high)
        likely = 1 / (1 + np.exp(-logits[near]))
        assert is_music[near].mean() == pytest.approx(likely.mean(), abs=0.08)


def test_sounds_like_the_music_are_refused() -> None:
    data, groups = sounds(60, 60, 0.0)
    data.reference[:] = np.arange(len(data)) // 3 % 2
    # Whatever tells groups seen from others tells nothing: each is the opposite of its twin.
    twins = Tracks(
        np.concatenate([data.slices, data.slices]),
        [*data.n_slices.tolist(), *data.n_slices.tolist()],
        [*data.reference.tolist(), *(1 - data.reference).tolist()],
    )
    with pytest.raises(DataError, match="cannot be told from the music"):
        fit_music(twins, [*groups, *(f"{group}, twin" for group in groups)])


def test_scores_by_hand() -> None:
    music, other = np.array([0.9, 0.8, 0.4, 0.7]), np.array([0.1, 0.6])
    scores = evaluate_music(music, other, ["a", "a", "b", "c", "x", "y"])
    assert scores["auroc"].value == pytest.approx(7 / 8)
    assert (scores["music_refused"].value, scores["sounds_passed"].value) == (0.25, 0.5)
    counts = {name: (s.n, s.n_groups) for name, s in scores.items()}
    assert counts == {"auroc": (2, 2), "music_refused": (4, 3), "sounds_passed": (2, 2)}
    assert all(s.low <= s.value <= s.high for s in scores.values())


# --- the graph ---------------------------------------------------------------------------------


def some_head(n_classes: int, seed: int = 1) -> Head:
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(backbones.N_FEATURES, n_classes)).astype(np.float32)
    return Head(weights, rng.normal(size=n_classes).astype(np.float32))


@pytest.fixture
def plain(tmp_path: Path) -> Bundle:
    return backbones.write(tmp_path / "plain")


def with_music(plain: Bundle, music: Head) -> Bundle:
    network = graft(plain, some_head(len(backbones.LABELS)), music)
    return bundles.write(plain.path.with_name("telling"), plain.meta, network)


def heard() -> Slices:
    X = np.random.default_rng(2).integers(0, 256, (7, 32, 64), dtype=np.uint8)
    return Slices(X, np.arange(7, dtype=np.float32), "a")


def test_probabilities_sum_to_how_likely_it_is_music(plain: Bundle) -> None:
    music = some_head(1, seed=5)
    classifier = Classifier(with_music(plain, music))
    assert classifier.has_music
    proba = classifier.slice_probs(heard()).proba
    logits = music.logits(backbones.expected(heard().X))
    np.testing.assert_allclose(proba.sum(axis=1), 1 / (1 + np.exp(-logits[:, 0])), atol=1e-5)
    genres = softmax(classifier.logits(heard().X))
    np.testing.assert_allclose(proba / proba.sum(axis=1, keepdims=True), genres, atol=1e-5)
    assert proba.dtype == np.float32


def test_without_that_output_nothing_changes(plain: Bundle) -> None:
    classifier = Classifier(plain)
    assert not classifier.has_music
    expected = Outputs(classifier.logits(heard().X)).proba(plain.meta.temperature)
    np.testing.assert_array_equal(classifier.slice_probs(heard()).proba, expected)


def test_another_head_keeps_it_or_learns_it_anew(plain: Bundle) -> None:
    assert read_music(plain) is None
    old = with_music(plain, some_head(1, seed=5))
    kept = read_music(old)
    assert kept is not None
    np.testing.assert_array_equal(kept.weights, some_head(1, seed=5).weights)
    for music in (kept, some_head(1, seed=6)):
        content = graft(old, some_head(4), music)
        made = bundles.write(
            plain.path.with_name("again"),
            bundles.BundleMeta("again", ("a", "b", "c", "d"), plain.meta.listen, plain.meta.vote),
            content,
        )
        answers = Classifier(made).outputs(heard().X)
        assert answers.music is not None
        expected = music.logits(backbones.expected(heard().X))
        np.testing.assert_allclose(answers.music, expected, atol=1e-5)
        names = [output.name for output in onnx.load_from_string(content).graph.output]
        assert names == ["logits", "embedding", "music"]


def test_what_is_no_layer_on_the_embedding_is_not_kept(plain: Bundle) -> None:
    model = onnx.load(with_music(plain, some_head(1)).network)
    (node,) = (node for node in model.graph.node if "music" in node.output)
    node.output[0] = "half"
    model.graph.node.append(helper.make_node("Identity", ["half"], ["music"]))
    odd = bundles.write(plain.path.with_name("odd"), plain.meta, model.SerializeToString())
    with pytest.raises(BundleError, match="no layer on its embedding") as caught:
        read_music(odd)
    assert "--not-music" in caught.value.hint


def test_more_numbers_than_one_are_refused(plain: Bundle) -> None:
    model = onnx.load(with_music(plain, some_head(1)).network)
    del model.graph.output[2:]
    model.graph.output.append(helper.make_tensor_value_info("music", 1, ["n", 2]))
    odd = bundles.write(plain.path.with_name("odd"), plain.meta, model.SerializeToString())
    with pytest.raises(BundleError, match=r"whether it is music|is not a network"):
        Classifier(odd)


# --- the command -------------------------------------------------------------------------------

KINDS: dict[str, Kind] = {"Jazz": "tone", "Folk": "music"}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``library``: two genres by eight artists each; ``noises``: six folders of four; one more."""
    root = tmp_path_factory.mktemp("not-music")
    for folder in ("library", *(f"noises/{i}" for i in range(6))):
        (root / folder).mkdir(parents=True)
    for genre, kind in KINDS.items():
        for i in range(16):
            tags = {"artist": f"{genre} artist {i // 2}", "genre": genre}
            y = synth(kind, 4.0, 22050, 1, seed=i)
            write(root / f"library/{genre}-{i}.flac", y, 22050, "flac", tags)
    for i in range(24):
        y = synth("noise", 2.0, 22050, 1, seed=i) * (0.3 + i / 50)
        write(root / f"noises/{i % 6}/{i}.flac", y, 22050, "flac")
    write(root / "new.flac", synth("noise", 3.0, 22050, 1, seed=99), 22050, "flac")
    silence = synth("silence", 3.0, 22050, 1)
    write(root / "silent.flac", silence, 22050, "flac")
    return root


@pytest.fixture(scope="module", autouse=True)
def _one_home(tmp_path_factory: pytest.TempPathFactory) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EARMARK_HOME", str(tmp_path_factory.mktemp("home")))
        yield


def train(root: Path, backbone: str, out: str, *more: object) -> Ran:
    return earmark(
        *("train", root / "library", "--recipe", "head", "--backbone", root / backbone),
        *("--out", root / out, "--workers", "1", "--no-fingerprints", *more),
    )


@pytest.fixture(scope="module")
def told(root: Path) -> Ran:
    backbones.write(root / "bins", {"tracks": "", "groups": short_hash("artist:somebody else")})
    ran = train(root, "bins", "telling", "--not-music", root / "noises")
    assert ran.code == 0, ran.err
    return ran


@pytest.fixture(scope="module")
def kept(root: Path, told: Ran) -> Ran:
    ran = train(root, "telling", "own", "--seed", "3")
    assert (told.code, ran.code) == (0, 0), ran.err
    return ran


def decided(model: Path, *paths: Path) -> list[dict[str, object]]:
    ran = earmark("classify", *paths, "-m", model, "--json", "--min-confidence", "0")
    found: list[dict[str, object]] = json.loads(ran.out)["tracks"]
    return found


def test_a_head_says_how_well_it_tells_music(root: Path, told: Ran) -> None:
    meta = bundles.load(root / "telling").meta
    scores = meta.scores["not_music"]
    assert scores["auroc"] >= 0.9
    assert scores["n_sounds"] + meta.data["not_music"]["n_sounds"] == 24
    # Folders are not parted.
    assert scores["n_sounds"] % 4 == 0
    assert meta.data["not_music"]["folders"] == {"noises": meta.data["not_music"]["n_sounds"]}
    assert f"{scores['n_sounds']} other sounds that are no music" in told.out
    assert len(meta.data["not_music_learned"].split()) == meta.data["not_music"]["n_sounds"]


@pytest.mark.parametrize("model", ["telling", "own"])
def test_noise_gets_no_genre_and_music_keeps_its_own(root: Path, kept: Ran, model: str) -> None:
    assert kept.code == 0
    (noise,) = decided(root / model, root / "new.flac")
    assert noise["genre"] is None
    assert str(noise["rejected"]).startswith("does not sound like music (")
    found = decided(root / model, root / "library")
    right = [Path(str(t["path"])).stem.startswith(str(t["genre"])) for t in found]
    assert len(right) == 32
    assert sum(right) >= 29


def test_digital_silence_is_refused_before_any_model(root: Path, told: Ran) -> None:
    ran = earmark("classify", root / "silent.flac", "-m", root / "telling")
    assert (told.code, ran.code) == (0, 3)
    assert "silent: nothing above" in ran.out + ran.err


def test_a_head_on_a_head_has_no_leak_but_the_backbones(root: Path, kept: Ran) -> None:
    assert kept.code == 0
    first, second = (bundles.load(root / name).meta for name in ("telling", "own"))
    other = {"tracks": "", "groups": short_hash("artist:somebody else")}
    assert first.data["backbone_learned"] == second.data["backbone_learned"] == other
    assert first.data["backbone_leak"] == second.data["backbone_leak"] == ""
    mine = set(second.data["learned"]["groups"].split())
    assert set(first.data["learned"]["groups"].split()) - mine  # split otherwise
    assert other["groups"] in mine
    assert second.data["not_music_learned"] == first.data["not_music_learned"]


def test_evaluate_measures_sounds_that_were_not_learned_from(root: Path, told: Ran) -> None:
    report = root / "report"
    ran = earmark(
        *("evaluate", root / "telling", root / "library", "--out", report, "--workers", "1"),
        *("--not-music", root / "noises", "--no-fingerprints"),
    )
    assert (told.code, ran.code) == (0, 0), ran.err
    (found,) = json.loads((report / "metrics.json").read_text())["evaluations"]
    methods = {detection["method"]: detection["kinds"] for detection in found["nonmusic"]}
    assert set(methods) == {"max_probability", "entropy", "not_music"}
    auroc = methods["not_music"]["noises (recorded)"]["auroc"]
    meta = bundles.load(root / "telling").meta
    assert auroc["n"] == meta.scores["not_music"]["n_sounds"]
    assert auroc["value"] >= 0.9
    assert f"{meta.data['not_music']['n_sounds']} sounds left out" in ran.err
    assert "noises (recorded)" in (report / "report.md").read_text()


def test_too_few_sounds_teach_nothing(root: Path, told: Ran) -> None:
    ran = train(root, "bins", "few", "--not-music", root / "noises" / "0")
    assert (told.code, ran.code) == (0, 1)
    noises = root / "noises" / "0"
    assert f"4 sounds that are no music were given ({noises}), 20 are needed" in ran.err
    assert "tracks to learn from" not in ran.err


def test_sounds_that_cannot_be_used_are_counted(root: Path, told: Ran) -> None:
    copies = root / "copies"
    copies.mkdir()
    for i in range(18):
        (copies / f"{i}.flac").write_bytes((root / "noises" / "0" / "0.flac").read_bytes())
    ran = train(root, "bins", "few", "--not-music", root / "noises" / "1", "--not-music", copies)
    assert (told.code, ran.code) == (0, 1)
    assert "22 sounds that are no music were given, of which 17 cannot be used" in ran.err
    assert "5 are left, 20 are needed" in ran.err


def test_only_heads_learn_it(root: Path) -> None:
    ran = earmark(
        *("train", root / "library", "--recipe", "summary-sklearn", "--out", root / "summary"),
        *("--not-music", root / "noises"),
    )
    assert ran.code == 2
    assert "does not learn what is no music" in ran.err


def test_a_head_of_its_own_level_with_more_music(root: Path, told: Ran) -> None:
    """`level` goes over the backbone's, which has none; unlabelled music is music to a head."""
    more = root / "more"
    more.mkdir()
    for i in range(4):
        y = synth("music", 4.0, 22050, 1, seed=100 + i)
        write(more / f"{i}.flac", y, 22050, "flac")
    recipe = root / "levelled.toml"
    recipe.write_text('kind = "head"\nlevel = "rms"\n')
    ran = earmark(
        *("train", root / "library", "--recipe", recipe, "--backbone", root / "bins"),
        *("--out", root / "levelled", "--workers", "1", "--no-fingerprints"),
        *("--unlabelled", more, "--not-music", root / "noises"),
    )
    assert ran.code == 0, ran.err
    plain, levelled = (bundles.load(root / name).meta for name in ("telling", "levelled"))
    assert (plain.listen.level, levelled.listen.level) == ("none", "rms")
    assert levelled.training["recipe"]["level"] == "rms"
    assert levelled.training["backbone"] == plain.training["backbone"]
    n_music = levelled.data["not_music"]["n_music"], plain.data["not_music"]["n_music"]
    assert n_music[0] - n_music[1] == 4
    y = 0.5 * synth("music", 6.0, 22050, 1, seed=77)
    copies = [
        write(root / f"copy{db}.wav", (y * 10 ** (db / 20)).astype(np.float32), 22050, "wav_f32")
        for db in (0, -20)
    ]
    loud, quiet = decided(root / "levelled", *copies)
    assert loud["genre"] == quiet["genre"] == "Folk"
    assert loud["confidence"] == pytest.approx(quiet["confidence"], abs=0.01)


def test_unlabelled_music_says_nothing_to_a_head_alone(root: Path) -> None:
    ran = train(root, "bins", "alone", "--unlabelled", root / "library")
    assert ran.code == 2
    assert "recipe head learns nothing from unlabelled music" in ran.err
    assert "with --not-music, a head takes it" in ran.err

"""``earmark audit``: planted mistakes come out on top, and each finding has its reason."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs earmark[head]")
pytest.importorskip("onnx", reason="needs earmark[head]")

from earmark.evaluation.mislabels import find_mislabels, thresholds
from earmark.features import quantise
from earmark.features.listen import listen
from earmark.features.traits import TRAITS, suspicion, traits
from earmark.models import bundle as bundles
from earmark.models.bundle import BundleMeta
from earmark.models.classical.graft import graft
from earmark.models.classical.head import Tracks, fit_head
from earmark.types import FeatureConfig, FloatArray, VoteConfig
from tests import backbones
from tests.audiofiles import Kind, synth, write
from tests.cli import Ran, earmark

KINDS: dict[str, Kind] = {"Jazz": "chirp", "Folk": "music"}
PLANTED = {"Jazz-3": "Folk", "Folk-8": "Jazz"}

# --- which labels are suspect ------------------------------------------------------------------


def test_thresholds_are_the_mean_confidence_in_each_genre() -> None:
    proba = np.array([[0.8, 0.2, 0.0], [0.6, 0.4, 0.0], [0.9, 0.1, 0.0]])
    found = thresholds(proba, np.array([0, 0, 1]))
    np.testing.assert_allclose(found, [0.7, 0.1, np.inf])


def test_suspects_are_ranked_by_odds() -> None:
    proba = np.array(
        [
            [0.95, 0.05],
            [0.90, 0.10],
            [0.40, 0.60],  # labelled 0: 2 to 3
            [0.01, 0.99],  # labelled 0: 1 to 99
            [0.05, 0.95],
            [0.55, 0.45],  # labelled 1, believed less than others, but hardly less than 0
        ]
    )
    found = find_mislabels(proba, np.array([0, 0, 0, 0, 1, 1]))
    assert [(s.track, s.suggested) for s in found] == [(3, 1), (2, 1), (5, 0)]
    assert found[0].margin == pytest.approx(np.log(0.01 / 0.99))
    assert found[2].margin == pytest.approx(np.log(0.45 / 0.55))


def test_a_genre_that_is_hard_to_hear_is_not_suspect_as_a_whole() -> None:
    # The model never believes genre 1; a track as doubtful as all others is no suspect.
    hard = np.tile([0.6, 0.4], (10, 1))
    easy = np.tile([0.9, 0.1], (10, 1))
    proba = np.concatenate([hard, easy])
    assert find_mislabels(proba, np.array([1] * 10 + [0] * 10)) == []


def test_planted_mistakes_come_before_the_rest() -> None:
    rng = np.random.default_rng(0)
    n = 400
    truth = rng.integers(0, 4, n)
    logits = rng.normal(0, 1, (n, 4))
    logits[np.arange(n), truth] += 4
    proba = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    wrong = rng.choice(n, 20, replace=False)
    given = truth.copy()
    given[wrong] = (truth[wrong] + rng.integers(1, 4, 20)) % 4
    first = {s.track for s in find_mislabels(proba, given)[:20]}
    assert len(first & set(wrong.tolist())) >= 17


# --- what needs no model -----------------------------------------------------------------------

CONFIG = FeatureConfig(n_mels=64)


def of_kind(kind: Kind, gain: float = 1.0) -> FloatArray:
    from earmark.features import compute

    y = synth(kind, 3.0, 22050, 1)[0] * np.float32(gain)
    return traits(quantise(compute(y, CONFIG), CONFIG)[None, :, :128], CONFIG)


def test_traits_tell_noise_tones_and_music_apart() -> None:
    found = {kind: dict(zip(TRAITS, of_kind(kind)[0], strict=True)) for kind in _ALL}
    assert found["noise"]["flatness_db"] > -1.5
    assert max(found[k]["flatness_db"] for k in ("tone", "music", "chirp")) < -10
    assert found["tone"]["motion_db"] < 1 < found["music"]["motion_db"]
    louder = of_kind("noise", 2.0)[0] - of_kind("noise")[0]
    assert louder[0] == pytest.approx(6.02, abs=0.3)
    np.testing.assert_allclose(louder[1:], 0, atol=0.2)


_ALL: tuple[Kind, ...] = ("tone", "noise", "music", "chirp")


@pytest.mark.parametrize(
    ("kind", "gain", "expected"),
    [
        ("music", 1.0, None),
        ("chirp", 1.0, None),
        ("noise", 1.0, "noise"),
        ("tone", 1.0, "still"),
        ("music", 0.001, "quiet"),
    ],
)
def test_what_may_be_no_music_is_suspected(kind: Kind, gain: float, expected: str | None) -> None:
    found = suspicion(of_kind(kind, gain))
    assert (found and found[0]) == expected


def test_one_odd_slice_makes_no_suspicion() -> None:
    of_slices = np.concatenate([of_kind("music"), of_kind("noise"), of_kind("music")])
    assert suspicion(of_slices) is None


# --- the command -------------------------------------------------------------------------------


def track(root: Path, name: str, genre: str, kind: Kind, seed: int, artist: str) -> Path:
    tags = {"artist": artist, "genre": genre}
    return write(root / name, synth(kind, 4.0, 22050, 1, seed=seed), 22050, "flac", tags)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two genres by five artists each, with two planted mistakes, and one of each other kind."""
    root = tmp_path_factory.mktemp("library")
    for genre, kind in KINDS.items():
        for i in range(10):
            name = f"{genre}-{i}"
            label = PLANTED.get(name, genre)
            track(root, f"{name}.flac", label, kind, i, f"{genre} artist {i // 2}")
    track(root, "hiss.flac", "Folk", "noise", 1, "Hisser")
    track(root, "torn.flac", "Jazz; Folk", "music", 2, "Torn")
    for name, genre in (("copy-a", "Jazz"), ("copy-b", "Folk")):
        track(root, f"{name}.flac", genre, "music", 50, name)
    track(root, "mute.flac", "Folk", "silence", 0, "Mute")
    return root


@pytest.fixture(scope="module")
def bins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return backbones.write(tmp_path_factory.mktemp("models") / "bins").path


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared-home")


def audit(home: Path, *arguments: object) -> Ran:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EARMARK_HOME", str(home))
        return earmark("audit", *arguments, "--workers", "1", "--quiet")


@pytest.fixture(scope="module")
def found(library: Path, bins: Path, home: Path) -> dict[str, Any]:
    ran = audit(home, library, "--backbone", bins, "--min-tracks", "5", "--json")
    assert ran.code == 3, ran.err  # mute.flac
    assert "mute.flac: silent" in ran.err
    report: dict[str, Any] = json.loads(ran.out)
    return report


def kinds(report: dict[str, Any]) -> dict[str, list[str]]:
    return {
        Path(t["path"]).stem: [reason["kind"] for reason in t["reasons"]] for t in report["tracks"]
    }


def test_planted_mistakes_are_on_top_of_the_contradicted_labels(found: dict[str, Any]) -> None:
    contradicted = [t for t in found["tracks"] if t["margin"] is not None]
    first = {Path(t["path"]).stem: t for t in contradicted[:2]}
    assert set(first) == set(PLANTED)
    for name, wrong in PLANTED.items():
        assert first[name]["label"] == wrong
        assert first[name]["suggested"] == name.partition("-")[0]
        assert first[name]["proba"][wrong] < 0.5
        (reason,) = first[name]["reasons"]
        assert reason["text"].startswith(f"sounds like {first[name]['suggested']} (")
    assert contradicted == sorted(contradicted, key=lambda t: t["margin"])


def test_every_other_finding_has_its_reason(found: dict[str, Any]) -> None:
    listed = kinds(found)
    assert listed["copy-a"] == listed["copy-b"] == ["copies"]
    assert "noise" in listed["hiss"]
    assert listed["torn"] == ["genres"]
    assert listed["mute"] == ["unheard"]
    # 20 and hiss, the two copies, and mute; torn has two labels and counts as none.
    assert found["n_tracks"] == 24
    assert found["n_judged"] == 21
    assert found["judge"] == "5-fold cross-validation by artist, on backbone bins"
    order = [t["reasons"][0]["kind"] for t in found["tracks"]]
    assert order[:2] == ["copies", "copies"]
    assert order[-2:] == ["genres", "unheard"]


def test_copies_name_each_other(found: dict[str, Any]) -> None:
    texts = {Path(t["path"]).stem: t["reasons"][0]["text"] for t in found["tracks"]}
    assert texts["copy-a"].startswith("the same recording is labelled Folk: ")
    assert texts["copy-a"].endswith("copy-b.flac")
    assert texts["copy-b"].startswith("the same recording is labelled Jazz: ")


def test_table_and_csv_say_the_same(
    library: Path, bins: Path, home: Path, found: dict[str, Any]
) -> None:
    common = (library, "--backbone", bins, "--min-tracks", "5")
    table = audit(home, *common, "--top", "3")
    assert table.code == 3
    assert "copy-a.flac" in table.out
    assert "torn.flac" not in table.out
    n_labels = sum(t["margin"] is not None for t in found["tracks"])
    assert f"24 labelled tracks, 21 judged by {found['judge']}: {n_labels} labels" in table.out
    assert f"{len(found['tracks']) - 3} more with --top" in table.out
    rows = list(csv.DictReader(io.StringIO(audit(home, *common, "--csv").out)))
    assert [row["path"] for row in rows] == [t["path"] for t in found["tracks"]]
    by_name = {Path(row["path"]).stem: row for row in rows}
    assert by_name["torn"]["reasons"] == "has two of the genres: Folk, Jazz"
    assert float(by_name["Jazz-3"]["margin"]) < 0


def test_a_model_can_judge(library: Path, bins: Path, home: Path, tmp_path: Path) -> None:
    backbone = bundles.load(bins)
    paths = sorted(library.glob("*-[0-9].flac"))
    slices = [backbones.expected(listen(path, backbones.LISTEN).X) for path in paths]
    genres = [sorted(KINDS).index(path.stem.partition("-")[0]) for path in paths]
    data = Tracks(np.concatenate(slices), [len(part) for part in slices], genres)
    meta = BundleMeta("judge", ("Folk", "Jazz"), backbones.LISTEN, VoteConfig())
    model = bundles.write(tmp_path / "judge", meta, graft(backbone, fit_head(data, 2, 0.1)))
    ran = audit(home, library, "--model", model.path, "--json")
    assert ran.code == 3, ran.err
    report = json.loads(ran.out)
    assert report["judge"] == "model judge"
    contradicted = [Path(t["path"]).stem for t in report["tracks"] if t["margin"] is not None]
    assert set(contradicted[:2]) == set(PLANTED)
    assert kinds(report)["copy-a"] == ["copies"]


def test_labels_that_cannot_be_judged_leave_the_other_findings(
    bins: Path, tmp_path: Path, home: Path
) -> None:
    for genre in ("Jazz", "Folk"):
        for i in range(3):
            # The same recordings under both genres: none is left to learn from.
            track(tmp_path, f"{genre}-{i}.flac", genre, "music", i, f"{genre} artist {i}")
    arguments = (tmp_path, "--backbone", bins, "--min-tracks", "3", "--json")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EARMARK_HOME", str(home))
        ran = earmark("audit", *arguments, "--workers", "1")
    assert ran.code == 0
    assert "labels cannot be judged: fewer than two genres" in ran.err
    report = json.loads(ran.out)
    assert report["n_judged"] == 0
    assert list(kinds(report).values()) == [["copies"]] * 6


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (("--only", "Jazz"), 1, "fewer than two genres"),
        (("--model", "nowhere"), 1, "nowhere is not a model"),
        (("--model", "nowhere", "--cv", "3"), 2, "judges without --cv"),
        (("--json", "--csv"), 2, "choose one of --json and --csv"),
        (("--labels", "nowhere.csv"), 1, "nowhere.csv"),
    ],
)
def test_what_makes_no_sense_is_refused(
    library: Path, home: Path, arguments: tuple[str, ...], code: int, complaint: str
) -> None:
    ran = audit(home, library, "--min-tracks", "3", *arguments)
    assert ran.code == code
    assert complaint in " ".join(ran.err.split())

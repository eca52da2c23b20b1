"""``earmark evaluate`` and ``look`` on a library with known leaks and strangers."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs earmark[train]")

from earmark.models import bundle
from tests.audiofiles import synth, write
from tests.cli import earmark

ROWS_OF = {"tone": "Jazz", "noise": "Rock"}
RECIPE = Path(__file__).parent / "data" / "quick.toml"


def fill(root: Path, artists: range, genres: dict[str, str] = ROWS_OF) -> Path:
    root.mkdir(exist_ok=True)
    for kind, genre in genres.items():
        for artist in artists:
            for n in range(2):
                y = synth(kind, 7.0, 22050, 1, seed=2 * artist + n)  # type: ignore[arg-type]
                tags = {"genre": genre, "artist": f"{genre} {artist}", "album": f"{genre} {artist}"}
                write(root / f"{genre}-{artist}-{n}.flac", y, 22050, "flac", tags)
    return root


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill(tmp_path_factory.mktemp("known"), range(6))


@pytest.fixture(scope="module")
def model(known: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("models") / "toy"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EARMARK_HOME", str(tmp_path_factory.mktemp("home")))
        ran = earmark(
            "train", known, "--out", out, "--recipe", RECIPE, "--min-tracks", "5", "--quiet"
        )
    assert ran.code == 0, ran.err
    return out


def metrics(folder: Path) -> list[dict[str, object]]:
    found = json.loads((folder / "metrics.json").read_text())["evaluations"]
    assert isinstance(found, list)
    return found


def test_a_model_is_measured_on_what_it_has_not_learned_from(
    model: Path, known: Path, tmp_path: Path
) -> None:
    data = fill(tmp_path / "data", range(4, 10))  # two of these artists are known
    fill(data, range(3), {"music": "Polka"})
    out = tmp_path / "report"
    ran = earmark("evaluate", model, data, "--out", out)
    assert ran.code == 0, ran.err
    (found,) = metrics(out)
    # Artists 4 and 5 of each genre were there when it was trained; those in its test part are new.
    assert 8 <= found["n_groups"] < 12  # type: ignore[operator]
    assert found["n_tracks"] == 2 * found["n_groups"]  # type: ignore[operator]
    assert "tracks left out: the model has learned from" in ran.err
    assert found["track"]["accuracy"]["value"] >= 0.75  # type: ignore[index]
    assert {kind for method in found["unknown"] for kind in method["kinds"]} == {"Polka"}  # type: ignore[attr-defined]
    assert found["nonmusic"]
    assert {"mean", "majority", "confident"} <= set(found["votes"])  # type: ignore[call-overload]
    assert found["votes"]["mean"]["accuracy"] == found["track"]["accuracy"]  # type: ignore[index]
    for name in ("report.html", "report.md"):
        assert "toy" in (out / name).read_text()


def test_a_model_measured_on_its_own_tracks_has_little_left(model: Path, known: Path) -> None:
    out = known / "report"
    ran = earmark("evaluate", model, known, "--out", out)
    (found,) = metrics(out)
    test_part = bundle.load(model).meta.data["parts"]["test"]
    assert found["n_tracks"] == test_part["n_tracks"], ran.err


def test_the_same_path_as_classify(model: Path, tmp_path: Path) -> None:
    data = fill(tmp_path / "data", range(20, 23))
    earmark("evaluate", model, data, "--out", tmp_path / "report")
    (found,) = metrics(tmp_path / "report")
    tracks = json.loads(earmark("classify", data, "--model", model, "--json").out)["tracks"]
    right = [t["genre"] == Path(t["path"]).name.partition("-")[0] for t in tracks]
    answered = [t["genre"] is not None for t in tracks]
    assert found["n_tracks"] == len(tracks)
    assert found["track"]["answered"]["value"] == pytest.approx(np.mean(answered), abs=1e-6)  # type: ignore[index]
    precision = found["track"]["precision_when_answered"]["value"]  # type: ignore[index]
    assert precision == pytest.approx(np.sum(right) / np.sum(answered), abs=1e-6)


def test_protocols_in_folds_side_by_side_and_finished_trainings_kept(
    known: Path, tmp_path: Path
) -> None:
    out = tmp_path / "report"
    command = ("evaluate", RECIPE, known, "--cv", "2", "--protocol", "slice-random,artist")
    options = ("--out", out, "--min-tracks", "5")
    ran = earmark(*command, *options)
    assert ran.code == 0, ran.err
    leaky, honest = metrics(out)
    assert (leaky["protocol"], honest["protocol"]) == ("slice-random", "artist")
    assert leaky["n_slices"] == honest["n_slices"]
    assert honest["n_tracks"] == 24
    assert any("recording" in warning for warning in leaky["warnings"])  # type: ignore[attr-defined]
    assert not any("recording" in warning for warning in honest["warnings"])  # type: ignore[attr-defined]
    assert ran.err.count("training ") >= 4
    again = earmark(*command, *options)
    assert "epoch" not in again.err
    assert metrics(out) == [leaky, honest]


def test_every_genre_is_left_out_in_turn(tmp_path: Path) -> None:
    data = fill(tmp_path / "data", range(5), {**ROWS_OF, "music": "Polka"})
    out = tmp_path / "report"
    options = ("--leave-genre-out", "--out", out, "--min-tracks", "5", "--quiet")
    ran = earmark("evaluate", RECIPE, data, *options)
    assert ran.code == 0, ran.err
    (found,) = metrics(out)
    assert found["protocol"] == "artist"
    for detection in found["unknown"]:  # type: ignore[attr-defined]
        assert set(detection["kinds"]) == {"Jazz", "Rock", "Polka"}
        for scores in detection["kinds"].values():
            assert 0 <= scores["auroc"]["value"] <= 1
            assert scores["auroc"]["n"] == 10
    trained = {path.parent.parent.name for path in out.rglob("model.onnx")}
    assert {f"without {genre}" for genre in ("Jazz", "Rock", "Polka")} <= trained


def test_an_unknown_protocol_is_a_mistake_of_usage(known: Path) -> None:
    ran = earmark("evaluate", "cnn", known, "--protocol", "artist,studio")
    assert ran.code == 2
    assert "no protocol 'studio'" in ran.err


def test_data_without_the_models_genres_says_so(model: Path, tmp_path: Path) -> None:
    data = fill(tmp_path / "data", range(2), {"music": "Polka"})
    ran = earmark("evaluate", model, data, "--out", tmp_path / "report")
    assert ran.code == 1
    assert "its genres are: Jazz, Rock" in ran.err


def test_look_draws_what_the_model_hears(model: Path, known: Path, tmp_path: Path) -> None:
    picture = tmp_path / "look.png"
    ran = earmark("look", known / "Jazz-0-0.flac", "--model", model, "--out", picture)
    assert ran.code == 0, ran.err
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert str(picture) in ran.out.replace("\n", "")


def test_a_picture_must_be_a_png_and_replaces_nothing_else(
    model: Path, known: Path, tmp_path: Path
) -> None:
    track = known / "Jazz-0-0.flac"
    (tmp_path / "mine.png").write_text("years of work")
    for name, reason in (
        ("x.mp3", "does not end in .png"),
        ("mine.png", "is no PNG"),
        ("none/x.png", "cannot be written"),
    ):
        ran = earmark("look", track, "--model", model, "--out", tmp_path / name)
        assert ran.code == 2
        assert reason in ran.err
        assert "Traceback" not in ran.err
    assert (tmp_path / "mine.png").read_text() == "years of work"


@pytest.mark.parametrize("recipe", ["cnn", RECIPE])
def test_a_recipe_cannot_be_measured_untrained(known: Path, recipe: str | Path) -> None:
    ran = earmark("evaluate", recipe, known)
    assert ran.code == 2
    assert "add --cv or --protocol" in ran.err


def test_a_file_named_in_two_ways_is_classified_once(model: Path, known: Path) -> None:
    roundabout = f"{known}/../{known.name}"
    ran = earmark(
        "classify", known / "Jazz-0-0.flac", roundabout, known, "--model", model, "--json"
    )
    paths = [track["path"] for track in json.loads(ran.out)["tracks"]]
    assert len(paths) == 24
    assert paths[0] == str(known / "Jazz-0-0.flac")
    assert all(path.startswith(roundabout) for path in paths[1:])


def test_a_network_that_cannot_be_run_is_told_in_one_line(
    model: Path, known: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "model.onnx").write_bytes(b"not onnx")
    (broken / "model.json").write_bytes((model / "model.json").read_bytes())
    sums = (
        hashlib.sha256((broken / name).read_bytes()).hexdigest() + f"  {name}\n"
        for name in ("model.json", "model.onnx")
    )
    (broken / "SHA256SUMS").write_text("".join(sums))
    ran = earmark("classify", known, "--model", broken)
    assert ran.code == 1
    assert "not a network that onnxruntime can run" in ran.err
    assert len(ran.err.splitlines()) == 1

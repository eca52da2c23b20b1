"""Scores of tracks whose artist is not known claim nothing about artists."""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs earmark[head]")
pytest.importorskip("matplotlib", reason="needs earmark[report]")

from earmark.cli.train import measured_on
from earmark.evaluation.judged import Judged
from earmark.evaluation.plots import base as plots
from earmark.evaluation.report.document import to_markdown
from earmark.evaluation.report.prose import compose
from earmark.evaluation.results import Evaluation, compare, evaluate
from earmark.evaluation.scores import Scores, summarise
from earmark.models import bundle as bundles
from earmark.training.learning_set import LearningSet
from earmark.training.run_folder import write_results
from tests import backbones
from tests.audiofiles import Kind, synth, write
from tests.cli import Ran, earmark
from tests.evaluations import LABELS, judged

CAUTION = "may have been learned from, and the score"


def some_unknown(n: int) -> Judged:
    """60 tracks; the first `n` are each on their own, the others by 20 artists."""
    data = judged()
    return dataclasses.replace(
        data, groups=[f"track:{i}" if i < n else g for i, g in enumerate(data.groups)]
    )


def measured(data: Judged, protocol: str = "artist") -> Evaluation:
    return evaluate(data, LABELS, name="small", data="made up", protocol=protocol, n_resamples=50)


def test_tracks_of_nobody_are_no_artists() -> None:
    result = measured(some_unknown(60))
    assert (result.n_groups, result.n_artists, result.n_artist_unknown) == (60, 0, 60)
    assert result.artists_per_genre == dict.fromkeys(LABELS, 0)
    (row,) = compare([result])
    assert row["n_artists"] == 0
    assert "60 artists" not in to_markdown(compose([result], "Small", "earmark evaluate"))


def test_known_artists_are_counted_beside_unknown_ones() -> None:
    result = measured(some_unknown(15))
    assert (result.n_groups, result.n_artists, result.n_artist_unknown) == (35, 20, 15)
    page = to_markdown(compose([result], "Small", "earmark evaluate"))
    assert "of unknown artists, but for 45 by 20 artists, of 3 genres" in page
    assert "tracks by artists not trained on, where the artist is known" in page


def test_a_track_judged_twice_is_one() -> None:
    data = some_unknown(60)
    paths = [f"{i // 2}.flac" for i in range(60)]
    assert data.n_artist_unknown(paths) == 30


def test_it_is_warned_of_where_artists_are_to_be_unheard() -> None:
    said = [w for w in measured(some_unknown(15)).warnings if CAUTION in w]
    assert len(said) == 1
    assert said[0].startswith("the artist of 15 tracks is not known")
    assert not any(CAUTION in w for w in measured(judged()).warnings)
    # Where they are heard anyway, that is what the warning says.
    leaky = measured(some_unknown(15), protocol="track-random")
    assert not any(CAUTION in w for w in leaky.warnings)


def test_an_album_is_not_called_an_artist() -> None:
    data = dataclasses.replace(judged(), groups=["album:the best of"] * 60)
    (said,) = (w for w in measured(data).warnings if w.startswith("all tracks"))
    assert said.startswith("all tracks are by one artist (or album, or folder)")


def test_the_picture_of_a_run_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    titles = []
    monkeypatch.setattr(plots, "confusion_matrix", lambda *given: titles.append(given[-1]))
    how = "artist (album, then folder, where unknown), seed 0"
    learning_set = LearningSet((), LABELS, None, how, 0, 0, 0, ())  # type: ignore[arg-type]
    for data in (judged(), some_unknown(15)):
        scores = Scores(summarise(measured(data)), np.zeros((3, 4), dtype=np.int64))
        write_results(tmp_path, scores, learning_set)
    assert titles == [
        "60 test tracks, split by artist",
        "60 test tracks, split by artist, 15 of unknown artist",
    ]


@pytest.mark.parametrize(
    ("n_artists", "n_unknown", "leaks", "said"),
    [
        (7, 0, [], "20 test tracks by 7 artists not trained on"),
        (7, 0, ["one artist is on both sides"], "20 test tracks by 7 artists"),
        (0, 20, [], "20 test tracks, the artist of 20 of them not known"),
        (
            *(7, 8, []),
            "20 test tracks, 12 of them by 7 artists not trained on, the artist of 8 of them not"
            " known",
        ),
    ],
)
def test_training_says_whom_it_was_measured_on(
    n_artists: int, n_unknown: int, leaks: list[str], said: str
) -> None:
    scores = {"n_tracks": 20, "n_artists": n_artists, "n_artist_unknown": n_unknown}
    assert measured_on(scores, leaks) == said


# --- the commands -------------------------------------------------------------------------------

KINDS: dict[str, Kind] = {"Jazz": "tone", "Rock": "noise"}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each of two genres, 16 tracks each without tags, and a backbone."""
    root = tmp_path_factory.mktemp("nobody")
    for genre, kind in KINDS.items():
        (root / "music" / genre).mkdir(parents=True)
        for i in range(16):
            y = synth(kind, 3.0, 22050, 1, seed=i)
            write(root / "music" / genre / f"{i}.flac", y, 22050, "flac")
    backbones.write(root / "bins", {"tracks": "", "groups": ""})
    return root


@pytest.fixture(scope="module", autouse=True)
def _one_home(tmp_path_factory: pytest.TempPathFactory) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EARMARK_HOME", str(tmp_path_factory.mktemp("home")))
        yield


def run(root: Path, *command: object) -> Ran:
    return earmark(
        *(*command, root / "music", "--backbone", root / "bins"),
        *("--labels", "folders", "--workers", "1", "--no-fingerprints"),
    )


def test_training_does_not_call_tracks_artists(root: Path) -> None:
    ran = run(root, "train", "--recipe", "head", "--out", root / "model")
    assert ran.code == 0, ran.err
    meta = bundles.load(root / "model").meta
    n = meta.scores["n_tracks"]
    assert (meta.scores["n_artists"], meta.scores["n_artist_unknown"]) == (0, n)
    assert meta.data["parts"]["test"]["n_artists"] == 0
    assert f"{n} test tracks, the artist of {n} of them not known: " in ran.out
    assert CAUTION in ran.out
    assert "not trained on" not in ran.out


def test_evaluating_does_not_call_tracks_artists(root: Path) -> None:
    ran = run(root, "evaluate", "head", "--cv", "2", "--out", root / "report")
    assert ran.code == 0, ran.err
    assert re.search(r"^artist +32 +0 ", ran.out, re.MULTILINE)
    assert "the artist of 32 tracks is not known" in ran.err
    (found,) = json.loads((root / "report" / "metrics.json").read_text())["evaluations"]
    assert (found["n_groups"], found["n_artists"], found["n_artist_unknown"]) == (32, 0, 32)
    page = (root / "report" / "report.md").read_text()
    assert "the artist of 32 tracks is not known" in page
    assert "32 artists" not in page

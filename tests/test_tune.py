"""Tuning: what it tries, on which tracks, and that it can be killed."""

import csv
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs earmark[train]")
pytest.importorskip("optuna", reason="needs earmark[train]")

from earmark.errors import ConfigError, LibraryError
from earmark.events import Event, Note
from earmark.features.store import FeatureStore
from earmark.training import recipes
from earmark.training.search import Search
from earmark.workflows.tune import search
from tests.audiofiles import Kind, synth, write
from tests.cli import earmark
from tests.systems import KILLED
from tests.trainings import on_one_core
from tests.tunings import LABELS, RECIPE, folds, request, tuned


@pytest.fixture(scope="module", autouse=True)
def one_core() -> Iterator[None]:
    with on_one_core():
        yield


class TestSearch:
    """The search alone, on a score that is known."""

    def open(self, folder: Path, **asked: object) -> Search:
        return Search(folder / "search.sqlite", RECIPE, asked)

    def go_on(self, found: Search, n_trials: int) -> None:
        while len(found.outcomes) < n_trials:
            trial = found.propose({"optimiser.lr": 5e-3, "augmentation.mixup": 0.3})
            score = -abs(np.log10(trial.values["optimiser.lr"]) + 3)
            kept = all(found.report(trial, fold, score) for fold in range(2))
            found.finish(trial, score if kept else None)

    def test_the_recipes_own_values_come_first(self, tmp_path: Path) -> None:
        found = self.open(tmp_path)
        self.go_on(found, 1)
        values = found.outcomes[0].values
        assert (values["optimiser.lr"], values["augmentation.mixup"]) == (5e-3, 0.3)

    def test_values_are_within_their_ranges_and_of_their_kind(self, tmp_path: Path) -> None:
        found = self.open(tmp_path)
        self.go_on(found, 12)
        for outcome in found.outcomes:
            values = outcome.values
            assert 1e-4 <= values["optimiser.lr"] <= 1e-2
            assert values["network.widths"] in [[8, 8, 16, 16], [4, 4, 8, 8]]
            assert isinstance(values["augmentation.mask_frames"], int)
            assert isinstance(values["augmentation.mixup"], float)
        RECIPE.replaced(found.outcomes[-1].values, "")

    def test_it_finds_the_best_and_gives_up_the_bad(self, tmp_path: Path) -> None:
        found = self.open(tmp_path)
        self.go_on(found, 16)
        assert found.best is not None
        assert 5e-4 < found.best.values["optimiser.lr"] < 2e-3
        given_up = [o for o in found.outcomes if not o.is_whole]
        assert given_up
        assert all(len(o.scores) == 1 for o in given_up)
        assert max(o.scores[0] for o in given_up) < found.best.scores[-1]

    def test_opened_again_it_proposes_what_it_would_have(self, tmp_path: Path) -> None:
        (tmp_path / "whole").mkdir()
        (tmp_path / "cut").mkdir()
        whole = self.open(tmp_path / "whole")
        self.go_on(whole, 12)
        for n in (3, 9):
            self.go_on(self.open(tmp_path / "cut"), n)
            # Killed with a trial under way.
            under_way = self.open(tmp_path / "cut").propose({})
            assert under_way.values == whole.outcomes[n].values
        again = self.open(tmp_path / "cut")
        self.go_on(again, 12)
        assert [o.values for o in again.outcomes] == [o.values for o in whole.outcomes]

    def test_another_search_is_refused(self, tmp_path: Path) -> None:
        self.open(tmp_path, music="a")
        with pytest.raises(ConfigError, match="holds a search with another recipe"):
            self.open(tmp_path, music="b")

    def test_a_file_that_is_no_search(self, tmp_path: Path) -> None:
        (tmp_path / "search.sqlite").write_bytes(b"\x00 no database" * 100)
        with pytest.raises(LibraryError, match=r"search.sqlite cannot be read .*delete it"):
            self.open(tmp_path)

    def test_nothing_to_tune(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="declares nothing to tune"):
            Search(tmp_path / "s", RECIPE.replaced({"tune": {}}, ""), {})


class TestTrials:
    def test_they_are_trained_scored_and_written_down(self, tmp_path: Path) -> None:
        events: list[Event] = []
        report = tuned(tmp_path, 3, events=events)
        run = tmp_path / "run"
        assert len(report.outcomes) == 3
        assert report.best is not None
        assert report.best.scores[-1] > 1 / 3
        with (run / "trials.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert [row["trial"] for row in rows] == ["1", "2", "3"]
        assert float(rows[0]["optimiser.lr"]) == RECIPE.optimiser.lr
        assert (run / "tuning.png").stat().st_size > 10_000
        assert not list((run / "trials").iterdir())
        notes = [event.text for event in events if isinstance(event, Note)]
        assert len(notes) == 3
        assert notes[0].startswith("trial 1: macro-F1 ")

    def test_the_best_is_a_recipe_to_train_by(self, tmp_path: Path) -> None:
        report = tuned(tmp_path, 2)
        assert report.best is not None
        best = recipes.load(str(report.recipe))
        assert best.optimiser.lr == report.best.values["optimiser.lr"]
        assert best.network.options["widths"] == report.best.values["network.widths"]
        assert best.schedule == RECIPE.schedule

    def test_more_trials_go_on_from_there(self, tmp_path: Path) -> None:
        first = tuned(tmp_path, 1)
        events: list[Event] = []
        assert tuned(tmp_path, 1, events=events).outcomes == first.outcomes
        assert not [event for event in events if isinstance(event, Note)]
        assert tuned(tmp_path, 2).outcomes[:1] == first.outcomes

    def test_a_search_that_was_killed_goes_on_to_the_same_end(self, tmp_path: Path) -> None:
        # A trial reads some seventy batches; the 100th is in the second of three.
        command = [sys.executable, "-m", "tests.tunings", str(tmp_path / "cut"), "100"]
        assert subprocess.run(command, check=False).returncode == KILLED
        assert list((tmp_path / "cut" / "run" / "trials").glob("*/fold-*/last.pt"))
        resumed, whole = tuned(tmp_path / "cut", 3), tuned(tmp_path / "whole", 3)
        assert resumed.outcomes == whole.outcomes
        assert resumed.best == whole.best

    def test_an_interrupt_writes_down_the_best_so_far(self, tmp_path: Path) -> None:
        (tmp_path / "run").mkdir()
        with FeatureStore(tmp_path / "store", RECIPE.listen) as store:
            flow = search(request(tmp_path / "run", 5), folds(store), LABELS)
            while not isinstance(next(flow), Note):
                pass
            next(flow)
            with pytest.raises(StopIteration) as stop:
                flow.throw(KeyboardInterrupt())
        report = stop.value.value
        assert report.interrupted
        assert len(report.outcomes) == 1
        assert report.recipe.exists()

    def test_a_trial_whose_loss_is_no_number_scores_nothing(self, tmp_path: Path) -> None:
        ranges = {"optimiser.weight_decay": {"choices": [1e30, 0.01]}}
        recipe = RECIPE.replaced({"tune": ranges, "optimiser.weight_decay": 1e30}, "")
        events: list[Event] = []
        report = tuned(tmp_path, 1, recipe, events)
        assert report.outcomes[0].scores == (0.0, 0.0)
        assert "no longer a number" in str(events)

    def test_other_music_is_another_search(self, tmp_path: Path) -> None:
        tuned(tmp_path, 1)
        with FeatureStore(tmp_path / "store", RECIPE.listen) as store:
            other = list(reversed(folds(store)))
            with pytest.raises(ConfigError, match="other music"):
                next(search(request(tmp_path / "run", 2), other, LABELS))


KINDS: dict[str, Kind] = {"Jazz": "tone", "Rock": "noise"}

TINY = """
[excerpts]
n_excerpts = 1
excerpt_s = 1.0
[features]
n_mels = 16
n_fft = 1024
[slices]
n_frames = 16
hop_frames = 16
[network]
widths = [4, 4, 4, 4]
[schedule]
epochs = 2
min_steps = 1
[tune]
"optimiser.lr" = { low = 1e-4, high = 1e-2, log = true }
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two genres by six artists each, a track an artist, and a recipe."""
    root = tmp_path_factory.mktemp("library")
    for genre, kind in KINDS.items():
        for i in range(6):
            tags = {"artist": f"{genre} artist {i}", "genre": genre}
            write(
                root / f"{genre}-{i}.flac", synth(kind, 2.0, 22050, 1, seed=i), 22050, "flac", tags
            )
    (root / "tiny.toml").write_text(TINY)
    return root


def test_on_the_command_line(library: Path, tmp_path: Path) -> None:
    """Folds are of the very part that `train` learns from."""
    common = (library, "--recipe", library / "tiny.toml", "--min-tracks", "3", "--no-fingerprints")
    ran = earmark("tune", *common, "--out", tmp_path / "run", "--trials", "2", "--folds", "2")
    assert ran.code == 0, ran.err
    assert "best of 2 trials: macro-F1" in ran.out
    best = tmp_path / "run" / "best.toml"
    trained = earmark("train", *common, "--recipe", best, "--out", tmp_path / "model")
    assert trained.code == 0, trained.err
    with (tmp_path / "run" / "folds.csv").open(newline="") as file:
        dealt = {row["path"]: row for row in csv.DictReader(file)}
    with (tmp_path / "model-run" / "split.csv").open(newline="") as file:
        split = {row["path"]: row["part"] for row in csv.DictReader(file)}
    assert set(dealt) == {path for path, part in split.items() if part == "train"}
    artists = defaultdict(set)
    for row in dealt.values():
        artists[row["group"]].add(row["fold"])
    assert all(len(found) == 1 for found in artists.values())
    meta = json.loads((tmp_path / "model" / "model.json").read_text())
    assert meta["training"]["recipe"]["name"] == "best"


@pytest.mark.parametrize(
    ("options", "code", "complaint"),
    [
        (("--folds", "9"), 1, "too few for 9 folds"),
        (("--recipe", "head"), 2, "recipe head declares nothing to tune"),
        (("--out", "/dev/null/run"), 1, "cannot write to the run folder /dev/null/run"),
    ],
)
def test_what_cannot_be_tuned_is_told(
    library: Path, tmp_path: Path, options: tuple[str, ...], code: int, complaint: str
) -> None:
    common = ("--recipe", library / "tiny.toml", "--min-tracks", "3", "--no-fingerprints")
    ran = earmark("tune", library, "--out", tmp_path / "run", *common, *options)
    assert ran.code == code, ran.err
    assert complaint in ran.err

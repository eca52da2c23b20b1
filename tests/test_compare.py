"""``earmark compare``: cells that are kept, resumed and allowed to fail, and the table of them."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs earmark[train]")

from earmark.errors import ConfigError
from earmark.evaluation.comparison import Cell, Comparison
from earmark.events import Epoch, Event, Note, Workflow
from earmark.models import bundle, registry
from earmark.session import Resources
from earmark.training import recipes
from earmark.training.recipes.caps import capped, quick
from earmark.training.request import LabelRequest
from earmark.workflows import compare as comparing
from earmark.workflows.compare import CompareRequest, compare
from tests import backbones
from tests.cli import earmark
from tests.sessions import resources
from tests.test_evaluate_cli import RECIPE, fill
from tests.trainings import on_one_core

REPORTED = """
[paper]
figure = "90 % of slices"
accuracy = 0.9
counts = "slices"
data = "2 genres"
split = "slice-random"
shares = [0.6, 0.2, 0.2]
merges = { Rock = "Noise" }
"""


@pytest.fixture(autouse=True, scope="module")
def one_core() -> Iterator[None]:
    with on_one_core():
        yield


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill(tmp_path_factory.mktemp("music"), range(5))


def written(path: Path, *parts: str) -> Path:
    path.write_text("".join(parts))
    return path


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(
        tmp_path_factory.mktemp("recipes") / "reported.toml", RECIPE.read_text(), REPORTED
    )


class Run:
    """`compare` on one folder, as often as tests like."""

    def __init__(self, music: Path, home: Path) -> None:
        self.music, self.home = music, home
        self.events: list[Event] = []

    def flow(self, session: Resources, *names: Path, **more: Any) -> Workflow[Comparison]:
        request = CompareRequest(
            LabelRequest(str(self.music), min_tracks=5, fingerprints=False),
            self.home / "out",
            tuple(recipes.load(str(name)) for name in names),
            **more,
        )
        return compare(request, session)

    def __call__(self, *names: Path, stop_at: int = 0, **more: Any) -> Comparison:
        """With a Ctrl-C at the epoch of number `stop_at`."""
        self.events = []
        with resources(self.home) as session:
            flow = self.flow(session, *names, **more)
            pending: BaseException | None = None
            while True:
                try:
                    self.events.append(flow.throw(pending) if pending else next(flow))
                except StopIteration as end:
                    found: Comparison = end.value
                    return found
                is_epoch = isinstance(self.events[-1], Epoch)
                pending = KeyboardInterrupt() if is_epoch and self.n_epochs == stop_at else None

    @property
    def n_epochs(self) -> int:
        return sum(isinstance(event, Epoch) for event in self.events)


@pytest.fixture
def comparison(music: Path, tmp_path: Path) -> Run:
    return Run(music, tmp_path)


@pytest.fixture(scope="module")
def done(
    music: Path, reported: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Run, Comparison]:
    """A comparison that has been made already."""
    made = Run(music, tmp_path_factory.mktemp("done"))
    return made, made(reported)


def test_an_honest_split_and_the_authors(done: tuple[Run, Comparison]) -> None:
    made, found = done
    honest, paper = found.cells
    assert (honest.protocol, honest.split) == ("artist", "artist")
    assert (paper.protocol, paper.split) == ("paper", "slice-random")
    assert honest.is_honest
    assert not paper.is_honest
    assert "60/20/20" in paper.details
    assert "Rock counted as Noise" in paper.details
    trained = made.home / "out/trainings/reported"
    labels = [
        bundle.load(trained / where / "split/model").meta.labels
        for where in ("artist/artist", "paper/slice-random")
    ]
    assert labels == [("Jazz", "Rock"), ("Jazz", "Noise")]
    network = registry.build("cnn", 32, 32, 2, {"widths": [8, 16, 16, 32]})
    for cell in (honest, paper):
        assert cell.accuracy is not None
        assert cell.accuracy.n == cell.n_tracks > 0
        assert cell.n_parameters == sum(len(p.flatten()) for p in network.parameters())
        assert cell.train_s > 0
        assert 0 < cell.track_ms < 10_000
        assert cell.front_end == "mel, 22.05 kHz, 32 × 32"
    # Tones and noises are told apart by anything that learns at all.
    assert honest.accuracy is not None
    assert honest.accuracy.value >= 0.75


def test_finished_cells_are_kept_and_others_added(
    done: tuple[Run, Comparison], reported: Path, tmp_path: Path
) -> None:
    made, first = done
    assert made(reported) == first
    assert made.events == []
    other = written(tmp_path / "other.toml", RECIPE.read_text())
    both = made(reported, other)
    assert both.cells[:2] == first.cells
    assert [cell.recipe for cell in both.cells] == ["reported", "reported", "other"]
    assert made.n_epochs == 5


def test_what_an_author_said_trains_nothing_again_and_another_schedule_does(
    done: tuple[Run, Comparison], reported: Path, tmp_path: Path
) -> None:
    made, _ = done
    text = reported.read_text()
    again = tmp_path / "reported.toml"
    found = made(written(again, text.replace("90 % of slices", "nine in ten slices")))
    assert made.events == []
    assert found.cells[0].reported.figure == "nine in ten slices"
    for old, new in (("epochs = 5", "epochs = 1"), ("[0.6, 0.2, 0.2]", "[0.5, 0.3, 0.2]")):
        written(again, text.replace(old, new))
        with resources(made.home) as session:
            flow = made.flow(session, again)
            assert isinstance(next(flow), Note)
            flow.close()


def test_a_head_is_measured_again_when_its_backbone_is_another(
    comparison: Run, tmp_path: Path
) -> None:
    backbone = backbones.write(tmp_path / "backbone")
    head = f'kind = "head"\n[head]\nbackbone = "{backbone.path}"\n'
    recipe = written(tmp_path / "head.toml", head)
    first = comparison(recipe, protocols=("artist",))
    assert first.cells[0].error == ""
    assert comparison(recipe, protocols=("artist",)) == first
    assert comparison.events == []
    hotter = dataclasses.replace(backbone.meta, temperature=2.0)
    retrained = bundle.write(backbone.path, hotter, backbone.network.read_bytes())
    comparison(recipe, protocols=("artist",))
    assert comparison.events
    model = bundle.load(comparison.home / "out/trainings/head/artist/artist/split/model")
    assert model.meta.training["backbone"]["model_id"] == retrained.model_id


def test_cells_of_an_older_training_are_measured_again(
    done: tuple[Run, Comparison], reported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, _ = done
    monkeypatch.setattr("earmark.workflows.crossval.FORMAT", -1)
    with resources(made.home) as session:
        flow = made.flow(session, reported)
        assert isinstance(next(flow), Note)
        flow.close()


def test_an_interrupted_training_is_gone_on_with_and_not_taken_for_whole(
    comparison: Run, reported: Path
) -> None:
    cut = comparison(reported, protocols=("artist",), stop_at=2)
    assert cut.interrupted
    assert cut.cells == ()
    whole = comparison(reported, protocols=("artist",))
    assert not whole.interrupted
    assert whole.cells[0].error == ""
    # Two of five epochs had been done.
    assert comparison.n_epochs == 3
    model = bundle.load(comparison.home / "out/trainings/reported/artist/artist/split/model")
    assert model.meta.training["n_epochs"] == 5


def test_every_track_is_tested_in_folds(comparison: Run) -> None:
    (cell,) = comparison(RECIPE, n_folds=2).cells
    assert cell.n_tracks == 20
    assert "2-fold" in cell.details


def test_what_fails_is_a_line_and_the_others_go_on(
    done: tuple[Run, Comparison], reported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, first = done
    broken = written(tmp_path / "broken.toml", '[network]\nname = "cnn"\ndepth = 3\n')
    found = made(broken, reported)
    assert [bool(cell.error) for cell in found.cells] == [True, False, False]
    assert "no option depth" in found.cells[0].error
    assert found.cells[1:] == first.cells

    def bug(*_: object) -> None:
        raise ZeroDivisionError("of a kind that nobody thought of")

    monkeypatch.setattr(comparing, "count_parameters", bug)
    again = made(broken, reported, protocols=("track-random",))
    assert "unexpected ZeroDivisionError" in again.cells[1].error
    trace = made.home / "out/trainings/reported/track-random/error.txt"
    assert "nobody thought of" in trace.read_text()
    monkeypatch.undo()
    (mended,) = made(reported, protocols=("track-random",)).cells
    assert mended.error == ""
    assert made.n_epochs == 0  # what had been trained was kept
    assert not trace.exists()


def test_a_recipe_of_no_known_author_has_no_such_cell(comparison: Run, tmp_path: Path) -> None:
    broken = written(tmp_path / "broken.toml", '[network]\nname = "none"\n')
    assert [cell.protocol for cell in comparison(broken).cells] == ["artist"]
    with pytest.raises(ConfigError, match="none says how its author split"):
        comparison(RECIPE, protocols=("paper",))


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"protocols": ("artist", "studio")}, "no protocol studio"),
        ({"protocols": ()}, "no protocol given"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    comparison: Run, more: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason):
        comparison(RECIPE, **more)


def test_two_recipes_of_one_name_are_refused(comparison: Run, tmp_path: Path) -> None:
    (tmp_path / "quick.toml").write_text(RECIPE.read_text())
    with pytest.raises(ConfigError, match="two recipes are called quick"):
        comparison(RECIPE, tmp_path / "quick.toml")


def test_cells_survive_being_written() -> None:
    cell = Cell("a", "artist", error="no")
    again = Cell.from_json(json.loads(json.dumps(cell.to_json())))
    assert math.isnan(again.track_ms)
    assert again.to_json() == cell.to_json()


def test_cheaper_recipes() -> None:
    cnn = recipes.load("cnn")
    assert capped(cnn) is cnn
    assert capped(cnn, epochs=3, patience=99).schedule.epochs == 3
    assert capped(cnn, epochs=3, patience=99).schedule.patience == cnn.schedule.patience
    head = recipes.load("head")
    assert capped(head, epochs=3) is quick(head) is head
    assert quick(cnn).schedule.epochs == 1
    ear = quick(recipes.load("ear"))
    assert (ear.distil.n_slices, ear.imitation.n_excerpts, ear.imitation.epochs) == (40, 2, 1)


def test_on_the_command_line(music: Path, reported: Path, tmp_path: Path) -> None:
    broken = written(tmp_path / "broken.toml", '[network]\nname = "none"\n')
    out = tmp_path / "report"
    command = ("compare", "--recipes", f"{reported},{broken}", "--out", out, "--min-tracks", "5")
    ran = earmark(*command, "--data", music, "--quick", "--seed", "3")
    assert ran.code == 3, ran.err
    assert "reported" in ran.out
    assert "author's: slice-random" in ran.out
    assert "90 % of slices (2 genres)" in ran.out
    assert "broken, artist: there is no network 'none'" in ran.err
    values = json.loads((out / "comparison.json").read_text())
    assert [cell["recipe"] for cell in values["cells"]] == ["reported", "reported", "broken"]
    assert "--quick" in values["command"]
    page = (out / "comparison.md").read_text()
    assert "| reported |" in page
    assert "![" in page
    assert (out / "gaps.png").read_bytes().startswith(b"\x89PNG")
    again = earmark(*command, music, "--quick", "--seed", "3")
    assert "epoch" not in again.err
    assert "training reported" not in again.err


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ((), "give the folder with the music once"),
        (("DATA", "--data", "DATA"), "give the folder with the music once"),
        (("DATA", "--protocol", "studio"), "no protocol studio"),
        (("DATA", "--recipes", "slices-2017"), "did you mean slices-2016"),
        (("DATA", "--recipes", ","), "no recipe to compare"),
    ],
)
def test_mistakes_of_usage(options: tuple[str, ...], reason: str, music: Path) -> None:
    named = [str(music) if option == "DATA" else option for option in options]
    ran = earmark("compare", *named)
    assert ran.code == 2
    assert reason in ran.err
    assert "Traceback" not in ran.err

"""Trainings below a report: which are kept, and what they have learned from."""

from __future__ import annotations

import csv
import dataclasses
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("sklearn", reason="needs earmark[head]")
pytest.importorskip("onnx", reason="needs earmark[head]")
pytest.importorskip("matplotlib", reason="needs earmark[eval]")

from earmark.datasets.splitting import SplitRequest
from earmark.errors import DataError
from earmark.evaluation.plots import base as plots
from earmark.events import Event, Note, run
from earmark.models import bundle as bundles
from earmark.models.bundle import Bundle
from earmark.session import Resources
from earmark.training.learning_set import Example
from earmark.training.recipes.recipe import TrainingRecipe
from earmark.training.request import LabelRequest, TrainRequest
from earmark.workflows.crossval import CrossRequest, Trainings, cross_validate
from tests import backbones
from tests.audiofiles import Kind, synth, write
from tests.sessions import resources

# House is a kind of Electronic.
KINDS: dict[str, Kind] = {"House": "tone", "Rock": "noise", "Electronic": "music"}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six artists of each genre, two tracks an artist."""
    root = tmp_path_factory.mktemp("library")
    for genre, kind in KINDS.items():
        for i in range(12):
            tags = {"artist": f"{genre} artist {i // 2}", "genre": genre}
            y = synth(kind, 4.0, 22050, 1, seed=i)
            write(root / f"{genre}-{i}.flac", y, 22050, "flac", tags)
    return root


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def session(home: Path) -> Iterator[Resources]:
    with resources(home) as opened:
        yield opened


@pytest.fixture
def trainings(session: Resources, tmp_path: Path) -> Trainings:
    return Trainings(tmp_path / "out", session)


@pytest.fixture
def request_for_head(library: Path, tmp_path: Path) -> TrainRequest:
    """A head on a backbone of its own."""
    backbone = backbones.write(tmp_path / "backbone").path
    recipe = TrainingRecipe.from_dict(
        {"kind": "head", "head": {"backbone": str(backbone)}}, "head", "test"
    )
    labels = LabelRequest(str(library), fingerprints=False, split=SplitRequest("artist"))
    return TrainRequest(labels, tmp_path / "unused", recipe)


def trained(trainings: Trainings, request: TrainRequest) -> tuple[Bundle, list[Example], list[str]]:
    """With the notes that were made."""
    events: list[Event] = []
    bundle, tested = run(trainings.trained("one", request), events.append)
    return bundle, tested, [event.text for event in events if isinstance(event, Note)]


def relabelled(request: TrainRequest, **changes: object) -> TrainRequest:
    labels = dataclasses.replace(request.labels, **changes)  # type: ignore[arg-type]
    return dataclasses.replace(request, labels=labels)


def test_a_finished_training_is_kept(trainings: Trainings, request_for_head: TrainRequest) -> None:
    bundle, tested, notes = trained(trainings, request_for_head)
    assert "training head, one" in notes
    described = dataclasses.replace(request_for_head.recipe, description="said otherwise")
    again = dataclasses.replace(request_for_head, recipe=described)
    assert trained(trainings, again) == (bundle, tested, [])


def test_a_training_that_was_cut_off_leaves_no_older_model_in_its_place(
    trainings: Trainings, request_for_head: TrainRequest
) -> None:
    old, _, _ = trained(trainings, request_for_head)
    other = relabelled(
        request_for_head, only=("House", "Rock"), split=SplitRequest("artist", seed=1)
    )
    flow = trainings.trained("one", other)
    split = trainings.out / "one/run/split.csv"
    before = split.read_bytes()
    while split.read_bytes() == before:
        next(flow)
    flow.close()  # before there is another model
    assert bundles.load(trainings.out / "one/model").meta.labels == old.meta.labels
    new, tested, notes = trained(trainings, other)
    assert "training head, one" in notes
    assert new.meta.labels == ("House", "Rock")
    assert new.meta.data["parts"]["test"]["n_tracks"] == len(tested)
    # Nor is either of them the first one's.
    assert "training head, one" in trained(trainings, request_for_head)[2]


def test_a_backbone_that_became_another_is_not_reused(
    trainings: Trainings, request_for_head: TrainRequest
) -> None:
    trained(trainings, request_for_head)
    backbone = bundles.load(request_for_head.recipe.head.backbone)
    hotter = dataclasses.replace(backbone.meta, temperature=2.0)
    retrained = bundles.write(backbone.path, hotter, backbone.network.read_bytes())
    bundle, _, notes = trained(trainings, request_for_head)
    assert "training head, one" in notes
    assert bundle.meta.training["backbone"]["model_id"] == retrained.model_id


def test_what_an_older_version_has_trained_is_not_reused(
    trainings: Trainings, request_for_head: TrainRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(trainings, request_for_head)
    monkeypatch.setattr("earmark.workflows.crossval.FORMAT", -1)
    assert "training head, one" in trained(trainings, request_for_head)[2]
    # As before there were such numbers.
    (trainings.out / "one/finished").unlink()
    assert "training head, one" in trained(trainings, request_for_head)[2]


def test_a_genre_left_out_is_not_learned_as_the_genre_above_it(
    session: Resources, request_for_head: TrainRequest, tmp_path: Path
) -> None:
    request = CrossRequest(
        dataclasses.replace(request_for_head, out=tmp_path / "out"), leave_genre_out=True
    )
    flow = cross_validate(request, session)
    (found,) = run(flow, lambda _: None)
    with (tmp_path / "out/artist/without House/run/split.csv").open(newline="") as file:
        learned = Counter(
            (Path(row["path"]).name.partition("-")[0], row["genre"]) for row in csv.DictReader(file)
        )
    assert learned == {("Electronic", "Electronic"): 12, ("Rock", "Rock"): 12}
    for detection in found.unknown:
        assert set(detection.kinds) == set(KINDS)


def test_of_two_genres_none_can_be_left_out(
    session: Resources, request_for_head: TrainRequest, tmp_path: Path
) -> None:
    two = relabelled(request_for_head, only=("House", "Rock"))
    request = CrossRequest(
        dataclasses.replace(two, out=tmp_path / "out"),
        protocols=("track-random", "artist"),
        leave_genre_out=True,
    )
    flow = cross_validate(request, session)
    with pytest.raises(DataError, match="only House and Rock: with one of them left out"):
        run(flow, lambda _: None)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("protocol", "kept_whole"),
    [("artist", "artist"), ("prescribed", "artist"), ("track-random", "track")],
)
def test_the_confusion_says_how_it_was_split(
    trainings: Trainings,
    request_for_head: TrainRequest,
    monkeypatch: pytest.MonkeyPatch,
    protocol: str,
    kept_whole: str,
) -> None:
    titles = []

    def confusion_matrix(*arguments: object) -> None:
        titles.append(arguments[-1])

    monkeypatch.setattr(plots, "confusion_matrix", confusion_matrix)
    _, tested, _ = trained(trainings, relabelled(request_for_head, split=SplitRequest(protocol)))
    assert titles == [f"{len(tested)} test tracks, split by {kept_whole}"]

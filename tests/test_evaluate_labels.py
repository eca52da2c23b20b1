"""Whether a track is of one of a model's genres, however the model and the library spell them."""

import dataclasses
from pathlib import Path

import pytest

pytest.importorskip("onnx", reason="needs earmark[head]")

from earmark.events import run
from earmark.models import bundle as bundles
from earmark.models.bundle import Bundle
from earmark.training.request import LabelRequest
from earmark.workflows.evaluate import Answers, fresh_answers
from tests import backbones
from tests.audiofiles import synth, write
from tests.sessions import resources


def model(folder: Path, *labels: str) -> Bundle:
    """One of two labels, which it knows nothing of."""
    untaught = backbones.write(folder / "bins")
    meta = dataclasses.replace(untaught.meta, labels=labels)
    return bundles.write(folder / "model", meta, untaught.network.read_bytes())


def heard(
    folder: Path, bundle: Bundle, field: str, *values: str, only: tuple[str, ...] = ()
) -> list[tuple[str, int | None]]:
    """What `evaluate` takes tracks for, each tagged with one of the values: name and number."""
    music = folder / "music"
    music.mkdir()
    for i, value in enumerate(values):
        y = synth("music", 4.0, 22050, 1, seed=i)
        write(music / f"{i}.flac", y, 22050, "flac", {field: value, "artist": f"artist {i}"})
    request = LabelRequest(str(music), field=field, only=only)
    with resources(folder / "home") as session:
        flow = fresh_answers(bundle, request, session)
        answers: Answers = run(flow)
    return [(subject.kind, subject.genre) for subject in answers.subjects]


def test_genres_are_the_models_in_any_spelling(tmp_path: Path) -> None:
    bundle = model(tmp_path, "rock", "hip-hop")
    found = heard(
        tmp_path, bundle, "genre", "Rock", "ROCK", "Hard Rock", "Hip Hop", "hiphop", "Polka"
    )
    rock = ("Rock", 0)
    assert found == [rock, rock, rock, ("Hip-Hop", 1), ("Hip-Hop", 1), ("Polka", None)]


def test_other_labels_are_the_models_in_any_spelling(tmp_path: Path) -> None:
    bundle = model(tmp_path, "Happy", "Sad")
    found = heard(tmp_path, bundle, "mood", "HAPPY", "sad", "Solemn")
    assert found == [("HAPPY", 0), ("sad", 1), ("Solemn", None)]


def test_a_track_of_two_of_the_models_genres_is_no_stranger(tmp_path: Path) -> None:
    bundle = model(tmp_path, "Rock", "Jazz")
    found = heard(tmp_path, bundle, "genre", "Rock; Jazz", "Rock", "Polka", only=("Rock", "Polka"))
    assert found == [("Rock", 0), ("Polka", None)]

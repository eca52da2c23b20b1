"""A plan that a person has edited meets the library as it is by now."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import mutagen
import pytest

from earmark.audio import audio_id
from earmark.errors import ConfigError
from earmark.events import Event, Progress, run
from earmark.library import Catalogue, changes, export_csv, make_plan
from earmark.library.scan import scan
from earmark.workflows.plan import import_plan
from tests.audiofiles import synth, write
from tests.tagmakers import bare_mp3
from tests.test_plan import ROCK


@pytest.fixture
def music(tmp_path: Path) -> Path:
    folder = tmp_path / "music"
    folder.mkdir()
    return folder


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    with Catalogue.open(tmp_path / "catalogue.sqlite") as opened:
        yield opened


def song(path: Path, seed: int) -> Path:
    return write(path, synth(seconds=1.0, seed=seed), container="mp3", tags={"title": "Song"})


def exported(music: Path, catalogue: Catalogue, path: Path) -> Path:
    """The plan that says Rock of every track, each listened to."""
    run(scan(music, catalogue))
    tracks = [
        dataclasses.replace(track, audio_id=audio_id(track.path))
        for track in catalogue.tracks(music)
    ]
    export_csv(make_plan(tracks, {track.path: ROCK for track in tracks}), path)
    return path


def test_a_table_that_cannot_be_read_is_told_before_the_scan(
    tmp_path: Path, music: Path, catalogue: Catalogue
) -> None:
    bare_mp3(music / "a.mp3")
    with pytest.raises(ConfigError, match="cannot be read"):
        run(import_plan(str(music), tmp_path / "none.csv", catalogue))
    assert list(catalogue.tracks(music)) == []


def test_a_genre_goes_to_the_recording_it_was_made_for_alone(
    tmp_path: Path, music: Path, catalogue: Catalogue
) -> None:
    replaced, retagged, moved = (song(music / f"{i}.mp3", i) for i in range(3))
    sheet = exported(music, catalogue, tmp_path / "plan.csv")
    song(replaced, 9)
    tags = mutagen.File(retagged, easy=True)
    tags["title"] = "A title that is much longer than the old one" * 20
    tags.save()
    moved.rename(moved.with_name("moved.mp3"))
    song(moved, 10)
    plan = run(import_plan(str(music), sheet, catalogue))
    assert [change.path for change in changes(plan)] == [str(retagged)]
    changed = "it has changed since the plan was made (plan again)"
    assert {i.path: i.reason for i in plan.items if i.action == "error"} == {
        str(replaced): changed,
        str(moved): changed,
    }


def test_a_table_that_does_not_tell_the_recordings_is_taken_as_it_is(
    tmp_path: Path, music: Path, catalogue: Catalogue
) -> None:
    path = song(music / "a.mp3", 0)
    sheet = tmp_path / "plan.csv"
    with sheet.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("path", "genre"), (path, "Polka")])
    for seed in (0, 9):
        song(path, seed)
        (change,) = changes(run(import_plan(str(music), sheet, catalogue)))
        assert change.after == ("Polka",)


def test_a_file_that_vanishes_while_plan_and_library_are_compared(
    tmp_path: Path, music: Path, catalogue: Catalogue
) -> None:
    song(music / "a.mp3", 0)
    last = song(music / "b.mp3", 1)
    sheet = exported(music, catalogue, tmp_path / "plan.csv")

    def on_event(event: Event) -> None:
        if isinstance(event, Progress) and event.stage == "comparing":
            last.unlink(missing_ok=True)

    plan = run(import_plan(str(music), sheet, catalogue), on_event)
    assert [item.action for item in plan.items] == ["fill", "error"]
    assert "no such file" in plan.items[1].reason

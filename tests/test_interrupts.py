"""Ctrl-C while tags are written or taken back."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import pytest

import earmark.tags.apply as tags_apply
import earmark.tags.delta as tags_delta
from earmark.errors import TagError
from earmark.events import Workflow
from earmark.library import Catalogue
from earmark.tags import ChangeState, Journal, read_tags
from earmark.workflows.apply import ApplyReport, apply_changes, undo_run
from tests.tagfiles import leftovers, plan
from tests.tagmakers import add_id3, bare_mp3


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "data") as journal:
        yield journal


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    with Catalogue.open(tmp_path / "data" / "catalogue.sqlite") as catalogue:
        yield catalogue


@pytest.fixture
def songs(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{i}.mp3" for i in range(3)]
    for path in paths:
        bare_mp3(path)
        add_id3(path, 4)
    return paths


def states(journal: Journal) -> Mapping[ChangeState, int]:
    (run,) = journal.runs()
    return run.counts


def end(flow: Workflow[ApplyReport]) -> ApplyReport:
    while True:
        try:
            next(flow)
        except StopIteration as stop:
            report: ApplyReport = stop.value
            return report


def interrupted(
    times: int, real: Callable[..., Any], *, at: int = 0, drop: bool = False
) -> Callable[..., Any]:
    """The function, which Ctrl-C hits at one of its calls; `drop`: as PyAV drops it."""
    n_calls = [0]

    def call(*args: Any) -> Any:
        n_calls[0] += 1
        if n_calls[0] == at + 1:
            for _ in range(times):
                with suppress(KeyboardInterrupt) if drop else nullcontext():
                    signal.raise_signal(signal.SIGINT)
        return real(*args)

    return call


def test_the_file_at_hand_is_written_before_a_run_ends(
    songs: list[Path], journal: Journal, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tags_apply, "make_delta", interrupted(1, tags_delta.make_delta))
    before = signal.getsignal(signal.SIGINT)
    changes = [plan(path, "Rock") for path in songs]
    report = end(apply_changes(changes, journal, catalogue))
    assert report.interrupted
    assert report.n_written == 1
    assert states(journal) == {"done": 1}
    assert [read_tags(path).genres == ("Rock",) for path in songs] == [True, False, False]
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_interrupt_leaves_the_file_as_it_was(
    songs: list[Path], journal: Journal, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    # There the file is looked at through a map, which an interrupt's traceback keeps open.
    monkeypatch.setattr(tags_delta, "_make", interrupted(2, tags_delta._make))
    before = [path.read_bytes() for path in songs]
    changes = [plan(path, "Rock") for path in songs]
    report = end(apply_changes(changes, journal, catalogue))
    assert report.interrupted
    assert report.n_written == 0
    assert states(journal) == {"abandoned": 1}
    assert [path.read_bytes() for path in songs] == before
    assert not leftovers(songs[0].parent)


def test_interrupts_that_are_dropped_on_the_way_end_the_run_all_the_same(
    songs: list[Path], journal: Journal, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = interrupted(3, tags_delta.make_delta, drop=True)
    monkeypatch.setattr(tags_apply, "make_delta", make)
    report = end(apply_changes([plan(path, "Rock") for path in songs], journal, catalogue))
    assert (report.interrupted, report.n_written) == (True, 1)
    assert states(journal) == {"done": 1}


def test_an_interrupt_in_the_last_file_comes_too_late(
    songs: list[Path], journal: Journal, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tags_apply, "make_delta", interrupted(1, tags_delta.make_delta, at=2))
    report = end(apply_changes([plan(path, "Rock") for path in songs], journal, catalogue))
    assert (report.interrupted, report.n_written) == (False, 3)
    (run,) = journal.runs()
    assert run.finished is not None


def test_a_file_that_fails_when_an_interrupt_waits_is_told(
    songs: list[Path], journal: Journal, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise TagError(str(songs[0]), "no luck")

    monkeypatch.setattr(tags_apply, "make_delta", interrupted(1, fail))
    report = end(apply_changes([plan(path, "Rock") for path in songs], journal, catalogue))
    assert report.interrupted
    assert report.skipped == ((str(songs[0]), "no luck"),)
    assert states(journal) == {"failed": 1}


def test_an_undoing_ends_after_the_file_at_hand_and_goes_on_later(
    songs: list[Path], journal: Journal, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = [path.read_bytes() for path in songs]
    end(apply_changes([plan(path, "Rock") for path in songs], journal, catalogue))
    monkeypatch.setattr(tags_apply, "_rebuild", interrupted(1, tags_apply._rebuild))
    report = end(undo_run(journal, lambda: nullcontext(catalogue)))
    assert (report.interrupted, report.n_written) == (True, 1)
    assert states(journal) == {"done": 2, "undone": 1}
    report = end(undo_run(journal, lambda: nullcontext(catalogue)))
    assert (report.interrupted, report.n_written) == (False, 2)
    assert states(journal) == {"undone": 3}
    (run,) = journal.runs()
    assert run.undone is not None
    assert [path.read_bytes() for path in songs] == before

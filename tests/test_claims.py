"""The table of a comparison, its picture, and what is said of authors' figures."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from earmark.evaluation.bootstrap import Score
from earmark.evaluation.claims import claims
from earmark.evaluation.comparison import (
    HEAD,
    Cell,
    Comparison,
    Reported,
    duration,
    rows,
    share,
)
from earmark.evaluation.report.comparison import complaints, compose, write_comparison
from earmark.evaluation.report.document import to_markdown

REPORTED = Reported("80 %", 0.8, "tracks", "10 genres")


def cell(recipe: str, protocol: str, value: float, **more: Any) -> Cell:
    """Measured with an interval of ten points either way; its slices are worse by five."""
    tracks = Score(value, value - 0.1, value + 0.1, 100, 20)
    slices = Score(value - 0.05, value - 0.1, value, 500, 20)
    values = {
        "split": "artist" if protocol == "artist" else "slice-random",
        "details": "70/20/10, seed 0",
        "front_end": "mel",
        "reported": REPORTED,
        "n_parameters": 421_000,
        "train_s": 120.0,
        "track_ms": 11.4,
        "slice_accuracy": slices,
        "accuracy": tracks,
        "macro_f1": tracks,
        "majority": 0.2,
        **more,
    }
    return Cell(recipe, protocol, **values)


def comparison(*cells: Cell) -> Comparison:
    return Comparison("music", "earmark compare music", cells)


@pytest.mark.parametrize(
    ("honest", "paper", "verdict"),
    [
        (0.82, 0.85, "reached on artists that the model has not heard"),
        (0.796, 0.9, "reached on artists that the model has not heard"),  # rounds to 80 %
        (0.5, 0.85, "reached only when split as its author split"),
        (0.75, 0.85, "reached only when split as its author split"),
        (0.72, 0.75, "not reached, nor ruled out by the interval, on artists"),
        (0.5, 0.75, "not reached, nor ruled out by the interval, when split"),
        (0.5, 0.6, "out of reach under either split"),
    ],
)
def test_a_figure_is_held_against_both_splits(honest: float, paper: float, verdict: str) -> None:
    summary, told = claims(comparison(cell("a", "artist", honest), cell("a", "paper", paper)))
    assert f"1 of 1 authors' figures is {verdict}" in summary
    assert f"{100 * (paper - honest):+.0f} points" in told
    assert "80 % (10 genres)" in told


def test_what_the_author_counted_is_compared() -> None:
    slices = Reported("80 % of slices", 0.8, "slices", "10 genres")
    both = [cell("a", p, 0.85, reported=slices) for p in ("artist", "paper")]
    _, told = claims(comparison(*both))
    assert "slices right: 80.0% [75.0%, 85.0%]" in told


def test_verdicts_are_counted_and_gaps_averaged() -> None:
    summary, *told = claims(
        comparison(
            cell("a", "artist", 0.85),
            cell("a", "paper", 0.95),
            cell("b", "artist", 0.4),
            cell("b", "paper", 0.7),
            cell("c", "artist", 0.4),
            cell("c", "paper", 0.4, error="no", accuracy=None, slice_accuracy=None),
            cell("d", "artist", 0.5, reported=Reported()),
        )
    )
    assert "1 of 2 authors' figures is reached on" in summary
    assert "+20 points on average (+10 to +30)" in summary
    assert [line.partition(":")[0] for line in told] == ["a", "b"]


def test_nothing_is_claimed_of_nothing() -> None:
    assert claims(comparison()) == []
    assert claims(comparison(cell("a", "artist", 0.5))) == []


def test_a_table_tells_each_thing_once() -> None:
    table = rows(
        [
            cell("a", "artist", 0.5),
            cell("a", "paper", 0.7),
            Cell("b", "artist", "artist", error="it broke"),
        ]
    )
    assert all(len(row) == len(HEAD) for row in table)
    first, second, failed = table
    assert first[:4] == ("a", "mel", "421 k", "artist")
    assert first[4:9] == ("2 min", "45.0%", "50.0% [40.0%, 60.0%]", "50.0%", "11")
    assert first[-1] == "80 % (10 genres)"
    assert second[:3] == ("", "", "")
    assert second[3] == "author's: slice-random"
    assert failed[0] == "b"
    assert "failed" in failed
    page = to_markdown(compose(comparison(Cell("b", "artist", "artist", error="it | broke"))))
    assert "b, artist: it \\| broke" in page


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(math.nan, ""), (3.4, "3 s"), (89, "89 s"), (130, "2 min"), (7200, "2.0 h")],
)
def test_times_for_people(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_what_is_not_defined_is_left_blank() -> None:
    assert share(None) == share(Score(math.nan, math.nan, math.nan, 0, 0)) == ""


def test_files_of_a_comparison(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs earmark[report]")
    found = comparison(
        cell("a", "artist", 0.5),
        cell("a", "paper", 0.7),
        cell("odd $name_", "artist", 0.6, reported=Reported()),
        Cell("broken", "artist", "artist", error="no"),
    )
    page = write_comparison(tmp_path / "new", found)
    assert "gaps.png" in page.read_text(encoding="utf-8")
    assert (page.parent / "gaps.png").read_bytes().startswith(b"\x89PNG")
    saved = json.loads((page.parent / "comparison.json").read_text(encoding="utf-8"))
    # JSON has no NaN: compared as written again.
    assert Comparison.from_json(saved).to_json() == found.to_json()


def test_a_comparison_of_failures_has_no_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs earmark[report]")
    found = comparison(Cell("broken", "artist", "artist", error="no"))
    page = write_comparison(tmp_path, found)
    assert "gaps.png" not in page.read_text(encoding="utf-8")
    assert not (tmp_path / "gaps.png").exists()


def test_what_all_have_in_common_is_said_once() -> None:
    few, odd = "few artists", "an odd one"
    found = comparison(
        cell("a", "artist", 0.5, warnings=(few,)),
        cell("a", "paper", 0.5, warnings=("leaks",)),
        cell("b", "artist", 0.5, warnings=(few, odd)),
        Cell("c", "artist", "artist", error="broken"),
    )
    assert complaints(found) == [
        "c, artist: broken",
        "all recipes, artist: few artists",
        "b, artist: an odd one",
    ]

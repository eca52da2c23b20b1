"""Pictures are drawn whatever the genres are called and however little there is to see."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="needs earmark[train]")

from earmark.evaluation.bootstrap import Score
from earmark.evaluation.plots import base as plots
from earmark.evaluation.rejection import risk_coverage_curve
from earmark.evaluation.reliability import reliability_curve
from earmark.evaluation.results import compare
from tests.evaluations import evaluation

NASTY = ("R$B and $oul", r"back\slash", "演歌", "a_very^long{name} " * 9, "\udcff\n", "")
NAN = Score(np.nan, np.nan, np.nan, 0, 0)


def size_of(path: Path) -> tuple[int, int]:
    """Width and height of a PNG, from its header."""
    head = path.read_bytes()[:24]
    assert head.startswith(b"\x89PNG\r\n\x1a\n")
    return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")


def draw_confusion(path: Path, labels: tuple[str, ...]) -> None:
    counts = np.arange(len(labels) * (len(labels) + 1)).reshape(len(labels), -1)
    plots.confusion_matrix(path, counts, labels, labels[0])


def draw_square(path: Path, labels: tuple[str, ...]) -> None:
    counts = np.eye(len(labels), dtype=int)
    plots.confusion_matrix(path, counts, labels, labels[0])


def draw_bars(path: Path, labels: tuple[str, ...]) -> None:
    some = Score(0.5, 0.2, 0.6, 9, 3)
    per_genre = {label: {"precision": NAN, "recall": some, "f1": some} for label in labels}
    plots.genre_bars(path, per_genre, labels[0])


def draw_protocols(path: Path, labels: tuple[str, ...]) -> None:
    rows = compare([evaluation(protocol=label, name=label) for label in labels])
    plots.protocols(path, rows, labels[0])


@pytest.mark.parametrize("draw", [draw_confusion, draw_square, draw_bars, draw_protocols])
@pytest.mark.parametrize("labels", [NASTY, ("only",)])
def test_any_name_is_drawn(
    tmp_path: Path, draw: Callable[[Path, tuple[str, ...]], None], labels: tuple[str, ...]
) -> None:
    draw(tmp_path / "a.png", labels)
    width, height = size_of(tmp_path / "a.png")
    assert min(width, height) > 200


def test_a_hundred_genres_fit(tmp_path: Path) -> None:
    draw_confusion(tmp_path / "a.png", tuple(f"genre {i}" for i in range(100)))
    width, height = size_of(tmp_path / "a.png")
    assert 1500 < width < 4000
    assert 1500 < height < 4000


@pytest.mark.parametrize(
    ("confidence", "correct"), [([0.5], [True]), ([0.9, 0.9], [False, False]), ([1.0, 0.2], [1, 0])]
)
def test_curves_of_few_tracks_are_drawn(tmp_path: Path, confidence: Any, correct: Any) -> None:
    values, right = np.array(confidence), np.array(correct, dtype=bool)
    plots.reliability(tmp_path / "r.png", reliability_curve(values, right), "reliability")
    plots.risk_coverage(tmp_path / "c.png", risk_coverage_curve(values, right), "coverage")
    assert size_of(tmp_path / "r.png") == (600, 540)
    assert size_of(tmp_path / "c.png") == (720, 480)


def test_loss_curves_are_drawn(tmp_path: Path) -> None:
    plots.loss_curves(tmp_path / "a.png", [2.0, 1.0], [2.1, 1.5], best=2)
    assert size_of(tmp_path / "a.png") == (720, 480)

"""Every recipe that comes with Earmark, from music to a row of the comparison."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs earmark[train]")

from earmark.training import recipes
from tests.cli import earmark
from tests.trainings import on_one_core

MUSIC = Path(__file__).parents[1] / "examples" / "music"


def test_every_recipe_runs_on_the_demo_library(tmp_path: Path) -> None:
    options = ("--roll-up", "--min-tracks", "3", "--quick", "--quiet", "--workers", "1")
    with on_one_core():
        ran = earmark(
            "compare",
            MUSIC,
            "--recipes",
            "all",
            "--out",
            tmp_path / "side",
            *options,
            timeout_s=1200,  # it takes a tenth of that, unless the machine is busy
        )
    saved = json.loads((tmp_path / "side" / "comparison.json").read_text())
    failed = {cell["recipe"]: cell["error"] for cell in saved["cells"] if cell["error"]}
    # An optional library that is not installed, or a teacher, is no failure of the recipe.
    lacking = ("pip install", "earmark models add")
    assert all(any(word in error for word in lacking) for error in failed.values()), failed
    assert ran.code == (3 if failed else 0), ran.err
    rows = [(cell["recipe"], cell["protocol"]) for cell in saved["cells"]]
    assert rows == [
        (name, protocol)
        for name in recipes.names()
        for protocol in ("artist", "paper")
        if protocol == "artist" or recipes.load(name).paper.figure
    ]
    for cell in saved["cells"]:
        if not cell["error"]:
            assert cell["n_tracks"] > 0
            assert cell["n_parameters"] > 0
            assert cell["track_ms"] > 0
            assert 0 <= cell["accuracy"]["value"] <= 1

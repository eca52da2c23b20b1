"""Options in groups: none is lost, the usual ones fit on a screen, the others are asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from typer.testing import CliRunner

from earmark.cli.app import app
from earmark.cli.grouping import grouped
from tests.cli import earmark

SCREEN = 40
GROUP = typer.main.get_command(app)
VERBS: dict[str, Any] = GROUP.commands  # type: ignore[attr-defined]


def options_of(verb: str) -> list[Any]:
    return [p for p in VERBS[verb].params if p.param_type_name == "option"]


def told(*args: str) -> str:
    """What is printed on a terminal of 80 columns."""
    done = subprocess.run(
        [sys.executable, "-m", "earmark", *args],
        env=os.environ | {"COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize("verb", sorted(set(VERBS) - {"models"}))
def test_the_usual_options_fit_on_a_screen_and_all_are_shown_when_asked_for(verb: str) -> None:
    page = told(verb, "--help")
    assert len(page.splitlines()) <= SCREEN
    hidden = [o for o in options_of(verb) if o.hidden]
    assert not [o.opts[0] for o in hidden if f" {o.opts[0]} " in page]
    if not hidden:
        assert "--help-all" not in page
        return
    assert "--help-all" in page
    whole = told(verb, "--help-all")
    assert [o.opts[0] for o in options_of(verb) if f" {o.opts[0]} " not in whole] == []


def test_what_most_people_need_is_on_the_first_screen_of_train() -> None:
    shown = {o.opts[0] for o in options_of("train") if not o.hidden}
    assert {"--out", "--recipe", "--labels", "--merge", "--only", "--min-tracks"} <= shown
    assert {"--lr", "--batch-size", "--devices", "--run-dir"} & shown == set()


@pytest.mark.parametrize(("verb", "n"), [("train", 36), ("evaluate", 32), ("compare", 27)])
def test_no_option_is_lost(verb: str, n: int) -> None:
    assert len(VERBS[verb].params) == n


@dataclass(frozen=True)
class Size:
    width: Annotated[int, typer.Option(min=1)] = 3
    depth: Annotated[int, typer.Option("-d", hidden=True)] = 4


@dataclass(frozen=True)
class Weighed(Size):
    weight: Annotated[float, typer.Option()] = 0.5


def test_a_group_comes_to_the_command_as_one() -> None:
    got: list[tuple[Any, ...]] = []

    def command(
        name: Annotated[str, typer.Argument()],
        size: Weighed,
        loud: Annotated[bool, typer.Option("--loud")] = False,
    ) -> None:
        """Take a parcel."""
        got.append((name, size, loud))

    small = typer.Typer()
    small.command()(grouped(command))
    run = CliRunner()
    assert run.invoke(small, ["box"]).exit_code == 0
    asked = ["box", "--width", "7", "-d", "8", "--weight", "2", "--loud"]
    assert run.invoke(small, asked).exit_code == 0
    assert got == [("box", Weighed(), False), ("box", Weighed(7, 8, 2.0), True)]
    assert run.invoke(small, ["box", "--width", "0"]).exit_code == 2
    assert " -d " not in run.invoke(small, ["--help"]).stdout
    assert " -d " in run.invoke(small, ["--help-all"]).stdout
    assert "Take a parcel." in run.invoke(small, ["--help"]).stdout


def test_settings_come_from_file_and_options_as_before(tmp_path: Path) -> None:
    chosen = tmp_path / "mine.toml"
    chosen.write_text('model = "/no/model/of/mine"\nworkers = 1\nvote = "mean"\n')
    ran = earmark("classify", tmp_path, "--config", chosen)
    assert (ran.code, "/no/model/of/mine" in ran.err) == (1, True)
    ran = earmark("classify", tmp_path, "--config", chosen, "--model", "/another")
    assert (ran.code, "/another is not a model" in ran.err) == (1, True)
    chosen.write_text("time_limit_s = -1\n")
    for verb in (("duplicates", tmp_path), ("train", tmp_path, "--out", tmp_path / "m")):
        ran = earmark(*verb, "--config", chosen)
        assert (ran.code, "time_limit_s is -1" in ran.err) == (2, True)
    ran = earmark("duplicates", tmp_path, "--config", chosen, "--time-limit", "5")
    assert ran.code == 2  # a file that makes no sense is not passed over

"""How `tag` shows its plan."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.audiofiles import synth, write
from tests.cli import earmark


def test_the_plan_shows_genres_in_a_narrow_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / f"{'long name ' * 6}.flac", synth("music", 6.0), container="flac")
    monkeypatch.setenv("FORCE_COLOR", "1")  # which stands for a terminal
    monkeypatch.setenv("COLUMNS", "40")
    said = earmark("tag", tmp_path, "--min-confidence", "0").out
    lines = [re.sub("\x1b\\[[0-9;]*m", "", line) for line in said.splitlines()]
    (row,) = [line for line in lines if "long name" in line]
    assert "(none) →" in row
    assert len(row) <= 40


def test_the_plan_names_files_whose_titles_say_too_little(tmp_path: Path) -> None:
    for name, title in (("a", "Intro"), ("b", "Intro"), ("c", "Song")):
        tags = {"album": "X", "title": title}
        write(tmp_path / f"{name}.flac", synth("music", 6.0), container="flac", tags=tags)
    rows = earmark("tag", tmp_path, "--min-confidence", "0").out.splitlines()[1:4]
    assert [row.split()[0] for row in rows] == ["a.flac", "b.flac", "Song"]


def test_what_the_plan_does_not_show_is_told_beside_it(tmp_path: Path) -> None:
    (tmp_path / "broken.mp3").write_bytes(b"this is no music" * 100)
    (tmp_path / "gone.ogg").symlink_to("nothing.ogg")
    ran = earmark("tag", tmp_path, "--min-confidence", "0")
    assert ran.code == 3
    assert "gone.ogg" in ran.err
    assert "gone.ogg" not in ran.out
    assert "broken.mp3" in ran.out
    assert "broken.mp3" not in ran.err

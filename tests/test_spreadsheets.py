"""CSV tables are no formulas, whatever takes what for a separator, and come back exactly."""

from __future__ import annotations

import ast
import csv
import io
import itertools
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import earmark
from earmark.errors import ConfigError
from earmark.genres.merges import read_merges
from earmark.library import read_sheet
from earmark.spreadsheets import Writer, guarded, read_table, unguarded, write_table
from tests.audiofiles import synth, write
from tests.cli import earmark as call

FORMULAS = [
    *("=cmd|' /C calc'!A0", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "\n=1", " =1", "\ufeff=1"),
    *(";=cmd|' /C calc'!A0", "; =1", "title;=1", "a;\t@x", 'a;"=1', "a,=1", "a\t+1", "a\n-1"),
    *("\uff1d1", "\uff0b1", "\uff0d1", "\uff201", "a;\uff1d1", "\u200b=1", "\xa0=1", "\x00=1"),
]
SAME = ["Rock", "Drum & Bass", "a - b", "R&B; Soul", "1-2", "a=b", "", " ", "x@y", "夜曲", "Don't"]
PIECES = ["=", "+", "-", "@", "'", ";", ",", "\t", "\r", "\n", '"', " ", "a", "\uff1d", "\ufeff"]
texts = st.one_of(st.lists(st.sampled_from(PIECES), max_size=8).map("".join), st.text())


def cells_of(line: str, delimiter: str) -> list[str]:
    """A line as a simple reader takes it: one that knows no quotes, or one that does."""
    plain = line.split(delimiter)
    return plain + next(csv.reader(io.StringIO(line), delimiter=delimiter), [])


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_is_a_formula_whatever_the_separator(text: str) -> None:
    table = io.StringIO()
    Writer(table).row(["x", text, "y"])
    for delimiter, line in itertools.product(",;\t", table.getvalue().splitlines()):
        for cell in cells_of(line, delimiter):
            assert cell.strip('" \t\x00\u200b\ufeff\xa0')[:1] not in {*"=+-@＝＋－＠"}, (cell, line)
    assert unguarded(guarded(text)) == text


@pytest.mark.parametrize("text", SAME)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert guarded(text) == text


@given(texts)
@example("'=")
@example("a;'=b")
@example("''")
def test_what_is_guarded_comes_back(text: str) -> None:
    assert unguarded(guarded(text)) == text


@given(st.lists(st.tuples(texts, texts), max_size=4))
def test_a_table_comes_back(rows: list[tuple[str, str]]) -> None:
    table = io.StringIO(newline="")
    write_table(table, [{"a": a, "b": b, "n": -1.5} for a, b in rows], ["a", "b", "n"])
    table.seek(0)
    read = [(row["a"], row["b"], row["n"]) for row in read_table(table)]
    assert read == [(a, b, "-1.5") for a, b in rows]


def test_numbers_are_no_formulas() -> None:
    table = io.StringIO()
    Writer(table).row([-1, -0.5, None, "x"])
    assert table.getvalue() == "-1,-0.5,,x\r\n"


def test_no_table_is_written_without_the_guard() -> None:
    """Nothing in Earmark calls `csv.writer` but the one place that guards."""
    root = Path(earmark.__file__).parent
    callers = {
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in ("writer", "DictWriter")
    }
    assert callers == {"spreadsheets.py"}


@pytest.mark.parametrize("name", ["=cmd.mp3", "a;=cmd.mp3", "＝cmd.mp3"])
def test_tables_of_verbs_are_guarded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    song = write(tmp_path / "song.mp3", synth("music", 4.0), container="mp3")
    song.rename(tmp_path / name)
    (tmp_path / "copy.mp3").write_bytes((tmp_path / name).read_bytes())
    monkeypatch.chdir(tmp_path)
    table = call("classify", name, "--csv").out
    assert [row["path"] for row in csv.DictReader(io.StringIO(table))] == [guarded(name)]
    assert [row["path"] for row in read_table(io.StringIO(table))] == [name]
    pairs = list(read_table(io.StringIO(call("duplicates", tmp_path, "--csv").out)))
    assert str(tmp_path / name) in {path for row in pairs for path in (row["a"], row["b"])}


@pytest.mark.parametrize("text", ["a" * 131_073, "genre,track_id\n" + "b" * 131_073 + ",1"])
def test_a_cell_beyond_all_bounds_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "plan.csv").write_text(text)
    with pytest.raises(ConfigError, match=r"plan\.csv, line [12]: field larger than"):
        read_sheet(tmp_path / "plan.csv")
    (tmp_path / "map.csv").write_text(text)
    with pytest.raises(ConfigError, match=r"map\.csv, line [12]: "):
        read_merges(tmp_path / "map.csv")

"""What people are told where a library is not installed."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from earmark.errors import MissingExtraError

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


WITHOUT = """
import sys
from importlib.machinery import PathFinder

class Lacking(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        absent = name.partition(".")[0] == "{}"
        return None if absent else super().find_spec(name, path, target)

sys.meta_path = [Lacking if f is PathFinder else f for f in sys.meta_path]
from earmark.cli import main
main()
"""


def without(library: str, *args: object) -> subprocess.CompletedProcess[str]:
    """``earmark`` where `library` is not installed."""
    command = [sys.executable, "-c", WITHOUT.format(library), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def test_one_line_says_what_to_type_and_where() -> None:
    assert str(MissingExtraError("torch", "train")) == (
        "torch is not installed"
        " (in Earmark's source folder: pip install -c constraints.txt '.[train]')"
    )


def test_evaluating_names_the_extra_at_once(tmp_path: Path) -> None:
    done = without("matplotlib", "evaluate", "ear", tmp_path / "none")
    assert done.returncode == 2
    assert done.stderr == f"earmark: {MissingExtraError('matplotlib', 'report')}\n"


def test_a_recipe_that_lacks_an_extra_has_failed_like_any_other(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs earmark[report]")
    out = ("--out", tmp_path / "side")
    done = without("torch", "compare", tmp_path, "--recipes", "cnn", "--protocol", "artist", *out)
    assert done.returncode == 1
    reason = f"cnn, artist: {MissingExtraError('torch', 'train')}"
    assert done.stderr.splitlines()[-1] == f"earmark: {reason}"
    assert "torch is not installed" in (tmp_path / "side" / "comparison.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_pages_name_extras_that_exist_and_pin_torch(page: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for line in page.read_text(encoding="utf-8").splitlines():
        for extras in re.findall(r"'\.\[([\w,]+)\]'", line):
            assert set(extras.split(",")) <= set(project["optional-dependencies"]), line
            assert "pip install" not in line or "pip install -c constraints.txt" in line, line


def test_the_page_on_evaluating_says_what_it_needs() -> None:
    text = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")
    assert "pip install -c constraints.txt '.[report]'" in text

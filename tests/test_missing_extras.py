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
        absent = name.partition(".")[0] in {}
        return None if absent else super().find_spec(name, path, target)

sys.meta_path = [Lacking if f is PathFinder else f for f in sys.meta_path]
from earmark.cli import main
main()
"""


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
# Names of earlier versions, which only stand for others.
FORMER = {"report", "features", "summary", "tune", "bench"}
# By the names that they are imported by.
HEAD = ("sklearn", "onnx", "skl2onnx", "matplotlib")
OPTIONAL = (*HEAD, "torch", "lightning_fabric", "onnxscript", "optuna", "librosa", "numba", "scipy")


def without(libraries: tuple[str, ...], *args: object) -> subprocess.CompletedProcess[str]:
    """``earmark`` where these libraries are not installed."""
    command = [sys.executable, "-c", WITHOUT.format(libraries), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def test_one_line_says_what_to_type_and_where() -> None:
    assert str(MissingExtraError("torch", "train")) == (
        "torch is not installed"
        " (in Earmark's source folder: pip install -c constraints.txt '.[train]')"
    )


def test_evaluating_names_the_extra_at_once(tmp_path: Path) -> None:
    done = without(("matplotlib",), "evaluate", "ear", tmp_path / "none")
    assert done.returncode == 2
    assert done.stderr == f"earmark: {MissingExtraError('matplotlib', 'head')}\n"


@pytest.mark.parametrize(
    ("options", "library", "extra"),
    [
        ((), "onnx", "head"),
        (("--recipe", "cnn"), "matplotlib", "train"),
        (("--recipe", "summary-sklearn"), "librosa", "analysis"),
    ],
)
def test_training_on_a_base_install_names_the_extra_at_once(
    tmp_path: Path, options: tuple[str, ...], library: str, extra: str
) -> None:
    done = without(OPTIONAL, "train", tmp_path / "none", "--out", tmp_path / "model", *options)
    assert done.returncode == 2
    assert done.stderr == f"earmark: {MissingExtraError(library, extra)}\n"
    assert list(tmp_path.iterdir()) == []


def resolved(extra: str) -> set[str]:
    """Packages of an extra, and of those that it names."""
    packages = set()
    for requirement in EXTRAS[extra]:
        name, _, others = re.sub(r"[\]<>=].*", "", requirement).partition("[")
        packages |= set.union(*map(resolved, others.split(","))) if others else {name}
    return packages


def test_extras_of_earlier_versions_stand_for_those_of_today() -> None:
    assert {"mirdata", "train", "head", "web", *FORMER} <= set(EXTRAS)
    for name in FORMER:
        assert all(r.startswith("earmark[") for r in EXTRAS[name]), name
    assert resolved("report") == resolved("head")
    assert resolved("summary") == resolved("head") | resolved("analysis")
    assert resolved("tune") == resolved("train") >= resolved("summary")
    assert resolved("all") == set.union(*(resolved(name) for name in EXTRAS if name != "dev"))


def test_the_table_of_extras_has_them_all() -> None:
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]*) \|", text.partition("## Extras")[2], re.M))
    assert set(rows) == set(EXTRAS) - FORMER
    for name in set(rows) - {"all"}:
        listed = rows[name].replace("`", "").split(", ")
        named = set.union(*(resolved(n) if n in EXTRAS and n != name else {n} for n in listed))
        assert named == resolved(name), name


def test_messages_and_help_name_the_extras_of_today() -> None:
    named = {}
    for path in (ROOT / "src").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        # In requests for them, and in prose.
        for found in re.findall(r'extras\.require\(\s*"(\w+)"|earmark\[([\w,]+)\]', text):
            for extra in "".join(found).split(","):
                named[extra] = path
    assert {"head", "train", "web", "mirdata"} <= set(named)
    named.pop("extra", None)  # in the explanation of how to ask for one
    assert not {e: p for e, p in named.items() if e not in set(EXTRAS) - FORMER}


def test_a_recipe_that_lacks_an_extra_has_failed_like_any_other(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs earmark[head]")
    out = ("--out", tmp_path / "side")
    done = without(
        ("torch",), "compare", tmp_path, "--recipes", "cnn", "--protocol", "artist", *out
    )
    assert done.returncode == 1
    reason = f"cnn, artist: {MissingExtraError('torch', 'train')}"
    assert done.stderr.splitlines()[-1] == f"earmark: {reason}"
    assert "torch is not installed" in (tmp_path / "side" / "comparison.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_pages_name_extras_that_exist_and_pin_torch(page: Path) -> None:
    for line in page.read_text(encoding="utf-8").splitlines():
        for extras in re.findall(r"'\.\[([\w,]+)\]'", line):
            assert set(extras.split(",")) <= set(EXTRAS) - FORMER, line
            assert "pip install" not in line or "pip install -c constraints.txt" in line, line


def test_the_page_on_evaluating_says_what_it_needs() -> None:
    text = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")
    assert "pip install -c constraints.txt '.[head]'" in text

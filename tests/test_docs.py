"""What the documentation tells people to type works, and what it links to is there."""

import os
import re
import runpy
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs earmark[train]")

from tests.audiofiles import synth, write

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands(page: Path) -> list[str]:
    """Indented lines that begin with ``earmark``, without their comments."""
    found = re.findall(r"^    (earmark .*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return [re.sub(r"\s+#.*", "", line) for line in found]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A person's folder, with Music as the pages assume it."""
    music = tmp_path / "Music"
    (music / "unsorted").mkdir(parents=True)
    genres = {"Rock": "noise", "Classical": "tone", "Concertos": "tone", "": "music"}
    for genre, kind in genres.items():
        for i in range(12):
            y = synth(kind, 7.0, 22050, 1, seed=i)  # type: ignore[arg-type]
            tags = {
                "artist": f"{genre or kind} artist {i // 2}",
                **({"genre": genre} if genre else {}),
            }
            folder = music if genre else music / "unsorted"
            write(folder / f"{genre}{i}.flac", y, 22050, "flac", tags)
    # Synthetic sounds are no music to the model that ships; these have no genre, and it knows one.
    for song in sorted((ROOT / "examples/music/Obsidian Shell/Angelic Asylum").iterdir()):
        shutil.copy(song, music / "unsorted")
    write(tmp_path / "song.mp3", synth("music", 7.0), container="mp3")
    return tmp_path


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", ROOT / "docs" / "tagging.md"], ids=lambda p: p.name
)
def test_commands_run_as_written_one_after_the_other(page: Path, home: Path) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    lines = commands(page)
    assert len(lines) >= 5
    env = os.environ | {"HOME": str(home), "PATH": path}
    for line in lines:
        if line.startswith("earmark serve"):
            _serves(line, home, env)
            continue
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=home,
            env=env,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    assert (home / "my-model" / "model.onnx").exists() == ("my-model" in page.read_text())


def _serves(line: str, home: Path, env: dict[str, str]) -> None:
    """Started as written, but on a free port, it says where it is, and ends when it is told to."""
    with subprocess.Popen(
        ["bash", "-c", f"exec {line} --port 0"],
        cwd=home,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as server:
        assert server.stdout is not None
        said = []
        for text in server.stdout:
            said.append(text)
            if "http://127.0.0.1:" in text:
                break
        server.terminate()
        said.append(server.stdout.read())
    assert server.returncode == 0, "".join(said)


@cache
def help_of(*verb: str) -> str:
    """All options of a verb, where some are not shown at first."""
    program = [sys.executable, "-c", "from earmark.cli import main; main()", *verb]
    wide = os.environ | {"COLUMNS": "200"}
    for option in ("--help", "--help-all"):
        done = subprocess.run(
            [*program, option], env=wide, capture_output=True, text=True, check=True
        )
        if "--help-all" not in done.stdout:
            break
    return done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_options_named_in_pages_exist(page: Path) -> None:
    for line in commands(page):
        words = line.split()
        verb = words[1:3] if words[1] == "models" else words[1:2]
        named = re.findall(r"(?<= )--[a-z-]+", line)
        text = help_of(*verb) if named else ""
        for option in named:
            assert option in text, line


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_the_page_of_recipes_says_what_was_measured() -> None:
    pytest.importorskip("matplotlib", reason="needs earmark[head]")
    if not (ROOT / "docs" / "recipes.json").exists():
        pytest.skip("the comparison has not been run yet: see docs/make_recipes.py")
    namespace = runpy.run_path(str(ROOT / "docs" / "make_recipes.py"))
    page = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    assert page == namespace["text"]()

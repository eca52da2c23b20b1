"""docs/python.md and the notebook do what they say."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("sklearn", reason="needs earmark[head]")

from tests.audiofiles import synth, write

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "python.md"
SONG = ROOT / "examples" / "music" / "Beating That Thing.mp3"


def programs() -> dict[str, str]:
    """Blocks of the page by the heading above them; those of one heading together."""
    found: dict[str, str] = {}
    for part in re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        blocks = re.findall(r"^```python\n(.*?)^```", part, re.MULTILINE | re.DOTALL)
        if blocks:
            found[part.splitlines()[0]] = "\n".join(blocks)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A person's folder: a song, a library with blanks, labelled music, some by other artists."""
    shutil.copy(SONG, tmp_path / "song.mp3")
    (tmp_path / "Music").mkdir()
    for song in sorted((ROOT / "examples/music/Obsidian Shell/Angelic Asylum").iterdir()):
        shutil.copy(song, tmp_path / "Music")
    for name, artists in (("Labelled", range(4)), ("Others", range(4, 6))):
        (tmp_path / name).mkdir()
        for genre in ("Rock", "Classical"):
            for i in range(len(artists) * 3):
                seed = 100 * len(artists) + i
                y = synth("noise" if genre == "Rock" else "music", 4.0, 22050, 1, seed=seed)
                tags = {"genre": genre, "artist": f"{genre} {artists[i // 3]}"}
                write(tmp_path / name / f"{genre}{i}.flac", y, 22050, "flac", tags)
    return tmp_path


def run(folder: Path, text: str) -> str:
    (folder / "program.py").write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "program.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=os.environ | {"EARMARK_HOME": str(folder / "home")},
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def test_the_users_program_runs(folder: Path) -> None:
    said = run(folder, programs()["Three lines: the genre of a song"])
    song, why, noise = said.splitlines()
    genre = song.rpartition(" ")[0]
    # The model that ships knows a genre for it, or says why not.
    assert (genre == "None") == ("asked for" in why)
    assert noise.startswith("None ")


def test_the_researchers_program_runs(folder: Path) -> None:
    given = (
        "from pathlib import Path\n"
        "from sklearn.model_selection import GroupKFold\n"
        "paths = sorted(map(str, Path('Labelled').iterdir()))\n"
        "genres = [Path(p).name.rstrip('.flac0123456789') for p in paths]\n"
        "artists = [i % 4 for i in range(len(paths))]\n"
        "splitter = GroupKFold(2)\n"
        "import earmark\n"
    )
    said = run(folder, given + programs()["Five lines: numbers for research"])
    assert said.splitlines()[-1].startswith("[1. 1.")


def test_the_services_program_runs(folder: Path) -> None:
    before = {p.name: p.read_bytes() for p in (folder / "Music").iterdir()}
    said = run(folder, programs()["A session: many files, a library"])
    assert said.splitlines()[-1].endswith("written")
    assert {p.name: p.read_bytes() for p in (folder / "Music").iterdir()} == before
    assert (folder / "plan.csv").is_file()


def test_the_learners_program_runs(folder: Path) -> None:
    said = run(folder, programs()["Learning your own genres"])
    assert "Score(value=1.0" in said.splitlines()[-1]


def test_the_program_about_errors_runs(folder: Path) -> None:
    said = run(folder, "import earmark\n" + programs()["Errors"])
    assert said.startswith("no such file.mp3 ")


def test_every_error_of_the_page_exists() -> None:
    import earmark

    table = PAGE.read_text(encoding="utf-8").rpartition("| error |")[2]
    names = re.findall(r"`(\w+Error)`", table)
    assert len(names) >= 8
    for name in names:
        assert issubclass(getattr(earmark.errors, name), earmark.errors.EarmarkError)


def test_the_notebook_was_executed_and_runs_again(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs earmark[head]")
    nbformat = pytest.importorskip("nbformat", reason="needs earmark[dev]")
    nbclient = pytest.importorskip("nbclient", reason="needs earmark[dev]")
    notebook = nbformat.read(ROOT / "examples" / "tour.ipynb", as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in cells)
    assert any("image/png" in output.get("data", {}) for cell in cells for output in cell.outputs)
    (tmp_path / "music").symlink_to(ROOT / "examples" / "music")
    client = nbclient.NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()  # raises what a cell raises

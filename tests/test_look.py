"""Files that are drawn are heard in workers: what crashes a decoder there ends no command."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="needs earmark[head]")
pytest.importorskip("matplotlib", reason="needs earmark[head]")

from earmark.events import run
from earmark.features import listen
from earmark.training.request import LabelRequest
from earmark.types import VoteConfig
from earmark.workflows.explain import ExplainRequest, explain
from earmark.workflows.look import look
from tests import backbones
from tests.audiofiles import synth, write
from tests.cli import earmark
from tests.sessions import resources

# Read by Python itself as it starts, in workers, too.
ODD_FILES = """
import os, signal, sys, time
def at(event, args):
    if event == "open" and str(args[0]).endswith("crash.flac"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if event == "open" and str(args[0]).endswith("hang.flac"):
        time.sleep(600)
sys.addaudithook(at)
"""


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    """Two tracks of each genre of a backbone that was never trained."""
    root = tmp_path / "songs"
    root.mkdir()
    for i, genre in enumerate(backbones.LABELS * 2):
        tags = {"artist": f"artist {i}", "genre": genre}
        y = synth("tone" if i % 2 else "noise", 4.0, 22050, 1, seed=i)
        write(root / f"{i}.flac", y.astype(np.float32), 22050, "flac", tags)
    return root


@pytest.fixture
def odd_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening some files crashes or hangs."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(ODD_FILES)
    path = os.pathsep.join([str(tmp_path / "site"), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", path)


@pytest.mark.usefixtures("odd_files")
def test_look_outlives_a_file_that_crashes_the_decoder(songs: Path, tmp_path: Path) -> None:
    (songs / "0.flac").rename(songs / "crash.flac")
    backbones.write(tmp_path / "m")
    ran = earmark("look", songs / "crash.flac", "-m", tmp_path / "m", "-o", tmp_path / "x.png")
    assert ran.code == 1, ran.err
    assert "crash.flac: the decoder crashed on it (exit code -11)" in ran.err
    assert not (tmp_path / "x.png").exists()


@pytest.mark.usefixtures("odd_files")
def test_look_gives_up_a_file_that_takes_too_long(songs: Path, tmp_path: Path) -> None:
    (songs / "0.flac").rename(songs / "hang.flac")
    backbones.write(tmp_path / "m")
    ran = earmark(
        *("look", songs / "hang.flac", "-m", tmp_path / "m", "-o", tmp_path / "x.png"),
        *("--time-limit", "2"),
    )
    assert ran.code == 1, ran.err
    assert "hang.flac: took longer than 2 s and was given up" in ran.err
    assert not (tmp_path / "x.png").exists()


def test_what_is_drawn_is_heard_by_workers(
    songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_here(*_: object) -> None:
        raise AssertionError("decoded in the main process")

    monkeypatch.setattr(listen, "read_excerpts", read_here)  # workers have one of their own
    bundle = backbones.write(tmp_path / "m")
    request = ExplainRequest(tmp_path / "page")
    with resources(tmp_path) as session:
        look(str(songs / "0.flac"), bundle, VoteConfig(), tmp_path / "x.png", session.workers)
        run(explain(bundle, VoteConfig(), request, LabelRequest(str(songs), min_tracks=1), session))
    assert (tmp_path / "x.png").is_file()
    assert (tmp_path / "page/example-001.png").is_file()

"""Jobs whose ways have been crossed: by a crash, or by another model of the same name."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from earmark.errors import LibraryError
from earmark.events import run
from earmark.tags import Journal, read_tags
from earmark.web.jobs.tasks import TASKS, Task
from earmark.web.roots import Root
from earmark.web.store import Store
from tests.audiofiles import synth, write
from tests.web.servers import Server, serving

pytest.importorskip("onnx", reason="needs onnx")
from tests import backbones


@pytest.fixture
def lib(tmp_path: Path) -> Path:
    root = tmp_path / "lib"
    root.mkdir()
    for name in ("a", "b"):
        write(root / f"{name}.flac", synth("music", 4.0), 44100, "flac", {"title": name})
    return root


def cut_off(home: Path, run_id: int, name: str) -> None:
    """As if a run had been killed right after a file was in its place, and could not say so."""
    with Journal(home) as journal:
        (change,) = [c for c in journal.changes(run_id) if Path(c.path).name == name]
    with contextlib.closing(sqlite3.connect(home / "journal.sqlite")) as db, db:
        db.execute("UPDATE runs SET finished = NULL WHERE run_id = ?", (run_id,))
        sql = "UPDATE changes SET state = 'ready' WHERE change_id = ?"
        assert db.execute(sql, (change.change_id,)).rowcount == 1


def notes(server: Server, job_id: int) -> list[str]:
    with contextlib.closing(sqlite3.connect(server.home / "web" / "web.sqlite")) as db:
        sql = "SELECT data FROM events WHERE job_id = ? AND kind = 'note'"
        return [str(data) for (data,) in db.execute(sql, (job_id,))]


def test_an_undo_says_what_a_crash_has_left(lib: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in lib.iterdir()}
    model = str(backbones.write(tmp_path / "model").path)
    given: dict[str, Any] = {"libraries": [str(lib)], "n_workers": 1, "allow_write": True}
    home = tmp_path / "home"
    with serving(home, model=model, **given) as server:
        wanted = {"kind": "plan", "library_id": "lib", "min_confidence": 0}
        plan_id = server.job(wanted)["result"]["plan_id"]
        server.client.post(f"/plans/{plan_id}/choose", json={"choice": "accepted"})
        written = server.job({}, f"/plans/{plan_id}/apply")["result"]
        assert written["n_written"] == 2
        cut_off(home, written["run_id"], "a.flac")
        job = server.job({}, f"/journal/runs/{written['run_id']}/undo")
        assert job["result"]["n_written"] == 2
        assert {path: path.read_bytes() for path in lib.iterdir()} == before
        (note,) = notes(server, job["job_id"])
        assert "an earlier run was cut off at a.flac: done" in note


def test_of_other_libraries_an_undo_says_nothing(lib: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    write(other / "c.flac", synth("music", 4.0), 44100, "flac")
    model = str(backbones.write(tmp_path / "model").path)
    home = tmp_path / "home"
    runs = {}
    both = [str(lib), str(other)]
    with serving(home, model=model, libraries=both, n_workers=1, allow_write=True) as server:
        for name in ("lib", "other"):
            wanted = {"kind": "plan", "library_id": name, "min_confidence": 0}
            plan_id = server.job(wanted)["result"]["plan_id"]
            server.client.post(f"/plans/{plan_id}/choose", json={"choice": "accepted"})
            runs[name] = server.job({}, f"/plans/{plan_id}/apply")["result"]["run_id"]
        cut_off(home, runs["other"], "c.flac")
        job = server.job({}, f"/journal/runs/{runs['lib']}/undo")
        assert notes(server, job["job_id"]) == []
    with Journal(home) as journal:
        # It has been settled all the same.
        assert [change.state for change in journal.changes(runs["other"])] == ["done"]
    assert read_tags(str(other / "c.flac")).genres


def test_a_training_does_not_take_the_place_of_another_model(lib: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    there = backbones.write(home / "models" / "mine")
    before = {path: path.read_bytes() for path in there.path.iterdir()}
    request: dict[str, Any] = {
        "name": "mine", "recipe": "head", "epochs": None, "target_precision": 0.8, "merges": {},
        "min_tracks": 3, "roll_up": False, "only": [], "fingerprints": False,
    }  # fmt: skip
    with Store.open(home / "web" / "web.sqlite") as store:
        job = store.job(store.add_job("train", str(lib), "Train", request))
        assert job is not None
        task = Task(Root("lib", str(lib)), job, home, n_workers=1, time_limit_s=60)
        with pytest.raises(LibraryError, match="another model mine by now") as refused:
            run(TASKS["train"](store, task))
    assert str(tmp_path) not in str(refused.value)
    assert {path: path.read_bytes() for path in there.path.iterdir()} == before

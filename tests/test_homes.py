"""What earlier versions have left is read on, and their runs are undone to the byte."""

from __future__ import annotations

import csv
import json
import math
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import homes
from tests.cli import Ran, earmark
from tests.homes import Home
from tests.tagfiles import by_mutagen, edit_title, genres_by_mutagen
from tests.web.servers import serving

JOURNAL = "home/journal.sqlite"


@pytest.fixture(params=homes.VERSIONS)
def home(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A version's home, in use; its folder is the current one."""
    unpacked = homes.unpack(request.param, tmp_path / "disk")
    monkeypatch.chdir(unpacked.folder)
    monkeypatch.setenv("EARMARK_HOME", str(unpacked.folder / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(unpacked.folder / "config"))
    return unpacked


def test_a_scan_reads_all_tags_once_more_and_then_finds_nothing_changed(home: Home) -> None:
    # Later versions know more places where a genre may stand.
    n = len(home.facts["files"])
    for counts in (f"0 new, {n} changed, 0 gone, 0", f"0 new, 0 changed, 0 gone, {n}"):
        ran = earmark("scan", "Music")
        assert ran.code == 3, ran.err  # one file is broken, and was then
        assert re.search(rf"^tracks +{n} \({counts} as before\) *$", ran.out, re.M)


# --- what was heard, and models -----------------------------------------------------------------


def test_answers_are_remembered(home: Home) -> None:
    # By the model and with the doubt that the settings ask for.
    known = home.facts["by_head"]
    assert held(classified(), known) == known
    turn_answers_around(home)
    found = classified("--min-confidence", "0")
    for track, before in zip(found["tracks"], known["tracks"], strict=True):
        proba = before["proba"]
        assert track["proba"] == dict(zip(reversed(proba), proba.values(), strict=True))


def turn_answers_around(home: Home) -> None:
    """In the catalogue, give each of the two genres the other's probability."""
    database = "home/catalogue.sqlite"
    for row, proba in home.query(database, "SELECT rowid, proba FROM listens"):
        other = np.frombuffer(proba, "<f4").reshape(-1, 2)[:, ::-1].tobytes().hex()
        home.query(database, f"UPDATE listens SET proba = x'{other}' WHERE rowid = {row}")


@pytest.mark.parametrize(("model", "by"), [("parlour", "by_head"), ("./tiny", "by_network")])
def test_models_hear_what_they_heard(home: Home, model: str, by: str) -> None:
    known, found = home.facts[by], classified("--model", model, "--no-cache")
    assert held(found["model"], known["model"]) == known["model"]
    for track, before in zip(found["tracks"], known["tracks"], strict=True):
        assert track["path"] == before["path"]
        # Decoders and runtimes of other versions round otherwise.
        assert track["proba"] == pytest.approx(before["proba"], abs=0.02)


def classified(*options: str) -> dict[str, Any]:
    ran = earmark("classify", "Music", "--json", *options)
    assert ran.code == 3, ran.err
    return dict(json.loads(ran.out))


def test_a_head_is_learned_again_without_listening(home: Home) -> None:
    pytest.importorskip("sklearn", reason="needs earmark[head]")
    pytest.importorskip("onnx", reason="needs earmark[head]")
    before = contents(home.folder / "home/embeddings")
    other = earmark(*homes.HEAD, "--min-tracks", "4")
    assert other.code == 1
    whence = home.folder / homes.BANDS
    assert f"another model (made from {whence} by recipe head), which would be lost" in other.err
    assert earmark(*homes.HEAD).code == 0
    assert contents(home.folder / "home/embeddings") == before


@pytest.mark.slow
def test_a_training_goes_on_from_its_last_epoch(home: Home) -> None:
    for module in ("torch", "lightning_fabric", "sklearn", "matplotlib", "onnxscript"):
        pytest.importorskip(module, reason="needs earmark[train]")
    before = contents(home.folder / "home/features")
    ran = earmark(*homes.NETWORK)
    assert ran.code == 0, ran.err
    assert "going on after epoch 3" in ran.err
    assert "epoch 4" not in ran.err
    assert contents(home.folder / "home/features") == before


def contents(folder: Path) -> dict[Path, bytes]:
    """Rows of all stores below a folder."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.suffix in (".f32", ".u8")}


# --- the journal --------------------------------------------------------------------------------


def test_runs_are_undone_to_the_byte(home: Home) -> None:
    assert outcomes() == {3: "finished", 2: "undone", 1: "finished"}
    assert home.states() == home.facts["files"]
    assert "run 3: 2 files restored" in undo().out  # the latest: the page's
    assert "run 1: 3 files restored" in undo("1").out
    assert home.states() == home.facts["originals"]
    assert outcomes() == {3: "undone", 2: "undone", 1: "undone"}
    assert "nothing to undo" in earmark("undo").err


def test_the_genre_is_taken_back_from_a_file_that_was_edited_since(home: Home) -> None:
    written = changed(home)
    assert {path.suffix for path in written} == {".mp3", ".ogg", ".m4a", ".wma", ".flac"}
    for path in written:
        edit_title(by_mutagen(path))
    undo("3")
    undo("1")
    for path in written:
        assert genres_by_mutagen(path) == []
        assert "Edited" in str(by_mutagen(path))


def test_a_run_that_was_cut_off_is_settled_and_undone(home: Home) -> None:
    ids = [row[0] for row in home.query(JOURNAL, "SELECT change_id FROM changes WHERE run_id = 1")]
    home.query(JOURNAL, "UPDATE runs SET finished = NULL WHERE run_id = 1")
    home.query(JOURNAL, f"UPDATE changes SET state = 'ready' WHERE change_id = {ids[0]}")
    sql = f"UPDATE changes SET state = 'undoing', undo_sha = old_sha WHERE change_id = {ids[1]}"
    home.query(JOURNAL, sql)
    temps = home.query(JOURNAL, "SELECT temp FROM changes WHERE run_id = 1 AND state != 'done'")
    for (temp,) in temps:
        Path(os.fsdecode(temp)).write_bytes(b"half a copy")
    ran = undo("1")
    settled = re.findall(r"^an earlier run was cut off at .*: done$", ran.err, re.M)
    assert len(settled) == len(temps) == 2
    assert not any(Path(os.fsdecode(temp)).exists() for (temp,) in temps)
    assert "run 1: 3 files restored" in ran.out
    undo("3")
    assert home.states() == home.facts["originals"]


def outcomes() -> dict[int, str]:
    """Outcome of each run that `undo --list` shows."""
    ran = earmark("undo", "--list")
    assert ran.code == 0, ran.err
    found = re.findall(r"^(\d+) .* (undone|finished|cut off) ", ran.out, re.M)
    return {int(run): outcome for run, outcome in found}


def undo(*run: str) -> Ran:
    ran = earmark("undo", *run)
    assert ran.code == 0, ran.err
    return ran


def changed(home: Home) -> list[Path]:
    """The files that are not as they were before all runs."""
    before, now = home.facts["originals"], home.facts["files"]
    return [home.folder / path for path in now if now[path] != before[path]]


# --- plans --------------------------------------------------------------------------------------


def test_a_plan_in_a_spreadsheet_is_applied(home: Home) -> None:
    ran = earmark("tag", "Music", "--import", "plan.csv", "--apply")
    assert ran.code == 3, ran.err  # the broken file is in the plan
    assert "9 tracks: 3 to write, 0 not known, 1 unusable, 5 stay as they are" in ran.out
    with Path("plan.csv").open(encoding="utf-8-sig", newline="") as file:
        planned = {row["path"]: row["genre"] for row in csv.DictReader(file)}
    for name in ("One/01.opus", "Two/01.wv", "Two/02.wav"):
        path = home.folder / "Music/Bo" / name
        assert genres_by_mutagen(path) == [planned[str(path)]]
    undo("4")
    assert home.states() == home.facts["files"]


def test_the_page_shows_plans_with_their_decisions_and_goes_on(home: Home) -> None:
    pytest.importorskip("fastapi", reason="needs earmark[web]")
    facts = home.facts
    library = [str(home.folder / "Music")]
    with serving(home.folder / "home", libraries=library, allow_write=True) as server:
        known = {
            name: facts[name] for name in ("plans", "albums", "jobs", "events", "runs", "models")
        }
        assert held(homes.api_facts(server), known) == known
        assert [model["in_use"] for model in known["models"]] == [True]

        due = facts["plans"][0]["counts"]["accepted"]
        job = server.job({}, f"/plans/{facts['plans'][0]['plan_id']}/apply")
        assert (job["result"]["n_written"], job["result"]["n_skipped"]) == (due, 0)
        server.job({}, "/journal/runs/4/undo")
        assert home.states() == facts["files"]
        # Of a run of then, the plan of then is told.
        server.job({}, "/journal/runs/3/undo")
        first = server.client.get(f"/plans/{facts['plans'][1]['plan_id']}").json()
        assert (facts["plans"][1]["counts"]["written"], first["counts"]["written"]) == (2, 0)


def held(found: Any, known: Any) -> Any:
    """Of `found`, what `known` has too: later versions may say more."""
    if isinstance(found, dict) and isinstance(known, dict):
        return {key: held(found[key], value) for key, value in known.items() if key in found}
    if isinstance(found, list) and isinstance(known, list) and len(found) == len(known):
        return [held(*pair) for pair in zip(found, known, strict=True)]
    if isinstance(found, float) and isinstance(known, float) and math.isclose(found, known):
        return known
    return found

"""A run of which a record is damaged is shown, and the rest of its files is taken back."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from earmark.tags import Journal, apply_change, read_tags
from tests.tagfiles import plan
from tests.tagmakers import add_id3, bare_mp3
from tests.web.servers import serving


def test_a_run_with_a_damaged_path_is_shown_and_undone(tmp_path: Path) -> None:
    music, home = tmp_path / "songs", tmp_path / "home"
    music.mkdir()
    first = add_id3(bare_mp3(music / "0.mp3"), 4, "Jazz")
    songs = [first, *(Path(shutil.copy2(first, music / f"{i}.mp3")) for i in (1, 2))]
    with Journal(home) as journal:
        run_id = journal.new_run()
        for song in songs:
            apply_change(journal, run_id, plan(song, "Rock"))
        journal.finish_run(run_id)
    with closing(sqlite3.connect(home / "journal.sqlite")) as db, db:
        db.execute("UPDATE changes SET path = 5 WHERE change_id = 2")
        db.execute("UPDATE runs SET started = 'soon'")
    with serving(home, libraries=[str(music)], allow_write=True) as server:
        (run,) = server.client.get("/journal/runs").json()["runs"]
        assert (run["counts"], run["started_at"], run["can_undo"]) == ({"done": 3}, 0, True)
        result = server.job({}, f"/journal/runs/{run_id}/undo")["result"]
        assert (result["n_written"], result["n_skipped"]) == (2, 1)
        assert "its record in the journal is damaged" in result["skipped"][0]["reason"]
    assert [read_tags(song).genres for song in songs] == [("Jazz",), ("Rock",), ("Jazz",)]

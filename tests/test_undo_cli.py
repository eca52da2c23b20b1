"""What `undo` says."""

from __future__ import annotations

import re
from pathlib import Path

from earmark.tags import Journal, apply_change
from tests.cli import earmark
from tests.tagfiles import plan
from tests.tagmakers import add_id3, bare_mp3


def test_an_undoing_that_left_files_tells_so_and_of_earlier_runs(
    tmp_path: Path, earmark_home: Path
) -> None:
    songs = [add_id3(bare_mp3(tmp_path / f"{i}.mp3"), 4, "Jazz") for i in range(3)]
    with Journal(earmark_home) as journal:
        for after, chosen in (("Rock", songs[:1]), ("Pop", songs[1:])):
            run_id = journal.new_run()
            for song in chosen:
                apply_change(journal, run_id, plan(song, after))
            journal.finish_run(run_id)
    songs[1].unlink()
    for n_restored in (1, 0):
        ran = earmark("undo")
        assert ran.code == 3
        assert ran.out.splitlines() == [
            f"run 2: {n_restored} files restored",
            "1 left as they are, for the reasons above",
            "earlier runs are undone by number: earmark undo 1",
        ]
    assert outcomes() == ["partly undone", "finished"]
    assert earmark("undo", "1").code == 0
    assert outcomes() == ["partly undone", "undone"]
    assert "earlier" not in earmark("undo").out


def outcomes() -> list[str]:
    rows = earmark("undo", "--list").out.splitlines()[1:]
    return [re.findall("partly undone$|undone$|finished$|cut off$", row.strip())[0] for row in rows]

"""``kill -9`` at any instant leaves every file whole, and nothing that cannot be finished."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")


@pytest.mark.parametrize(
    ("scenario", "specimen"),
    [
        ("apply", "mp3_v23"),
        ("apply", "ogg"),
        ("undo", "m4a"),
        ("undo_field", "flac"),
        ("recover", "mp3_v1"),
    ],
)
def test_killed_before_every_operation(tmp_path: Path, scenario: str, specimen: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.killer", scenario, specimen, str(tmp_path)],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    operations = json.loads(done.stdout)
    assert len(operations) > 40
    # The order that all rests on: copy on the disk, then journal, then rename, then the folder.
    replace = operations.index("replace")
    assert "fsync" in operations[:replace]
    assert operations[replace + 1 : replace + 3] == ["open", "fsync"]
    if scenario != "undo":
        last_fsync = max(i for i in range(replace) if operations[i] == "fsync")
        assert "Connection.execute" in operations[last_fsync:replace]

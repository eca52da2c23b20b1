"""One writer at a time, also of the same process; a lock dies with its process."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from earmark.errors import LibraryError
from earmark.locking import try_lock
from earmark.training.run_folder import claimed

HOLDER = (
    "import sys; from pathlib import Path; from earmark.locking import try_lock;"
    "lock = try_lock(Path(sys.argv[1])); print(lock is not None, flush=True); sys.stdin.read()"
)


def test_a_lock_is_given_once(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    first = try_lock(path)
    assert first is not None
    assert try_lock(path) is None
    first.release()
    second = try_lock(path)
    assert second is not None
    del second
    gc.collect()
    assert try_lock(path) is not None


def test_a_lock_of_another_process_dies_with_it(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == b"True"
        assert try_lock(path) is None
        holder.kill()
        holder.wait()
    assert try_lock(path) is not None


def test_what_cannot_be_locked_is_told(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        try_lock(tmp_path / "folder")


def test_a_run_folder_is_left_as_it_was_found(tmp_path: Path) -> None:
    with claimed(tmp_path / "run"):
        with (
            pytest.raises(LibraryError, match="another training is writing"),
            claimed(tmp_path / "run"),
        ):
            pass
        assert (tmp_path / "run" / ".lock").exists()
    assert not (tmp_path / "run").exists()
    with claimed(tmp_path / "run"):
        (tmp_path / "run" / "settings.json").write_text("{}")
    with claimed(tmp_path / "run"):
        assert (tmp_path / "run" / "settings.json").exists()

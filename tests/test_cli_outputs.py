"""Outputs that are narrow-minded, full, closed or cut short."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

MUSIC = Path(__file__).parents[1] / "examples" / "music"
EARMARK = [sys.executable, "-c", "from earmark.cli import main; main()"]


def test_signs_that_the_output_does_not_know_are_spelled_out() -> None:
    done = subprocess.run(
        [*EARMARK, "classify", str(MUSIC / "Obsidian Shell"), "--min-confidence", "0"],
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b"Ezer \\xc9v" in done.stdout.replace(b"\n", b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_full_output_is_told() -> None:
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        done = subprocess.run(
            [*EARMARK, "scan", str(MUSIC)], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 1
    assert done.stderr.startswith(b"earmark: ")
    assert b"No space left on device" in done.stderr
    assert b"Traceback" not in done.stderr
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_outputs_change_nothing(closed: str) -> None:
    done = subprocess.run(
        ["bash", "-c", f'"$@" {closed}', "bash", *EARMARK, "scan", str(MUSIC)],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr


def test_ctrl_c_says_so() -> None:
    sleeper = "import time; time.sleep(60)"
    script = f"import earmark.cli.scan as s; s.follow = lambda *a, **k: exec({sleeper!r})"
    program = [
        sys.executable,
        "-c",
        f"{script}; print('ready', flush=True); from earmark.cli import main; main()",
        "scan",
        str(MUSIC),
    ]
    with subprocess.Popen(
        program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        time.sleep(1)
        running.send_signal(signal.SIGINT)
        _, told = running.communicate(timeout=60)
    assert running.returncode == 130
    assert told == "earmark: interrupted\n"

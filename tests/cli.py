"""The command line as a person meets it: a process with two outputs and an exit code."""

import os
import subprocess
import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


def earmark(*args: object, timeout_s: float = 300) -> Ran:
    """Run ``earmark`` to its end, without a terminal."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from earmark.cli import main; main()",
            *map(os.fspath, map(str, args)),
        ],
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=timeout_s,
    )
    decode = {"encoding": "utf-8", "errors": "surrogateescape"}
    return Ran(done.returncode, done.stdout.decode(**decode), done.stderr.decode(**decode))

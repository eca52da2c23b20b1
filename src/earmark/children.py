"""Whether this process can start worker processes, which import the program's main script."""

from __future__ import annotations

import ast
import sys
from multiprocessing import current_process
from pathlib import Path
from types import FrameType
from typing import Any

from earmark.errors import EarmarkError


def check_can_start() -> None:
    """Refuse to start workers where they could not start, or would run the program once more.

    A worker imports the program's main script. What this does outside of the usual guard would be
    done again in every worker, and fail there.

    Raises
    ------
    EarmarkError
        What is being done was called by a line of the main script that is not guarded, the script
        is no file, or this process may have no children.
    """
    if current_process().daemon:
        raise EarmarkError(
            "a daemonic process may start no worker processes",
            "use single calls (earmark.classify) there, or a process that is not daemonic",
        )
    main = sys.modules.get("__main__")
    file = getattr(main, "__file__", None)
    if file is None:  # a notebook, or a prompt: nothing is imported
        return
    if not Path(file).is_file():
        raise EarmarkError(
            f"worker processes cannot import a program that comes from {file}",
            "save it as a file, and run that",
        )
    line = _line_of_main(vars(main))
    if line is not None and not _is_guarded(Path(file), line):
        raise EarmarkError(
            f"worker processes import {file} and would run it again",
            'put what it does behind if __name__ == "__main__":',
        )


def _line_of_main(namespace: dict[str, Any]) -> int | None:
    """Line of the main script that is being executed; None where another thread does it."""
    frame: FrameType | None = sys._getframe()
    line = None
    while frame is not None:
        if frame.f_globals is namespace and frame.f_code.co_name == "<module>":
            line = frame.f_lineno
        frame = frame.f_back
    return line


def _is_guarded(file: Path, line: int) -> bool:
    """Whether a line of a script is done only where the script is the main program.

    It is where it stands below a condition on ``__name__``, or on a name that was made of it. One
    that leaves otherwise is none: workers would leave, too.
    """
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):  # what runs is not in that file
        return True
    names = {"__name__"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and _mentions(node.value, {"__name__"}):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and _mentions(node.test, names):
            end = node.end_lineno or node.lineno
            if node.lineno <= line <= end:
                return True
    return False


def _mentions(node: ast.AST, names: set[str]) -> bool:
    return any(isinstance(n, ast.Name) and n.id in names for n in ast.walk(node))

"""A real Chromium before a real server: what a person has."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
MUSIC = ROOT / "examples" / "music"
STATIC = ROOT / "src" / "earmark" / "web" / "page" / "static"
AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A microphone that beeps, and whose use needs no click on a dialog of the browser's.
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
]
_START_S = 180


def chromium() -> str | None:
    """Debian's, or what else is called so."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


def copy_music(folder: Path) -> Path:
    """The demo library, to be written to."""
    return Path(shutil.copytree(MUSIC, folder, ignore=shutil.ignore_patterns("*.md", "*.t*")))


@dataclass
class Served:
    """A running ``earmark serve``."""

    url: str
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)


@contextmanager
def serving(home: Path, *options: object) -> Iterator[Served]:
    """``earmark serve`` on a port of its own, stopped as Ctrl-C stops it."""
    command = [sys.executable, "-c", "from earmark.cli import main; main()", "serve", "--port", "0"]
    process = subprocess.Popen(
        [*command, *map(str, options)],
        env={**os.environ, "EARMARK_HOME": str(home), "XDG_CONFIG_HOME": str(home / "config")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    served = Served("", process)
    found = threading.Event()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            served.lines.append(line)
            if not served.url and (match := re.search(r"http://[^\s/]+/?\S*", line)):
                served.url = match[0]
                found.set()
        found.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        found.wait(_START_S)
        assert served.url, f"no server: {''.join(served.lines)}"
        yield served
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reader.join(5)
        assert process.stdout is not None
        process.stdout.close()


def violations(page: Any) -> list[str]:
    """What axe-core finds wrong with the page as it is now, rule by rule."""
    # Through the debugger, as the page's own policy forbids scripts of others.
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("async () => (await axe.run(document)).violations")
    return [f"{v['id']} ({v['impact']}): {v['nodes'][0]['html'][:200]}" for v in found]

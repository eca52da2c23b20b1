"""Make docs/img/tag.svg: what `earmark tag` really prints about examples/music.

python docs/make_pictures.py
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parents[1]
WIDTH = 100


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(ROOT / "examples" / "music", folder / "Music")
        done = subprocess.run(
            [sys.executable, "-c", "from earmark.cli import main; main()", "tag", "Music"],
            cwd=folder,
            env=os.environ
            | {"EARMARK_HOME": str(folder / "home"), "FORCE_COLOR": "1", "COLUMNS": str(WIDTH)},
            capture_output=True,
            text=True,
            check=True,
        )
    console = Console(record=True, width=WIDTH, file=open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
    console.print(Text("$ earmark tag Music", style="bold"))
    console.print(Text.from_ansi(done.stdout))
    target = ROOT / "docs" / "img" / "tag.svg"
    target.parent.mkdir(exist_ok=True)
    svg = console.export_svg(title="earmark", unique_id="tag")
    # Without the fonts, which would come from another host.
    target.write_text(re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.S), encoding="utf-8")


if __name__ == "__main__":
    main()

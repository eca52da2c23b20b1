"""Make docs/recipes.md and its picture from a comparison that `earmark compare` has saved.

python docs/make_recipes.py REPORT   takes REPORT/comparison.json over as docs/recipes.json first
python docs/make_recipes.py          from docs/recipes.json as it is
"""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

from earmark.evaluation.claims import claims
from earmark.evaluation.comparison import HEAD, PAPER, Cell, Comparison, duration, rows
from earmark.evaluation.plots import base as plots
from earmark.evaluation.report.comparison import complaints
from earmark.evaluation.report.document import Block, Notice, Paragraph, Table, to_markdown
from earmark.training import recipes

HERE = Path(__file__).parent
SAVED = HERE / "recipes.json"
PICTURE = "recipes-gap.png"

TEXT = """# Every approach, side by side

Each row was once somebody's whole project, with a figure of its own, on music of its own, split in
a way of its own. Here all of them learn from the same tracks, once split so that no artist is on
both sides, and once as their author split.

{table}

{n_tracks} tracks of {n_genres} genres by {n_groups} artists are in the honest test part: GTZAN
clips, Emotify clips and game music from Debian packages, most of them two to thirty seconds long.
Always giving the commonest genre gets {majority} there. An answer was demanded for every track.
Intervals are 95 %, resampled by artist.

- *Front end*: what the model is given, and the shape of a slice (bins × frames).
- *Parameters*: of networks the numbers that are learned, of others all that they hold.
- *Training*: processor time without listening; of what is not a network, wall time.
- *Slices right*, *Tracks right*: before and after the slices have voted; *Macro-F1* is of tracks.
- *ms a track*: median processor time from file to decision, on one thread.

{notices}

![Accuracy under the honest split and as each author split](img/{picture})

## Which claims hold up

{claims}

## The recipes

{descriptions}

`earmark train ~/Music --recipe NAME --out my-model` trains any of them on your music; what comes
out is a model like any other, for `classify`, `tag` and the web page.

## How it was measured

    {command}

    python docs/make_recipes.py REPORT

where DATA is a folder with that music and a table of its labels. {details} A cell that is finished
is a file in REPORT and is not measured again; a training that was cut short goes on from its last
epoch. Training took {total} in all.
"""


def main() -> None:
    if len(sys.argv) > 1:
        saved = json.loads((Path(sys.argv[1]) / "comparison.json").read_text(encoding="utf-8"))
        text_of = json.dumps(neutral(saved), indent=1, ensure_ascii=False)
        SAVED.write_text(text_of + "\n", encoding="utf-8")
    plots.gaps(HERE / "img" / PICTURE, comparison())
    (HERE / "recipes.md").write_text(text(), encoding="utf-8")


def comparison() -> Comparison:
    """The saved one."""
    return Comparison.from_json(json.loads(SAVED.read_text(encoding="utf-8")))


def neutral(saved: dict[str, Any]) -> dict[str, Any]:
    """The same without the names of folders that only one machine has."""
    words = shlex.split(saved["command"])
    names = {"--data": "DATA", "--out": "REPORT", "-o": "REPORT"}
    places = {words[i + 1]: names[word] for i, word in enumerate(words[:-1]) if word in names}
    if not words[2].startswith("-"):  # earmark compare DATA …
        places[words[2]] = "DATA"
    for place in sorted(places, key=len, reverse=True):
        words = [
            places[place] + word.removeprefix(place)
            if word == place or word.startswith(f"{place}/")
            else word
            for word in words
        ]
        for cell in saved["cells"]:
            cell["error"] = cell["error"].replace(place, places[place])
    return {**saved, "command": shlex.join(words)}


def text() -> str:
    """The page, as Markdown."""
    found = comparison()
    honest = next(c for c in found.cells if c.is_honest and c.accuracy)
    said: list[Block] = [Paragraph(paragraph) for paragraph in claims(found)]
    scored = [cell for cell in found.cells if not cell.error]
    return TEXT.format(
        table=to_markdown([Table(HEAD, tuple(rows(found.cells)))]).strip(),
        n_tracks=honest.n_tracks,
        n_genres=honest.n_genres,
        n_groups=honest.n_groups,
        majority=f"{honest.majority:.1%}",
        notices=to_markdown([Notice(line) for line in complaints(found)]).strip(),
        picture=PICTURE,
        claims=to_markdown(said).strip(),
        descriptions="\n".join(_described(name, found) for name in found.recipes),
        command=_wrapped(found.command),
        details=_details(scored),
        total=duration(sum(cell.train_s for cell in scored)),
    )


def _described(name: str, found: Comparison) -> str:
    reported = next((c.reported for c in found.of(name)), None)
    source = f" ([source]({reported.source}))" if reported and reported.source else ""
    return f"- `{name}`: {recipes.load(name).description}{source}"


def _details(cells: list[Cell]) -> str:
    ways = sorted({f"`{c.split}`: {c.details}" for c in cells if c.protocol != PAPER})
    return f"Split: {'; '.join(ways)}; authors' own: one split each, by the shares given above."


def _wrapped(command: str) -> str:
    """In lines that fit the page."""
    lines = [""]
    for word in shlex.split(command):
        if len(lines[-1]) + len(word) > 88:
            lines.append("       ")
        lines[-1] += f" {shlex.quote(word)}"
    return "\n    ".join(line.strip(" ") if i == 0 else line for i, line in enumerate(lines))


if __name__ == "__main__":
    main()

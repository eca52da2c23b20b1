"""Make docs/model.md from the ``model.json`` of the shipped model.

python docs/make_model_page.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from earmark.models import bundle
from earmark.workflows.classify import shipped_model

HEAD = """# The starter model

The model that ships is there so that the first run says something. It is small, trained on a few
hundred short clips, and says "?" to about half of what it hears rather than guess. For a library
of your own, train on your own labels.

Licence: {licence}. Trained on: {about}

The command that made it, in a folder with that music and a table of its labels:

    earmark train DATA --labels DATA/manifest.csv --min-tracks 20 --roll-up
        --target-precision 0.7 --out starter

Cross-validated on the same music, the recipe gets 55 % of the tracks of unheard artists right
([results](results.md)); how many a single split shows depends much on who is in its test part.

## What it was measured on

Split by {split_by}: {sizes}. Nobody in the test part was trained on.

| on {n_tracks} test tracks by {n_groups} artists | |
|---|---|
| right, answering every track | {accuracy} (95 % interval {low} to {high}, resampled by artist) |
| macro-F1 | {macro_f1} ({f1_low} to {f1_high}) |
| single slices right | {slice_accuracy} |
| always the commonest genre | {majority} |
| answers given at its own threshold | {answered} |
| of these right | {precision} |

| genre | training tracks | test tracks | precision | recall |
|---|---|---|---|---|
"""

TAIL = """
## What it cannot do

- Blues, jazz, reggae and pop come from four or five artists each: the model has heard these
  artists more than the genres.
- Half of the clips are two to three seconds long, most of the rest fifteen or thirty.
- Folk, latin, world music, spoken word and everything else that is not in the table: it has never
  heard them, and its doubt is no proof against them.
"""


def main() -> None:
    page = Path(__file__).with_name("model.md")
    page.write_text(text(), encoding="utf-8")


def text() -> str:
    """The page, as Markdown."""
    meta = bundle.load(shipped_model()).meta
    scores, parts = meta.scores, meta.data["parts"]
    low, high = scores["accuracy_interval_95"]
    f1_low, f1_high = scores["macro_f1_interval_95"]
    rows = [
        f"| {genre} | {parts['train']['genres'][genre]} | {found['n']} |"
        f" {_share(found['precision'])} | {_share(found['recall'])} |\n"
        for genre, found in scores["per_genre"].items()
    ]
    head = HEAD.format(
        licence=meta.licence,
        about=meta.data["about"],
        split_by=meta.data["split_by"],
        sizes=", ".join(f"{part['n_tracks']} {name}" for name, part in parts.items()),
        n_tracks=scores["n_tracks"],
        n_groups=scores["n_groups"],
        accuracy=_share(scores["accuracy"]),
        low=_share(low),
        high=_share(high),
        macro_f1=_share(scores["macro_f1"]),
        f1_low=_share(f1_low),
        f1_high=_share(f1_high),
        slice_accuracy=_share(scores["slice_accuracy"]),
        majority=_share(scores["majority_baseline"]),
        answered=_share(scores["answered"]),
        precision=_share(scores["precision_when_answered"]),
    )
    return head + "".join(rows) + TAIL


def _share(value: Any) -> str:
    return "–" if value is None else f"{value:.1%}"


if __name__ == "__main__":
    main()

"""The files of a comparison: numbers, page, and the picture of what the splits are worth."""

from __future__ import annotations

import json
import os
from pathlib import Path

from earmark.errors import EarmarkError
from earmark.evaluation.claims import claims
from earmark.evaluation.comparison import HEAD, PAPER, Comparison, rows
from earmark.evaluation.report.document import (
    Block,
    Command,
    Heading,
    Image,
    Notice,
    Paragraph,
    Table,
    to_markdown,
)
from earmark.evaluation.report.report import require_plots
from earmark.version import __version__

GAPS = "gaps.png"


def write_comparison(folder: str | os.PathLike[str], comparison: Comparison) -> Path:
    """Write ``comparison.json``, ``comparison.md`` and, where there are scores, ``gaps.png``.

    Returns
    -------
    Path
        Of ``comparison.md``.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    EarmarkError
        If the folder cannot be written to.
    """
    require_plots()
    from earmark.evaluation.plots import base as plots

    folder = Path(folder)
    page = folder / "comparison.md"
    values = {"earmark": __version__, **comparison.to_json()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False)
        (folder / "comparison.json").write_text(text + "\n", encoding="utf-8")
        if _has_scores(comparison):
            plots.gaps(folder / GAPS, comparison)
        page.write_text(to_markdown(compose(comparison)), encoding="utf-8")
    except OSError as e:
        raise EarmarkError(
            f"the comparison cannot be written to {folder}: {e.strerror}", "choose another folder"
        ) from e
    return page


def compose(comparison: Comparison) -> list[Block]:
    """The page."""
    blocks: list[Block] = [
        Heading(1, f"Recipes compared on {comparison.data}"),
        Paragraph(
            "Accuracy with 95 % intervals, resampled by artist; an answer was demanded for every"
            " track. Time a track is processor time from file to decision, on one thread."
        ),
        Table(HEAD, tuple(rows(comparison.cells))),
    ]
    if comparison.interrupted:
        blocks.append(Notice("interrupted: the same command measures what is missing"))
    blocks += [Notice(line) for line in complaints(comparison)]
    if _has_scores(comparison):
        blocks.append(Image(GAPS, "Accuracy under the honest split and under each author's"))
    blocks += [Paragraph(text) for text in claims(comparison)]
    if comparison.command:
        blocks.append(Command(comparison.command))
    return blocks


def complaints(comparison: Comparison) -> list[str]:
    """Why cells have no scores, and what a reader of the others must know."""
    failed = [f"{c.recipe}, {c.protocol}: {c.error}" for c in comparison.cells if c.error]
    # That an author's split leaks is what it is there to show.
    scored = [c for c in comparison.cells if not c.error and c.protocol != PAPER]
    recipes: dict[tuple[str, str], list[str]] = {}
    for cell in scored:
        for warning in cell.warnings:
            recipes.setdefault((cell.protocol, warning), []).append(cell.recipe)
    warnings = []
    for (protocol, warning), names in recipes.items():
        n_all = sum(cell.protocol == protocol for cell in scored)
        who = "all recipes" if len(names) == n_all > 1 else ", ".join(names)
        warnings.append(f"{who}, {protocol}: {warning}")
    return [*failed, *warnings]


def _has_scores(comparison: Comparison) -> bool:
    return any(cell.accuracy is not None for cell in comparison.cells)

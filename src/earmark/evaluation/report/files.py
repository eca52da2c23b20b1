"""The files of a report: the page, its pictures, and the numbers for other programs."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from earmark import extras
from earmark.errors import EarmarkError
from earmark.evaluation.report.document import to_html, to_markdown
from earmark.evaluation.report.prose import COMPARISON, compose, picture_file
from earmark.evaluation.results import EvaluatedTrack, Evaluation, compare
from earmark.spreadsheets import Writer
from earmark.version import __version__

TRACKS = "tracks.csv"


def write_report(
    folder: str | os.PathLike[str],
    evaluations: Sequence[Evaluation],
    *,
    title: str,
    command: str,
) -> Path:
    """Write ``report.html``, ``report.md`` with its pictures, ``metrics.json``, ``tracks.csv``.

    Parameters
    ----------
    folder : path-like
        Made where missing; files of these names in it are replaced.
    evaluations : sequence of Evaluation
        At least one; several are compared in a table at the top.
    title : str
    command : str
        What to type to measure this again.

    Returns
    -------
    Path
        Of ``report.html``, which holds its pictures and can be sent on by itself.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    EarmarkError
        If the folder cannot be written to.
    """
    folder = Path(folder)
    pictures = _pictures(evaluations)
    blocks = compose(evaluations, title, command)
    metrics = json.dumps(to_json(evaluations, title, command), indent=2, allow_nan=False)
    page = folder / "report.html"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "metrics.json").write_text(metrics + "\n", encoding="utf-8")
        if any(evaluation.tracks for evaluation in evaluations):
            _write_tracks(folder / TRACKS, evaluations)
        for file, draw in pictures.items():
            draw(folder / file)
        images = {file: (folder / file).read_bytes() for file in pictures}
        (folder / "report.md").write_text(to_markdown(blocks), encoding="utf-8")
        page.write_text(to_html(blocks, title, images), encoding="utf-8")
    except OSError as e:
        raise EarmarkError(
            f"the report cannot be written to {folder}: {e.strerror}", "choose another folder"
        ) from e
    return page


def _write_tracks(path: Path, evaluations: Sequence[Evaluation]) -> None:
    """One row a track and protocol, for spreadsheets: which tracks are wrong, and how wrong."""
    columns = [f.name for f in dataclasses.fields(EvaluatedTrack)]
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        table = Writer(file)
        table.row(["protocol", *columns])
        for evaluation in evaluations:
            for track in evaluation.tracks:
                found = [getattr(track, name) for name in columns]
                table.row([evaluation.protocol, *found])


def require_plots() -> None:
    """Fail (`MissingExtraError`) before hours of measuring rather than after."""
    extras.require("head", "earmark.evaluation.plots.scores")


def to_json(evaluations: Sequence[Evaluation], title: str, command: str) -> dict[str, Any]:
    """What ``metrics.json`` holds."""
    return {
        "title": title,
        "command": command,
        "earmark": __version__,
        "evaluations": [evaluation.to_json() for evaluation in evaluations],
    }


def _pictures(evaluations: Sequence[Evaluation]) -> dict[str, Callable[[Path], None]]:
    """How to draw each picture that the page shows, by its file's name."""
    require_plots()
    from earmark.evaluation.plots import scores

    pictures: dict[str, Callable[[Path], None]] = {}
    if len(evaluations) > 1:
        pictures[COMPARISON] = partial(
            scores.draw_protocols, rows=compare(evaluations), title="Accuracy with 95 % intervals"
        )
    for number, result in enumerate(evaluations, start=1):
        title = f"{result.name}, {result.protocol}: {result.n_tracks} tracks"
        drawn = {
            "confusion": partial(
                scores.draw_confusion_matrix,
                counts=result.confusion,
                labels=result.labels,
                title=title,
            ),
            "answers": partial(
                scores.draw_confusion_matrix,
                counts=result.answers,
                labels=result.labels,
                title=title,
            ),
            "genres": partial(scores.draw_genre_bars, per_genre=result.per_genre, title=title),
            "reliability": partial(scores.draw_reliability, curve=result.reliability, title=title),
            "coverage": partial(scores.draw_risk_coverage, curve=result.risk_coverage, title=title),
        }
        pictures |= {picture_file(number, what): draw for what, draw in drawn.items()}
    return pictures

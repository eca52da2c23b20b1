"""What becomes of authors' figures when all are measured alike."""

from __future__ import annotations

from collections.abc import Sequence

from earmark.evaluation.bootstrap import Score
from earmark.evaluation.comparison import Cell, Comparison, said, share


def claims(comparison: Comparison) -> list[str]:
    """Paragraphs: which figures hold up, and recipe by recipe how they were measured here.

    A figure *holds* where the upper end of the interval here, on artists never heard, reaches it;
    it is *reached by its own split* where only the score under the author's split does.
    """
    told, by_verdict = [], dict[str, list[str]]()
    gaps = []
    for recipe in comparison.recipes:
        honest, paper = comparison.pair(recipe)
        if honest is None or paper is None or not paper.reported.accuracy:
            continue
        verdict = _verdict(honest, paper)
        by_verdict.setdefault(verdict, []).append(recipe)
        told.append(_told(honest, paper))
        gaps.append(_points(honest, paper))
    if not told:
        return []
    return [_summary(by_verdict, gaps), *told]


def _verdict(honest: Cell, paper: Cell) -> str:
    figure = paper.reported.accuracy
    if _reaches(honest.counted, figure):
        return "holds"
    return "own split" if _reaches(paper.counted, figure) else "not reached"


def _reaches(score: Score | None, figure: float) -> bool:
    # A figure of whole per cents is as good as the one that was rounded to it.
    return score is not None and score.high >= figure - 0.005


def _points(honest: Cell, paper: Cell) -> float:
    assert honest.counted is not None
    assert paper.counted is not None
    return 100 * (paper.counted.value - honest.counted.value)


_SAY = {
    "holds": "reached on artists that the model has not heard",
    "own split": "reached only when split as its author split",
    "not reached": "reached under neither split",
}


def _summary(by_verdict: dict[str, list[str]], gaps: Sequence[float]) -> str:
    n = len(gaps)
    parts = [
        f"{len(by_verdict[verdict])} of {n} authors' figures {_are(by_verdict[verdict])} {words}:"
        f" {', '.join(by_verdict[verdict])}."
        for verdict, words in _SAY.items()
        if verdict in by_verdict
    ]
    mean = sum(gaps) / n
    span = f"{min(gaps):+.0f} to {max(gaps):+.0f}"
    return (
        " ".join(parts)
        + f" Splitting as the authors did gives {mean:+.0f} points on average ({span}) over the"
        " honest split of the same tracks. The authors' music was other music, often of fewer and"
        " easier genres: a figure that is reached says that the approach can do it, one that is not"
        " does not say that it was wrong there."
    )


def _are(recipes: Sequence[str]) -> str:
    return "is" if len(recipes) == 1 else "are"


def _told(honest: Cell, paper: Cell) -> str:
    counts = paper.reported.counts
    return (
        f"{paper.recipe}: its author reported {said(paper.reported)}. Here {counts} right:"
        f" {share(paper.counted, interval=True)} when split as its author did ({paper.split},"
        f" {paper.details}), {share(honest.counted, interval=True)} on artists not heard before;"
        f" {_points(honest, paper):+.0f} points lie between the two, and always giving the"
        f" commonest genre gets {honest.majority:.0%}."
    )

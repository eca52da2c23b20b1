"""What becomes of authors' figures when all are measured alike."""

from __future__ import annotations

from collections.abc import Sequence

from earmark.evaluation.comparison import Cell, Comparison, said, share


def claims(comparison: Comparison) -> list[str]:
    """Paragraphs: which figures hold up, and recipe by recipe how they were measured here.

    A figure is *reached* by a score that is as high, and *not ruled out* by a lower one whose
    interval goes as high: on few tracks that says little.
    """
    told, by_verdict = [], dict[str, list[str]]()
    gaps = []
    for recipe in comparison.recipes:
        honest, paper = comparison.pair(recipe)
        if honest is None or paper is None or not paper.reported.accuracy:
            continue
        by_verdict.setdefault(_verdict(honest, paper), []).append(recipe)
        told.append(_told(honest, paper))
        gaps.append(_points(honest, paper))
    if not told:
        return []
    return [_summary(by_verdict, gaps), *told]


# In the order in which they are looked for.
_HONEST, _OWN, _PERHAPS_HONEST, _PERHAPS_OWN, _NOT = (
    "reached on artists that the model has not heard",
    "reached only when split as its author split",
    "not reached, nor ruled out by the interval, on artists that the model has not heard",
    "not reached, nor ruled out by the interval, when split as its author split",
    "out of reach under either split",
)
_VERDICTS = (_HONEST, _OWN, _PERHAPS_HONEST, _PERHAPS_OWN, _NOT)


def _verdict(honest: Cell, paper: Cell) -> str:
    assert honest.counted is not None
    assert paper.counted is not None
    # A figure of whole per cents is as good as the one that was rounded to it.
    figure = paper.reported.accuracy - 0.005
    if honest.counted.value >= figure:
        return _HONEST
    if paper.counted.value >= figure:
        return _OWN
    if honest.counted.high >= figure:
        return _PERHAPS_HONEST
    return _PERHAPS_OWN if paper.counted.high >= figure else _NOT


def _points(honest: Cell, paper: Cell) -> float:
    assert honest.counted is not None
    assert paper.counted is not None
    return 100 * (paper.counted.value - honest.counted.value)


def _summary(by_verdict: dict[str, list[str]], gaps: Sequence[float]) -> str:
    n = len(gaps)
    parts = [
        f"{len(by_verdict[verdict])} of {n} authors' figures {_are(by_verdict[verdict])} {verdict}:"
        f" {', '.join(by_verdict[verdict])}."
        for verdict in _VERDICTS
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

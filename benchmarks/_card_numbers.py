"""What `benchmarks.model_card` has measured, in one small JSON object for the page."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from earmark.evaluation.bootstrap import Bootstrap
from earmark.evaluation.metrics import ratio
from earmark.evaluation.report.report import TRACKS

Key: TypeAlias = tuple[str, int]
"""A track's path, and a number for each report that it was judged in."""

_MOST_CONFUSED = 8


@dataclass(frozen=True, slots=True)
class Marks:
    """Of tracks: how often each was judged, how often right, and by whom it is.

    Attributes
    ----------
    n, right : dict of Key to int
    group : dict of Key to str
    """

    n: dict[Key, int]
    right: dict[Key, int]
    group: dict[Key, str]

    def where(self, keep: Callable[[str], bool]) -> Marks:
        """Those of tracks whose path is to be kept."""
        return self.only([key for key in self.n if keep(key[0])])

    def only(self, keys: Iterable[Key]) -> Marks:
        """Those of tracks of these keys."""
        found = Marks({}, {}, {})
        for key in keys:
            found.n[key], found.right[key] = self.n[key], self.right[key]
            found.group[key] = self.group[key]
        return found


def marks(reports: Sequence[Path]) -> Marks:
    """Of several reports on the same tracks, as with several seeds."""
    found = Marks(defaultdict(int), defaultdict(int), {})
    for number, report in enumerate(reports):
        with (report / TRACKS).open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            for row in csv.DictReader(file):
                key = (row["path"], number)
                found.n[key] += 1
                found.right[key] += row["reference"] == row["estimate"]
                found.group[key] = row["group"]
    return found


def share_right(found: Marks) -> dict[str, Any]:
    """Accuracy with its interval, resampled by artist; `n` counts each track once."""
    bootstrap = Bootstrap(found.group.values())
    right, n = (_sums(part, found, bootstrap) for part in (found.right, found.n))
    value = right.sum() / n.sum()
    resampled = ratio(bootstrap.totals(right), bootstrap.totals(n))
    n_tracks = len({path for path, _ in found.n})
    score = bootstrap.score(value, resampled, n_tracks, bootstrap.n_groups)
    return {
        "value": _short(score.value),
        "interval_95": [_short(score.low), _short(score.high)],
        "n": score.n,
        "n_groups": score.n_groups,
    }


def difference(ours: Marks, theirs: Marks) -> dict[str, Any]:
    """How much larger our share of right answers is, on tracks that both have judged."""
    both = [key for key in ours.n if ours.n[key] == theirs.n.get(key)]
    a, b = ours.only(both), theirs.only(both)
    bootstrap = Bootstrap(a.group.values())
    n = _sums(a.n, a, bootstrap)
    gain = _sums(a.right, a, bootstrap) - _sums(b.right, a, bootstrap)
    resampled = ratio(bootstrap.totals(gain), bootstrap.totals(n))
    low, high = np.quantile(resampled, [0.025, 0.975])
    return {
        "value": _short(gain.sum() / n.sum()),
        "interval_95": [_short(low), _short(high)],
        "n": len({path for path, _ in both}),
    }


def compared(reports: Mapping[str, Sequence[Path]], keep: Callable[[str], bool]) -> dict[str, Any]:
    """Shares of right answers of several models, and how far the first is before the others."""
    found = {name: marks(paths).where(keep) for name, paths in reports.items()}
    first, *others = found
    return {
        "right": {name: share_right(part) for name, part in found.items()},
        "ahead": {name: difference(found[first], found[name]) for name in others},
    }


def spread_of_draws(report: Path) -> list[float]:
    """Lowest and highest accuracy of single draws."""
    draws = evaluation(report)["draws"]
    return [_short(min(draws)), _short(max(draws))]


def evaluation(report: Path, number: int = 0) -> dict[str, Any]:
    """One evaluation of a report's ``metrics.json``."""
    found: dict[str, Any] = json.loads((report / "metrics.json").read_text(encoding="utf-8"))
    chosen: dict[str, Any] = found["evaluations"][number]
    return chosen


def by_genre(report: Path) -> dict[str, Any]:
    """Precision and recall of each genre, with the tracks and artists that they stand on."""
    found = evaluation(report)["per_genre"]
    return {
        genre: {name: _score(scores[name]) for name in ("precision", "recall")}
        for genre, scores in found.items()
    }


def confused(reports: Iterable[Path]) -> list[dict[str, Any]]:
    """What is most often taken for what, as shares of the genre's tracks."""
    found = [evaluation(report) for report in reports]
    labels = found[0]["labels"]
    counts = np.sum([np.array(each["confusion"]) for each in found], axis=0)
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    np.fill_diagonal(shares, 0)
    order = np.argsort(shares, axis=None)[::-1][:_MOST_CONFUSED]
    places = [divmod(int(at), len(labels)) for at in order]
    return [
        {"genre": labels[was], "taken_for": labels[taken], "share": _short(shares[was, taken])}
        for was, taken in places
        if shares[was, taken] > 0
    ]


def calibration(report: Path) -> dict[str, Any]:
    """Whether confidence means what it says, and what "I don't know" buys."""
    found = evaluation(report)
    names = ("expected_calibration_error", "answered", "precision_when_answered")
    return {
        **{name: _score(found["track"][name]) for name in names},
        "error_if_calibrated": _short(found["baselines"]["calibration_error_if_calibrated"]),
        "coverage_at_precision": [
            {"precision": row["precision"], "coverage": _short(row["coverage"])}
            for row in found["coverage_at_precision"]
        ],
    }


def detected(reports: Sequence[Path], key: str, methods: Sequence[str]) -> dict[str, Any] | None:
    """AUROC of ``unknown`` or ``nonmusic``, by the first of these methods that was measured.

    Of several reports the mean, with the mean of their intervals' ends.
    """
    found = [{each["method"]: each for each in evaluation(report)[key]} for report in reports]
    method = next((name for name in methods if all(name in each for each in found)), None)
    if method is None:
        return None
    kinds = [each[method]["kinds"] for each in found]
    return {
        "method": method,
        "mean": _mean_score([each[method]["mean"]["auroc"] for each in found]),
        "kinds": {
            kind: _mean_score([each[kind]["auroc"] for each in kinds])
            for kind in kinds[0]
            if all(kind in each for each in kinds)
        },
    }


def _mean_score(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    ends = zip(*(each["interval_95"] for each in found), strict=True)
    return _score(
        {
            "value": sum(each["value"] for each in found) / len(found),
            "interval_95": [sum(end) / len(found) for end in ends],
            "n": found[0]["n"],
            "n_groups": min(each["n_groups"] for each in found),
        }
    )


def _sums(
    values: Mapping[Key, int], found: Marks, bootstrap: Bootstrap
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """By artist, shape (n_groups,)."""
    keys = list(found.n)
    groups = bootstrap.numbers([found.group[key] for key in keys])
    weights = np.array([values[key] for key in keys], dtype=np.float64)
    sums = np.bincount(groups, weights, minlength=bootstrap.n_groups)
    return np.asarray(sums, dtype=np.float64)


def _score(found: Mapping[str, Any]) -> dict[str, Any]:
    """A score of ``metrics.json`` with fewer digits."""
    low, high = found["interval_95"]
    return {
        "value": _short(found["value"]),
        "interval_95": [_short(low), _short(high)],
        "n": found["n"],
        "n_groups": found["n_groups"],
    }


def _short(value: Any) -> Any:
    return None if value is None else round(float(value), 4)

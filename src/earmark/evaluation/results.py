"""All that was measured of one model, on one set of tracks, under one protocol.

Conventions: tracks first (`track`, by the vote), slices beside them (`slice`, each by itself); an
answer for every track, except where a name says ``answered``. Intervals are 95 %, by artist.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.datasets.splitting import find_protocol
from earmark.errors import DataError
from earmark.evaluation import metrics, rejection, reliability
from earmark.evaluation.bootstrap import Bootstrap, Score
from earmark.evaluation.decisions import TrackDecisions
from earmark.evaluation.rejection import RiskCoverage, coverage_at_precision
from earmark.evaluation.reliability import Reliability
from earmark.evaluation.unknown import Detection

PRECISION_TARGETS = (0.8, 0.9, 0.95, 0.99)

FEW_GROUPS = 10
"""Intervals from fewer artists are too narrow."""

# More points than this show nothing more, and make metrics.json long.
_MAX_CURVE_POINTS = 200


@dataclass(frozen=True, slots=True)
class EvaluatedTrack:
    """What one track is, and what it was taken for.

    Attributes
    ----------
    path, group : str
    reference, estimate : str
        Genres; `estimate` is the likeliest, sure or not.
    confidence : float
    answered : bool
        False where the model says "I don't know".
    """

    path: str
    group: str
    reference: str
    estimate: str
    confidence: float
    answered: bool


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One model × data × protocol, measured.

    Attributes
    ----------
    name, data, protocol, split : str
        The model or recipe, the tracks, how they were kept from the training tracks (see
        `earmark.datasets.splitting`), and details of it (folds, seed); `split` may be empty.
    labels : tuple of str
    n_tracks, n_slices, n_groups : int
        The group of a track whose artist is not known is its album, its folder, or it alone.
    n_artists, n_artist_unknown : int
        Artists among the groups, and tracks whose artist is not known.
    track : dict of str to Score
        ``accuracy``, ``macro_f1``, ``top_2_accuracy``, ``expected_calibration_error``, ``aurc``,
        ``answered`` and ``precision_when_answered``.
    slice : dict of str to Score
        ``accuracy``, ``macro_f1``, ``top_2_accuracy``.
    per_genre : dict of str to dict of str to Score
        ``precision``, ``recall`` and ``f1`` of tracks by genre.
    artists_per_genre : dict of str to int
    baselines : dict of str to float
        What guessing gets: ``majority`` and ``chance`` accuracy; what the other scores would be
        for honest confidences (``calibration_error_if_calibrated``) and for confidences that say
        nothing or all (``aurc_at_random``, ``aurc_of_oracle``).
    confusion : ndarray of int, shape (n_classes, n_classes)
        Tracks by reference and estimate, sure or not.
    answers : ndarray of int, shape (n_classes, n_classes + 1)
        Tracks by reference and answer; the last column is "I don't know".
    reliability : Reliability
    risk_coverage : RiskCoverage
    unknown, nonmusic : tuple of Detection
        By method; empty where not measured.
    votes : dict of str to dict of str to Score
        ``accuracy`` and ``macro_f1`` of the ways to decide that were compared, by mode.
    tracks : tuple of EvaluatedTrack
        Empty where the caller did not name them; one for each time that a track was tested.
    draws : tuple of float
        Where heads were learned from a few tracks, drawn anew each time: the accuracy of each.
        All else is over the answers of all of them, `n_tracks` and `n_slices` apart, which count
        nothing twice.
    warnings : tuple of str
        What a reader of the scores must know.
    """

    name: str
    data: str
    protocol: str
    split: str
    labels: tuple[str, ...]
    n_tracks: int
    n_slices: int
    n_groups: int
    n_artists: int
    n_artist_unknown: int
    track: dict[str, Score]
    slice: dict[str, Score]
    per_genre: dict[str, dict[str, Score]]
    artists_per_genre: dict[str, int]
    baselines: dict[str, float]
    confusion: NDArray[np.int64]
    answers: NDArray[np.int64]
    reliability: Reliability
    risk_coverage: RiskCoverage
    unknown: tuple[Detection, ...] = ()
    nonmusic: tuple[Detection, ...] = ()
    votes: dict[str, dict[str, Score]] = dataclasses.field(default_factory=dict)
    tracks: tuple[EvaluatedTrack, ...] = ()
    draws: tuple[float, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def leak(self) -> str:
        """What training and test share, empty where nothing is known to."""
        protocol = find_protocol(self.protocol)
        return protocol.leak if protocol else ""

    def coverages(self) -> list[tuple[float, float, float]]:
        """(target precision, largest coverage that reaches it, its threshold) of each target."""
        return [
            (target, *coverage_at_precision(self.risk_coverage, target))
            for target in PRECISION_TARGETS
        ]

    def to_json(self) -> dict[str, Any]:
        """Plain types with numbers to six decimals; what is not defined is None."""
        plain = {
            f.name: _plain(getattr(self, f.name))
            for f in dataclasses.fields(self)
            if f.name not in ("risk_coverage", "tracks")
        }
        plain["risk_coverage"] = _plain(_thinned(self.risk_coverage))
        plain["coverage_at_precision"] = [
            {"precision": target, "coverage": _plain(coverage), "threshold": _plain(threshold)}
            for target, coverage, threshold in self.coverages()
        ]
        return plain


def evaluate(
    decisions: TrackDecisions,
    labels: Sequence[str],
    *,
    name: str,
    data: str,
    protocol: str,
    split: str = "",
    unknown: Sequence[Detection] = (),
    nonmusic: Sequence[Detection] = (),
    votes: Mapping[str, TrackDecisions] | None = None,
    paths: Sequence[str] = (),
    warnings: Sequence[str] = (),
    n_resamples: int = 1000,
) -> Evaluation:
    """Measure all that the decisions allow.

    Parameters
    ----------
    decisions : TrackDecisions
    labels : sequence of str, length n_classes
    name, data, protocol, split : str
        As in `Evaluation`; a `protocol` that is known to leak is warned of.
    unknown, nonmusic : sequence of Detection
        Measured beforehand by `earmark.evaluation.unknown.evaluate`.
    votes : mapping of str to TrackDecisions, optional
        The same tracks, decided about in other ways, by mode.
    paths : sequence of str, optional
        Of the tracks, for `Evaluation.tracks`.
    warnings : sequence of str
        Of what the caller knows; those that the scores themselves call for are added.

    Raises
    ------
    DataError
        If there is no track to measure on.
    """
    if len(decisions.reference) == 0:
        raise DataError("no labelled track to measure on", "label some tracks of these genres")
    bootstrap = Bootstrap(decisions.groups, n_resamples)
    groups = bootstrap.numbers(decisions.groups)
    reference, estimated, n_classes = decisions.reference, decisions.estimated, len(labels)
    correct = reference == estimated
    given = decisions.answered
    per_class = metrics.evaluate_classes(reference, estimated, n_classes, groups, bootstrap)
    n_slices = np.array([len(proba) for proba in decisions.probas])
    slice_proba = np.concatenate(decisions.probas)
    evaluation = Evaluation(
        name=name,
        data=data,
        protocol=protocol,
        split=split,
        labels=tuple(labels),
        n_tracks=len(reference),
        n_slices=len(slice_proba),
        n_groups=bootstrap.n_groups,
        n_artists=len(decisions.artists()),
        n_artist_unknown=decisions.n_artist_unknown(paths),
        track={
            **metrics.evaluate(reference, estimated, decisions.proba, groups, bootstrap),
            **reliability.evaluate(decisions.confidence, correct, groups, bootstrap),
            **rejection.evaluate(decisions.confidence, correct, groups, bootstrap),
            "answered": metrics.share(given, groups, bootstrap),
            "precision_when_answered": metrics.share(correct[given], groups[given], bootstrap),
        },
        slice=metrics.evaluate(
            np.repeat(reference, n_slices),
            slice_proba.argmax(axis=1),
            slice_proba,
            np.repeat(groups, n_slices),
            bootstrap,
        ),
        per_genre=dict(zip(labels, per_class, strict=True)),
        artists_per_genre={label: len(decisions.artists(i)) for i, label in enumerate(labels)},
        baselines={
            "majority": float(np.bincount(reference).max() / len(reference)),
            "chance": 1 / n_classes,
            "calibration_error_if_calibrated": reliability.error_if_calibrated(
                decisions.confidence
            ),
            "aurc_at_random": float((~correct).mean()),
            "aurc_of_oracle": rejection.aurc_of_oracle(correct),
        },
        confusion=metrics.confusion(reference, estimated, n_classes)[:, :-1],
        answers=metrics.confusion(reference, np.where(given, estimated, -1), n_classes),
        reliability=reliability.reliability_curve(decisions.confidence, correct),
        risk_coverage=rejection.risk_coverage_curve(decisions.confidence, correct),
        unknown=tuple(unknown),
        nonmusic=tuple(nonmusic),
        votes={mode: _compared(other, groups, bootstrap) for mode, other in (votes or {}).items()},
        tracks=_evaluated_tracks(decisions, labels, paths) if paths else (),
    )
    return dataclasses.replace(evaluation, warnings=(*warnings, *_warnings(evaluation)))


def _evaluated_tracks(
    decisions: TrackDecisions, labels: Sequence[str], paths: Sequence[str]
) -> tuple[EvaluatedTrack, ...]:
    return tuple(
        EvaluatedTrack(path, group, labels[was], labels[taken], float(sure), bool(given))
        for path, group, was, taken, sure, given in zip(
            paths,
            decisions.groups,
            decisions.reference,
            decisions.estimated,
            decisions.confidence,
            decisions.answered,
            strict=True,
        )
    )


def _compared(
    decisions: TrackDecisions, groups: NDArray[np.int64], bootstrap: Bootstrap
) -> dict[str, Score]:
    scores = metrics.evaluate(
        decisions.reference, decisions.estimated, decisions.proba, groups, bootstrap
    )
    return {name: scores[name] for name in ("accuracy", "macro_f1")}


def _warnings(evaluation: Evaluation) -> list[str]:
    found = []
    if evaluation.leak:
        found.append(
            f"this protocol leaks: {evaluation.leak}, so the scores say less about new music than"
            " they seem to"
        )
    elif evaluation.n_artist_unknown:
        found.append(
            f"the artist of {evaluation.n_artist_unknown} tracks is not known: others by the same"
            " artists may have been learned from, and the scores may be too good"
        )
    one, several = "artist", "artists"
    if evaluation.n_artist_unknown:
        one, several = "artist (or album, or folder)", "artists (or albums, or folders)"
    if evaluation.n_groups < 2:
        found.append(f"all tracks are by one {one}: nothing is known about others")
    elif evaluation.n_groups < FEW_GROUPS:
        found.append(
            f"only {evaluation.n_groups} {several}: the intervals are narrower than they should be"
        )
    recalls = {genre: scores["recall"] for genre, scores in evaluation.per_genre.items()}
    absent = [genre for genre, recall in recalls.items() if recall.n == 0]
    if absent:
        found.append(f"no track of {', '.join(absent)}: macro-F1 leaves the genre out")
    lonely = [genre for genre, recall in recalls.items() if recall.n and recall.n_groups == 1]
    if lonely and evaluation.n_groups > 1:
        found.append(f"one {one} only for {', '.join(lonely)}: its recall is that one's")
    if evaluation.track["accuracy"].low <= evaluation.baselines["majority"]:
        found.append("not shown to be better than always giving the commonest genre")
    return found


def compare(evaluations: Sequence[Evaluation]) -> list[dict[str, Any]]:
    """One row an evaluation, in their order, for a table of protocols or recipes.

    Returns
    -------
    list of dict
        ``name``, ``data``, ``protocol``, ``leak`` (str), ``n_tracks``, ``n_slices``, ``n_groups``,
        ``n_artists`` (int), ``majority`` (float), ``slice_accuracy``, ``accuracy``, ``macro_f1``
        (Score).
    """
    return [
        {
            "name": e.name,
            "data": e.data,
            "protocol": e.protocol,
            "leak": e.leak,
            "n_tracks": e.n_tracks,
            "n_slices": e.n_slices,
            "n_groups": e.n_groups,
            "n_artists": e.n_artists,
            "majority": e.baselines["majority"],
            "slice_accuracy": e.slice["accuracy"],
            "accuracy": e.track["accuracy"],
            "macro_f1": e.track["macro_f1"],
        }
        for e in evaluations
    ]


def _thinned(curve: RiskCoverage) -> RiskCoverage:
    n = len(curve.coverage)
    kept = np.unique(np.linspace(0, n - 1, min(n, _MAX_CURVE_POINTS)).round().astype(np.intp))
    return RiskCoverage(curve.coverage[kept], curve.risk[kept], curve.threshold[kept])


def _plain(value: Any) -> Any:
    """`value` in types that JSON knows; NaN as None."""
    if isinstance(value, Score):
        interval = [_plain(value.low), _plain(value.high)]
        return {
            "value": _plain(value.value),
            "interval_95": interval,
            "n": value.n,
            "n_groups": value.n_groups,
        }
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, 6)
    return value

"""``earmark audit``: labelled tracks that are likely to be mislabelled, each with its reasons."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from earmark import extras
from earmark.datasets import LabelledTrack
from earmark.errors import DataError, FileError
from earmark.evaluation.mislabels import find_mislabels
from earmark.events import FileSkipped, Note, Workflow
from earmark.features.traits import suspicion
from earmark.inference.batch import fill, predict_files
from earmark.models.bundle import Bundle
from earmark.models.embeddings import EmbeddingStore
from earmark.session import Resources
from earmark.training.choosing import choose, unknown_artists
from earmark.training.learners import head
from earmark.training.learning_set import gather
from earmark.training.provenance import open_backbone, short_hash
from earmark.training.request import LabelRequest

T = TypeVar("T")

KINDS = ("copies", "label", "noise", "still", "quiet", "numbers", "genres", "unheard")
"""Kinds of reasons, in the order in which tracks are listed for them."""


@dataclass(frozen=True, slots=True)
class AuditRequest:
    """What to look at, and who judges.

    Attributes
    ----------
    labels : LabelRequest
        Its split is not used.
    n_folds : int
        Folds of the cross-validation, where no model is given.
    backbone : str
        Folder of the model whose embeddings the heads of the cross-validation learn from; empty:
        the one that comes with Earmark.
    model : Bundle or None
        Judges in place of the cross-validation.
    """

    labels: LabelRequest
    n_folds: int = 5
    backbone: str = ""
    model: Bundle | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a track is listed: one of `KINDS`, and a line for people."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A track that somebody should look at.

    Attributes
    ----------
    path : str
    label : str
        Empty where the track has two of the genres.
    suggested : str
        The genre that it sounds like, where that is a reason; else empty.
    margin : float or None
        Natural logarithm of the odds of the label against `suggested`; the lower, the likelier the
        label is wrong.
    proba : dict of str to float
        Of every genre, the likeliest first; empty where it was not judged.
    reasons : tuple of Reason
    """

    path: str
    label: str
    suggested: str
    margin: float | None
    proba: dict[str, float]
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What was found.

    Attributes
    ----------
    findings : tuple of Finding
        Copies that are labelled differently, then labels that the judge contradicts, the likeliest
        wrong first, then the rest by kind.
    n_tracks, n_judged : int
        Tracks with a label, and those whose label could be judged.
    judge : str
        Who judged, in words.
    """

    findings: tuple[Finding, ...]
    n_tracks: int
    n_judged: int
    judge: str


@dataclass(frozen=True, slots=True)
class _Row:
    """A track that could be heard, and what its label says; `genre` is the label's number."""

    track: LabelledTrack
    genre: int
    audio_id: str


def audit(
    request: AuditRequest,
    resources: Resources,
) -> Workflow[AuditReport]:
    """Look for wrong labels and for tracks that are no use for training.

    Without a model, every track is judged by heads on a backbone's embeddings that have not
    learned from its artist (cross-validation). With one, the model judges; a track that it has
    learned from it may know by heart, wrong label and all.

    Raises
    ------
    DataError
        If there are fewer than two genres.
    MissingExtraError
        If scikit-learn is needed and not installed.
    """
    run = _Audit(request, resources)
    return (yield from run.report())


class _Audit:
    """One audit; reasons gather by path while it runs."""

    def __init__(self, request: AuditRequest, resources: Resources) -> None:
        self.request, self.resources = request, resources
        self.reasons: dict[str, list[Reason]] = defaultdict(list)
        self.names: tuple[str, ...] = ()
        self.labelled: dict[str, tuple[LabelledTrack, int]] = {}

    def report(self) -> Workflow[AuditReport]:
        model = self.request.model
        if model is None:
            extras.require("head", *head.NEEDS)
        yield from self._read_labels()
        if model is None:
            rows, proba, judge = yield from self._by_folds()
        else:
            rows, proba, judge = yield from self._by_model(model)
        judged = np.flatnonzero(np.isfinite(proba).all(axis=1))
        findings = self._findings([rows[i] for i in judged], proba[judged])
        return AuditReport(tuple(findings), len(self.labelled), len(judged), judge)

    def _read_labels(self) -> Workflow[None]:
        request, model = self.request.labels, self.request.model
        if model is not None:
            request = dataclasses.replace(request, only=model.meta.labels, min_tracks=1)
        tracks = yield from gather(request, self.resources)
        choice = choose(tracks, request)
        self.names = tuple(sorted(choice.counts)) if model is None else model.meta.labels
        for i, genres in choice.ambiguous.items():
            self._add(tracks[i].path, "genres", f"has two of the genres: {', '.join(genres)}")
        for track, label in zip(tracks, choice.labels, strict=True):
            if label in self.names:
                self.labelled[track.path] = track, self.names.index(label)
        remark = unknown_artists([track for track, _ in self.labelled.values()])
        if remark and model is None:
            yield Note(remark)

    def _add(self, path: str, kind: str, text: str) -> None:
        self.reasons[path].append(Reason(kind, text))

    def _heard(self, flow: Workflow[T]) -> Workflow[T]:
        """Pass events on, and note which files cannot be heard."""
        while True:
            try:
                event = next(flow)
            except StopIteration as stop:
                result: T = stop.value
                return result
            if isinstance(event, FileSkipped):
                self._add(event.path, "unheard", event.reason)
            yield event

    def _by_folds(self) -> Workflow[tuple[list[_Row], NDArray[np.float64], str]]:
        from earmark.models.classical.head import Tracks, hold_out

        backbone = open_backbone(self.request.backbone, self.resources.home)
        with self.resources.embeddings(backbone) as store:
            hearing = fill(store, list(self.labelled), self.resources.workers)
            heard = yield from self._heard(hearing)
            rows = [_Row(*self.labelled[path], name) for path, name in sorted(heard.items())]
            rows = self._sound(self._without_contradictions(rows), store)
            found = store.locate([row.audio_id for row in rows])
            slices = store.embeddings(np.concatenate([np.empty(0, np.int64), *found]))
        judge = (
            f"{self.request.n_folds}-fold cross-validation by artist,"
            f" on backbone {backbone.meta.name}"
        )
        proba = np.full((len(rows), len(self.names)), np.nan)
        # Genres that have lost all their tracks are no choice.
        left, genres = np.unique([row.genre for row in rows], return_inverse=True)
        groups = [row.track.group("artist") for row in rows]
        try:
            if len(left) < 2:
                raise DataError("fewer than two genres have tracks that can be used")
            data = Tracks(slices, [len(span) for span in found], genres.tolist())
            held_out = hold_out(data, groups, len(left), self.request.n_folds)
        except DataError as e:
            yield Note(f"labels cannot be judged: {e.reason}")
            return rows, proba, judge
        proba[:] = 0.0
        proba[:, left] = held_out.proba
        n_alone = int(np.isnan(held_out.proba[:, 0]).sum())
        if n_alone:
            yield Note(
                f"{n_alone} tracks cannot be judged: their artists have a genre to themselves"
            )
        return rows, proba, judge

    def _sound(self, rows: Sequence[_Row], store: EmbeddingStore) -> list[_Row]:
        """Note what is odd about the sound itself; the rows that there are numbers for."""
        kept = []
        found = store.locate([row.audio_id for row in rows])
        for row, span in zip(rows, found, strict=True):
            doubt = suspicion(store.traits(span))
            if doubt is not None:
                self._add(row.track.path, *doubt)
            if np.isfinite(store.embeddings(span)).all():
                kept.append(row)
            else:
                self._add(row.track.path, "numbers", "the backbone's embedding is not finite")
        return kept

    def _by_model(self, model: Bundle) -> Workflow[tuple[list[_Row], NDArray[np.float64], str]]:
        judging = predict_files(list(self.labelled), model, self.resources)
        judged = yield from self._heard(judging)
        heard = {p: j for p, j in sorted(judged.items()) if not isinstance(j, FileError)}
        rows = [_Row(*self.labelled[path], j.audio_id) for path, j in heard.items()]
        rows = self._without_contradictions(rows)
        means = [heard[row.track.path].probs.proba.mean(axis=0) for row in rows]
        learned = set(str(model.meta.data.get("learned", {}).get("tracks", "")).split())
        n_learned = sum(short_hash(row.audio_id) in learned for row in rows)
        if n_learned:
            yield Note(
                f"{n_learned} of {len(rows)} tracks are among those that the model has learned"
                " from, labels and all; without --model, others judge them"
            )
        proba = np.array(means, dtype=np.float64).reshape(len(rows), len(self.names))
        return rows, proba, f"model {model.meta.name}"

    def _without_contradictions(self, rows: Sequence[_Row]) -> list[_Row]:
        """One row for each recording, none where copies differ in their labels, which is noted."""
        copies: dict[str, list[_Row]] = defaultdict(list)
        for row in rows:
            copies[row.audio_id].append(row)
        for same in copies.values():
            for row in same:
                others = [other for other in same if other.genre != row.genre]
                if others:
                    label, path = self.names[others[0].genre], others[0].track.path
                    self._add(
                        row.track.path, "copies", f"the same recording is labelled {label}: {path}"
                    )
        return [same[0] for same in copies.values() if len({row.genre for row in same}) == 1]

    def _findings(self, judged: Sequence[_Row], proba: NDArray[np.float64]) -> list[Finding]:
        reference = np.array([row.genre for row in judged], dtype=np.int64)
        place = {row.track.path: i for i, row in enumerate(judged)}
        suspects = {judged[s.track].track.path: s for s in find_mislabels(proba, reference)}
        for path, suspect in suspects.items():
            p, genre = proba[suspect.track], reference[suspect.track]
            self._add(
                path,
                "label",
                f"sounds like {self.names[suspect.suggested]} ({p[suspect.suggested]:.0%})"
                f" rather than {self.names[genre]} ({p[genre]:.0%})",
            )
        findings = [
            Finding(
                path,
                label=self.names[self.labelled[path][1]] if path in self.labelled else "",
                suggested=self.names[suspects[path].suggested] if path in suspects else "",
                margin=suspects[path].margin if path in suspects else None,
                proba=self._ranked(proba[place[path]]) if path in place else {},
                reasons=tuple(sorted(reasons, key=lambda r: KINDS.index(r.kind))),
            )
            for path, reasons in self.reasons.items()
        ]
        return sorted(
            findings, key=lambda f: (KINDS.index(f.reasons[0].kind), f.margin or 0.0, f.path)
        )

    def _ranked(self, p: NDArray[np.float64]) -> dict[str, float]:
        return {self.names[i]: round(float(p[i]), 6) for i in np.argsort(-p, kind="stable")}

"""``earmark evaluate --shots``: heads learned from a handful of tracks of each genre.

What a person with a few labelled albums can expect. A few tracks are drawn of each genre, by as
many artists as can be; a head on a frozen backbone learns from them, and is asked about all tracks
by artists of whom none was drawn. This is done many times. The draws hang on the tracks and the
seed only, so that backbones can be compared on the same ones.

A handful is too little to choose regularisation, temperature or threshold by: the head's default
stands for all backbones, and there is an answer for every track.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earmark import extras
from earmark.datasets import join_groups
from earmark.datasets.sample import draw_shots
from earmark.datasets.splitting import WHOLE, SplitRequest
from earmark.decision.calibration import softmax
from earmark.errors import DataError
from earmark.evaluation import results
from earmark.evaluation.judged import Judged
from earmark.evaluation.results import Evaluation
from earmark.events import Progress, Workflow
from earmark.inference.batch import with_embeddings
from earmark.models.bundle import Bundle
from earmark.models.embeddings import EmbeddingStore
from earmark.session import Resources
from earmark.training.learners import head
from earmark.training.learning_set import Example, LearningSet, assemble, spans
from earmark.training.provenance import known_of, open_backbone
from earmark.training.request import LabelRequest
from earmark.types import FloatArray, VoteConfig

_FORCED = VoteConfig(min_confidence=0.0)


@dataclass(frozen=True, slots=True)
class ShotRequest:
    """What to measure.

    Attributes
    ----------
    labels : LabelRequest
        The seed of its split is that of the draws.
    backbone : str
        As in `earmark.training.learners.head.open_backbone`.
    n_shots : int
        Tracks of each genre to learn from.
    n_draws : int
    """

    labels: LabelRequest
    backbone: str
    n_shots: int = 5
    n_draws: int = 20


@dataclass(frozen=True, slots=True)
class _Heard:
    """Tracks in the order of their paths, with all that a draw needs of them."""

    examples: tuple[Example, ...]
    groups: list[str]
    slices: list[FloatArray]
    labels: tuple[str, ...]

    @property
    def reference(self) -> list[int]:
        return [e.genre for e in self.examples]


def few_shots(
    request: ShotRequest,
    resources: Resources,
) -> Workflow[Evaluation]:
    """Measure heads that learn from a few tracks of each genre.

    Raises
    ------
    BundleError
        If the backbone cannot be used.
    DataError
        If a genre has too few tracks or artists.
    MissingExtraError
        If scikit-learn or onnx is not installed.
    """
    extras.require("head", *head.NEEDS)
    backbone = open_backbone(request.backbone, resources.home)
    seed = request.labels.split.seed
    whole = dataclasses.replace(request.labels, split=SplitRequest(WHOLE, seed=seed))
    with resources.embeddings(backbone) as store:
        learning_set = yield from assemble(whole, resources, store)
        heard = yield from _heard(learning_set, store)
    names = [heard.labels[genre] for genre in heard.reference]
    draws = []
    for number in range(request.n_draws):
        chosen = draw_shots(names, heard.groups, request.n_shots, seed * request.n_draws + number)
        draws.append(_judged(heard, np.array(chosen)))
        yield Progress("learning", number + 1, request.n_draws)
    return _evaluation(request, backbone, heard, draws)


def _heard(learning_set: LearningSet, store: EmbeddingStore) -> Workflow[_Heard]:
    """Tracks that the backbone has numbers for, copies of a recording joined in one group."""
    examples = sorted(learning_set.examples, key=lambda e: e.path)
    kept = yield from with_embeddings(examples, store)
    slices = [store.embeddings(span) for span in spans(store, kept)]
    place = {e.audio_id: i for i, e in enumerate(kept)}
    near = [(place[a], place[b]) for a, b in learning_set.near if a in place and b in place]
    groups = join_groups([e.group for e in kept], near)
    return _Heard(tuple(kept), groups, slices, learning_set.labels)


def _judged(heard: _Heard, chosen: NDArray[np.int64]) -> tuple[Judged, list[str]]:
    """What a head learned from the chosen tracks says of other artists' tracks, and their paths."""
    from earmark.models.classical.head import DEFAULT_C, Tracks, fit_head

    shots = [heard.slices[i] for i in chosen]
    data = Tracks(
        np.concatenate(shots), [len(part) for part in shots], [heard.reference[i] for i in chosen]
    )
    head = fit_head(data, len(heard.labels), DEFAULT_C)
    drawn = {heard.groups[i] for i in chosen}
    tested = [i for i, group in enumerate(heard.groups) if group not in drawn]
    judged = Judged.by_vote(
        [softmax(head.logits(heard.slices[i])) for i in tested],
        [heard.reference[i] for i in tested],
        [heard.groups[i] for i in tested],
        heard.labels,
        _FORCED,
    )
    return judged, [heard.examples[i].path for i in tested]


def _evaluation(
    request: ShotRequest,
    backbone: Bundle,
    heard: _Heard,
    draws: Sequence[tuple[Judged, list[str]]],
) -> Evaluation:
    paths = [path for _, tested in draws for path in tested]
    if not paths:
        raise DataError("no draw was asked for", "ask for one or more")
    leak = known_of(backbone).leak(heard.examples, f"these {len(heard.examples)} tracks")
    evaluation = results.evaluate(
        Judged.joined([judged for judged, _ in draws]),
        heard.labels,
        name=f"head on {backbone.meta.name}, {request.n_shots} tracks a genre",
        data=request.labels.root,
        protocol="few-shot",
        split=f"{request.n_draws} draws, seed {request.labels.split.seed}",
        paths=paths,
        warnings=[leak] if leak else [],
    )
    sizes = {e.path: len(part) for e, part in zip(heard.examples, heard.slices, strict=True)}
    n_times = Counter(paths)
    return dataclasses.replace(
        evaluation,
        n_tracks=len(n_times),
        n_slices=sum(sizes[path] for path in n_times),
        draws=tuple(float((j.reference == j.estimated).mean()) for j, _ in draws),
    )

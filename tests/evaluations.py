"""Made-up judgements of known quality, for tests of evaluations and reports."""

from collections.abc import Sequence

import numpy as np

from earmark.evaluation import unknown
from earmark.evaluation.decisions import TrackDecisions
from earmark.evaluation.results import Evaluation, evaluate
from earmark.evaluation.unknown import Detection, KindScores
from earmark.types import VoteConfig

LABELS = ("Blues", "Jazz", "Rock")


def decisions(
    n_tracks: int = 60,
    labels: Sequence[str] = LABELS,
    n_artists: int = 20,
    skill: float = 1.5,
    vote: VoteConfig | None = None,
    seed: int = 0,
) -> TrackDecisions:
    """Tracks of 2 to 5 slices; the more `skill`, the more of them are right."""
    rng = np.random.default_rng(seed)
    reference = (np.arange(n_tracks) % len(labels)).tolist()
    probas = []
    for genre in reference:
        logits = rng.normal(0, 1, (int(rng.integers(2, 6)), len(labels)))
        logits += rng.normal(0, 1, len(labels))
        logits[:, genre] += skill
        exp = np.exp(logits)
        probas.append((exp / exp.sum(axis=1, keepdims=True)).astype(np.float32))
    artists = [f"artist:{i % n_artists}" for i in range(n_tracks)]
    return TrackDecisions.by_vote(
        probas, reference, artists, labels, vote or VoteConfig(min_confidence=0.5)
    )


def evaluation(
    protocol: str = "artist",
    name: str = "small",
    labels: Sequence[str] = LABELS,
    unknown: Sequence[Detection] = (),
    nonmusic: Sequence[Detection] = (),
    skill: float = 1.5,
) -> Evaluation:
    return evaluate(
        decisions(labels=labels, skill=skill),
        labels,
        name=name,
        data="made up for a test",
        protocol=protocol,
        split="seed 0",
        unknown=unknown,
        nonmusic=nonmusic,
        n_resamples=100,
    )


def detection(kinds: Sequence[str], method: str = "entropy") -> Detection:
    rng = np.random.default_rng(0)
    known, artists = rng.normal(0, 1, 40), [f"artist {i // 4}" for i in range(40)]
    return unknown.evaluate(
        method,
        [
            KindScores(
                kind, known, rng.normal(2, 1, 12), artists, [f"{kind} {i}" for i in range(12)]
            )
            for kind in kinds
        ],
        n_resamples=100,
    )

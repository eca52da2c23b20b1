"""From slice probabilities to what a person is told of a track."""

from __future__ import annotations

import numpy as np

from earmark.errors import FileError
from earmark.models.bundle import Bundle
from earmark.types import SliceProbs, VoteConfig
from earmark.voting import decide
from earmark.web.faults import fault_of
from earmark.web.schemas.common import Fault
from earmark.web.schemas.listening import Answering, GenreShare, Listened, Media, SliceVote
from earmark.workflows.asking import Heard, mixture

_LEAST_SHOWN = 0.01

# What browsers call the formats; anything else is offered as bytes.
_TYPES = {
    ".aac": "audio/aac",
    ".aif": "audio/aiff",
    ".aiff": "audio/aiff",
    ".flac": "audio/flac",
    ".m4a": "audio/mp4",
    ".m4b": "audio/mp4",
    ".mka": "audio/x-matroska",
    ".mp2": "audio/mpeg",
    ".mp3": "audio/mpeg",
    ".mp4": "audio/mp4",
    ".oga": "audio/ogg",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".wav": "audio/wav",
    ".wave": "audio/wav",
    ".webm": "audio/webm",
    ".wma": "audio/x-ms-wma",
}


def media_type(suffix: str) -> str:
    return _TYPES.get(suffix.lower(), "application/octet-stream")


def answering(bundle: Bundle) -> Answering:
    return Answering(
        model_id=bundle.model_id, name=bundle.meta.name, labels=list(bundle.meta.labels)
    )


def told(
    heard: Heard,
    bundle: Bundle,
    vote: VoteConfig,
    name: str,
    file_id: str | None = None,
    media: Media | None = None,
) -> Listened:
    """A track's decision, with all that led to it."""
    labels = bundle.meta.labels
    decision = decide(heard.probs.proba, labels, vote)
    return Listened(
        name=name,
        file_id=file_id,
        genre=decision.genre,
        reason=decision.rejected or None,
        error=None,
        confidence=_share(decision.confidence),
        agreement=_share(decision.agreement),
        proba=[GenreShare(genre=g, p=_share(p)) for g, p in decision.proba.items()],
        mixture=[
            GenreShare(genre=g, p=round(p, 4))
            for g, p in mixture(heard.probs.proba, labels).items()
        ],
        slices=_votes(heard.probs, bundle),
        duration_s=heard.duration_s,
        media=media,
    )


def failed(e: FileError, name: str, file_id: str | None = None) -> Listened:
    """A file that could not be heard."""
    return refused(fault_of(e, "unusable"), name, file_id)


def refused(fault: Fault, name: str, file_id: str | None = None) -> Listened:
    return Listened(
        name=name,
        file_id=file_id,
        genre=None,
        reason=None,
        error=fault,
        confidence=None,
        agreement=None,
        proba=[],
        mixture=[],
        slices=[],
        duration_s=None,
        media=None,
    )


def _votes(probs: SliceProbs, bundle: Bundle) -> list[SliceVote]:
    listen, labels = bundle.meta.listen, bundle.meta.labels
    length_s = listen.slices.n_frames * listen.features.hop_length / listen.features.sr
    votes = []
    for start_s, row in zip(probs.start_s, probs.proba, strict=True):
        if not np.isfinite(row).all():
            continue  # says nothing, as the decision's reason tells
        ranked = np.argsort(-row, kind="stable")
        votes.append(
            SliceVote(
                start_s=round(float(start_s), 3),
                length_s=round(length_s, 3),
                genre=labels[ranked[0]],
                p=_share(row[ranked[0]]),
                proba=[
                    GenreShare(genre=labels[i], p=_share(row[i]))
                    for i in ranked
                    if row[i] >= _LEAST_SHOWN
                ],
            )
        )
    return votes


def _share(value: float) -> float:
    """Within [0, 1]: float32 rows may add up to a little more."""
    return round(min(1.0, max(0.0, float(value))), 6)

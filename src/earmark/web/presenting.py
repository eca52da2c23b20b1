"""From a prediction to what the API answers about a track."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from earmark.decision.result import Result
from earmark.decision.voting import decide
from earmark.errors import FileError
from earmark.inference.serving import Served, mixture
from earmark.models.bundle import Bundle
from earmark.types import SliceProbs, VoteConfig
from earmark.web.faults import fault_of, readable
from earmark.web.schemas.common import Fault
from earmark.web.schemas.listening import (
    AnsweringModel,
    GenreShare,
    Media,
    SliceVote,
    TrackAnswer,
    TrackResult,
)

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


def answering_model(bundle: Bundle) -> AnsweringModel:
    return AnsweringModel(
        model_id=bundle.model_id, name=bundle.meta.name, labels=list(bundle.meta.labels)
    )


def media_at(
    base: str, path: str, *, expires_at: float | None = None, upload_id: str | None = None
) -> Media:
    """Where a file can be heard and seen: below the address `base`."""
    return Media(
        audio_url=f"{base}/audio",
        audio_type=media_type(Path(path).suffix),
        preview_url=f"{base}/preview",
        overview_url=f"{base}/overview",
        spectrogram_url=f"{base}/spectrogram.png",
        expires_at=expires_at,
        upload_id=upload_id,
    )


def answer_of(
    served: Served,
    bundle: Bundle,
    vote: VoteConfig,
    name: str,
    file_id: str | None = None,
    media: Media | None = None,
) -> TrackAnswer:
    """A track's decision, with all that led to it; `name` is what the client calls the file."""
    labels, probs = bundle.meta.labels, served.prediction.probs
    return _answer(
        Result.of(name, decide(probs.proba, labels, vote)),
        file_id=file_id,
        mixture=[
            GenreShare(genre=g, p=round(p, 4)) for g, p in mixture(probs.proba, labels).items()
        ],
        slices=_votes(probs, bundle),
        duration_s=served.duration_s,
        media=media,
    )


def failed(e: FileError, name: str, file_id: str | None = None) -> TrackAnswer:
    """A file that could not be heard."""
    return refused(fault_of(e, "unusable"), name, file_id)


def refused(fault: Fault, name: str, file_id: str | None = None) -> TrackAnswer:
    """A file that may not be heard, or could not be."""
    return _answer(Result(name, error=fault.message), fault, file_id=file_id)


def _answer(
    result: Result,
    fault: Fault | None = None,
    *,
    file_id: str | None = None,
    mixture: Sequence[GenreShare] = (),
    slices: Sequence[SliceVote] = (),
    duration_s: float | None = None,
    media: Media | None = None,
) -> TrackAnswer:
    shown = track_result(result)
    return TrackAnswer(
        result=shown,
        hint=fault.hint if fault else "",
        file_id=file_id,
        mixture=list(mixture),
        slices=list(slices),
        duration_s=duration_s,
        media=media,
        name=shown.path,
        genre=shown.genre,
        reason=shown.rejected,
        error=fault,
        confidence=shown.confidence,
        agreement=shown.agreement,
        proba=[GenreShare(genre=genre, p=p) for genre, p in shown.proba.items()],
    )


def track_result(result: Result) -> TrackResult:
    """A result as JSON can carry it: shares within [0, 1], names in valid Unicode."""
    values = result.to_dict()
    for name in ("confidence", "agreement"):
        values[name] = None if values[name] is None else _share(values[name])
    values["proba"] = {genre: _share(p) for genre, p in values["proba"].items()}
    values["path"] = readable(values["path"])
    return TrackResult(**values)


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
    """Within [0, 1]: float32 rows may add up to a little more; no number counts as nothing."""
    return round(min(1.0, max(0.0, float(value))), 6) if math.isfinite(value) else 0.0

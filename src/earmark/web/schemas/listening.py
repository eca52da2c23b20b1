"""Answers about single tracks."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from earmark.web.schemas.common import Fault, Key, Share, Wire


class GenreShare(Wire):
    genre: str
    p: Share


class SliceVote(Wire):
    """What one slice of a track sounds like by itself."""

    start_s: float
    length_s: float
    genre: str = Field(description="Its own first choice.")
    p: Share = Field(description="Probability of that.")
    proba: list[GenreShare] = Field(description="Most likely first, down to 1 %.")


class Media(Wire):
    """Where to hear and see the track. The URLs are relative to the server's root."""

    audio_url: str = Field(description="The file as it is; answers range requests.")
    audio_type: str = Field(description="Its media type, e.g. audio/mpeg.")
    preview_url: str = Field(
        description="The same sound as Ogg Opus, for formats that the browser cannot play."
    )
    overview_url: str = Field(description="JSON: peaks and what the spectrogram spans.")
    spectrogram_url: str = Field(description="PNG; `?palette=magma` (the default) or grey.")
    expires_at: float | None = Field(description="When an upload is removed; null for libraries.")
    upload_id: Key | None = Field(description="To remove the upload before; null for libraries.")


class TrackResult(Wire):
    """What is said of a track, in the shape that `earmark classify --json` gives."""

    path: str = Field(description="As uploaded, or the path within the library.")
    genre: str | None = Field(description='Null: "I don\'t know", or the file cannot be used.')
    confidence: Share | None = Field(description="How likely the likeliest genre is.")
    agreement: Share | None = Field(description="Share of slices whose first choice the winner is.")
    proba: dict[str, Share] = Field(
        description="Of every genre, most likely first. They sum to how likely the track is music."
    )
    slices: Annotated[int, Field(ge=0)] = Field(description="How many slices have voted.")
    rejected: str | None = Field(description="Why there is no genre although it could be heard.")
    error: str | None = Field(description="Why the file cannot be used.")


class TrackAnswer(Wire):
    """One file's answer: what is said of it, and what it takes to show why.

    Exactly one of `result.genre`, `result.rejected` and `result.error` is not null.
    """

    result: TrackResult
    hint: str = Field(description="What to do about `result.error`; empty where nothing can be.")
    file_id: str | None = Field(description="The file's name in URLs of its library.")
    mixture: list[GenreShare] = Field(
        description="Shares of the track by its slices' votes where it has more than one style"
        " (they add up to 1); empty where it has one."
    )
    slices: list[SliceVote] = Field(description="Each slice by itself.")
    duration_s: float | None = Field(description="As the file claims; null where it does not.")
    media: Media | None = Field(description="Null unless kept, or in a library.")
    # What the first version had in the place of `result`.
    name: str = Field(description="See `result.path`.", deprecated=True)
    genre: str | None = Field(description="See `result.genre`.", deprecated=True)
    reason: str | None = Field(description="See `result.rejected`.", deprecated=True)
    error: Fault | None = Field(description="See `result.error` and `hint`.", deprecated=True)
    confidence: Share | None = Field(description="See `result.confidence`.", deprecated=True)
    agreement: Share | None = Field(description="See `result.agreement`.", deprecated=True)
    proba: list[GenreShare] = Field(description="See `result.proba`.", deprecated=True)


class AnsweringModel(Wire):
    """Which model answered."""

    model_id: str
    name: str
    labels: list[str]


class Classified(Wire):
    model: AnsweringModel
    results: list[TrackAnswer] = Field(description="In the order of the files.")


class LibraryFiles(Wire):
    """Files of a library to listen to."""

    paths: Annotated[
        list[Annotated[str, StringConstraints(min_length=1, max_length=4096)]],
        Field(min_length=1, max_length=100, description="Relative to the library's folder."),
    ]
    model_id: Key | None = None


class Overview(Wire):
    """The whole track at a glance.

    `peaks[i]` and column i of the spectrogram belong to the seconds from `i * column_s` on.
    """

    duration_s: float = Field(description="Of what was decoded.")
    truncated: bool = Field(description="Whether the track goes on after that.")
    column_s: float
    peaks: list[float] = Field(description="Largest magnitude in each column, within [0, 1].")
    n_bins: int = Field(description="Rows of the spectrogram, the lowest frequency at the bottom.")
    bins_hz: list[float] = Field(description="Centre frequency of each row, from the bottom.")
    spectrogram_url: str

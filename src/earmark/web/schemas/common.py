"""What every part of the API uses."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints


class Wire(BaseModel):
    """Base of everything that is received or sent: no unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Share = Annotated[float, Field(ge=0, le=1)]
Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
"""Identifiers that the server gives out."""

GenreName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200, strip_whitespace=True, pattern=r"^[^\x00]*$"),
]


class Fault(Wire):
    """Why something was refused or failed."""

    code: str = Field(description="For programs, e.g. too_large, busy, not_found, forbidden.")
    message: str = Field(description="For people: what is wrong.")
    hint: str = Field("", description="What to do about it.")


class Refusal(Wire):
    """Body of every answer that is no success."""

    error: Fault


class Limits(Wire):
    """What is accepted."""

    max_files: int = Field(description="Files in one request.")
    max_upload_bytes: int = Field(description="Bytes of one file.")
    max_request_bytes: int = Field(description="Bytes of all files of one request.")
    max_duration_s: float = Field(description="Longest track, by what its header claims.")
    max_overview_s: float = Field(description="Spectrogram and peaks are cut after this.")
    kept_s: float = Field(description="How long a kept upload can be played.")


class Info(Wire):
    """What this server is and may do."""

    version: str
    allow_write: bool
    can_train: list[str] = Field(
        description="Recipes whose extras are installed; see GET /recipes.", deprecated=True
    )
    limits: Limits
    formats: list[str] = Field(description="File name endings that are music, with their dots.")
    n_workers: int


class Health(Wire):
    status: str = Field(description='"ok", or "stopping" while the server shuts down.')
    version: str
    token_required: bool = Field(description="Whether the other routes need a token.")
    signed_in: bool = Field(description="Whether this request carried a valid one.")


class Token(Wire):
    token: Annotated[str, StringConstraints(min_length=1, max_length=256)]

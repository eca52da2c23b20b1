"""Long work: asked for, watched, cancelled."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from earmark.training.recipes import DEFAULT as DEFAULT_RECIPE
from earmark.web.schemas.common import GenreName, Key, Share, Wire

JobState = Literal["queued", "running", "cancelling", "done", "failed", "cancelled"]
JobKind = Literal["scan", "plan", "apply", "undo", "train", "evaluate"]


class ScanRequest(Wire):
    """Read the tags of a library."""

    kind: Literal["scan"]
    library_id: Key


class PlanRequest(Wire):
    """Scan a library, listen to the tracks concerned, and make a plan to review."""

    kind: Literal["plan"]
    library_id: Key
    mode: Literal["fill", "overwrite", "append"] = Field(
        "fill", description="fill: tracks without a genre; overwrite: all; append: add to all."
    )
    model_id: Key | None = Field(None, description="Null: the one in use.")
    min_confidence: Share | None = Field(None, description="Null: the model's own.")
    join: Annotated[str, StringConstraints(min_length=1, max_length=8)] | None = Field(
        None, description='Write several genres as one value joined by this, e.g. "; ".'
    )


class Learning(Wire):
    """Which labels count as what."""

    merges: dict[GenreName, GenreName] = Field(
        default_factory=dict, max_length=1000, description="Genre -> the one that it counts as."
    )
    only: list[GenreName] = Field(
        default_factory=list, max_length=1000, description="Genres to learn; empty: all."
    )
    min_tracks: Annotated[int, Field(ge=3, le=1_000_000)] = 10
    roll_up: bool = Field(False, description="Count rare genres as their parent genre.")


class TrainRequest(Learning):
    """Learn a library's genres."""

    kind: Literal["train"]
    library_id: Key
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,59}$")] = Field(
        description="Of the model."
    )
    # A name, and no path of a file.
    recipe: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = Field(
        DEFAULT_RECIPE, description="A name in GET /recipes."
    )
    epochs: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        None, description="At most; null: as the recipe says. Only where it learns in epochs."
    )
    target_precision: Share = Field(
        0.8, description="Share of right answers that the model's \"I don't know\" aims at."
    )
    fingerprints: bool = Field(True, description="Keep copies of a recording on one side.")


class EvaluateRequest(Wire):
    """Measure a model on a library's labelled tracks that it has not learned from."""

    kind: Literal["evaluate"]
    library_id: Key
    model_id: Key | None = None


JobRequest = Annotated[
    ScanRequest | PlanRequest | TrainRequest | EvaluateRequest, Field(discriminator="kind")
]


class JobProgress(Wire):
    stage: str
    done: int
    total: int | None
    label: str = Field(description="What was just worked on, e.g. a path within the library.")


class Job(Wire):
    job_id: int
    kind: JobKind
    state: JobState
    library_id: Key | None = Field(description="Null where the library is not served any more.")
    title: str
    request: dict[str, Any]
    created_at: float
    started_at: float | None
    finished_at: float | None
    n_starts: int = Field(description="More than 1 where the server was restarted meanwhile.")
    progress: JobProgress | None
    n_skipped: int = Field(description="Files left out so far.")
    error: str | None = Field(description="Why it failed.")
    result: dict[str, Any] | None = Field(
        description="By kind: scan, train, evaluate: the report; plan: plan_id and counts; apply,"
        " undo: run_id, n_written, n_already, n_skipped."
    )


class JobList(Wire):
    jobs: list[Job] = Field(description="Latest first.")

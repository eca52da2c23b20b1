"""Plans to review, and what was written."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from earmark.web.schemas.common import GenreName, Key, Share, Wire
from earmark.web.schemas.listening import GenreShare, Media, TrackResult

Choice = Literal["open", "accepted", "rejected"]
Show = Literal["proposed", "unknown", "error", "keep", "all"]


class PlanItem(Wire):
    """One file. Only accepted items are written."""

    item_id: int
    file_id: str
    path: str = Field(description="Within the library.")
    artist: str
    title: str
    before: list[str] = Field(description="Genres in the file now.")
    proposed: list[str] = Field(description="By the model, or as changed; empty: no proposal.")
    after: list[str] = Field(description="Genres in the file once it is written.")
    action: Literal["fill", "overwrite", "append", "keep", "unknown", "error"] = Field(
        description="The first three write."
    )
    writes: bool = Field(description="Whether a genre would be written: by its action.")
    reason: str = Field(description="Why nothing is to be written; empty where something is.")
    confidence: Share
    agreement: Share
    runners_up: list[GenreShare]
    edited: bool = Field(description="Whether a person changed the proposal.")
    choice: Choice
    written: bool = Field(description="Whether the file holds `after` by a finished apply.")
    media: Media
    result: TrackResult | None = Field(
        description="What the model has said, whatever a person has made of it. Null where the file"
        " was not listened to."
    )


class PlanAlbum(Wire):
    album_id: int
    heading: str
    artist: str
    album: str
    cover_url: str | None = Field(description="Picture in the files or beside them; may be 404.")
    items: list[PlanItem]


class PlanCounts(Wire):
    n_items: int
    n_albums: int
    proposed: int = Field(description="Items that would write something.")
    unknown: int
    error: int
    keep: int
    accepted: int = Field(description="Items that are to be written, and are not yet.")
    rejected: int
    written: int


class PlanSummary(Wire):
    plan_id: int
    job_id: int
    library_id: Key | None
    mode: Literal["fill", "overwrite", "append"]
    model_id: str
    model_name: str
    created_at: float
    counts: PlanCounts


class PlanList(Wire):
    plans: list[PlanSummary] = Field(description="Latest first.")


class PlanDetail(PlanSummary):
    confidences: list[int] = Field(
        description="Proposed items by confidence: 20 bins from 0 to 1, for a slider."
    )
    genres: list[str] = Field(description="The model's genres and those in the files, to pick.")


class AlbumPage(Wire):
    plan_id: int
    offset: int
    n_albums: int = Field(description="Albums with items that are shown.")
    albums: list[PlanAlbum]


class ItemChange(Wire):
    """What a person decides about one item. Leave out what is to stay."""

    choice: Choice | None = None
    genres: Annotated[list[GenreName], Field(max_length=20)] | None = Field(
        None, description="Another proposal; empty: none. Accepts the item unless `choice` is set."
    )


class Choosing(Wire):
    """Choose for many items at once: those for which all that is given is true."""

    choice: Choice
    album_ids: Annotated[list[int], Field(max_length=10_000)] | None = None
    item_ids: Annotated[list[int], Field(max_length=100_000)] | None = None
    min_confidence: Share | None = None
    max_confidence: Share | None = None
    genre: GenreName | None = Field(None, description="Proposed genre.")


class Chosen(Wire):
    n_changed: int
    counts: PlanCounts


class Apply(Wire):
    keep_mtime: bool = False


class JournalRun(Wire):
    run_id: int
    note: str
    started_at: float
    finished_at: float | None
    undone_at: float | None
    library_id: Key | None
    counts: dict[str, int] = Field(description="Files by state: done, failed, undone, …")
    can_undo: bool


class JournalRuns(Wire):
    runs: list[JournalRun] = Field(
        description="Latest first; only runs all of whose files lie in the libraries served."
    )

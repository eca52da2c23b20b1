"""Libraries, and the labels in them."""

from __future__ import annotations

from pydantic import Field

from earmark.web.schemas.common import Key, Wire


class Library(Wire):
    library_id: Key
    name: str
    path: str
    available: bool = Field(description="Whether the folder is there and can be read.")
    n_tracks: int = Field(description="Known so far; 0 before the first scan.")


class LibraryList(Wire):
    libraries: list[Library]
    allow_write: bool


class GenreCount(Wire):
    genre: str
    n: int


class LibraryDetail(Library):
    duration_s: float
    n_missing_genre: int
    n_unreadable: int
    formats: dict[str, int]
    genres: list[GenreCount] = Field(description="Canonical genres in tags, most frequent first.")


class Labels(Wire):
    """What would be learned with the given merges."""

    genres: list[GenreCount] = Field(description="Labels and their tracks, most frequent first.")
    dropped: list[GenreCount] = Field(description="Left out for too few tracks.")
    merged: dict[str, str]
    n_unlabelled: int
    n_ambiguous: int = Field(description="Tracks left out as they have two of the genres.")
    enough: bool = Field(description="Whether there are two genres or more to tell apart.")

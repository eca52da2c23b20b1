"""Labelled tracks of a tagged library."""

from __future__ import annotations

import os
from collections.abc import Iterable

from earmark.datasets.tracks import LabelledTrack
from earmark.errors import ConfigError
from earmark.types import Track

_FIELDS = {"genre": "genres", "mood": "moods", "grouping": "groupings"}


def from_library(tracks: Iterable[Track], field: str = "genre") -> list[LabelledTrack]:
    """Take labels, artists and albums from the files' tags.

    Where neither artist nor album is known, tracks of one folder stay together: in a library a
    folder is most often an album.

    Parameters
    ----------
    tracks : iterable of Track
        Those whose tags could not be read are left out.
    field : {'genre', 'mood', 'grouping'}
        Which tag is the label.

    Raises
    ------
    ConfigError
        If `field` is none of these.
    """
    if field not in _FIELDS:
        raise ConfigError(f"no field {field!r} in tags", f"use one of {', '.join(_FIELDS)}")
    return [
        LabelledTrack(
            path=track.path,
            values=getattr(track.tags, _FIELDS[field]),
            artist=track.tags.artist,
            album=track.tags.album,
            title=track.tags.title,
            album_artist=track.tags.album_artist,
            fallback=f"folder:{os.path.dirname(track.path)}",  # noqa: PTH120 - surrogate-safe text
        )
        for track in tracks
        if not track.error
    ]

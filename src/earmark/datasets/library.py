"""Labelled tracks of a tagged library."""

from __future__ import annotations

import os
from collections.abc import Iterable

from earmark.datasets.tracks import LabelledTrack, group_of
from earmark.types import Track


def from_library(tracks: Iterable[Track]) -> list[LabelledTrack]:
    """Take labels, artists and albums from the files' tags.

    Where neither artist nor album is known, tracks of one folder stay together: in a library a
    folder is most often an album.
    """
    return [
        LabelledTrack(
            path=track.path,
            values=track.tags.genres,
            group=group_of(
                track.tags.artist or track.tags.album_artist,
                track.tags.album,
                f"folder:{os.path.dirname(track.path)}",  # noqa: PTH120 - surrogate-safe text
            ),
        )
        for track in tracks
        if not track.error
    ]

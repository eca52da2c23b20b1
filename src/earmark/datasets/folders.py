"""A folder for each genre: ``DIR/<genre>/…/track.mp3``."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path

from earmark.datasets.library import from_library
from earmark.datasets.tracks import LabelledTrack
from earmark.errors import DataError
from earmark.types import Track


def read_folders(root: str | os.PathLike[str], tracks: Iterable[Track]) -> list[LabelledTrack]:
    """Take each track's label from the folder below `root` that it lies in.

    Artists and albums come from the tags. A track of which neither is known is a group of its
    own: its folder names a genre and would otherwise put the whole genre on one side of a split.

    Raises
    ------
    DataError
        If no track lies in a folder below `root`.
    """
    base = Path(os.path.abspath(root))  # noqa: PTH100 - resolve() would follow links
    found = []
    for track in from_library(tracks):
        parts = Path(track.path).relative_to(base).parts
        if len(parts) > 1:
            found.append(dataclasses.replace(track, values=(parts[0],), fallback=""))
    if not found:
        raise DataError(f"{base} has no tracks in folders named by genre")
    return found

"""Files that are not labelled music: speech, noises, and music without a genre."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from earmark.errors import DataError
from earmark.events import Workflow, run
from earmark.inference.batch import files_below

MIN_SOUNDS = 20
"""Fewer are too few to learn from."""

MIN_FOLDERS = 5
"""From so many folders on, the sounds of one are taken to be alike."""

GIVE_MORE = "give more of them by --not-music: speech, noises, all that is not to get a genre"
"""What to do about too few."""


@dataclass(frozen=True, slots=True)
class Sound:
    """A file without a genre.

    Attributes
    ----------
    path : str
    kind : str
        Name of the folder that was given.
    group : str
        What is alike: the folder that the file is in; the file itself where there are few folders.
    audio_id : str
    """

    path: str
    kind: str
    group: str
    audio_id: str = ""


def check_sounds(roots: Sequence[str]) -> None:
    """Refuse too few sounds before listening rather than after.

    Raises
    ------
    DataError
        If there are folders, and too few files below them.
    LibraryError
        If a folder cannot be read.
    """
    n_given = len(run(find_sounds(roots)))
    if roots and n_given < MIN_SOUNDS:
        raise DataError(
            f"{n_given} sounds that are no music were given ({', '.join(roots)}), {MIN_SOUNDS} are"
            " needed",
            GIVE_MORE,
        )


def find_sounds(roots: Iterable[str]) -> Workflow[list[Sound]]:
    """Files below folders.

    Raises
    ------
    LibraryError
        If a folder cannot be read.
    """
    sounds: dict[str, Sound] = {}
    below = yield from files_below(roots)
    for root, paths in below.items():
        folders = {str(Path(path).parent) for path in paths}
        for path in paths:
            group = str(Path(path).parent) if len(folders) >= MIN_FOLDERS else path
            sounds.setdefault(path, Sound(path, Path(root).resolve().name, group))
    return list(sounds.values())

"""The labelled track, and what makes two tracks too much alike to part in a split."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

GroupBy = Literal["artist", "album", "track"]

# Not artists: tracks that share one of these share nothing.
_NOBODY = frozenset(
    {"", "various", "various artists", "va", "v.a.", "unknown", "unknown artist", "[unknown]"}
)
_ARTIST = "artist:"
# What follows names guests.
_GUESTS = re.compile(r"[\s(\[]+(?:feat|ft|featuring)\b\.?.*")


@dataclass(frozen=True, slots=True)
class LabelledTrack:
    """A track with its labels; every reader gives a list of these.

    Attributes
    ----------
    path : str
    values : tuple of str
        Labels as written by the person, not normalised; empty where the track has none.
    artist, album, title : str
        Empty where not known.
    album_artist : str
        Tells albums of one name apart where it is known.
    fallback : str
        Name of the tracks that this one belongs with where neither artist nor album is known;
        empty where it is on its own.
    split : str
        ``train``, ``valid`` or ``test`` where the data set prescribes it, else empty.
    """

    path: str
    values: tuple[str, ...]
    artist: str = ""
    album: str = ""
    title: str = ""
    album_artist: str = ""
    fallback: str = ""
    split: str = ""

    def group(self, by: GroupBy = "artist") -> str:
        """Name of the group that the track is of; one group lies in one part of a split, whole.

        ``artist``: by artist; where unknown by album, then by `fallback`. ``album``: by album;
        where unknown by artist, which is coarser and therefore no weaker, then by `fallback`.
        ``track``: each on its own. Albums of one name count as one unless their album artists
        tell them apart.
        """
        track = f"track:{self.path}"
        if by == "track":
            return track
        artist, album = self._artist_group(), self._album_group()
        nearest = (artist or album) if by == "artist" else (album or artist)
        return nearest or self.fallback or track

    def _artist_group(self) -> str:
        for name in (fold_artist(self.artist), fold_artist(self.album_artist)):
            if name not in _NOBODY:
                return f"{_ARTIST}{name}"
        return ""

    def _album_group(self) -> str:
        album, by = _fold(self.album), fold_artist(self.album_artist)
        if not album:
            return ""
        return f"album:{album}" if by in _NOBODY else f"album:{album} by {by}"


def is_artist(group: str) -> bool:
    """Whether a group, by `LabelledTrack.group`, is an artist: not so where none is known."""
    return group.startswith(_ARTIST)


def fold_artist(name: str) -> str:
    """One spelling for an artist: case, spaces, article, ampersand and guests do not count."""
    name = _GUESTS.sub("", _fold(name)).replace(" & ", " and ")
    return name.removesuffix(", the").removeprefix("the ") or name


def _fold(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


_SPLITS = {
    "": "", "train": "train", "training": "train", "valid": "valid", "validation": "valid",
    "val": "valid", "dev": "valid", "test": "test", "testing": "test",
}  # fmt: skip


def named_split(text: str) -> str | None:
    """`text` as a part of a split (empty: none prescribed), or None where it names none."""
    return _SPLITS.get(text.strip().lower())


def present(tracks: Iterable[LabelledTrack]) -> tuple[list[LabelledTrack], list[str]]:
    """Tracks whose files are there, and the paths of those that are gone."""
    kept, gone = [], []
    for track in tracks:
        if Path(track.path).is_file():
            kept.append(track)
        else:
            gone.append(track.path)
    return kept, gone

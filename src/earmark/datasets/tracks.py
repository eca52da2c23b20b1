"""The labelled track, and what makes two tracks too much alike to part in a split."""

from __future__ import annotations

from dataclasses import dataclass

# Not artists: tracks that share one of these share nothing.
_NOBODY = frozenset(
    {"", "various", "various artists", "va", "v.a.", "unknown", "unknown artist", "[unknown]"}
)


@dataclass(frozen=True, slots=True)
class LabelledTrack:
    """A track with what a person says of it.

    Attributes
    ----------
    path : str
    values : tuple of str
        As written by the person, not normalised; empty where the track has no label.
    group : str
        Tracks of one group never part in a split: by artist, else by album, else by what the
        reader knows (see `group_of`).
    split : str
        ``train``, ``valid`` or ``test`` where the data set prescribes it, else empty.
    """

    path: str
    values: tuple[str, ...]
    group: str
    split: str = ""


def group_of(artist: str, album: str, fallback: str) -> str:
    """Group by artist; where the artist is unknown by album; else the reader's `fallback`."""
    artist, album = _fold(artist), _fold(album)
    if artist not in _NOBODY:
        return f"artist:{artist}"
    if album:
        return f"album:{album}"
    return fallback


def _fold(name: str) -> str:
    return " ".join(name.casefold().split())

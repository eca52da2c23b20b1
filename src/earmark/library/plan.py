"""The plan of ``earmark tag``: which file is to get which genre, for a person to look at first.

Pure logic: no file is read or written here. A genre that says nothing ("(255)", "Other", see
`earmark.genres.parse`) counts as missing, as that is what it is.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from earmark.genres import fold, is_missing, parse, split_at
from earmark.types import Decision, TagChange, Track

TagMode = Literal["fill", "overwrite", "append"]
Action = Literal["fill", "overwrite", "append", "keep", "unknown", "error"]

WRITING: frozenset[Action] = frozenset({"fill", "overwrite", "append"})
_N_RUNNERS_UP = 3
_REFERENCE = re.compile(r"\((?:[0-9]+|RX|CR)\)|[0-9]+$")  # of ID3: "(17)", "(4)Eurodisco", "17"


@dataclass(frozen=True, slots=True)
class PlanItem:
    """What is planned for one file.

    Attributes
    ----------
    track_id : int
        Number in the catalogue.
    path : str
    size, mtime_ns : int
        The file's when `before` was read.
    artist, album, title : str
    album_key : str
        The same for tracks that are reviewed together.
    before : tuple of str
        Genre values in the file now.
    action : {'fill', 'overwrite', 'append', 'keep', 'unknown', 'error'}
        The first three write. ``keep``: has a genre, or exactly the proposed one. ``unknown``: the
        model does not know. ``error``: could not be read or listened to.
    reason : str
        Why nothing is to be written; empty where something is.
    genres : tuple of str
        Proposed genres; empty where there is no proposal.
    confidence, agreement : float
        See `earmark.types.Decision`; 0 where nothing was decided.
    runners_up : tuple of (str, float)
        The next most likely genres with their probabilities.
    join : str or None
        Write several genres as one value, with this between them, for players that show but the
        first.
    audio_id: str
        See `Track`: the recording that the proposal is for; empty where none was listened to.
    """

    track_id: int
    path: str
    size: int
    mtime_ns: int
    artist: str
    album: str
    title: str
    album_key: str
    before: tuple[str, ...]
    action: Action
    reason: str
    genres: tuple[str, ...] = ()
    confidence: float = 0.0
    agreement: float = 0.0
    runners_up: tuple[tuple[str, float], ...] = ()
    join: str | None = None
    audio_id: str = ""

    @property
    def after(self) -> tuple[str, ...]:
        """Genre values in the file once the plan is applied."""
        if self.action not in WRITING:
            return self.before
        if self.action != "append" or is_missing(self.before):
            return _joined(self.genres, self.join)
        before = self.before if self.join is None else _parted(self.before, self.join)
        held = {fold(value) for value in (*before, *parse(before))}
        new = tuple(genre for genre in self.genres if fold(genre) not in held)
        return _joined(before + new, self.join) if new else self.before


@dataclass(frozen=True, slots=True)
class Plan:
    """All items, tracks of one album together."""

    items: tuple[PlanItem, ...]

    def counts(self) -> Counter[Action]:
        """Items of each action."""
        return Counter(item.action for item in self.items)

    def albums(self) -> Iterator[tuple[str, tuple[PlanItem, ...]]]:
        """Heading ("Artist – Album", or the folder) and items of each album."""
        groups: dict[str, list[PlanItem]] = {}
        for item in self.items:
            groups.setdefault(item.album_key, []).append(item)
        for items in groups.values():
            yield _heading(items), tuple(items)


def is_wanted(track: Track, mode: TagMode) -> bool:
    """Whether `mode` has anything to propose for a track, and it has to be listened to."""
    return not track.error and (mode != "fill" or is_missing(track.tags.genres))


def make_plan(
    tracks: Iterable[Track],
    decisions: Mapping[str, Decision | str],
    mode: TagMode = "fill",
    join: str | None = None,
) -> Plan:
    """Plan the genres of tracks.

    Parameters
    ----------
    tracks : iterable of Track
    decisions : mapping of str to Decision or str
        By path: what was decided, or why nothing could be.
    mode : {'fill', 'overwrite', 'append'}
        ``fill`` proposes genres for tracks without one only, ``overwrite`` replaces those there
        are, ``append`` adds to them.
    join : str, optional
        See `PlanItem`.
    """
    items = [_item(track, decisions.get(track.path), mode, join) for track in tracks]
    return in_albums(items)


def in_albums(items: Iterable[PlanItem]) -> Plan:
    """A plan of `items`, albums in the order of their first tracks."""
    ordered = list(items)
    place: dict[str, int] = {}
    for item in ordered:
        place.setdefault(item.album_key, len(place))
    return Plan(tuple(sorted(ordered, key=lambda item: place[item.album_key])))


def changes(plan: Plan) -> list[TagChange]:
    """The writes that a plan asks for; files that hold the proposed genres already have none."""
    return [
        TagChange(item.path, "genre", item.before, item.after, item.size, item.mtime_ns)
        for item in plan.items
        if item.after != item.before
    ]


def blank_item(track: Track, action: Action, reason: str) -> PlanItem:
    """An item that proposes nothing, for the `reason` given."""
    return PlanItem(
        track_id=track.track_id,
        path=track.path,
        size=track.size,
        mtime_ns=track.mtime_ns,
        artist=track.tags.artist or track.tags.album_artist,
        album=track.tags.album,
        title=track.tags.title,
        album_key=_album_key(track),
        before=track.tags.genres,
        action=action,
        reason=reason,
        audio_id=track.audio_id,
    )


def proposal(
    track: Track, genres: tuple[str, ...], mode: TagMode, join: str | None = None
) -> PlanItem:
    """An item that proposes `genres`, unless the file holds just those."""
    action: Action = "fill" if is_missing(track.tags.genres) else mode
    item = dataclasses.replace(blank_item(track, action, ""), genres=genres, join=join)
    if item.after == item.before:
        return dataclasses.replace(item, action="keep", reason="has just this genre")
    return item


def _joined(values: tuple[str, ...], join: str | None) -> tuple[str, ...]:
    return values if join is None else (join.join(values),)


def _parted(values: tuple[str, ...], join: str) -> tuple[str, ...]:
    """The single genres of `values`, as spelled there, but for numbers: in text they mean none."""
    genres: dict[str, str] = {}
    for value in values:
        # A space is part of many a name.
        parts = split_at(join.strip(), value) if join.strip() else [value]
        parts = [part.strip() for part in parts]
        numbers_count = all(part.isdecimal() for part in parts)
        for genre in parts:
            is_number = _REFERENCE.match(genre) and (numbers_count or not genre.isdecimal())
            for name in parse([genre]) if is_number else filter(None, [genre]):
                genres.setdefault(fold(name), name)
    return tuple(genres.values())


def _item(
    track: Track, decision: Decision | str | None, mode: TagMode, join: str | None
) -> PlanItem:
    if track.error:
        return blank_item(track, "error", track.error)
    if not is_wanted(track, mode):
        return blank_item(track, "keep", "has a genre")
    if decision is None:
        return blank_item(track, "unknown", "not listened to")
    if isinstance(decision, str):
        return blank_item(track, "error", decision)
    if decision.genre is None:
        item = blank_item(track, "unknown", decision.rejected)
    else:
        item = proposal(track, (decision.genre,), mode, join)
    others = [pair for pair in decision.proba.items() if pair[0] != decision.genre]
    return dataclasses.replace(
        item,
        confidence=decision.confidence,
        agreement=decision.agreement,
        runners_up=tuple(others[:_N_RUNNERS_UP]),
    )


def _album_key(track: Track) -> str:
    # Folder, not artist, where the album artist is unknown: a compilation is by many artists.
    folder = os.path.dirname(track.path)  # noqa: PTH120 - surrogate-safe text
    album = track.tags.album.casefold()
    if not album:
        return folder
    return "\0".join((track.tags.album_artist.casefold() or folder, album))


def _heading(items: list[PlanItem]) -> str:
    first = items[0]
    if not first.album:
        return os.path.dirname(first.path)  # noqa: PTH120 - surrogate-safe text
    artists = {item.artist for item in items if item.artist}
    artist = artists.pop() if len(artists) == 1 else "various artists"
    return f"{artist} – {first.album}"

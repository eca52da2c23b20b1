"""Which genres to learn, and each track's one, as a request has it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from earmark.datasets import LabelledTrack, is_artist
from earmark.errors import DataError
from earmark.genres import canonical, fold, parse
from earmark.genres.labels import LabelChoice, choose_labels, choose_values

if TYPE_CHECKING:
    from earmark.training.request import LabelRequest

# A mapping file may be for other libraries too.
_SHOWN = 3


def choose(tracks: Sequence[LabelledTrack], request: LabelRequest) -> LabelChoice:
    """One label a track, as the request has it.

    Raises
    ------
    DataError
        If fewer than two are left.
    """
    values = [track.values for track in tracks]
    common: dict[str, Any] = {
        "merges": request.merges,
        "min_tracks": request.min_tracks,
        "only": request.only,
    }
    if request.field == "genre":
        choice = choose_labels(values, roll_up=request.roll_up, **common)
    else:
        choice = choose_values(values, **common)
    choice = _leave_out(choice, request.without)
    if len(choice.counts) < 2:
        left = _listed(choice.counts) or "none"
        rare = f"; too rare: {_listed(choice.dropped)}" if choice.dropped else ""
        missing = ", ".join(without_tracks(tracks, request))
        none = f"; none is of {missing}, which --only asks for" if missing else ""
        raise DataError(
            f"{len(tracks)} tracks, {choice.n_unlabelled} of them unlabelled, leave fewer than two"
            f" genres with {request.min_tracks} tracks or more: {left}{rare}{none}",
            "label more tracks, lower --min-tracks, or join genres with --merge or --roll-up",
        )
    return choice


def _leave_out(choice: LabelChoice, genres: Sequence[str]) -> LabelChoice:
    counts = {label: n for label, n in choice.counts.items() if label not in genres}
    return dataclasses.replace(
        choice,
        labels=tuple(label if label in counts else None for label in choice.labels),
        counts=counts,
        n_left_out=choice.n_left_out + sum(choice.counts.values()) - sum(counts.values()),
    )


def without_tracks(tracks: Sequence[LabelledTrack], request: LabelRequest) -> list[str]:
    """Those names that `only` gives and no track has."""
    values = [track.values for track in tracks]
    choose_from = choose_labels if request.field == "genre" else choose_values
    return [
        name
        for name in request.only
        if not choose_from(values, merges=request.merges, only=(name,)).counts
    ]


def idle_merges(tracks: Sequence[LabelledTrack], request: LabelRequest) -> str:
    """What there is to say of merges that change no track: their names may be misspelled."""
    values = {value for track in tracks for value in track.values}
    held = set(map(fold, values))
    # One merge may lead to another.
    held.update(map(fold, request.merges.values()))
    names = list(request.merges)
    if request.field == "genre":
        held.update(map(fold, parse(values)))
        idle = [name for name in names if held.isdisjoint({fold(name), fold(canonical(name))})]
    else:
        idle = [name for name in names if fold(name) not in held]
    if not idle:
        return ""
    more = f" and {len(idle) - _SHOWN} more" if len(idle) > _SHOWN else ""
    return f"no track is of {', '.join(idle[:_SHOWN])}{more}, which --merge or --mapping names"


def unknown_artists(chosen: Sequence[LabelledTrack]) -> str:
    """What there is to say of tracks to be learned from whose artist is not known, if any."""
    n_unknown = sum(not is_artist(track.group("artist")) for track in chosen)
    if not n_unknown:
        return ""
    return (
        f"the artist of {n_unknown} of {len(chosen)} tracks is not known: whoever made several of"
        " them may be on both sides of a split"
    )


def describe(choice: LabelChoice) -> str:
    """For people."""
    lines = [f"{sum(choice.counts.values())} tracks to learn from: {_listed(choice.counts)}"]
    if choice.dropped:
        lines.append(f"too few tracks, left out: {_listed(choice.dropped)}")
    if choice.n_ambiguous:
        lines.append(f"{choice.n_ambiguous} tracks have two of these genres and are left out")
    return "\n".join(lines)


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({n})" for name, n in counts.items())

"""Ways to split labelled tracks for a measurement, from the one that lies to the one that does not.

================  ==============================================================================
``slice-random``  slices of one track on both sides: `random_split` over slices, by the caller
``track-random``  tracks at random: one artist, studio and year on both sides
``album``         albums whole: an artist's other albums on the other side
``artist``        artists whole
================  ==============================================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from earmark.datasets.splits import join_groups
from earmark.datasets.tracks import GroupBy, LabelledTrack
from earmark.errors import ConfigError

Protocol = Literal["slice-random", "track-random", "album", "artist"]

PROTOCOLS: tuple[Protocol, ...] = ("slice-random", "track-random", "album", "artist")

SLICE_LEAK = (
    "slices of one track are on both sides: what is measured is how well a track is remembered"
)
"""What `leaks` would say of ``slice-random``."""

_GROUP_BY: dict[str, GroupBy] = {"track-random": "track", "album": "album", "artist": "artist"}
_SHOWN = 3


def groups_for(
    protocol: str, tracks: Sequence[LabelledTrack], pairs: Iterable[tuple[int, int]] = ()
) -> list[str]:
    """Groups that the protocol keeps whole, duplicates joined.

    Parameters
    ----------
    protocol : {'track-random', 'album', 'artist'}
    tracks : sequence of LabelledTrack
    pairs : iterable of (int, int)
        Positions of duplicates in `tracks`.

    Raises
    ------
    ConfigError
        If there is no such protocol, or it splits slices rather than tracks.
    """
    if protocol not in _GROUP_BY:
        raise ConfigError(
            f"no protocol {protocol!r} for tracks", f"known are: {', '.join(_GROUP_BY)}"
        )
    return join_groups([track.group(_GROUP_BY[protocol]) for track in tracks], pairs)


def leaks(
    tracks: Sequence[LabelledTrack],
    parts: Sequence[str],
    pairs: Iterable[tuple[int, int]] = (),
) -> list[str]:
    """What is on both sides of a split, one line each; empty where nothing known is.

    The sides are what a model may learn from or be chosen by (train, valid), and test.

    Parameters
    ----------
    tracks : sequence of LabelledTrack
    parts : sequence of str
        Part of each track. For ``slice-random``, where a track is in all of them, see
        `SLICE_LEAK`.
    pairs : iterable of (int, int)
        Positions of duplicates in `tracks`.
    """
    is_test = [part == "test" for part in parts]
    found = []
    kinds: tuple[GroupBy, ...] = ("artist", "album")
    for kind in kinds:
        names = [_known(track, kind) for track in tracks]
        sides: tuple[set[str], set[str]] = (set(), set())
        for name, side in zip(names, is_test, strict=True):
            sides[side].add(name)
        shared = (sides[0] & sides[1]) - {""}
        if shared:
            n = sum(side and name in shared for name, side in zip(names, is_test, strict=True))
            which = f"{kind}s are" if len(shared) > 1 else f"{kind} is"
            found.append(
                f"{len(shared)} {which} on both sides, with {n} of the {sum(is_test)} test"
                f" tracks: {_listed(sorted(shared))}"
            )
    astray = [(a, b) for a, b in pairs if is_test[a] != is_test[b]]
    if astray:
        examples = [f"{tracks[a].path} = {tracks[b].path}" for a, b in astray]
        which = "pairs of duplicates are" if len(astray) > 1 else "pair of duplicates is"
        found.append(f"{len(astray)} {which} parted: {_listed(examples)}")
    return found


def _known(track: LabelledTrack, kind: GroupBy) -> str:
    """The track's artist or album; empty where it is not known."""
    group = track.group(kind)
    return group.removeprefix(f"{kind}:") if group.startswith(f"{kind}:") else ""


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more

"""Which seconds of a track are listened to."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeAlias

from earmark.errors import ConfigError
from earmark.types import ExcerptConfig

MAX_MARGIN = 0.4

Place: TypeAlias = tuple[float, float]
"""Where an excerpt starts, and how long it is, in seconds."""


def plan(duration_s: float, config: ExcerptConfig) -> tuple[Place, ...]:
    """Places to listen to in a track of `duration_s` seconds.

    The track without its margins is covered evenly: the first excerpt starts where the first
    margin ends, the last one ends where the last margin starts, a single one sits in the middle.
    Where the excerpts do not fit between the margins without overlap, the track is hardly longer
    than they are together, and is taken whole, as one excerpt.

    Returns
    -------
    tuple of Place
        In order, without overlap, all inside the track; empty if the track is.

    Raises
    ------
    ConfigError
        `config` makes no sense.
    """
    n, length_s, margin = config.n_excerpts, config.excerpt_s, config.margin
    if n < 1 or not length_s > 0 or not 0 <= margin <= MAX_MARGIN:
        raise ConfigError(
            f"cannot listen to {n} excerpts of {length_s} s with a margin of {margin}",
            f"at least one excerpt, longer than 0 s, and a margin from 0 to {MAX_MARGIN}",
        )
    if not duration_s > 0:
        return ()
    room_s = duration_s * (1 - 2 * margin)
    if n * length_s > room_s:
        return ((0.0, duration_s),)
    first_s = duration_s * margin
    spare_s = room_s - length_s
    if n == 1:
        return ((first_s + spare_s / 2, length_s),)
    return tuple((first_s + spare_s * i / (n - 1), length_s) for i in range(n))


def further(
    duration_s: float, tried: Sequence[tuple[float, float, bool]], n: int
) -> tuple[Place, ...]:
    """At most `n` more places to listen to, in a track of which some excerpts were silent.

    They lie in the middle of gaps between what has been tried, of long ones rather than short
    ones, and rather where music is near: beside excerpts that sound; where none does, at the
    track's ends, which `plan` leaves out.

    Parameters
    ----------
    duration_s : float
    tried : sequence of (start_s, length_s, sounds)
        In order, without overlap, at least one.
    n : int

    Returns
    -------
    tuple of Place
        In order, each as long as the longest tried; empty where there is no room left.
    """
    length_s = max(length for _, length, _ in tried)
    # End of one and its worth as a neighbour, beginning of the next and its worth.
    edges = [(start, start + length, _SOUNDS if sounds else 0) for start, length, sounds in tried]
    edges = [(0.0, 0.0, _END), *edges, (duration_s, duration_s, _END)]
    gaps = [(begin, end, 1 + left + right) for (_, begin, left), (end, _, right) in pairwise(edges)]
    places: list[Place] = []
    while len(places) < n:
        gaps = [gap for gap in gaps if gap[1] - gap[0] >= length_s]
        if not gaps:
            break
        best = max(gaps, key=lambda gap: (gap[1] - gap[0]) * gap[2])
        begin, end, _ = best
        start_s = (begin + end - length_s) / 2
        places.append((start_s, length_s))
        gaps.remove(best)
        gaps += [(begin, start_s, 1), (start_s + length_s, end, 1)]
    return tuple(sorted(places))


# What a gap is worth more for a neighbour that sounds, and for being at the track's end.
_SOUNDS, _END = 3, 1

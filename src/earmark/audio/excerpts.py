"""Which seconds of a track are listened to."""

from __future__ import annotations

from earmark.errors import ConfigError
from earmark.types import ExcerptConfig

MAX_MARGIN = 0.4


def plan(duration_s: float, config: ExcerptConfig) -> tuple[tuple[float, float], ...]:
    """Places to listen to in a track of `duration_s` seconds.

    The track without its margins is covered evenly: the first excerpt starts where the first
    margin ends, the last one ends where the last margin starts, a single one sits in the middle.
    Where the excerpts do not fit between the margins without overlap, the track is hardly longer
    than they are together, and is taken whole, as one excerpt.

    Returns
    -------
    tuple of (start_s, length_s)
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

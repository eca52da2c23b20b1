"""A few tracks that stand for many: for a smoke run, or a cheaper comparison."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, zip_longest
from typing import TypeVar

from earmark.errors import DataError

T = TypeVar("T")

# Artists of several genres may leave another genre without any. Another order most often does not.
_ATTEMPTS = 100


def sample(labels: Sequence[str], groups: Sequence[str], n: int, seed: int = 0) -> list[int]:
    """Positions of at most `n` tracks: all genres alike, and as many artists of each as possible.

    Genres take turns, and within a genre its artists do; one that has run out is passed over. So
    a sample of a few tracks a genre can still be split by artist wherever the whole could.

    Parameters
    ----------
    labels, groups : sequence of str, length n_tracks
    n : int
    seed : int
        Of the order of artists and of tracks.

    Returns
    -------
    list of int
        Ascending.
    """
    rng = random.Random(seed)
    places = _places(labels, groups)
    by_genre = []
    for label in sorted(places):
        artists = [places[label][group] for group in sorted(places[label])]
        rng.shuffle(artists)
        for tracks in artists:
            rng.shuffle(tracks)
        by_genre.append(list(_in_turn(artists)))
    return sorted(islice(_in_turn(by_genre), n))


def draw_shots(labels: Sequence[str], groups: Sequence[str], n: int, seed: int = 0) -> list[int]:
    """Positions of `n` tracks of every genre, by as many artists as possible.

    One artist of each genre, another one with another seed, is never drawn: the genre can still be
    tested on music by somebody else.

    Parameters
    ----------
    labels, groups : sequence of str, length n_tracks
    n : int
    seed : int

    Returns
    -------
    list of int
        Ascending.

    Raises
    ------
    DataError
        If a genre has too few tracks or artists.
    """
    rng = random.Random(seed)
    places = _places(labels, groups)
    lacking: str | None = None
    for _ in range(_ATTEMPTS):
        orders = {label: sorted(places[label]) for label in sorted(places)}
        for artists in orders.values():
            rng.shuffle(artists)
        kept = {artists[-1] for artists in orders.values()}
        drawn = {
            label: _shuffled_shots([places[label][a] for a in artists if a not in kept], n, rng)
            for label, artists in orders.items()
        }
        lacking = next((label for label, found in drawn.items() if len(found) < n), None)
        if lacking is None:
            return sorted(i for found in drawn.values() for i in found)
    raise DataError(
        f"{lacking} has too few tracks for {n} to learn from and another artist's to test on",
        "label more tracks of it, ask for fewer, or leave the genre out",
    )


def _shuffled_shots(artists: Sequence[list[int]], n: int, rng: random.Random) -> list[int]:
    return list(islice(_in_turn([rng.sample(tracks, len(tracks)) for tracks in artists]), n))


def _places(labels: Sequence[str], groups: Sequence[str]) -> dict[str, dict[str, list[int]]]:
    """Positions by genre and artist."""
    places: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for i, (label, group) in enumerate(zip(labels, groups, strict=True)):
        places[label][group].append(i)
    return places


def _in_turn(lists: Iterable[Sequence[T]]) -> Iterator[T]:
    """The first of each list, then the second of each, and so on."""
    missing = object()
    for row in zip_longest(*lists, fillvalue=missing):
        yield from (item for item in row if item is not missing)  # type: ignore[misc]

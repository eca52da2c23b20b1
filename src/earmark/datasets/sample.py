"""A few tracks that stand for many: for a smoke run, or a cheaper comparison."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, zip_longest
from typing import TypeVar

T = TypeVar("T")


def sample(labels: Sequence[str], groups: Sequence[str], n: int, seed: int = 0) -> list[int]:
    """Positions of at most `n` tracks: all genres alike, and as many artists of each as can be.

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
    places: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for i, (label, group) in enumerate(zip(labels, groups, strict=True)):
        places[label][group].append(i)
    by_genre = []
    for label in sorted(places):
        artists = [places[label][group] for group in sorted(places[label])]
        rng.shuffle(artists)
        for tracks in artists:
            rng.shuffle(tracks)
        by_genre.append(list(_in_turn(artists)))
    return sorted(islice(_in_turn(by_genre), n))


def _in_turn(lists: Iterable[Sequence[T]]) -> Iterator[T]:
    """The first of each list, then the second of each, and so on."""
    missing = object()
    for row in zip_longest(*lists, fillvalue=missing):
        yield from (item for item in row if item is not missing)  # type: ignore[misc]

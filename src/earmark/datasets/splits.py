"""Splits that keep groups (artists) whole, so that no one is on both sides of a measurement."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence

from earmark.errors import DataError

PARTS = ("train", "valid", "test")


def grouped_split(
    groups: Sequence[str],
    labels: Sequence[str],
    fractions: tuple[float, float, float] = (0.7, 0.15, 0.15),
    seed: int = 0,
) -> list[str]:
    """Split tracks into train, valid and test; every group lies in one part, whole.

    Groups are dealt, largest first, each to the part that lacks most of the group's genres, so
    that every part has its share of every genre as far as whole groups allow. A genre with at
    least three groups of its own is in every part; with two it is in train and test.

    Parameters
    ----------
    groups, labels : sequence of str, length n_tracks
    fractions : tuple of float
        Shares of train, valid and test; they sum to 1.
    seed : int
        Order among groups of one size.

    Returns
    -------
    list of str, length n_tracks
        ``train``, ``valid`` or ``test``.

    Raises
    ------
    DataError
        If a genre has all its tracks in one group: no honest split can hold it.
    """
    content: dict[str, Counter[str]] = defaultdict(Counter)
    for group, label in zip(groups, labels, strict=True):
        content[group][label] += 1
    total = Counter(labels)
    holders = Counter(label for counts in content.values() for label in counts)
    lonely = sorted(label for label, n in holders.items() if n < 2)
    if lonely:
        raise DataError(
            f"all tracks of {', '.join(lonely)} are by one artist (or in one album or folder),"
            " so nothing could be measured",
            "add other artists' tracks, merge the genre into another, or leave it out",
        )
    order = sorted(content)
    random.Random(seed).shuffle(order)
    order.sort(key=lambda group: -sum(content[group].values()))
    share = dict(zip(PARTS, fractions, strict=True))
    placed: dict[str, Counter[str]] = {part: Counter() for part in PARTS}
    groups_in: dict[str, Counter[str]] = {part: Counter() for part in PARTS}
    waiting = holders.copy()
    part_of = {}
    for group in order:
        part = _neediest(content[group], total, share, placed, groups_in, waiting)
        part_of[group] = part
        placed[part].update(content[group])
        groups_in[part].update(content[group].keys())
        waiting.subtract(content[group].keys())
    return [part_of[group] for group in groups]


def _neediest(
    counts: Counter[str],
    total: Counter[str],
    share: dict[str, float],
    placed: dict[str, Counter[str]],
    groups_in: dict[str, Counter[str]],
    waiting: Counter[str],
) -> str:
    def lack(part: str) -> tuple[int, float]:
        """Genres that may soon have run out of groups for a still empty part come first."""
        urgent = sum(
            groups_in[part][label] == 0 and waiting[label] <= _still_empty(label, groups_in)
            for label in counts
        )
        want = sum(
            n * (share[part] * total[label] - placed[part][label]) / (share[part] * total[label])
            for label, n in counts.items()
        )
        return urgent, want

    # Of equally needy parts test comes before valid: a score matters more than a stopping rule.
    return max((part for part in ("train", "test", "valid") if share[part] > 0), key=lack)


def _still_empty(label: str, groups_in: dict[str, Counter[str]]) -> int:
    return sum(groups_in[part][label] == 0 for part in PARTS)

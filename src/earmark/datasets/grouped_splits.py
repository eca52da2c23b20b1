"""Splits that keep groups (artists) whole, so that no one is on both sides of a measurement."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from earmark.errors import ConfigError, DataError

PARTS = ("train", "valid", "test")

# Groups of several genres may leave no room for one of them. Another order most often does.
_ATTEMPTS = 50


def grouped_split(
    groups: Sequence[str],
    labels: Sequence[str],
    fractions: tuple[float, float, float] = (0.7, 0.15, 0.15),
    seed: int = 0,
) -> list[str]:
    """Split tracks into train, valid and test; every group lies in one part, whole.

    Groups are dealt, largest first, each to the part that lacks most of the group's genres, so
    that every part has its share of every genre as far as whole groups allow. Every genre is in
    train and in test. A genre with at least three groups that hold no other genre is in every
    part, provided that the part's share is not 0.

    Parameters
    ----------
    groups, labels : sequence of str, length n_tracks
    fractions : tuple of float
        Shares of train, valid and test; they sum to 1. Valid may be 0.
    seed : int
        Order among groups of one size.

    Returns
    -------
    list of str, length n_tracks
        ``train``, ``valid`` or ``test``.

    Raises
    ------
    DataError
        If a genre has all its tracks in one group, or groups of several genres are so entangled
        that some genre cannot be on both sides: no honest split can hold it.
    ConfigError
        If the fractions make no sense.
    """
    share = dict(zip(PARTS, fractions, strict=True))
    if min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-6 or not share["train"] * share["test"]:
        raise ConfigError(
            f"cannot split into shares of {', '.join(map(str, fractions))}",
            "they have to sum to 1, and train and test must not be 0",
        )
    # Of equally needy parts test comes before valid: a score matters more than a stopping rule.
    shares = {part: share[part] for part in ("train", "test", "valid") if share[part]}
    content = _content(groups, labels)
    part_of = _deal_fairly(content, shares, ("train", "test"), seed)
    return [part_of[group] for group in groups]


def grouped_folds(groups: Sequence[str], labels: Sequence[str], k: int, seed: int = 0) -> list[int]:
    """Deal tracks into `k` folds for cross-validation; every group lies in one fold, whole.

    Every fold has its share of every genre as far as whole groups allow, and every genre is in
    at least two folds. One with at least `k` groups that hold no other genre is in every fold.

    Parameters
    ----------
    groups, labels : sequence of str, length n_tracks
    k : int
        At least 2.
    seed : int
        Order among groups of one size.

    Returns
    -------
    list of int, length n_tracks
        From 0 to ``k - 1``.

    Raises
    ------
    DataError
        As `grouped_split`, or if there are fewer than `k` groups.
    ConfigError
        If `k` is less than 2.
    """
    if k < 2:
        raise ConfigError(f"cannot cross-validate with {k} folds", "use 2 or more")
    content = _content(groups, labels)
    if len(content) < k:
        raise DataError(
            f"{len(content)} artists (or albums, or folders) are too few for {k} folds",
            "use fewer folds",
        )
    part_of = _deal_fairly(content, {str(i): 1 / k for i in range(k)}, (), seed)
    return [int(part_of[group]) for group in groups]


def complete_split(
    parts: Sequence[str],
    groups: Sequence[str],
    labels: Sequence[str],
    valid_share: float = 0.15,
    seed: int = 0,
) -> list[str]:
    """A prescribed split as it is, or with valid taken out of its train part by whole groups.

    A genre that has but one group in train stays there.

    Parameters
    ----------
    parts : sequence of str, length n_tracks
        As a data set prescribes; see `LabelledTrack.split`.
    groups, labels : sequence of str, length n_tracks
    valid_share : float
        Of the train part.
    seed : int
        Order among groups of one size.

    Raises
    ------
    DataError
        If some tracks have no part, or train or test is empty.
    """
    n_without = sum(not part for part in parts)
    if n_without:
        raise DataError(
            f"{n_without} of {len(parts)} tracks have no part in the split that the others have",
            "give every track one (train, valid, test), or none at all",
        )
    for part in ("train", "test"):
        if part not in parts:
            raise DataError(f"the prescribed split has no track in its {part} part")
    if "valid" in parts:
        return list(parts)
    inner = [i for i, part in enumerate(parts) if part == "train"]
    content = _content([groups[i] for i in inner], [labels[i] for i in inner])
    order = sorted(content)
    random.Random(seed).shuffle(order)
    part_of = _deal(order, content, {"train": 1 - valid_share, "valid": valid_share})
    result = list(parts)
    for i in inner:
        result[i] = part_of[groups[i]]
    return result


def random_split(
    labels: Sequence[str],
    fractions: tuple[float, float, float] = (0.7, 0.15, 0.15),
    seed: int = 0,
) -> list[str]:
    """Split items (slices, or tracks) at random, each genre in the same proportions.

    No one who wants a true score uses this: it is there to show how far from true it is.
    """
    rng = random.Random(seed)
    result = [""] * len(labels)
    places = defaultdict(list)
    for i, label in enumerate(labels):
        places[label].append(i)
    for label in sorted(places):
        order = places[label]
        rng.shuffle(order)
        end, reached = 0, 0.0
        for part, fraction in zip(PARTS, fractions, strict=True):
            begin, reached = end, reached + fraction
            end = round(reached * len(order))
            for i in order[begin:end]:
                result[i] = part
    return result


def join_groups(groups: Sequence[str], pairs: Iterable[tuple[int, int]]) -> list[str]:
    """Make one group of all groups that pairs of tracks (duplicates) link.

    Parameters
    ----------
    groups : sequence of str, length n_tracks
    pairs : iterable of (int, int)
        Positions of two tracks that must not be parted.

    Returns
    -------
    list of str, length n_tracks
        A joined group has the name of its first in the alphabet.
    """
    parent = {group: group for group in groups}

    def root(group: str) -> str:
        while parent[group] != group:
            parent[group] = parent[parent[group]]
            group = parent[group]
        return group

    for a, b in pairs:
        first, second = sorted((root(groups[a]), root(groups[b])))
        parent[second] = first
    return [root(group) for group in groups]


Content = Mapping[str, Counter[str]]


def _content(groups: Sequence[str], labels: Sequence[str]) -> Content:
    """Tracks of each genre in each group."""
    content: dict[str, Counter[str]] = defaultdict(Counter)
    for group, label in zip(groups, labels, strict=True):
        content[group][label] += 1
    return content


def _deal_fairly(
    content: Content, shares: Mapping[str, float], needed: Sequence[str], seed: int
) -> dict[str, str]:
    """Deal in random orders until every genre is in the `needed` parts, and in two at least."""
    holders = Counter(label for counts in content.values() for label in counts)
    lonely = sorted(label for label, n in holders.items() if n < 2)
    if lonely:
        raise DataError(
            f"all tracks of {', '.join(lonely)} are by one artist (or in one album or folder),"
            " so nothing could be measured",
            "add other artists' tracks, merge the genre into another, or leave it out",
        )
    rng = random.Random(seed)
    order = sorted(content)
    for _ in range(_ATTEMPTS):
        rng.shuffle(order)
        part_of = _deal(order, content, shares)
        parts_of_label = defaultdict(set)
        for group, part in part_of.items():
            for label in content[group]:
                parts_of_label[label].add(part)
        missing = sorted(
            label
            for label, parts in parts_of_label.items()
            if len(parts) < 2 or not parts.issuperset(needed)
        )
        if not missing:
            return part_of
    raise DataError(
        f"the few artists of {', '.join(missing)} also have tracks of other genres, in such a way"
        " that no split by artist has the genre on both sides",
        "add other artists' tracks, merge the genre into another, or leave it out",
    )


def _deal(order: Sequence[str], content: Content, shares: Mapping[str, float]) -> dict[str, str]:
    """Part of each group, larger groups first, in the given order among those of one size."""
    table = _Table(content, shares)
    by_size = sorted(order, key=lambda group: -content[group].total())
    return {group: table.place(content[group]) for group in by_size}


class _Table:
    """Parts that are being filled.

    A group that holds one genre only is *pure*. While a genre has no more pure groups left than
    there are parts without it, they must go to those parts; nothing else can draw them away, so
    that a genre with enough pure groups is in every part.
    """

    def __init__(self, content: Content, shares: Mapping[str, float]) -> None:
        self._shares = shares
        self._total: Counter[str] = Counter()
        self._pure_left: Counter[str] = Counter()
        self._left: Counter[str] = Counter()
        for counts in content.values():
            self._total.update(counts)
            self._left.update(counts.keys())
            if len(counts) == 1:
                self._pure_left.update(counts.keys())
        self._placed: dict[str, Counter[str]] = {part: Counter() for part in shares}

    def place(self, counts: Counter[str]) -> str:
        """Choose a part for a group of `counts` tracks of each genre, and put it there."""
        candidates = list(self._shares)
        if len(counts) == 1:
            (label,) = counts
            without = self._without(label)
            if 0 < self._pure_left[label] <= len(without):
                candidates = without
            self._pure_left[label] -= 1
        part = max(candidates, key=lambda p: (self._urgency(p, counts), self._lack(p, counts)))
        self._placed[part].update(counts)
        self._left.subtract(counts.keys())
        return part

    def _without(self, label: str) -> list[str]:
        return [part for part, counts in self._placed.items() if not counts[label]]

    def _urgency(self, part: str, counts: Counter[str]) -> int:
        """Genres of the group that may soon have run out of groups for this still empty part."""
        return sum(
            not self._placed[part][label] and self._left[label] <= len(self._without(label))
            for label in counts
        )

    def _lack(self, part: str, counts: Counter[str]) -> float:
        """How much of its share of the group's genres the part still lacks, weighted by tracks."""
        due = {label: self._shares[part] * self._total[label] for label in counts}
        return sum(n * (1 - self._placed[part][label] / due[label]) for label, n in counts.items())

"""Which examples a model learns from, and which it is measured on, under a named protocol."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from earmark.datasets import (
    LabelledTrack,
    complete_split,
    grouped_folds,
    grouped_split,
    groups_for,
    random_split,
)

SLICES = "slice-random"
PRESCRIBED = "prescribed"
WHOLE = "whole"
BY_DATA_SET = "the data set's own prescription"


@dataclass(frozen=True, slots=True)
class SplitRequest:
    """How to split.

    Attributes
    ----------
    protocol : str
        One of `earmark.datasets.PROTOCOLS`, of which ``artist`` does not leak; or ``prescribed``:
        the data set's own split where it has one, else by artist; or ``whole``: no split, all
        are test tracks, for those who split them themselves.
    fractions : tuple of float
        Shares of train, valid and test; with folds, valid's share of what is not tested.
    seed : int
    n_folds, fold : int
        Test on fold `fold` of `n_folds`; one split by `fractions` where `n_folds` is 0.
    """

    protocol: str = PRESCRIBED
    fractions: tuple[float, float, float] = (0.7, 0.15, 0.15)
    seed: int = 0
    n_folds: int = 0
    fold: int = 0

    def describe(self) -> str:
        """For people, and for ``model.json``."""
        folds = f", fold {self.fold + 1} of {self.n_folds}" if self.n_folds else ""
        kept_whole = _KEPT_WHOLE[self.protocol if self.protocol in _KEPT_WHOLE else "artist"]
        return f"{kept_whole}{folds}, seed {self.seed}"


_KEPT_WHOLE = {
    "artist": "artist (album, then folder, where unknown)",
    "album": "album, which leaks artists",
    "track-random": "track, at random, which leaks artists and albums",
    SLICES: "slice, at random, which leaks tracks",
}


def split_tracks(
    tracks: Sequence[LabelledTrack],
    labels: Sequence[str],
    pairs: Sequence[tuple[int, int]],
    request: SplitRequest,
) -> tuple[list[str], str]:
    """Part of each track, and how that was decided.

    Parameters
    ----------
    tracks : sequence of LabelledTrack
    labels : sequence of str
        Genre of each.
    pairs : sequence of (int, int)
        Positions of duplicates, which never part.

    Raises
    ------
    ConfigError, DataError
        There is no such protocol; whole groups cannot be split so.
    """
    if request.protocol == WHOLE:
        return ["test"] * len(tracks), ""
    prescribed = [track.split for track in tracks]
    own = request.protocol == PRESCRIBED and any(prescribed) and not request.n_folds
    protocol = "artist" if request.protocol == PRESCRIBED else request.protocol
    groups = groups_for(protocol, tracks, pairs)
    if own:
        parts = complete_split(prescribed, groups, labels, _valid_share(request), request.seed)
        carved = "" if "valid" in prescribed else f", valid out of train, seed {request.seed}"
        return parts, f"{BY_DATA_SET}{carved}"
    if not request.n_folds:
        return grouped_split(groups, labels, request.fractions, request.seed), request.describe()
    folds = grouped_folds(groups, labels, request.n_folds, request.seed)
    sides = ["test" if fold == request.fold else "train" for fold in folds]
    parts = complete_split(sides, groups, labels, _valid_share(request), request.seed)
    return parts, request.describe()


def split_slices(labels: Sequence[str], request: SplitRequest) -> list[str]:
    """Part of each slice under ``slice-random``; `labels` holds the genre of each slice."""
    if not request.n_folds:
        return random_split(labels, request.fractions, request.seed)
    places = defaultdict(list)
    for i, label in enumerate(labels):
        places[label].append(i)
    parts = ["train"] * len(labels)
    rng = random.Random(request.seed)
    for label in sorted(places):
        rng.shuffle(places[label])
        for position, i in enumerate(places[label]):
            if position % request.n_folds == request.fold:
                parts[i] = "test"
            elif rng.random() < _valid_share(request):
                parts[i] = "valid"
    return parts


def _valid_share(request: SplitRequest) -> float:
    train, valid, _ = request.fractions
    return valid / (train + valid)

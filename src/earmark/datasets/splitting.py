"""Which examples a model learns from, and which it is measured on, under a named protocol.

A protocol says what is kept whole, in training or in test, and so what the two still share:
`PROTOCOLS` has them all, from the one that flatters a model most to the one that does not.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from earmark.datasets.grouped_splits import (
    complete_split,
    grouped_folds,
    grouped_split,
    join_groups,
    random_split,
)
from earmark.datasets.tracks import GroupBy, LabelledTrack
from earmark.errors import ConfigError

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Protocol:
    """How training and test examples are kept apart.

    Attributes
    ----------
    name : str
    group_by : {'track', 'album', 'artist'} or None
        What is kept whole; None where slices are split, tracks and all.
    kept_whole : str
        The same in words, for ``model.json``.
    test_items : str
        What the model is measured on, in words.
    leak : str
        What training and test still share; empty where nothing is known to leak.
    """

    name: str
    group_by: GroupBy | None
    kept_whole: str
    test_items: str
    leak: str = ""


SLICES = "slice-random"
ARTIST = "artist"
PRESCRIBED = "prescribed"
WHOLE = "whole"
BY_DATA_SET = "the data set's own prescription"

PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            SLICES,
            None,
            "slice, at random, which leaks tracks",
            "slices drawn at random",
            "slices of the same recording are in training and in test",
        ),
        Protocol(
            "track-random",
            "track",
            "track, at random, which leaks artists and albums",
            "tracks drawn at random",
            "tracks of the same album and artist are in training and in test",
        ),
        Protocol(
            "album",
            "album",
            "album, which leaks artists",
            "tracks of albums not trained on",
            "the same artists are in training and in test",
        ),
        Protocol(
            ARTIST,
            "artist",
            "artist (album, then folder, where unknown)",
            "tracks by artists not trained on",
        ),
    )
}
"""Protocols that can be asked for, by name."""

FEW_SHOT = Protocol(
    "few-shot",
    "artist",
    PROTOCOLS[ARTIST].kept_whole,
    "tracks by artists of whom none was drawn to learn from",
)
"""That of `earmark.workflows.few_shots`, which draws its own training tracks."""


def find_protocol(name: str) -> Protocol | None:
    """The protocol of that name; None for a data set's own split, or where it is not known."""
    return FEW_SHOT if name == FEW_SHOT.name else PROTOCOLS.get(name)


@dataclass(frozen=True, slots=True)
class SplitRequest:
    """How to split.

    Attributes
    ----------
    protocol : str
        One of `PROTOCOLS`, of which ``artist`` does not leak; or ``prescribed``:
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
        kept_whole = PROTOCOLS.get(self.protocol, PROTOCOLS[ARTIST]).kept_whole
        return f"{kept_whole}{folds}, seed {self.seed}"


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
    group_by = PROTOCOLS[protocol].group_by if protocol in PROTOCOLS else None
    if group_by is None:
        known = [name for name, known in PROTOCOLS.items() if known.group_by]
        raise ConfigError(f"no protocol {protocol!r} for tracks", f"known are: {', '.join(known)}")
    return join_groups([track.group(group_by) for track in tracks], pairs)


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
    protocol = ARTIST if request.protocol == PRESCRIBED else request.protocol
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
        Part of each track. Under ``slice-random`` a track is in all of them: see
        `Protocol.leak`.
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

"""One label a track for training, out of the several genres that tags hold.

The rule
--------
1. A merge (`earmark.genres.merges`) replaces a whole value of the tag, or one genre of it.
2. Genres that are no style ("Instrumental", "Oldies") count only where `only` or a merge names
   them. With `only`, a genre counts as the nearest of itself and its ancestors that is named there.
3. Genres that fewer than `min_tracks` tracks hold are dropped, deepest in the tree first; with
   `roll_up` they count as their parent genre instead.
4. A track's label is the one genre that is left. A genre beside its own ancestor ("Hard Rock",
   "Rock") is no contradiction: the more specific one is meant. Two genres left that are not of one
   line ("Rock", "Jazz") are one, and the track is not used.
5. Labels that contradictions have left with too few tracks are dropped as in step 3.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from earmark.genres.merges import resolve_merges
from earmark.genres.names import canonical, fold, one_spelling, parse
from earmark.genres.tree import ancestors, is_style

Values = tuple[str, ...]
Genres = frozenset[str]


@dataclass(frozen=True, slots=True)
class LabelChoice:
    """What `choose_labels` decided.

    Attributes
    ----------
    labels : tuple of (str or None)
        One a track, in the order given.
    counts : dict of str to int
        Tracks of each label, most frequent first.
    dropped : dict of str to int
        Genres left out for too few tracks, with how many they had.
    merged : dict of str to str
        Genres that count as another, step by step: by a merge, by `only`, or rolled up.
    n_unlabelled : int
        Tracks whose tags name no genre.
    n_ambiguous : int
        Tracks with two or more of the chosen genres.
    n_left_out : int
        Tracks none of whose genres was chosen.
    ambiguous : dict of int to tuple of str
        By their positions, the tracks with two or more of the chosen genres, and these.
    """

    labels: tuple[str | None, ...]
    counts: dict[str, int]
    dropped: dict[str, int]
    merged: dict[str, str]
    n_unlabelled: int
    n_ambiguous: int
    n_left_out: int
    ambiguous: dict[int, Values] = field(default_factory=dict)


def choose_labels(
    tracks_genres: Sequence[Values],
    *,
    merges: Mapping[str, str] | None = None,
    min_tracks: int = 1,
    roll_up: bool = False,
    only: Collection[str] = (),
) -> LabelChoice:
    """Choose the labels to learn, and each track's one label; the rule is the module's docstring.

    Parameters
    ----------
    tracks_genres : sequence of tuple of str
        Each track's genre values, as its file has them or parsed.
    merges : mapping of str to str, optional
        From `parse_merges` or `read_merges`.
    min_tracks : int
        A label needs at least so many tracks.
    roll_up : bool
        Whether genres with too few tracks go to their parents rather than away.
    only : collection of str
        Labels to choose from; empty: all.

    Raises
    ------
    ConfigError
        The merges go round in a circle.
    """
    # Libraries hold few distinct combinations of genres: every step works on those.
    n_tracks = Counter(tracks_genres)
    targets = resolve_merges(merges or {})
    wanted = _Wanted.of(only, targets.values())
    merged: dict[str, str] = {}
    named = _named_genres(n_tracks, targets, merged)
    thinning = _Thinning(min_tracks, wanted if roll_up else None, merged)
    chosen = _wanted_genres(named, wanted, merged)
    chosen = thinning.run(n_tracks, chosen, count=lambda genres: genres)
    ambiguous = {values for values, genres in chosen.items() if len(_deepest(genres)) > 1}
    sure = {values: genres for values, genres in chosen.items() if values not in ambiguous}
    sure = thinning.run(n_tracks, sure, count=_deepest)

    label_of = {values: next(iter(_deepest(genres)), None) for values, genres in sure.items()}
    counts: Counter[str] = Counter()
    for values, label in label_of.items():
        if label is not None:
            counts[label] += n_tracks[values]
    n_unlabelled = sum(n_tracks[values] for values, genres in named.items() if not genres)
    n_ambiguous = sum(n_tracks[values] for values in ambiguous)
    return LabelChoice(
        labels=tuple(label_of.get(values) for values in tracks_genres),
        counts=dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))),
        dropped=thinning.dropped,
        merged=merged,
        n_unlabelled=n_unlabelled,
        n_ambiguous=n_ambiguous,
        n_left_out=len(tracks_genres) - sum(counts.values()) - n_unlabelled - n_ambiguous,
        ambiguous={
            i: tuple(sorted(_deepest(chosen[values])))
            for i, values in enumerate(tracks_genres)
            if values in ambiguous
        },
    )


def choose_values(
    tracks_values: Sequence[Values],
    *,
    merges: Mapping[str, str] | None = None,
    min_tracks: int = 1,
    only: Collection[str] = (),
) -> LabelChoice:
    """As `choose_labels`, for labels that are no genres (moods, groupings): taken as written.

    Spellings that differ in case and punctuation are one label; nothing is known of a tree.
    """
    targets = resolve_merges(merges or {})
    merged: dict[str, str] = {}
    named = []
    for values in tracks_values:
        stripped = [value.strip() for value in values if value.strip()]
        named.append(tuple(dict.fromkeys(targets.get(fold(v), v) for v in stripped)))
        merged.update({v: targets[fold(v)] for v in stripped if targets.get(fold(v), v) != v})
    spelling = one_spelling(Counter(value for values in named for value in values))
    sets = [frozenset(spelling[value] for value in values) for values in named]
    wanted = {fold(name) for name in only}
    n_tracks = Counter(v for values in sets for v in values if not wanted or fold(v) in wanted)
    kept = {value for value, n in n_tracks.items() if n >= min_tracks}
    left = [values & kept for values in sets]
    labels = tuple(next(iter(values)) if len(values) == 1 else None for values in left)
    counts = Counter(label for label in labels if label is not None)
    n_unlabelled, n_ambiguous = sets.count(frozenset()), sum(len(values) > 1 for values in left)
    return LabelChoice(
        labels=labels,
        counts=dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))),
        dropped={value: n for value, n in n_tracks.items() if value not in kept},
        merged=merged,
        n_unlabelled=n_unlabelled,
        n_ambiguous=n_ambiguous,
        n_left_out=len(labels) - sum(counts.values()) - n_unlabelled - n_ambiguous,
        ambiguous={i: tuple(sorted(values)) for i, values in enumerate(left) if len(values) > 1},
    )


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Which genres may be labels: keys of those named by `only`, and by merges."""

    only: Genres
    merge_targets: Genres

    @classmethod
    def of(cls, only: Iterable[str], merge_targets: Iterable[str]) -> _Wanted:
        return cls(
            frozenset(fold(canonical(name)) for name in only), frozenset(map(fold, merge_targets))
        )

    def nearest(self, line: Iterable[str]) -> str | None:
        """The first of a genre and its ancestors that may be a label."""
        return next(filter(self._is_wanted, line), None)

    def _is_wanted(self, name: str) -> bool:
        if self.only:
            return fold(name) in self.only
        return is_style(name) or fold(name) in self.merge_targets


@dataclass(slots=True)
class _Thinning:
    """Drops or rolls up genres with too few tracks, and remembers which."""

    min_tracks: int
    roll_up_to: _Wanted | None
    merged: dict[str, str]
    dropped: dict[str, int] = field(default_factory=dict)

    def run(
        self,
        n_tracks: Mapping[Values, int],
        genres_of: Mapping[Values, Genres],
        count: Callable[[Genres], Iterable[str]],
    ) -> dict[Values, Genres]:
        """`genres_of` without the rare ones; `count` says for which genres a track counts."""
        left = dict(genres_of)
        deepest = max((_depth(name) for genres in left.values() for name in genres), default=-1)
        # What leaves one level can only add to the levels above it, so one pass upwards will do.
        for depth in range(deepest, -1, -1):
            counts: Counter[str] = Counter()
            for values, genres in left.items():
                counts.update(dict.fromkeys(count(genres), n_tracks[values]))
            level = {name for genres in left.values() for name in genres if _depth(name) == depth}
            rare = [name for name in sorted(level) if counts[name] < self.min_tracks]
            targets = {name: self._target(name, counts[name]) for name in rare}
            for values, genres in left.items():
                if any(name in targets for name in genres):
                    left[values] = _present(targets.get(name, name) for name in genres)
        return left

    def _target(self, name: str, n: int) -> str | None:
        target = self.roll_up_to.nearest(ancestors(name)) if self.roll_up_to else None
        if target is not None:
            self.merged[name] = target
        elif n:  # else all its tracks have gone to a more specific genre, or are ambiguous
            self.dropped[name] = n
        return target


def _named_genres(
    n_tracks: Mapping[Values, int], targets: Mapping[str, str], merged: dict[str, str]
) -> dict[Values, Genres]:
    """Canonical genres of each combination of values, merges applied, one spelling for each."""
    named = {values: tuple(_named(values, targets, merged)) for values in n_tracks}
    counts: Counter[str] = Counter()
    for values, genres in named.items():
        counts.update(dict.fromkeys(genres, n_tracks[values]))
    spelling = one_spelling(counts)
    return {values: frozenset(spelling[g] for g in genres) for values, genres in named.items()}


def _named(values: Values, targets: Mapping[str, str], merged: dict[str, str]) -> Iterator[str]:
    for value in values:
        for name in (value,) if fold(value) in targets else parse([value]):
            target = targets.get(fold(name), name)
            if target != name:
                merged[name] = target
            yield target


def _wanted_genres(
    named: Mapping[Values, Genres], wanted: _Wanted, merged: dict[str, str]
) -> dict[Values, Genres]:
    """Each combination's genres, as those that may be labels."""
    names = frozenset[str]().union(*named.values())
    label = {name: wanted.nearest((name, *ancestors(name))) for name in sorted(names)}
    if not wanted.only:
        label = {name: found if found == name else None for name, found in label.items()}
    merged.update({name: found for name, found in label.items() if found not in (None, name)})
    return {values: _present(map(label.get, genres)) for values, genres in named.items()}


def _present(names: Iterable[str | None]) -> Genres:
    return frozenset(name for name in names if name is not None)


def _deepest(genres: Genres) -> Genres:
    """Those genres that are not an ancestor of another one."""
    return genres - {above for name in genres for above in ancestors(name)}


def _depth(name: str) -> int:
    return len(ancestors(name))

"""Labelled tracks, listened to and split: what training learns from and measures on."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from earmark.datasets import (
    FROM_CATALOGUE,
    PARTS,
    LabelledTrack,
    is_artist,
    leaks,
    read,
)
from earmark.datasets.fingerprints import compare
from earmark.datasets.sample import sample
from earmark.datasets.splitting import PROTOCOLS, SLICES, SplitRequest, split_slices, split_tracks
from earmark.errors import DataError
from earmark.events import Note, Workflow
from earmark.genres import canonical, fold, parse
from earmark.genres.labels import LabelChoice, choose_labels, choose_values
from earmark.inference.batch import Store, fill
from earmark.library.scan import scanned
from earmark.session import Resources
from earmark.training.provenance import short_hash
from earmark.training.request import LabelRequest
from earmark.types import Track

# A mapping file may be for other libraries too.
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Example:
    """A track that has been listened to, with its one genre and its part of the split.

    `slices` are those of its slices that are in the part; None: all. Only a split by slice, which
    leaks, parts a track's slices.
    """

    path: str
    group: str
    genre: int
    audio_id: str
    part: str
    slices: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class LearningSet:
    """Examples, the genres that their numbers stand for, and what had to be left out.

    Attributes
    ----------
    examples : tuple of Example
    labels : tuple of str
    choice : LabelChoice
    split_by : str
    n_unheard, n_doubles : int
        Tracks left out as unreadable, and as the same audio as another track.
    n_near : int
        Pairs of tracks with the same recording, kept in one part.
    leaks : tuple of str
        What is known to be on both sides of the split.
    near : tuple of (str, str)
        The pairs that `n_near` counts, by audio_id.
    """

    examples: tuple[Example, ...]
    labels: tuple[str, ...]
    choice: LabelChoice
    split_by: str
    n_unheard: int
    n_doubles: int
    n_near: int
    leaks: tuple[str, ...]
    near: tuple[tuple[str, str], ...] = ()

    def part(self, name: str) -> tuple[Example, ...]:
        return tuple(e for e in self.examples if e.part == name)

    def check_taught(self) -> None:
        """Refuse (`DataError`) a genre that nothing is left to learn from."""
        taught = {e.genre for e in self.part("train")}
        lacking = [label for i, label in enumerate(self.labels) if i not in taught]
        if lacking:
            raise DataError(
                f"no track of {', '.join(lacking)} is left to learn from",
                "label more tracks, or leave the genre out with --only",
            )

    def describe(self) -> dict[str, Any]:
        """For ``model.json``: how many tracks of how many artists of each genre, part by part."""
        parts = {}
        for name in PARTS:
            chosen = self.part(name)
            genres = Counter(self.labels[e.genre] for e in chosen)
            parts[name] = {
                "n_tracks": len(chosen),
                "n_groups": len({e.group for e in chosen}),
                "n_artists": len({e.group for e in chosen if is_artist(e.group)}),
                "genres": {label: genres[label] for label in self.labels},
            }
        return {
            "split_by": self.split_by,
            "parts": parts,
            "dropped_genres": self.choice.dropped,
            "merged_genres": self.choice.merged,
            "n_unlabelled": self.choice.n_unlabelled,
            "n_ambiguous": self.choice.n_ambiguous,
            "n_unheard": self.n_unheard,
            "n_doubles": self.n_doubles,
            "n_near_duplicates": self.n_near,
            "leaks": list(self.leaks),
            "learned": self._learned(),
        }

    def _learned(self) -> dict[str, str]:
        """Short hashes of all that was learned from or chosen by, to find leaks by later."""
        seen = [e for e in self.examples if e.part != "test"]
        return {
            "tracks": " ".join(sorted({short_hash(e.audio_id) for e in seen})),
            "groups": " ".join(sorted({short_hash(e.group) for e in seen})),
        }


def assemble(request: LabelRequest, resources: Resources, store: Store) -> Workflow[LearningSet]:
    """Find labelled tracks, choose genres, listen, and split by artist.

    Raises
    ------
    DataError
        If the labels cannot be learned from, with what to do about it.
    """
    tracks = yield from gather(request, resources)
    choice = choose(tracks, request)
    labels = tuple(sorted(choice.counts))
    yield Note(_describe_choice(choice))
    missing = without_tracks(tracks, request)
    if missing:
        yield Note(f"no track is of {', '.join(missing)}, which --only asks for")
    pairs = zip(tracks, choice.labels, strict=True)
    chosen = [(track, label) for track, label in pairs if label is not None]
    if 0 < request.max_tracks < len(chosen):
        yield Note(f"{request.max_tracks} of these {len(chosen)} tracks are drawn")
        groups = [track.group("artist") for track, _ in chosen]
        drawn = sample([label for _, label in chosen], groups, request.max_tracks)
        chosen = [chosen[i] for i in drawn]
    if remark := unknown_artists([track for track, _ in chosen]):
        yield Note(remark)
    paths = [track.path for track, _ in chosen]
    audio_ids = yield from fill(store, paths, resources.workers)
    rows = [
        (track, label, audio_ids[track.path]) for track, label in chosen if track.path in audio_ids
    ]
    kept = _without_doubles(rows)
    _check_genres(kept, labels)
    near: list[tuple[int, int]] = []
    if request.fingerprints and request.split.protocol != SLICES:
        kept_paths = [track.path for track, _, _ in kept]
        found = yield from compare(kept_paths, resources.fingerprints, resources.workers)
        place = {path: i for i, path in enumerate(kept_paths)}
        near = [(place[found.paths[p.a]], place[found.paths[p.b]]) for p in found.pairs]
    examples, split_by = _split(kept, labels, store, near, request.split)
    learning_set = LearningSet(
        tuple(examples),
        labels,
        choice,
        split_by,
        n_unheard=len(chosen) - len(rows),
        n_doubles=len(rows) - len(kept),
        n_near=len(near),
        leaks=_leaks(kept, examples, near, request.split),
        near=tuple((kept[a][2], kept[b][2]) for a, b in near),
    )
    yield Note(_describe_split(learning_set))
    return learning_set


def spans(store: Store, examples: Sequence[Example]) -> list[NDArray[np.int64]]:
    """Numbers in `store` of each example's slices."""
    found = store.locate([e.audio_id for e in examples])
    return [
        span if e.slices is None else span[list(e.slices)]
        for span, e in zip(found, examples, strict=True)
    ]


def gather(request: LabelRequest, resources: Resources) -> Workflow[list[LabelledTrack]]:
    """Labelled tracks of the request's source, with the labels as they are written there."""
    known: Iterable[Track] = ()
    if request.source in FROM_CATALOGUE:
        yield from scanned(request.root, resources.catalogue)
        known = resources.catalogue.tracks(request.root)
    collection = read(
        request.source, request.root, tracks=known, field=request.field, meta=request.meta
    )
    for note in collection.notes:
        yield Note(note)
    if remark := idle_merges(collection.tracks, request):
        yield Note(remark)
    return collection.tracks


def choose(tracks: Sequence[LabelledTrack], request: LabelRequest) -> LabelChoice:
    """One label a track, as the request has it.

    Raises
    ------
    DataError
        If fewer than two are left.
    """
    values = [track.values for track in tracks]
    common: dict[str, Any] = {
        "merges": request.merges,
        "min_tracks": request.min_tracks,
        "only": request.only,
    }
    if request.field == "genre":
        choice = choose_labels(values, roll_up=request.roll_up, **common)
    else:
        choice = choose_values(values, **common)
    choice = _leave_out(choice, request.without)
    if len(choice.counts) < 2:
        left = _listed(choice.counts) or "none"
        rare = f"; too rare: {_listed(choice.dropped)}" if choice.dropped else ""
        missing = ", ".join(without_tracks(tracks, request))
        none = f"; none is of {missing}, which --only asks for" if missing else ""
        raise DataError(
            f"{len(tracks)} tracks, {choice.n_unlabelled} of them unlabelled, leave fewer than two"
            f" genres with {request.min_tracks} tracks or more: {left}{rare}{none}",
            "label more tracks, lower --min-tracks, or join genres with --merge or --roll-up",
        )
    return choice


def _leave_out(choice: LabelChoice, genres: Sequence[str]) -> LabelChoice:
    counts = {label: n for label, n in choice.counts.items() if label not in genres}
    return dataclasses.replace(
        choice,
        labels=tuple(label if label in counts else None for label in choice.labels),
        counts=counts,
        n_left_out=choice.n_left_out + sum(choice.counts.values()) - sum(counts.values()),
    )


def without_tracks(tracks: Sequence[LabelledTrack], request: LabelRequest) -> list[str]:
    """Genres that `only` lists and no track has."""
    values = [track.values for track in tracks]
    choose_from = choose_labels if request.field == "genre" else choose_values
    return [
        name
        for name in request.only
        if not choose_from(values, merges=request.merges, only=(name,)).counts
    ]


def idle_merges(tracks: Sequence[LabelledTrack], request: LabelRequest) -> str:
    """A warning of merges that change no track, whose names may be misspelled; empty: none."""
    values = {value for track in tracks for value in track.values}
    held = set(map(fold, values))
    # One merge may lead to another.
    held.update(map(fold, request.merges.values()))
    names = list(request.merges)
    if request.field == "genre":
        held.update(map(fold, parse(values)))
        idle = [name for name in names if held.isdisjoint({fold(name), fold(canonical(name))})]
    else:
        idle = [name for name in names if fold(name) not in held]
    if not idle:
        return ""
    more = f" and {len(idle) - _SHOWN} more" if len(idle) > _SHOWN else ""
    return f"no track is of {', '.join(idle[:_SHOWN])}{more}, which --merge or --mapping names"


def unknown_artists(chosen: Sequence[LabelledTrack]) -> str:
    """A warning of training tracks whose artist is not known; empty: there are none."""
    n_unknown = sum(not is_artist(track.group("artist")) for track in chosen)
    if not n_unknown:
        return ""
    return (
        f"the artist of {n_unknown} of {len(chosen)} tracks is not known: whoever made several of"
        " them may be on both sides of a split"
    )


_Row: TypeAlias = tuple[LabelledTrack, str, str]
"""A track, its label, its audio_id."""


def _without_doubles(rows: Sequence[_Row]) -> list[_Row]:
    """Keep one of the tracks with the same audio; none where they are labelled differently."""
    labels: dict[str, set[str]] = {}
    for _, label, audio_id in rows:
        labels.setdefault(audio_id, set()).add(label)
    first = {row[2]: row for row in reversed(rows) if len(labels[row[2]]) == 1}
    return [row for row in rows if first.get(row[2]) is row]


def _check_genres(rows: Sequence[_Row], labels: Sequence[str]) -> None:
    held = {label for _, label, _ in rows}
    gone = [label for label in labels if label not in held]
    if gone:
        raise DataError(
            f"no track of {', '.join(gone)} is left: they could not be listened to, or copies of"
            " them are labelled differently",
            "see the reasons above, or leave the genre out with --only",
        )


def _split(
    rows: Sequence[_Row],
    labels: Sequence[str],
    store: Store,
    near: Sequence[tuple[int, int]],
    request: SplitRequest,
) -> tuple[list[Example], str]:
    whole = [
        Example(track.path, track.group("artist"), labels.index(label), audio_id, "")
        for track, label, audio_id in rows
    ]
    genres = [label for _, label, _ in rows]
    if request.protocol == SLICES:
        return _split_by_slice(whole, genres, store, request), request.describe()
    parts, how = split_tracks([track for track, _, _ in rows], genres, near, request)
    return [dataclasses.replace(e, part=part) for e, part in zip(whole, parts, strict=True)], how


def _leaks(
    rows: Sequence[_Row],
    examples: Sequence[Example],
    near: Sequence[tuple[int, int]],
    request: SplitRequest,
) -> tuple[str, ...]:
    if request.protocol == SLICES:
        return (PROTOCOLS[SLICES].leak,)
    return tuple(leaks([track for track, _, _ in rows], [e.part for e in examples], near))


def _split_by_slice(
    whole: Sequence[Example], genres: Sequence[str], store: Store, request: SplitRequest
) -> list[Example]:
    """An example for every part that a track has slices in."""
    n_slices = [len(span) for span in spans(store, whole)]
    slice_genres = [g for g, n in zip(genres, n_slices, strict=True) for _ in range(n)]
    parts = iter(split_slices(slice_genres, request))
    examples = []
    for example, n in zip(whole, n_slices, strict=True):
        mine = [next(parts) for _ in range(n)]
        for part in PARTS:
            held = tuple(i for i, other in enumerate(mine) if other == part)
            if held:
                examples.append(dataclasses.replace(example, part=part, slices=held))
    return examples


def _describe_split(learning_set: LearningSet) -> str:
    sizes = ", ".join(f"{len(learning_set.part(name))} {name}" for name in PARTS)
    split = f"split by {learning_set.split_by}: {sizes}" if learning_set.split_by else "not split"
    doubles = (
        f"\n{learning_set.n_doubles} tracks left out: the same audio as another"
        if learning_set.n_doubles
        else ""
    )
    near = (
        f"\n{learning_set.n_near} pairs of tracks hold the same recording and stay together"
        if learning_set.n_near
        else ""
    )
    leaks = "".join(f"\nthis split leaks: {leak}" for leak in learning_set.leaks)
    return f"{split}{doubles}{near}{leaks}"


def _describe_choice(choice: LabelChoice) -> str:
    """A line or three for people."""
    lines = [f"{sum(choice.counts.values())} tracks to learn from: {_listed(choice.counts)}"]
    if choice.dropped:
        lines.append(f"too few tracks, left out: {_listed(choice.dropped)}")
    if choice.n_ambiguous:
        lines.append(f"{choice.n_ambiguous} tracks have two of these genres and are left out")
    return "\n".join(lines)


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({n})" for name, n in counts.items())

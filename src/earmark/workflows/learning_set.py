"""Labelled tracks, heard and split: what training learns from and measures on."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from earmark.datasets import (
    FROM_CATALOGUE,
    PARTS,
    LabelledTrack,
    complete_split,
    grouped_split,
    read,
)
from earmark.errors import DataError
from earmark.features.store import FeatureStore
from earmark.genres.labels import LabelChoice, choose_labels
from earmark.library import Catalogue
from earmark.types import Track
from earmark.workflows.events import Note, Workflow
from earmark.workflows.hearing import hear_all
from earmark.workflows.scan import scan


@dataclass(frozen=True, slots=True)
class LabelRequest:
    """Which tracks to learn from, and which genre each stands for.

    Attributes
    ----------
    root : str
        Folder with the music.
    source : str
        One of `earmark.datasets.SOURCES`, such as ``tags`` or the path of a CSV manifest.
    merges : mapping of str to str
        Raw genre to the genre that it counts as.
    min_tracks : int
        Genres with fewer tracks are dropped, or with `roll_up` counted as their parent genre.
    only : tuple of str
        Genres to choose from; empty: all.
    fractions : tuple of float
        Shares of train, valid and test.
    seed : int
        Of the split.
    """

    root: str
    source: str = "tags"
    merges: Mapping[str, str] = field(default_factory=dict)
    min_tracks: int = 10
    roll_up: bool = False
    only: tuple[str, ...] = ()
    fractions: tuple[float, float, float] = (0.7, 0.15, 0.15)
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Example:
    """A track that has been heard, with its one genre and its part of the split."""

    path: str
    group: str
    genre: int
    audio_id: str
    part: str


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
    """

    examples: tuple[Example, ...]
    labels: tuple[str, ...]
    choice: LabelChoice
    split_by: str
    n_unheard: int
    n_doubles: int

    def part(self, name: str) -> tuple[Example, ...]:
        return tuple(e for e in self.examples if e.part == name)

    def describe(self) -> dict[str, Any]:
        """For ``model.json``: how many tracks of how many artists of each genre, part by part."""
        parts = {}
        for name in PARTS:
            chosen = self.part(name)
            genres = Counter(self.labels[e.genre] for e in chosen)
            parts[name] = {
                "n_tracks": len(chosen),
                "n_groups": len({e.group for e in chosen}),
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
        }


def assemble(
    request: LabelRequest,
    catalogue: Catalogue,
    store: FeatureStore,
    *,
    n_workers: int,
    time_limit_s: float,
) -> Workflow[LearningSet]:
    """Find labelled tracks, choose genres, listen, and split by artist.

    Raises
    ------
    DataError
        If the labels cannot be learned from, with what to do about it.
    """
    tracks = yield from _gather(request, catalogue)
    choice = _choose(tracks, request)
    labels = tuple(sorted(choice.counts))
    yield Note(_describe_choice(choice))
    pairs = zip(tracks, choice.labels, strict=True)
    chosen = [(track, label) for track, label in pairs if label is not None]
    paths = [track.path for track, _ in chosen]
    heard = yield from hear_all(paths, store, n_workers, time_limit_s)
    examples = [
        Example(
            track.path, track.group("artist"), labels.index(label), heard[track.path], track.split
        )
        for track, label in chosen
        if track.path in heard
    ]
    kept = _without_doubles(examples)
    split, split_by = _split(kept, labels, request)
    learning_set = LearningSet(
        tuple(split),
        labels,
        choice,
        split_by,
        n_unheard=len(chosen) - len(examples),
        n_doubles=len(examples) - len(kept),
    )
    yield Note(_describe_split(learning_set))
    return learning_set


def _gather(request: LabelRequest, catalogue: Catalogue) -> Workflow[list[LabelledTrack]]:
    known: Iterable[Track] = ()
    if request.source in FROM_CATALOGUE:
        yield from scan(request.root, catalogue)
        known = catalogue.tracks(request.root)
    collection = read(request.source, request.root, tracks=known)
    for note in collection.notes:
        yield Note(note)
    return collection.tracks


def _choose(tracks: Sequence[LabelledTrack], request: LabelRequest) -> LabelChoice:
    choice = choose_labels(
        [track.values for track in tracks],
        merges=request.merges,
        min_tracks=request.min_tracks,
        roll_up=request.roll_up,
        only=request.only,
    )
    if len(choice.counts) < 2:
        left = _listed(choice.counts) or "none"
        rare = f"; too rare: {_listed(choice.dropped)}" if choice.dropped else ""
        raise DataError(
            f"{len(tracks)} tracks, {choice.n_unlabelled} of them unlabelled, leave fewer than two"
            f" genres with {request.min_tracks} tracks or more: {left}{rare}",
            "label more tracks, lower --min-tracks, or join genres with --merge or --roll-up",
        )
    return choice


def _without_doubles(examples: Sequence[Example]) -> list[Example]:
    """Keep one of the tracks with the same audio; none where they are labelled differently."""
    genres: dict[str, set[int]] = {}
    for example in examples:
        genres.setdefault(example.audio_id, set()).add(example.genre)
    first = {e.audio_id: e for e in reversed(examples) if len(genres[e.audio_id]) == 1}
    return [e for e in examples if first.get(e.audio_id) is e]


def _split(
    examples: Sequence[Example], labels: Sequence[str], request: LabelRequest
) -> tuple[list[Example], str]:
    counts = Counter(e.genre for e in examples)
    gone = [label for i, label in enumerate(labels) if counts[i] == 0]
    if gone:
        raise DataError(
            f"no track of {', '.join(gone)} could be listened to",
            "see the reasons above, or leave the genre out with --only",
        )
    groups, genres = [e.group for e in examples], [labels[e.genre] for e in examples]
    prescribed = [e.part for e in examples]
    if any(prescribed):
        parts = complete_split(prescribed, groups, genres, seed=request.seed)
        how = "the data set's own prescription"
        if "valid" not in prescribed:
            how += f", valid taken out of train by artist, seed {request.seed}"
    else:
        parts = grouped_split(groups, genres, request.fractions, request.seed)
        how = f"artist (album, then folder, where unknown), seed {request.seed}"
    return [dataclasses.replace(e, part=part) for e, part in zip(examples, parts, strict=True)], how


def _describe_choice(choice: LabelChoice) -> str:
    lines = [f"{sum(choice.counts.values())} tracks to learn from: {_listed(choice.counts)}"]
    if choice.dropped:
        lines.append(f"too few tracks, left out: {_listed(choice.dropped)}")
    if choice.n_ambiguous:
        lines.append(f"{choice.n_ambiguous} tracks have two of these genres and are left out")
    return "\n".join(lines)


def _describe_split(learning_set: LearningSet) -> str:
    sizes = ", ".join(f"{len(learning_set.part(name))} {name}" for name in PARTS)
    doubles = (
        f"\n{learning_set.n_doubles} tracks left out: the same audio as another"
        if learning_set.n_doubles
        else ""
    )
    return f"split by {learning_set.split_by}: {sizes}{doubles}"


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({n})" for name, n in counts.items())

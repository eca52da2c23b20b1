"""Groups stay whole, parts get their share, and dishonest data is refused."""

from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.datasets import PARTS, grouped_split
from earmark.datasets.tracks import group_of
from earmark.errors import DataError

# Each genre with 3 to 8 artists of its own, 1 to 9 tracks each.
libraries = st.lists(
    st.lists(st.integers(1, 9), min_size=3, max_size=8), min_size=2, max_size=5
).map(
    lambda genres: [
        (f"artist {g}-{a}", f"genre {g}")
        for g, artists in enumerate(genres)
        for a, n in enumerate(artists)
        for _ in range(n)
    ]
)


@given(libraries, st.integers(0, 3))
def test_no_group_is_on_both_sides_and_every_part_has_every_genre(
    library: list[tuple[str, str]], seed: int
) -> None:
    groups, labels = zip(*library, strict=True)
    parts = grouped_split(groups, labels, seed=seed)
    where = defaultdict(set)
    for group, part in zip(groups, parts, strict=True):
        where[group].add(part)
    assert all(len(found) == 1 for found in where.values())
    for label in set(labels):
        held = {part for part, other in zip(parts, labels, strict=True) if other == label}
        assert held == set(PARTS)


def test_shares_are_near_what_was_asked() -> None:
    groups = [f"artist {i % 60}" for i in range(600)]
    labels = [f"genre {i % 3}" for i in range(600)]
    counts = Counter(grouped_split(groups, labels, (0.6, 0.2, 0.2)))
    assert counts == {"train": 360, "valid": 120, "test": 120}


def test_artists_of_several_genres_stay_whole() -> None:
    groups = ["both", "both", "a", "b", "c", "d", "e", "f"]
    labels = ["Rock", "Pop", "Rock", "Rock", "Rock", "Pop", "Pop", "Pop"]
    parts = grouped_split(groups, labels)
    assert parts[0] == parts[1]


def test_two_groups_go_to_train_and_test() -> None:
    groups = ["a", "b", *(f"x{i}" for i in range(9))]
    labels = ["Jazz", "Jazz", *["Rock"] * 9]
    assert set(grouped_split(groups, labels)[:2]) == {"train", "test"}


def test_a_genre_by_one_artist_is_refused() -> None:
    with pytest.raises(DataError, match=r"all tracks of Blues are by one artist"):
        grouped_split(["a", "a", "b", "c"], ["Blues", "Blues", "Rock", "Rock"])


def test_the_same_seed_gives_the_same_split() -> None:
    groups = [f"artist {i % 40}" for i in range(200)]
    labels = [f"genre {i % 4}" for i in range(200)]
    assert grouped_split(groups, labels, seed=1) == grouped_split(groups, labels, seed=1)
    assert grouped_split(groups, labels, seed=1) != grouped_split(groups, labels, seed=2)


@pytest.mark.parametrize(
    ("artist", "album", "group"),
    [
        ("Miles  Davis", "Kind of Blue", "artist:miles davis"),
        ("miles davis ", "", "artist:miles davis"),
        ("Various Artists", "Now 12", "album:now 12"),
        ("", "Now 12", "album:now 12"),
        ("Unknown Artist", "", "folder:x"),
    ],
)
def test_groups_by_artist_then_album_then_fallback(artist: str, album: str, group: str) -> None:
    assert group_of(artist, album, "folder:x") == group

"""Groups stay whole, parts get their share, leaks are named, and dishonest data is refused."""

from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.datasets import (
    PARTS,
    LabelledTrack,
    complete_split,
    grouped_folds,
    grouped_split,
    groups_for,
    join_groups,
    leaks,
    random_split,
)
from earmark.errors import ConfigError, DataError

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

# Besides, artists who have tracks of several genres.
tangled = st.tuples(
    libraries,
    st.lists(st.lists(st.integers(0, 4), min_size=2, max_size=12), max_size=12),
).map(
    lambda both: [
        *both[0],
        *(
            (f"wanderer {i}", f"genre {g}")
            for i, genres in enumerate(both[1])
            for g in genres
            if (f"genre {g}") in {label for _, label in both[0]}
        ),
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


@given(tangled, st.integers(0, 3))
def test_artists_of_several_genres_take_no_part_from_a_genre(
    library: list[tuple[str, str]], seed: int
) -> None:
    groups, labels = zip(*library, strict=True)
    parts = grouped_split(groups, labels, seed=seed)
    assert len(set(zip(groups, parts, strict=True))) == len(set(groups))
    for label in set(labels):
        assert {p for p, x in zip(parts, labels, strict=True) if x == label} == set(PARTS)


@given(tangled, st.integers(2, 4), st.integers(0, 3))
def test_folds_keep_groups_whole_and_spread_every_genre(
    library: list[tuple[str, str]], k: int, seed: int
) -> None:
    groups, labels = zip(*library, strict=True)
    folds = grouped_folds(groups, labels, k, seed)
    assert len(set(zip(groups, folds, strict=True))) == len(set(groups))
    for label in set(labels):
        own = {g for g, x in library if x == label and not g.startswith("wanderer")}
        held = {f for f, x in zip(folds, labels, strict=True) if x == label}
        assert len(held) >= min(k, len(own))


def test_folds_are_of_one_size() -> None:
    groups = [f"artist {i % 50}" for i in range(500)]
    labels = [f"genre {i % 5}" for i in range(500)]
    folds = grouped_folds(groups, labels, 5)
    assert Counter(folds) == dict.fromkeys(range(5), 100)
    assert set(Counter(zip(folds, labels, strict=True)).values()) == {20}


def test_too_many_folds_are_refused() -> None:
    with pytest.raises(DataError, match="too few for 5 folds"):
        grouped_folds(["a", "b", "c"], ["Rock"] * 3, 5)
    with pytest.raises(ConfigError, match="1 folds"):
        grouped_folds(["a", "b"], ["Rock"] * 2, 1)


def test_genres_that_share_all_their_artists_are_refused() -> None:
    # Each pair of genres shares an artist, so two of the three artists end up on one side.
    groups = ["ab", "ab", "ac", "ac", "bc", "bc"]
    labels = ["A", "B", "A", "C", "B", "C"]
    with pytest.raises(DataError, match="no split by artist has the genre on both sides"):
        grouped_split(groups, labels)


def test_no_valid_part_when_none_is_asked_for() -> None:
    groups = [f"artist {i}" for i in range(20)]
    parts = grouped_split(groups, ["A", "B"] * 10, (0.5, 0.0, 0.5))
    assert Counter(parts) == {"train": 10, "test": 10}


@pytest.mark.parametrize("fractions", [(1.0, 0.0, 0.0), (0.5, 0.2, 0.2), (1.2, -0.4, 0.2)])
def test_fractions_that_make_no_sense_are_refused(fractions: tuple[float, float, float]) -> None:
    with pytest.raises(ConfigError, match="shares"):
        grouped_split(["a", "b"], ["A", "A"], fractions)


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


def test_a_prescribed_split_stays_and_gets_a_valid_part_by_artist() -> None:
    groups = [f"artist {i // 2}" for i in range(80)]
    labels = [("A", "B")[i // 2 % 2] for i in range(80)]
    prescribed = ["test" if i < 20 else "train" for i in range(80)]
    parts = complete_split(prescribed, groups, labels, 0.2)
    assert parts[:20] == ["test"] * 20
    assert Counter(parts[20:]) == {"train": 48, "valid": 12}
    assert len(set(zip(groups, parts, strict=True))) == 40
    assert complete_split(parts, groups, labels) == parts


def test_a_genre_by_one_artist_is_not_taken_out_of_train() -> None:
    groups = ["only", "only", *(f"x{i}" for i in range(10)), "t", "u"]
    labels = ["Jazz", "Jazz", *["Rock"] * 10, "Jazz", "Rock"]
    parts = complete_split([*["train"] * 12, "test", "test"], groups, labels)
    assert parts[:2] == ["train", "train"]
    assert "valid" in parts


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        (["train", "", "test"], "1 of 3 tracks have no part"),
        (["train", "train", "valid"], "no track in its test part"),
        (["test", "test", "test"], "no track in its train part"),
    ],
)
def test_incomplete_prescriptions_are_refused(parts: list[str], reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        complete_split(parts, ["a", "b", "c"], ["A", "A", "A"])


def test_random_split_gives_every_genre_its_proportions() -> None:
    labels = ["A"] * 100 + ["B"] * 20
    parts = random_split(labels, (0.5, 0.25, 0.25), seed=1)
    assert Counter(zip(labels, parts, strict=True)) == {
        ("A", "train"): 50, ("A", "valid"): 25, ("A", "test"): 25,
        ("B", "train"): 10, ("B", "valid"): 5, ("B", "test"): 5,
    }  # fmt: skip
    assert parts[:50] != ["train"] * 50


groups_and_pairs = st.integers(1, 30).flatmap(
    lambda n: st.tuples(
        st.lists(st.sampled_from("abcdefgh"), min_size=n, max_size=n),
        st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=10),
    )
)


@given(groups_and_pairs)
def test_joined_groups_hold_all_pairs_and_all_that_was_together(
    case: tuple[list[str], list[tuple[int, int]]],
) -> None:
    groups, pairs = case
    joined = join_groups(groups, pairs)
    assert all(joined[a] == joined[b] for a, b in pairs)
    assert len(set(zip(groups, joined, strict=True))) == len(set(groups))
    if not pairs:
        assert joined == groups


def _tracks() -> list[LabelledTrack]:
    """Six artists of each of two genres, two albums each, two tracks each."""
    return [
        LabelledTrack(f"/{a}/{b}/{t}.mp3", (f"genre {a % 2}",), f"Artist {a}", f"Album {a}-{b}")
        for a in range(12)
        for b in range(2)
        for t in range(2)
    ]


def test_protocols_keep_whole_what_they_say_and_leak_what_they_do_not() -> None:
    tracks = _tracks()
    labels = [track.values[0] for track in tracks]
    found = {}
    for protocol in ("track-random", "album", "artist"):
        parts = grouped_split(groups_for(protocol, tracks), labels, (0.4, 0.2, 0.4), 1)
        found[protocol] = leaks(tracks, parts)
        assert set(parts) == set(PARTS)
    assert found["artist"] == []
    assert len(found["album"]) == 1
    assert "artists are on both sides" in found["album"][0]
    assert len(found["track-random"]) == 2
    assert "albums are on both sides" in found["track-random"][1]


def test_leaks_count_and_name_what_is_on_both_sides() -> None:
    tracks = [
        LabelledTrack("/1", ("A",), artist="Trio"),
        LabelledTrack("/2", ("A",), artist="trio"),
        LabelledTrack("/3", ("A",), artist="Duo"),
        LabelledTrack("/4", ("A",)),
        LabelledTrack("/5", ("A",)),
    ]
    parts = ["train", "test", "test", "valid", "test"]
    assert leaks(tracks, parts, [(3, 4), (0, 3)]) == [
        "1 artist is on both sides, with 1 of the 3 test tracks: trio",
        "1 pair of duplicates is parted: /4 = /5",
    ]


def test_duplicates_never_straddle_a_split() -> None:
    tracks = _tracks()
    labels = [track.values[0] for track in tracks]
    pairs = [(0, 8), (9, 16)]
    for protocol in ("track-random", "album", "artist"):
        for seed in range(5):
            parts = grouped_split(groups_for(protocol, tracks, pairs), labels, seed=seed)
            assert all(parts[a] == parts[b] for a, b in pairs)
            assert not any("duplicates" in line for line in leaks(tracks, parts, pairs))


def test_an_unknown_protocol_is_refused() -> None:
    with pytest.raises(ConfigError, match="known are: track-random, album, artist"):
        groups_for("slice-random", _tracks())

"""Drawing a few tracks that can still be split by artist."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.datasets.grouped_splits import grouped_split
from earmark.datasets.sample import sample

TRACKS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 4)), min_size=1, max_size=60)


@settings(max_examples=50)
@given(TRACKS, st.integers(1, 70), st.integers(0, 3))
def test_as_many_as_asked_for_and_genres_alike(
    tracks: list[tuple[str, int]], n: int, seed: int
) -> None:
    labels = [label for label, _ in tracks]
    groups = [f"{label} {artist}" for label, artist in tracks]
    drawn = sample(labels, groups, n, seed)
    assert len(drawn) == min(n, len(tracks))
    assert drawn == sorted(set(drawn))
    assert drawn == sample(labels, groups, n, seed)
    counts = Counter(labels[i] for i in drawn)
    for label, total in Counter(labels).items():
        # No genre has more than one track less than another, unless it has no more.
        assert counts[label] >= min(total, max(counts.values()) - 1)


def test_artists_take_turns() -> None:
    labels = ["rock"] * 40 + ["jazz"] * 10
    groups = ["a"] * 30 + ["b"] * 5 + ["c"] * 5 + ["d"] * 8 + ["e"] * 2
    drawn = sample(labels, groups, 8)
    counts = Counter(groups[i] for i in drawn)
    assert sorted(counts[artist] for artist in "abc") == [1, 1, 2]
    assert counts["d"] == counts["e"] == 2
    parts = grouped_split([groups[i] for i in drawn], [labels[i] for i in drawn])
    assert {"train", "test"} <= set(parts)

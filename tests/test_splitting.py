"""Protocols: what each keeps whole, and what each lets through."""

from collections import Counter

import pytest

from earmark.datasets import LabelledTrack
from earmark.datasets.splitting import SplitRequest, split_slices, split_tracks
from earmark.errors import ConfigError

# Six artists a genre, two albums each, three tracks an album.
TRACKS = [
    LabelledTrack(
        f"/{genre}/{artist}/{album}/{n}", (genre,), f"{genre}{artist}", f"{artist}{album}{genre}"
    )
    for genre in ("Jazz", "Rock")
    for artist in range(6)
    for album in range(2)
    for n in range(3)
]
GENRES = [track.values[0] for track in TRACKS]


def on_both_sides(names: list[str], parts: list[str]) -> int:
    test = {name for name, part in zip(names, parts, strict=True) if part == "test"}
    rest = {name for name, part in zip(names, parts, strict=True) if part != "test"}
    return len(test & rest)


@pytest.mark.parametrize(("n_folds", "fold"), [(0, 0), (3, 1)])
def test_each_protocol_keeps_whole_what_it_says(n_folds: int, fold: int) -> None:
    shared = {}
    for protocol in ("artist", "album", "track-random"):
        request = SplitRequest(protocol, n_folds=n_folds, fold=fold)
        parts, how = split_tracks(TRACKS, GENRES, (), request)
        assert set(parts) == {"train", "valid", "test"}
        assert ("leaks" in how) == (protocol != "artist")
        artists = on_both_sides([t.artist for t in TRACKS], parts)
        albums = on_both_sides([t.album for t in TRACKS], parts)
        shared[protocol] = (artists > 0, albums > 0)
    assert shared == {
        "artist": (False, False),
        "album": (True, False),
        "track-random": (True, True),
    }


def test_folds_test_every_track_once() -> None:
    tested: Counter[int] = Counter()
    for fold in range(3):
        parts, _ = split_tracks(TRACKS, GENRES, (), SplitRequest(n_folds=3, fold=fold))
        tested.update(i for i, part in enumerate(parts) if part == "test")
    assert tested == dict.fromkeys(range(len(TRACKS)), 1)


def test_duplicates_are_never_parted() -> None:
    pairs = [(0, 20), (20, 41)]
    for seed in range(5):
        parts, _ = split_tracks(TRACKS, GENRES, pairs, SplitRequest("track-random", seed=seed))
        assert parts[0] == parts[20] == parts[41]


def test_a_prescribed_split_is_kept_unless_another_is_asked_for() -> None:
    prescribed = [
        LabelledTrack(t.path, t.values, t.artist, t.album, split="test" if i % 2 else "train")
        for i, t in enumerate(TRACKS)
    ]
    parts, how = split_tracks(prescribed, GENRES, (), SplitRequest())
    assert "prescription" in how
    assert all((part == "test") == bool(i % 2) for i, part in enumerate(parts))
    assert "valid" in parts
    for other in (SplitRequest(n_folds=2), SplitRequest("artist")):
        _, how = split_tracks(prescribed, GENRES, (), other)
        assert how.startswith("artist")


def test_random_slices_of_every_track_are_on_both_sides() -> None:
    # 20 slices of each of 10 tracks.
    labels = ["Jazz"] * 100 + ["Rock"] * 100
    for request in (SplitRequest("slice-random"), SplitRequest("slice-random", n_folds=5, fold=2)):
        parts = split_slices(labels, request)
        for track in range(10):
            assert {"train", "test"} <= set(parts[20 * track : 20 * track + 20])
    tested: Counter[int] = Counter()
    for fold in range(5):
        parts = split_slices(labels, SplitRequest("slice-random", n_folds=5, fold=fold))
        tested.update(i for i, part in enumerate(parts) if part == "test")
    assert tested == dict.fromkeys(range(200), 1)


def test_an_unknown_protocol_is_named_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"no protocol 'studio' .*artist"):
        split_tracks(TRACKS, GENRES, (), SplitRequest("studio"))

"""Intervals: whether they hold the truth, and what they say where resampling is blind."""

import numpy as np
import pytest

from earmark.evaluation.bootstrap import Bootstrap, Score
from earmark.evaluation.metrics import share


def share_of(right: list[bool], artists: list[str], n_resamples: int = 1000) -> Score:
    bootstrap = Bootstrap(artists, n_resamples)
    return share(np.array(right, dtype=bool), bootstrap.numbers(artists), bootstrap)


def test_intervals_widen_when_an_artists_tracks_are_alike() -> None:
    rng = np.random.default_rng(0)
    # 40 artists with 10 tracks each; all of an artist's tracks are right or all are wrong.
    right = np.repeat(rng.random(40) < 0.6, 10).tolist()
    by_artist = share_of(right, [f"artist {i // 10}" for i in range(400)])
    alone = share_of(right, [str(i) for i in range(400)])
    assert by_artist.low < np.mean(right) < by_artist.high
    assert by_artist.high - by_artist.low > 2 * (alone.high - alone.low)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    artists = [f"artist {i // 5}" for i in range(200)]
    held = 0
    for _ in range(200):
        ability = rng.normal(0.6, 0.15, 40).repeat(5)
        interval = share_of((rng.random(200) < ability).tolist(), artists, n_resamples=200)
        held += interval.low <= 0.6 <= interval.high
    # Binomial: 95 % of 200, less three standard deviations and a little for percentile intervals.
    assert 0.88 <= held / 200 <= 0.99


def test_all_right_does_not_mean_certainly_right() -> None:
    perfect = share_of([True] * 20, [f"artist {i // 2}" for i in range(20)])
    # Ten artists of ten: the exact binomial bound.
    assert (perfect.value, perfect.high) == (1, 1)
    assert perfect.low == pytest.approx(0.025 ** (1 / 10))
    hopeless = share_of([False] * 20, [f"artist {i // 2}" for i in range(20)])
    assert (hopeless.value, hopeless.low) == (0, 0)
    assert hopeless.high == pytest.approx(1 - 0.025 ** (1 / 10))


def test_one_artist_says_nothing_about_others() -> None:
    lonely = share_of([True, True, False], ["a"] * 3)
    assert (lonely.low, lonely.high) == (0, 1)
    assert lonely.value == pytest.approx(2 / 3)


def test_a_share_of_nothing_is_not_defined() -> None:
    bootstrap = Bootstrap(["a", "b"])
    nothing = share(np.array([], dtype=bool), np.array([], dtype=np.intp), bootstrap)
    assert np.isnan([nothing.value, nothing.low, nothing.high]).all()
    assert nothing.n == 0


def test_draws_are_the_same_each_time_and_whole_artists() -> None:
    artists = ["a", "b", "b", "c", "c", "c"]
    blocks = [
        np.concatenate(list(b.weights(b.numbers(artists))))
        for b in (Bootstrap(artists, 50), Bootstrap(artists[::-1], 50))
    ]
    np.testing.assert_array_equal(blocks[0], blocks[1])
    weights = blocks[0]
    assert (weights[:, 1] == weights[:, 2]).all()
    assert (weights[:, 3] == weights[:, 5]).all()
    assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()


def test_blocks_bound_memory_and_lose_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    artists = [str(i) for i in range(30)]
    bootstrap = Bootstrap(artists, 100)
    groups = bootstrap.numbers(artists)
    sums = np.random.default_rng(0).random((30, 4, 2))
    whole = np.concatenate(list(bootstrap.weights(groups))), bootstrap.totals(sums)
    monkeypatch.setattr("earmark.evaluation.bootstrap._BLOCK", 7 * 30)
    blocks = list(bootstrap.weights(groups))
    assert max(len(block) for block in blocks) == 7
    np.testing.assert_array_equal(np.concatenate(blocks), whole[0])
    np.testing.assert_allclose(bootstrap.totals(sums), whole[1])

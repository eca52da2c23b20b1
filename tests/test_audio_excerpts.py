"""Where excerpts lie, for any track and any setting."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.audio import plan_excerpts
from earmark.errors import ConfigError
from earmark.types import ExcerptConfig

EPSILON = 1e-6


def test_default_on_a_song() -> None:
    places = plan_excerpts(240.0, ExcerptConfig())
    assert [start_s for start_s, _ in places] == pytest.approx([24, 71.25, 118.5, 165.75, 213])
    assert {length_s for _, length_s in places} == {3.0}


def test_a_single_excerpt_sits_in_the_middle() -> None:
    assert plan_excerpts(100.0, ExcerptConfig(n_excerpts=1, excerpt_s=10.0)) == ((45.0, 10.0),)


@pytest.mark.parametrize("duration_s", [0.01, 3.0, 15.0, 18.7])
def test_short_tracks_are_taken_whole(duration_s: float) -> None:
    assert plan_excerpts(duration_s, ExcerptConfig()) == ((0.0, duration_s),)


def test_as_soon_as_there_is_room_the_margins_are_left_out() -> None:
    places = plan_excerpts(18.76, ExcerptConfig())
    assert len(places) == 5
    assert places[0][0] == pytest.approx(1.876)


@pytest.mark.parametrize("duration_s", [0.0, -1.0, float("nan")])
def test_no_track_no_excerpts(duration_s: float) -> None:
    assert plan_excerpts(duration_s, ExcerptConfig()) == ()


@pytest.mark.parametrize(
    "config",
    [
        ExcerptConfig(n_excerpts=0),
        ExcerptConfig(excerpt_s=0.0),
        ExcerptConfig(excerpt_s=float("nan")),
        ExcerptConfig(margin=-0.1),
        ExcerptConfig(margin=0.5),
    ],
)
def test_senseless_settings_are_refused(config: ExcerptConfig) -> None:
    with pytest.raises(ConfigError, match="cannot listen to"):
        plan_excerpts(100.0, config)


@given(
    duration_s=st.floats(1e-3, 1e5),
    config=st.builds(
        ExcerptConfig,
        n_excerpts=st.integers(1, 40),
        excerpt_s=st.floats(0.01, 60.0),
        margin=st.floats(0.0, 0.4),
    ),
)
def test_every_excerpt_lies_inside_the_track(duration_s: float, config: ExcerptConfig) -> None:
    places = plan_excerpts(duration_s, config)
    for start_s, length_s in places:
        assert start_s >= 0
        assert length_s > 0
        assert start_s + length_s <= duration_s * (1 + EPSILON)
    for (start_s, length_s), (next_s, _) in pairwise(places):
        assert start_s + length_s <= next_s + EPSILON * duration_s
    if len(places) == 1 and config.n_excerpts > 1:
        assert places == ((0.0, duration_s),)
        # Bounded: whole tracks are hardly longer than the excerpts together.
        assert duration_s * (1 - 2 * config.margin) < config.n_excerpts * config.excerpt_s
    else:
        assert len(places) == config.n_excerpts
        assert all(length_s == config.excerpt_s for _, length_s in places) or len(places) == 1

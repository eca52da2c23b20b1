"""The ear: where a tone is heard, how it compresses, and that it never breaks."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from earmark.errors import BundleError
from earmark.features import axis, compute
from tests.frontends import EXAMPLES, click, sine

pytest.importorskip("numba", reason="needs earmark[analysis]")

CONFIG = EXAMPLES["cochlear"]
SR = CONFIG.sr


def settled(hz: float, amplitude: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Activity (n_channels,) in decibels, once the gain control has settled."""
    S = compute(sine(hz, SR, 0.8, amplitude), CONFIG)
    level: np.ndarray[tuple[int], np.dtype[np.float32]] = S[:, 18:-2].mean(axis=1)
    return level


def test_channels_are_half_a_critical_band_apart() -> None:
    hz = axis(CONFIG).values
    assert 50 < hz[0] < 70
    assert 8500 < hz[-1] < 9500
    middle_hz = (hz[1:] + hz[:-1]) / 2
    critical_hz = 24.7 + middle_hz / 9.265
    # Up to 4 kHz: near half the rate, resonators have no room.
    below = slice(0, 50)
    np.testing.assert_allclose(np.diff(hz)[below], critical_hz[below] / 2, rtol=0.12)


@pytest.mark.parametrize("hz", [150.0, 440.0, 1000.0, 2500.0, 6000.0])
def test_a_soft_tone_is_heard_at_its_characteristic_place(hz: float) -> None:
    place = axis(CONFIG).values[settled(hz, 0.001).argmax()]
    assert abs(place - hz) < 0.6 * (24.7 + hz / 9.265)


def test_higher_tones_are_heard_at_higher_places() -> None:
    places = [int(settled(hz, 0.01).argmax()) for hz in (120, 300, 700, 1500, 3000, 6000)]
    assert places == sorted(set(places))


def test_forty_decibels_more_are_far_fewer_to_the_nerve() -> None:
    """Of a tone's level, and of how much louder it gets."""
    levels = [settled(1000.0, amplitude).max() for amplitude in (0.0001, 0.01, 1.0)]
    softer, louder = np.diff(levels)
    assert 0.5 < louder < softer < 30


def test_a_louder_tone_is_heard_by_more_channels_above_it_than_below() -> None:
    """Excitation spreads upwards, towards the base."""
    level = settled(1000.0, 0.1)
    peak = int(level.argmax())
    above, below = level[peak + 8], level[peak - 8]
    assert above > below + 3


def test_an_onset_stands_out_and_is_adapted_to() -> None:
    y = sine(1000.0, SR, 1.0, 0.1)
    y[: SR // 4] = 0
    S = compute(y, dataclasses.replace(CONFIG, hop_length=64))
    channel = int(S[:, 200:].mean(axis=1).argmax())
    begun = SR // 4 // 64
    onset = S[channel, begun : begun + 10].max()
    assert onset > S[channel, begun + 100 : begun + 200].mean() + 2


def test_silence_and_the_loudest_noise_are_finite() -> None:
    assert compute(np.zeros(SR, dtype=np.float32), CONFIG).max() < -60
    rng = np.random.default_rng(0)
    for y in (rng.uniform(-1, 1, SR), np.sign(rng.uniform(-1, 1, SR)), np.ones(SR)):
        S = compute(y.astype(np.float32), CONFIG)
        assert np.isfinite(S).all()
        assert (S <= 6).all()


def test_a_click_is_heard_when_it_is() -> None:
    S = compute(click(20 * 512, 40 * 512), CONFIG)
    assert (np.abs(S[20:].argmax(axis=1) - 20) <= 1).all()


@pytest.mark.parametrize("changes", [{"fmax": 11025.0}, {"fmin": 0.0}, {"hop_length": 0}])
def test_what_makes_no_sense_is_refused(changes: dict[str, float]) -> None:
    bad = dataclasses.replace(CONFIG, **changes)  # type: ignore[arg-type]
    with pytest.raises(BundleError, match=r"no activity of an ear can be computed.*0\.85 × sr / 2"):
        compute(np.zeros(100, dtype=np.float32), bad)

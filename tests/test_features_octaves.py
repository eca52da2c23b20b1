"""Logarithmic axes, by windows of constant Q and by wavelets: sines and clicks where they are."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from earmark.errors import BundleError
from earmark.features import axis, compute
from earmark.types import FeatureConfig
from tests.frontends import EXAMPLES, click, sine

SR = 22050


@pytest.fixture(params=["log-frequency", "wavelet"])
def config(request: pytest.FixtureRequest) -> FeatureConfig:
    if request.param == "log-frequency":
        pytest.importorskip("librosa", reason="needs earmark[analysis]")
    return EXAMPLES[request.param]


def test_bins_are_semitones(config: FeatureConfig) -> None:
    hz = axis(config).values
    np.testing.assert_allclose(hz[[0, 12, 24]], [65.4, 130.8, 261.6])
    np.testing.assert_allclose(hz[1:] / hz[:-1], 2 ** (1 / 12))


@pytest.mark.parametrize("number", [6, 33, 57, 70])
def test_a_sine_is_in_its_bin_at_its_level(config: FeatureConfig, number: int) -> None:
    hz = axis(config).values[number]
    S = compute(sine(hz, SR, amplitude=0.1), config)[:, 25:-25]
    assert (S.argmax(axis=0) == number).all()
    np.testing.assert_allclose(S.max(axis=0), -20, atol=0.3)


def test_an_octave_up_is_an_octave_of_bins_up(config: FeatureConfig) -> None:
    low, high = (compute(sine(hz, SR), config)[:, 43] for hz in (220.0, 440.0))
    near = slice(19, 24)
    np.testing.assert_allclose(high[12:][near], low[:-12][near], atol=0.5)


def test_constant_q_tells_notes_apart_and_wavelets_tell_times_apart() -> None:
    pytest.importorskip("librosa", reason="needs earmark[analysis]")
    sharp, quick = EXAMPLES["log-frequency"], EXAMPLES["wavelet"]
    number = 24
    tone = sine(axis(sharp).values[number], SR)
    width, length = [], []
    for config in (sharp, quick):
        column = compute(tone, config)[:, 43]
        width.append(int((column > column.max() - 20).sum()))
        row = compute(click(SR, 2 * SR), config)[number]
        length.append(int((row > row.max() - 20).sum()))
    assert width[0] < width[1] / 2
    assert length[1] < length[0]


def test_wavelets_agree_with_their_definition() -> None:
    """Against the convolution, sample by sample, with the Morlet wavelet itself."""
    config = dataclasses.replace(EXAMPLES["wavelet"], n_bins=72)
    rng = np.random.default_rng(0)
    y = rng.standard_normal(6 * 512).astype(np.float32)
    found = compute(y, config)
    for number in (30, 50, 71):
        hz = axis(config).values[number]
        spread_s = 6 / (2 * np.pi * hz)
        t = np.arange(-round(6 * spread_s * SR), round(6 * spread_s * SR) + 1) / SR
        envelope = np.exp(-0.5 * (t / spread_s) ** 2) / (spread_s * np.sqrt(2 * np.pi) * SR)
        wavelet = 2 * envelope * np.exp(2j * np.pi * hz * t)
        power = np.abs(np.convolve(np.pad(y, 4096), wavelet, mode="same")) ** 2
        frames = power[4096 - 256 : 4096 - 256 + 7 * 512].reshape(7, 512).mean(axis=1)
        np.testing.assert_allclose(found[number], 10 * np.log10(frames), atol=0.1)


def test_a_click_is_heard_when_it_is(config: FeatureConfig) -> None:
    S = compute(click(20 * 512, 40 * 512), config)
    assert (S[36:].argmax(axis=1) == 20).all()


def test_frames_do_not_depend_on_what_comes_long_after(config: FeatureConfig) -> None:
    """Nothing wraps around from the end to the beginning."""
    y = sine(440.0, SR)
    y[: SR // 2] = 0
    assert compute(y, config)[:, 0].max() < -100


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"fmin": 0.0}, "fmin is above 0"),
        ({"n_bins": 0}, "n_bins and bins_per_octave are at least 1"),
        ({"hop_length": 0}, "hop_length"),
        ({"n_bins": 100}, "reaches beyond sr / 2"),
    ],
)
def test_what_makes_no_sense_is_refused(
    config: FeatureConfig, changes: dict[str, float], reason: str
) -> None:
    bad = dataclasses.replace(config, **changes)  # type: ignore[arg-type]
    with pytest.raises(BundleError, match=reason):
        compute(np.zeros(100, dtype=np.float32), bad)

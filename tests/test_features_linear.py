"""Linear spectrograms against librosa, and of sines and clicks that are known."""

from __future__ import annotations

import numpy as np
import pytest

from earmark.errors import BundleError
from earmark.features import axis, compute, n_bins
from earmark.features.linear import log_power
from earmark.types import FeatureConfig
from tests.audiofiles import synth
from tests.frontends import click, sine

CONFIG = FeatureConfig("linear", n_fft=1024, hop_length=256, db_min=-100.0, db_max=0.0)
# 128 bins at 50 frames a second: one window a frame would hear a third of the sound.
SPARSE = FeatureConfig("linear", sr=44100, n_fft=256, hop_length=882, fmax=22050.0)


def test_agrees_with_librosa() -> None:
    librosa = pytest.importorskip("librosa", reason="needs earmark[analysis]")
    y = synth("music", 2.0, CONFIG.sr, 1)[0]
    power = np.abs(librosa.stft(y, n_fft=1024, hop_length=256)) ** 2
    # The sum of the window is 512; a sine of full scale has half of that.
    expected = 10 * np.log10(np.maximum(power[:-1] / 256**2, 1e-14))
    found = log_power(y, CONFIG)
    assert found.shape == expected.shape
    loud = expected > -110
    np.testing.assert_allclose(found[loud], expected[loud], atol=0.01)


@pytest.mark.parametrize("hz", [430.0, 3000.0, 9000.0])
@pytest.mark.parametrize("config", [CONFIG, SPARSE])
def test_a_sine_is_in_its_bin_at_its_level(config: FeatureConfig, hz: float) -> None:
    step_hz = config.sr / config.n_fft
    hz = round(hz / step_hz) * step_hz
    S = log_power(sine(hz, config.sr, amplitude=0.1), config)[:, 3:-3]
    assert (axis(config).values[S.argmax(axis=0)] == hz).all()
    np.testing.assert_allclose(S.max(axis=0), -20, atol=0.05)


def test_bins_are_those_of_the_band() -> None:
    assert n_bins(SPARSE) == 128
    config = FeatureConfig("linear", n_fft=2048, fmin=100.0, fmax=5000.0)
    hz = axis(config).values
    assert hz[0] - 22050 / 2048 < 100 <= hz[0]
    assert hz[-1] < 5000 <= hz[-1] + 22050 / 2048
    y = synth("noise", 1.0, 22050, 1)[0]
    whole = log_power(y, FeatureConfig("linear", n_fft=2048))
    np.testing.assert_array_equal(log_power(y, config), whole[10 : 10 + len(hz)])


def test_no_sound_falls_between_windows() -> None:
    """A click is as loud wherever it is, though one window covers a third of a frame."""
    levels = []
    for at in range(44100, 44100 + 882, 21):
        S = log_power(click(at, 88200), SPARSE)
        power = 10 ** (S / 10)
        assert abs(power.sum(axis=0).argmax() - at / 882) <= 0.7
        levels.append(10 * np.log10(power.sum()))
    assert max(levels) - min(levels) < 0.5


@pytest.mark.parametrize(
    "bad",
    [
        FeatureConfig("linear", n_fft=1),
        FeatureConfig("linear", hop_length=0),
        FeatureConfig("linear", fmax=12000.0),
        FeatureConfig("linear", n_fft=16, fmin=100.0, fmax=200.0),
    ],
)
def test_what_makes_no_sense_is_refused(bad: FeatureConfig) -> None:
    with pytest.raises(BundleError, match=r"no linear spectrogram|there is no bin"):
        compute(np.zeros(100, dtype=np.float32), bad)

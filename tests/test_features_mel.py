"""Log-mel against librosa, and the properties that need no reference."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from earmark.errors import BundleError
from earmark.features import compute, dequantise, quantise
from earmark.features.mel import filter_bank, log_mel
from earmark.types import FeatureConfig
from tests.audiofiles import synth
from tests.golden import CONFIGS, GOLDEN

TOLERANCE_DB = 0.001
FLOOR_DB = -100.0


@pytest.mark.parametrize("config_name", CONFIGS)
@pytest.mark.parametrize("kind", ["tone", "chirp", "noise", "music"])
def test_agrees_with_librosa(kind: str, config_name: str) -> None:
    with np.load(GOLDEN) as golden:
        y = golden[f"y_{kind}"].astype(np.float32) / 32768
        reference = golden[f"S_{kind}_{config_name}"]
    estimated = log_mel(y, CONFIGS[config_name])
    assert estimated.shape == reference.shape
    assert estimated.dtype == np.float32
    above = reference > FLOOR_DB + TOLERANCE_DB
    assert above.mean() > 0.5
    assert np.abs(estimated - reference)[above].max() <= TOLERANCE_DB
    assert estimated[~above].max(initial=FLOOR_DB) <= FLOOR_DB + 2 * TOLERANCE_DB


def test_double_amplitude_is_six_decibels() -> None:
    y = synth("noise", 0.5, 22050, 1)[0] / 2
    config = FeatureConfig()
    np.testing.assert_allclose(log_mel(2 * y, config) - log_mel(y, config), 6.0206, atol=1e-3)


def test_a_tone_lands_in_the_filter_around_its_frequency() -> None:
    config = FeatureConfig()
    y = np.sin(2 * np.pi * 3000 * np.arange(22050) / 22050).astype(np.float32)
    loudest = log_mel(y, config)[:, 10].argmax()
    centres_hz = filter_bank(config).argmax(axis=1) * config.sr / config.n_fft
    assert abs(centres_hz[loudest] - 3000) < 60


def test_filters_have_equal_area() -> None:
    config = FeatureConfig(n_mels=40)
    area = filter_bank(config).sum(axis=1) * config.sr / config.n_fft
    np.testing.assert_allclose(area, 1.0, atol=0.05)


@pytest.mark.parametrize("n_samples", [0, 1, 511, 512, 2047, 2048, 16384, 16896])
def test_number_of_frames(n_samples: int) -> None:
    S = log_mel(np.zeros(n_samples, dtype=np.float32), FeatureConfig())
    assert S.shape == (128, 1 + n_samples // 512)
    assert S.flags.c_contiguous
    np.testing.assert_allclose(S, FLOOR_DB, atol=1e-4)


def test_frames_do_not_depend_on_their_block() -> None:
    """A frame comes out the same wherever in the signal it is computed."""
    config = FeatureConfig()
    y = synth("music", 3.0, 22050, 1)[0]
    late = log_mel(y[20 * 512 :], config)
    np.testing.assert_allclose(log_mel(y, config)[:, 22:], late[:, 2:], atol=1e-3)


def test_quantisation_is_off_by_half_a_step() -> None:
    config = FeatureConfig()
    S = np.linspace(-60, 45, 1001, dtype=np.float32).reshape(7, 143)
    Q = quantise(S, config)
    assert Q.dtype == np.uint8
    assert Q.shape == S.shape
    assert (Q.min(), Q.max()) == (0, 255)
    step = 105 / 255
    np.testing.assert_allclose(dequantise(Q, config), S, atol=step / 2 + 1e-4)


def test_quantisation_clips() -> None:
    config = FeatureConfig()
    S = np.array([[-100.0, -60.1, 45.1, 300.0]], dtype=np.float32)
    assert quantise(S, config).tolist() == [[0, 0, 255, 255]]


def test_unknown_front_end_names_the_known() -> None:
    with pytest.raises(BundleError, match=r"unknown front end 'bark'; known: .*mel"):
        compute(np.zeros(10, dtype=np.float32), FeatureConfig(frontend="bark"))


@pytest.mark.parametrize(
    "bad",
    [
        FeatureConfig(n_fft=0),
        FeatureConfig(hop_length=0),
        FeatureConfig(n_mels=0),
        FeatureConfig(fmin=9000.0, fmax=8000.0),
        FeatureConfig(sr=16000),
    ],
)
def test_impossible_recipes_are_refused(bad: FeatureConfig) -> None:
    with pytest.raises(BundleError, match="no mel spectrogram"):
        compute(np.zeros(100, dtype=np.float32), bad)


def test_empty_range_of_decibels_is_refused() -> None:
    with pytest.raises(BundleError, match="not below"):
        quantise(np.zeros((1, 1), dtype=np.float32), FeatureConfig(db_min=0.0, db_max=0.0))


def test_front_ends_are_imported_when_asked_for() -> None:
    code = "import sys, earmark.features; sys.exit('earmark.features.mel' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

"""Cepstral coefficients against librosa, and of signals whose coefficients are known."""

from __future__ import annotations

import numpy as np
import pytest

from earmark.features.mel import log_mel
from earmark.features.mfcc import mfcc
from earmark.types import FeatureConfig
from tests.audiofiles import synth

CONFIG = FeatureConfig("mfcc", n_fft=512, hop_length=512, n_mels=40, n_mfcc=13)


def test_agrees_with_librosa() -> None:
    librosa = pytest.importorskip("librosa", reason="needs earmark[analysis]")
    y = synth("music", 2.0, CONFIG.sr, 1)[0]
    power = librosa.feature.melspectrogram(
        y=y, sr=CONFIG.sr, n_fft=512, hop_length=512, n_mels=40, fmax=CONFIG.fmax
    )
    expected = librosa.feature.mfcc(S=librosa.power_to_db(power, top_db=None), n_mfcc=13)
    np.testing.assert_allclose(mfcc(y, CONFIG), expected, atol=0.01)


def test_silence_has_a_level_and_no_shape() -> None:
    C = mfcc(np.zeros(4096, dtype=np.float32), CONFIG)
    assert C.shape == (13, 9)
    np.testing.assert_allclose(C[0], -100 * np.sqrt(40), rtol=1e-5)
    np.testing.assert_allclose(C[1:], 0, atol=1e-3)


def test_loudness_is_in_the_first_coefficient_alone() -> None:
    y = synth("noise", 1.0, CONFIG.sr, 1)[0] / 4
    change = mfcc(2 * y, CONFIG) - mfcc(y, CONFIG)
    np.testing.assert_allclose(change[0], 6.0206 * np.sqrt(40), atol=0.01)
    np.testing.assert_allclose(change[1:], 0, atol=0.01)


def test_all_coefficients_together_are_the_spectrogram() -> None:
    """The transform is orthonormal: nothing is lost where nothing is left out."""
    config = FeatureConfig("mfcc", n_mfcc=128)
    y = synth("music", 1.0, config.sr, 1)[0]
    energy = np.square(mfcc(y, config)).sum(axis=0)
    np.testing.assert_allclose(energy, np.square(log_mel(y, config)).sum(axis=0), rtol=1e-4)

"""The raw signal: what 16 bits hold comes out as it went in."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from earmark.features import compute, dequantise, quantise
from earmark.features.listen import listen
from earmark.types import ExcerptConfig, FeatureConfig, ListenConfig, SliceConfig
from tests.audiofiles import synth, write

CONFIG = FeatureConfig("wave", hop_length=1)


def test_every_16_bit_sample_comes_back_exactly() -> None:
    y = (np.arange(-32768, 32768) / 32768).astype(np.float32)
    Q = quantise(compute(y, CONFIG), CONFIG)
    np.testing.assert_array_equal(Q[0], np.arange(65536))
    np.testing.assert_allclose(dequantise(Q, CONFIG)[0], y, atol=1e-7)


def test_what_is_too_loud_is_clipped() -> None:
    y = np.array([-2.0, 2.0], dtype=np.float32)
    assert quantise(compute(y, CONFIG), CONFIG).tolist() == [[0, 65535]]


def test_a_file_of_16_bits_is_stored_sample_by_sample(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).integers(-20000, 20000, (1, 22050))
    y = (samples / 32768).astype(np.float32)
    path = write(tmp_path / "noise.wav", y, CONFIG.sr, "wav")
    recipe = ListenConfig(features=CONFIG, slices=SliceConfig(1000, 1000))
    heard = listen(path, recipe)
    assert heard.X.shape == (22, 1, 1000)
    np.testing.assert_array_equal(heard.X.reshape(-1), samples[0, :22000] + 32768)


def test_three_seconds_are_a_slice_each(tmp_path: Path) -> None:
    path = write(tmp_path / "song.flac", synth("music", 30.0), 44100, "flac")
    recipe = ListenConfig(ExcerptConfig(5, 3.0), CONFIG, SliceConfig(65536, 65536))
    heard = listen(path, recipe)
    assert heard.X.shape == (5, 1, 65536)
    assert heard.X.dtype == np.uint16
    np.testing.assert_allclose(heard.start_s, [3.0, 8.25, 13.5, 18.75, 24.0], atol=0.01)

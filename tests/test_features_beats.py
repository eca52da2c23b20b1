"""Bars of click tracks whose tempo is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from earmark import features
from earmark.errors import BundleError, ConfigError, MissingExtraError
from earmark.features import listen as listening
from earmark.features.beats import find_bars, resample
from earmark.features.listen import check, listen
from earmark.features.store import recipe_key
from earmark.training.recipes.recipe import TrainingRecipe
from earmark.types import (
    ExcerptConfig,
    FeatureConfig,
    FloatArray,
    ListenConfig,
    Signal,
    SliceConfig,
)
from tests.audiofiles import write

SR = 22050
BEAT = SliceConfig(n_frames=64, hop_frames=64, kind="beat")
RECIPE = ListenConfig(ExcerptConfig(1, 12.0, 0.0), slices=BEAT)


@pytest.fixture
def librosa() -> None:
    pytest.importorskip("librosa", reason="needs earmark[features]")


def clicks(bpm: float, length_s: float = 12.0, first_s: float = 0.5) -> FloatArray:
    """A short burst of 1 kHz on every beat, a higher and louder one on every fourth."""
    y = np.zeros(round(length_s * SR), dtype=np.float32)
    t = np.arange(round(0.03 * SR)) / SR
    for i, at_s in enumerate(np.arange(first_s, length_s - 0.1, 60 / bpm)):
        hz, level = (2000, 0.9) if i % 4 == 0 else (1000, 0.5)
        start = round(at_s * SR)
        y[start : start + t.size] = level * np.sin(2 * np.pi * hz * t) * np.exp(-t / 0.01)
    return y


@pytest.mark.parametrize("bpm", [90.0, 120.0, 140.0])
def test_bars_begin_on_beats_and_last_four(bpm: float, librosa: None) -> None:
    (bars,) = find_bars([Signal(clicks(bpm), SR)], 4)
    assert bars is not None
    beat_s = 60 / bpm
    assert bars.length_s == pytest.approx(4 * beat_s, rel=0.01)
    off_s = (bars.starts_s - 0.5 + beat_s / 2) % beat_s - beat_s / 2
    assert np.abs(off_s).max() < 0.05
    np.testing.assert_allclose(np.diff(bars.starts_s), 4 * beat_s, atol=0.05)
    assert bars.starts_s[-1] + bars.length_s <= 12.0
    assert len(bars.starts_s) >= int((12.0 - 0.5) / (4 * beat_s)) - 1


def test_a_bar_may_have_three_beats(librosa: None) -> None:
    (bars,) = find_bars([Signal(clicks(120.0), SR)], 3)
    assert bars is not None
    assert bars.length_s == pytest.approx(1.5, rel=0.01)


def test_the_same_rhythm_at_another_tempo_looks_alike(librosa: None, tmp_path: Path) -> None:
    """Four clicks in each slice, a quarter of it apart, at 100 and at 130 beats a minute."""
    heard = {}
    for bpm in (100.0, 130.0):
        path = write(tmp_path / f"{bpm}.wav", clicks(bpm)[None], SR, "wav")
        heard[bpm] = listen(path, RECIPE)
    for bpm, slices in heard.items():
        assert slices.X.shape[1:] == (128, 64)
        assert slices.X.dtype == np.uint8
        loudness = slices.X.astype(float).sum(axis=1)
        rhythm = np.abs(np.fft.rfft(loudness - loudness.mean(axis=1, keepdims=True)))
        assert (rhythm[:, 1:8].argmax(axis=1) + 1 == 4).mean() > 0.7
        np.testing.assert_allclose(np.diff(slices.start_s), 240 / bpm, atol=0.06)


def test_where_there_is_no_beat_slices_are_as_without(librosa: None, tmp_path: Path) -> None:
    steady = 0.3 * np.sin(2 * np.pi * 440 * np.arange(4 * SR) / SR)
    fixed = ListenConfig(RECIPE.excerpts, slices=SliceConfig(64, 64))
    for length_s in (0.8, 1.2, 4.0):
        y = steady[: round(length_s * SR)].astype(np.float32)
        path = write(tmp_path / f"{length_s}.wav", y[None], SR, "wav")
        in_bars, plain = listen(path, RECIPE), listen(path, fixed)
        if length_s < 2:
            np.testing.assert_array_equal(in_bars.X, plain.X)
        assert in_bars.X.shape[1:] == plain.X.shape[1:]
    assert find_bars([Signal(np.zeros(5 * SR, dtype=np.float32), SR)], 4) == [None]


def test_excerpts_share_the_tempo_of_the_track(librosa: None) -> None:
    y = clicks(120.0, 24.0)
    silence = np.zeros(3 * SR, dtype=np.float32)
    signals = [Signal(part, SR) for part in (y[: 12 * SR], silence, y[12 * SR :])]
    first, none, last = find_bars(signals, 4)
    assert none is None
    assert first is not None
    assert last is not None
    assert first.length_s == last.length_s


def test_a_stretch_is_brought_to_a_number_of_frames() -> None:
    S = np.arange(10, dtype=np.float32)[None] * np.array([[1], [10]], dtype=np.float32)
    X = resample(S, np.array([0.0, 2.5]), 4.0, 8)
    assert X.shape == (2, 2, 8)
    np.testing.assert_allclose(X[0, 0], np.arange(0, 4, 0.5))
    np.testing.assert_allclose(X[1, 1], 25 + 10 * np.arange(0, 4, 0.5))


def test_a_recipe_may_ask_for_beats_and_is_filed_apart() -> None:
    assert recipe_key(RECIPE) != recipe_key(
        ListenConfig(RECIPE.excerpts, slices=SliceConfig(64, 64))
    )
    assert ListenConfig.from_dict(RECIPE.to_dict()) == RECIPE
    assert "kind" not in ListenConfig().to_dict()["slices"]


def test_what_makes_no_sense_is_refused(librosa: None) -> None:
    values = {"features": {"frontend": "wave", "hop_length": 1}, "slices": {"kind": "beat"}}
    with pytest.raises(ConfigError, match=r"\[slices\]: the front end wave cannot be sliced by"):
        TrainingRecipe.from_dict(values, "odd", "odd.toml")
    with pytest.raises(ConfigError, match="beats_per_bar is 0, but should be from 1 to 64"):
        TrainingRecipe.from_dict({"slices": {"beats_per_bar": 0}}, "odd", "odd.toml")
    with pytest.raises(BundleError, match="cannot be sliced by beats"):
        check(ListenConfig(features=FeatureConfig("wave", hop_length=1), slices=BEAT))


def test_without_librosa_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "find_spec", lambda library: None)
    with pytest.raises(MissingExtraError, match=rf"'\.\[{features.EXTRA}\]'"):
        check(RECIPE)
    check(ListenConfig())

"""Statistics of excerpts against signals of which they are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("librosa", reason="needs earmark[analysis]")

from earmark import features
from earmark.errors import BundleError
from earmark.features import summary
from earmark.types import FeatureConfig

SR = 22050
CONFIG = FeatureConfig("summary")


def statistics(y: NDArray[Any]) -> dict[str, float]:
    S = features.compute(y.astype(np.float32), CONFIG)
    return dict(zip(summary.names(CONFIG), S[:, 0].tolist(), strict=True))


def tone(hz: float, seconds: float = 5.0) -> NDArray[np.float64]:
    return 0.5 * np.sin(2 * np.pi * hz * np.arange(int(seconds * SR)) / SR)


def test_a_steady_tone() -> None:
    found = statistics(tone(1046.5))  # C6
    assert found["centroid (Hz) mean"] == pytest.approx(1046.5, rel=0.02)
    assert found["rolloff (Hz) mean"] == pytest.approx(1046.5, rel=0.03)
    assert found["zero crossings mean"] == pytest.approx(2 * 1046.5 / SR, rel=0.02)
    assert found["rms mean"] == pytest.approx(0.5 / np.sqrt(2), rel=0.02)
    chroma = [found[f"chroma {i} mean"] for i in range(1, 13)]
    assert int(np.argmax(chroma)) == 0
    assert found["bandwidth (Hz) mean"] < 200


def test_white_noise_is_broad_and_of_no_pitch() -> None:
    noise = statistics(0.1 * np.random.default_rng(0).normal(size=5 * SR))
    assert noise["centroid (Hz) mean"] == pytest.approx(SR / 4, rel=0.02)
    assert noise["rms mean"] == pytest.approx(0.1, rel=0.02)
    assert noise["zero crossings mean"] == pytest.approx(0.5, rel=0.02)
    steady = statistics(tone(1000.0))
    assert noise["contrast 4 (dB) mean"] + 10 < steady["contrast 4 (dB) mean"]


def test_deviations_are_of_what_changes() -> None:
    parts = [tone(500.0, 2.5), tone(4000.0, 2.5)]
    found, steady = statistics(np.concatenate(parts)), statistics(tone(500.0))
    assert found["centroid (Hz) deviation"] == pytest.approx(1750, rel=0.05)
    assert steady["centroid (Hz) deviation"] < 50


@pytest.mark.parametrize("bpm", [90, 120, 140])
def test_tempo_of_clicks(bpm: int) -> None:
    y = np.zeros(15 * SR)
    rng = np.random.default_rng(0)
    for start in range(0, len(y) - 500, round(60 / bpm * SR)):
        y[start : start + 500] = rng.uniform(-0.8, 0.8, 500)
    assert statistics(y)["tempo"] == pytest.approx(bpm, rel=0.03)


def test_the_first_cepstral_coefficient_is_the_level() -> None:
    y = 0.1 * np.random.default_rng(0).normal(size=3 * SR)
    louder = statistics(10 * y)["mfcc 1 mean"] - statistics(y)["mfcc 1 mean"]
    assert louder == pytest.approx(20 * np.sqrt(CONFIG.n_mels), rel=0.01)


@pytest.mark.parametrize("sr", [16000, 22050, 44100])
def test_all_is_within_what_can_be_stored(sr: int) -> None:
    config = FeatureConfig("summary", sr=sr, fmax=sr / 2)
    low, high = summary.limits(config)
    rng = np.random.default_rng(0)
    signals = {
        "silence": np.zeros(sr),
        "one sample": np.ones(1),
        "nothing": np.zeros(0),
        "loudest noise": rng.choice([-1.0, 1.0], 2 * sr),
        "highest tone": np.tile([1.0, -1.0], sr),
        "constant": np.ones(sr),
        "click": np.eye(1, sr, sr // 2)[0],
    }
    assert len(summary.names(config)) == len(low) == len(high) == 89
    for name, y in signals.items():
        S = features.compute(y.astype(np.float32), config)
        assert S.shape == low.shape, name
        slack = 1e-4 * (high - low)
        assert ((low - slack <= S) & (high + slack >= S)).all(), name


@pytest.mark.parametrize(
    "bad",
    [
        FeatureConfig("summary", sr=8000, fmax=4000.0),
        FeatureConfig("summary", n_mfcc=0),
        FeatureConfig("summary", n_mfcc=129),
        FeatureConfig("summary", hop_length=0),
        FeatureConfig("summary", fmin=9000.0, fmax=8000.0),
    ],
)
def test_impossible_recipes_are_refused(bad: FeatureConfig) -> None:
    with pytest.raises(BundleError, match="no statistics can be computed"):
        features.check(bad)

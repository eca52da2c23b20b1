"""One level for all tracks, where a model's recipe says so."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from earmark.audio import level
from earmark.errors import BundleError
from earmark.features.listen import check, listen, slices_of
from earmark.features.store import recipe_key
from earmark.types import (
    Excerpt,
    FeatureConfig,
    FloatArray,
    ListenConfig,
    Signal,
    SliceConfig,
)
from tests.audiofiles import synth, write

SR = 16000
PLAIN = ListenConfig(
    features=FeatureConfig(
        sr=SR, n_fft=512, hop_length=256, n_mels=96, fmax=8000.0, db_min=-60.0, db_max=30.0
    ),
    slices=SliceConfig(187, 187),
)
LEVELLED = dataclasses.replace(PLAIN, level="rms")


def dbfs(y: FloatArray) -> float:
    return float(20 * np.log10(y.std()))


def gain_db(*signals: FloatArray) -> float:
    return float(20 * np.log10(level.gain([Signal(y, SR) for y in signals])))


def turned(y: FloatArray, db: float) -> FloatArray:
    return (y * 10 ** (db / 20)).astype(np.float32)


@pytest.mark.parametrize("db", [-20.0, -12.0, -6.0, 0.0, 5.0])
def test_every_copy_comes_to_one_level(db: float) -> None:
    y = turned(synth("music", 6.0, SR, 1)[0], db)
    assert dbfs(y) + gain_db(y) == pytest.approx(level.TARGET_DBFS, abs=0.05)


def test_what_is_silent_does_not_count() -> None:
    y = synth("music", 3.0, SR, 1)[0]
    with_pause = np.concatenate([y, np.zeros(2 * y.size, np.float32)])
    assert gain_db(with_pause) == pytest.approx(gain_db(y), abs=0.05)
    assert gain_db(y, np.zeros(SR, np.float32)) == pytest.approx(gain_db(y), abs=0.05)


def test_a_constant_does_not_count() -> None:
    y = synth("music", 3.0, SR, 1)[0]
    assert gain_db(y + np.float32(0.2)) == pytest.approx(gain_db(y), abs=0.1)


def test_next_to_nothing_stays_so() -> None:
    y = turned(synth("noise", 3.0, SR, 1)[0], -50.0)
    assert gain_db(y) == pytest.approx(level.MAX_GAIN_DB)
    assert gain_db(np.zeros(SR, np.float32)) == pytest.approx(level.MAX_GAIN_DB)


@pytest.mark.parametrize("db", [-20.0, -12.0, -6.0, 4.0])
def test_slices_do_not_depend_on_the_level(db: float, tmp_path: Path) -> None:
    y = 0.5 * synth("music", 20.0, SR, 1)
    heard = [
        listen(write(tmp_path / f"{i}.wav", turned(y, each), SR, "wav_f32"), LEVELLED).X
        for i, each in enumerate((0.0, db))
    ]
    difference = np.abs(heard[0].astype(int) - heard[1])
    # A step is 0.35 dB. What lies at the edge between two may fall to either side.
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.01


def test_the_level_is_that_of_the_track_not_of_the_excerpt() -> None:
    """A quiet passage stays quieter than a loud one."""
    y = synth("music", 3.0, SR, 1)[0]
    pair = [Excerpt(0.0, Signal(y, SR)), Excerpt(9.0, Signal(turned(y, -12.0), SR))]
    loud, quiet = slices_of(pair, LEVELLED, "").X.astype(float)
    inside = (quiet > 0) & (loud < 255)
    assert (loud - quiet)[inside].mean() * 90 / 255 == pytest.approx(12, abs=0.1)


def test_by_default_nothing_is_levelled() -> None:
    y = synth("music", 3.0, SR, 1)[0]
    excerpts = [Excerpt(0.0, Signal(y, SR))]
    assert ListenConfig().level == "none"
    levelled = [Excerpt(0.0, Signal(turned(y, gain_db(y)), SR))]
    plain, by_hand, by_recipe = (
        slices_of(e, c, "").X
        for e, c in ((excerpts, PLAIN), (levelled, PLAIN), (excerpts, LEVELLED))
    )
    assert (plain != by_recipe).any()
    np.testing.assert_array_equal(by_hand, by_recipe)


# --- in recipes and bundles -----------------------------------------------------------------------


def test_what_bundles_of_earlier_versions_say_is_what_it_was() -> None:
    assert "level" not in PLAIN.to_dict()
    assert ListenConfig.from_dict(PLAIN.to_dict()) == PLAIN
    # As the version before this one computed them.
    assert recipe_key(ListenConfig()) == "27111f7aa147b283"


def test_the_level_is_carried() -> None:
    assert LEVELLED.to_dict()["level"] == "rms"
    assert ListenConfig.from_dict(LEVELLED.to_dict()) == LEVELLED
    assert recipe_key(LEVELLED) != recipe_key(PLAIN)


@pytest.mark.parametrize("value", ["lufs", "", None, 3, ["rms"]])
def test_a_level_that_is_not_known_is_refused(value: object) -> None:
    config = ListenConfig.from_dict({**PLAIN.to_dict(), "level": value})
    with pytest.raises(BundleError, match="cannot bring tracks to one level by"):
        check(config)


# --- against the standard -------------------------------------------------------------------------


@pytest.mark.parametrize(("hz", "lufs"), [(997.0, -3.01), (100.0, -4.8), (6000.0, 0.3)])
def test_the_benchmark_measures_loudness_as_the_standard_does(hz: float, lufs: float) -> None:
    """A full-scale sine of 997 Hz in one channel is -3.01 LUFS (BS.1770-4)."""
    from benchmarks.level import r128

    t = np.arange(5 * 48_000) / 48_000
    signal = Signal(np.sin(2 * np.pi * hz * t).astype(np.float32), 48_000)
    found = level.TARGET_DBFS - 20 * np.log10(r128([signal]))
    assert found == pytest.approx(lufs, abs=0.1 if hz == 997.0 else 0.5)

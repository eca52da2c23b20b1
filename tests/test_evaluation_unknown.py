"""Strangeness from outputs, leave-genre-out, and sounds that are no music."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from earmark.decision.calibration import softmax
from earmark.evaluation import nonmusic, unknown
from earmark.evaluation.unknown import TRACK_SCORES, Shown
from earmark.features import compute
from earmark.types import FeatureConfig, FloatArray

SURE = np.array([[9.0, 0.0, 0.0], [8.0, 1.0, 0.0]], dtype=np.float32)
TORN = np.array([[5.0, 5.0, 0.0], [5.0, 5.0, 0.0]], dtype=np.float32)
LOST = np.array([[0.1, 0.0, 0.1], [0.0, 0.1, 0.0]], dtype=np.float32)


def test_scores_by_hand() -> None:
    proba = np.array([[1.0, 0.0], [0.5, 0.5]])
    np.testing.assert_allclose(unknown.improbability(proba), [0, 0.5])
    np.testing.assert_allclose(unknown.entropy(proba), [0, 1], atol=1e-9)
    np.testing.assert_allclose(unknown.entropy(0.1 * proba), [0, 1], atol=1e-9)


@pytest.mark.parametrize("method", TRACK_SCORES)
def test_every_score_ranks_a_lost_model_stranger_than_a_sure_one(method: str) -> None:
    score = TRACK_SCORES[method]
    sure, torn, lost = (softmax(logits) for logits in (SURE, TORN, LOST))
    if method == "not_music":
        sure, torn, lost = sure, 0.6 * sure, 0.1 * sure
    assert score(sure) < score(torn) < score(lost)


def test_slices_that_contradict_each_other_are_strange() -> None:
    apart = np.array([[9.0, 0.0, 0.0], [0.0, 9.0, 0.0]], dtype=np.float32)
    assert TRACK_SCORES["max_probability"](softmax(apart)) == pytest.approx(0.5, abs=1e-3)
    np.testing.assert_allclose(unknown.improbability(softmax(apart)), [0, 0], atol=1e-3)


def shown(kind: str, shift: float, seed: int) -> Shown:
    rng = np.random.default_rng(seed)
    return Shown(
        kind,
        known=rng.normal(0, 1, 200),
        unknown=rng.normal(shift, 1, 80),
        known_groups=[f"artist {i // 5}" for i in range(200)],
        unknown_groups=[f"{kind} artist {i // 4}" for i in range(80)],
    )


def test_leaving_genres_out_measures_each_and_their_mean() -> None:
    result = unknown.evaluate("entropy", [shown("jazz", 3, 0), shown("folk", 0, 2)], 300)
    jazz, folk = result.kinds["jazz"]["auroc"], result.kinds["folk"]["auroc"]
    # A shift of three standard deviations: Φ(3/√2) = 0.983.
    assert jazz.value == pytest.approx(0.983, abs=0.02)
    assert jazz.low < 0.983 < jazz.high
    assert folk.low < 0.5 < folk.high
    mean = result.mean["auroc"]
    assert mean.value == pytest.approx((jazz.value + folk.value) / 2)
    assert mean.low < mean.value < mean.high
    assert mean.high - mean.low < folk.high - folk.low
    assert (jazz.n, mean.n, mean.n_groups) == (80, 160, 40)
    assert result.mean["fpr_at_95_tpr"].value == pytest.approx(
        np.mean([s["fpr_at_95_tpr"].value for s in result.kinds.values()])
    )


def test_nothing_shown_is_refused() -> None:
    with pytest.raises(ValueError, match="no kind"):
        unknown.evaluate("entropy", [])


# --- sounds that are no music -------------------------------------------------------------------

SR = 22050
SOUNDS = nonmusic.signals(SR, duration_s=6.0)


def of_kind(kind: str) -> dict[str, FloatArray]:
    return {s.variant: s.signal.y for s in SOUNDS if s.kind == kind}


def spectrum(y: FloatArray) -> tuple[NDArray[Any], NDArray[Any]]:
    return np.fft.rfftfreq(len(y), 1 / SR), np.abs(np.fft.rfft(y)) ** 2


def test_every_sound_is_audible_unclipped_and_another() -> None:
    assert {s.kind for s in SOUNDS} == set(nonmusic.KINDS)
    for sound in SOUNDS:
        y = sound.signal.y
        assert y.dtype == np.float32
        assert y.shape == (6 * SR,)
        # Louder than what the reader takes for silence.
        assert 10 ** (-70 / 20) < np.abs(y).max() < 1, sound
    assert len({s.signal.y.tobytes() for s in SOUNDS}) == len(SOUNDS)
    assert min(len(of_kind(kind)) for kind in nonmusic.KINDS) >= 3


def test_sounds_are_the_same_each_time_and_differ_by_seed() -> None:
    again, other = (nonmusic.signals(SR, 1.0, seed) for seed in (0, 1))
    once = nonmusic.signals(SR, 1.0)
    for a, b in zip(once, again, strict=True):
        np.testing.assert_array_equal(a.signal.y, b.signal.y)
    noises = [[s.signal.y for s in made if s.kind == "pink noise"] for made in (once, other)]
    assert not np.array_equal(noises[0][0], noises[1][0])


@pytest.mark.parametrize("sr", [8000, 44100, 48000])
def test_sounds_are_made_at_any_rate(sr: int) -> None:
    for sound in nonmusic.signals(sr, 0.7):
        assert len(sound.signal.y) == round(0.7 * sr)
        assert np.isfinite(sound.signal.y).all()


@pytest.mark.parametrize(("kind", "slope_db"), [("white", 0), ("pink", -3), ("brown", -6)])
def test_noises_fall_as_their_colours_do(kind: str, slope_db: float) -> None:
    hz, power = spectrum(of_kind(f"{kind} noise")["-24 dBFS"])
    octaves = [power[(hz >= low) & (hz < 2 * low)].mean() for low in (100, 200, 400, 800, 1600)]
    slopes = np.diff(10 * np.log10(octaves))
    assert slopes.mean() == pytest.approx(slope_db, abs=0.5)


def test_tones_are_where_they_say() -> None:
    for name, y in of_kind("single tone").items():
        hz, power = spectrum(y)
        assert hz[power.argmax()] == pytest.approx(float(name.removesuffix(" Hz")), abs=0.2)


def test_speech_like_sounds_have_pitch_formants_and_pauses() -> None:
    voices = of_kind("speech-like (synthetic)")
    hz, power = spectrum(voices["low voice"])
    total = power.sum()
    # Speech has nearly all its power below 4 kHz, little of it below the voice's pitch.
    assert power[hz < 4000].sum() / total > 0.9
    assert power[hz < 80].sum() / total < 0.02
    # Pauses between phrases: some tenths of a second are silent, most are not.
    tenths = voices["low voice"][: 6 * SR // 2205 * 2205].reshape(-1, 2205)
    silent = (np.abs(tenths).max(axis=1) < 1e-3).mean()
    assert 0.05 < silent < 0.5
    # The other voice is higher: its strongest harmonics lie an octave or so above.
    high_hz, high_power = spectrum(voices["high voice"])
    lowest = [f[(p > 0.05 * p.max())][0] for f, p in ((hz, power), (high_hz, high_power))]
    assert 85 < lowest[0] < 140 < 170 < lowest[1] < 260


def test_sounds_go_through_the_features_of_music() -> None:
    config = FeatureConfig()
    for sound in SOUNDS[::5]:
        S = compute(sound.signal.y, config)
        assert S.shape[0] == config.n_mels
        assert np.isfinite(S).all()


@pytest.mark.parametrize(("sr", "duration_s"), [(4000, 1.0), (22050, 0.0)])
def test_impossible_sounds_are_refused(sr: int, duration_s: float) -> None:
    with pytest.raises(ValueError, match="no such signals"):
        nonmusic.signals(sr, duration_s)

"""Slices to a decision: the modes, the doubts, and what must not matter."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from earmark.decision.calibration import Outputs, softmax
from earmark.decision.stacking import FEATURES, features
from earmark.decision.voting import decide
from earmark.errors import ConfigError
from earmark.types import FloatArray, Stacker, VoteConfig

LABELS = ("Blues", "Jazz", "Rock")
MODES = ("mean", "majority", "confident")


def stacker(seed: int = 0) -> Stacker:
    """Some learned decision for three genres."""
    weights = np.random.default_rng(seed).normal(size=len(FEATURES))
    return Stacker(tuple(weights.tolist()), (0.1, 0.0, -0.1))


def rows(*values: tuple[float, float, float]) -> FloatArray:
    return np.array(values, dtype=np.float32)


# One slice is all for Blues, two lean to Rock: mean and majority differ.
TORN = rows((0.98, 0.01, 0.01), (0.25, 0.35, 0.40), (0.25, 0.35, 0.40))


def test_mean_weighs_how_sure_the_slices_are() -> None:
    decision = decide(TORN, LABELS, VoteConfig(mode="mean"))
    assert decision.genre == "Blues"
    assert decision.confidence == pytest.approx((0.98 + 0.25 + 0.25) / 3, abs=1e-6)
    assert decision.agreement == pytest.approx(1 / 3, abs=1e-6)
    assert list(decision.proba) == ["Blues", "Rock", "Jazz"]


def test_majority_counts_heads() -> None:
    decision = decide(TORN, LABELS, VoteConfig(mode="majority"))
    assert decision.genre == "Rock"
    assert decision.agreement == pytest.approx(2 / 3, abs=1e-6)


def test_confident_lets_only_sure_slices_vote() -> None:
    decision = decide(TORN, LABELS, VoteConfig(mode="confident", slice_confidence=0.9))
    assert decision.genre == "Blues"
    assert decision.confidence == pytest.approx(0.98)


def test_confident_without_a_sure_slice_does_not_know() -> None:
    decision = decide(TORN, LABELS, VoteConfig(mode="confident", slice_confidence=0.99))
    assert decision.genre is None
    assert decision.rejected == "no slice is 99% sure"


@pytest.mark.parametrize(
    ("likely", "asked", "reason"),
    [
        (0.297, 0.3, "Blues is only 29.7% likely, 30.0% asked for"),
        (0.2996, 0.3, "Blues is only 29.96% likely, 30.00% asked for"),
        (0.29, 0.3, "Blues is only 29% likely, 30% asked for"),
    ],
)
def test_what_falls_just_short_is_seen_to(likely: float, asked: float, reason: str) -> None:
    proba = np.full((1, 4), (1 - likely) / 3, dtype=np.float32)
    proba[0, 0] = likely
    config = VoteConfig(mode="mean", min_confidence=asked)
    assert decide(proba, ("Blues", "Jazz", "Rock", "Folk"), config).rejected == reason


def test_a_tied_majority_goes_to_the_likelier_genre() -> None:
    tied = rows((0.5, 0.4, 0.1), (0.0, 0.1, 0.9))
    assert decide(tied, LABELS, VoteConfig(mode="majority")).genre == "Rock"


def test_low_confidence_is_rejected_with_its_reason() -> None:
    decision = decide(TORN, LABELS, VoteConfig(min_confidence=0.6))
    assert decision.genre is None
    assert decision.rejected == "Blues is only 49% likely, 60% asked for"
    assert decision.confidence == pytest.approx(0.49333, abs=1e-4)


def test_low_agreement_is_rejected_with_its_reason() -> None:
    decision = decide(TORN, LABELS, VoteConfig(mode="majority", min_agreement=0.7))
    assert decision.genre is None
    assert decision.rejected == "only 67% of the slices say Rock, 70% asked for"


def test_thresholds_are_inclusive() -> None:
    even = rows((0.5, 0.5, 0.0), (1.0, 0.0, 0.0))
    assert decide(even, LABELS, VoteConfig(min_confidence=0.75)).genre == "Blues"


def only(**weights: float) -> VoteConfig:
    """A stacker that sees but the given features, and not the mean that it starts from."""
    given = {"log_mean": -1.0, **weights}
    values = tuple(given.get(name, 0.0) for name in FEATURES)
    return VoteConfig(mode="stacker", stacker=Stacker(values, (0.0, 0.0, 0.0)))


def test_a_stacker_that_has_learned_nothing_is_the_vote_by_mean() -> None:
    nothing = Stacker((0.0,) * len(FEATURES), (0.0, 0.0, 0.0))
    decision = decide(TORN, LABELS, VoteConfig(mode="stacker", stacker=nothing))
    by_mean = decide(TORN, LABELS, VoteConfig())
    assert decision.genre == by_mean.genre
    assert decision.proba == pytest.approx(by_mean.proba, abs=1e-6)


def test_a_stacker_sees_what_comes_when() -> None:
    rising = rows((0.9, 0.1, 0.0), (0.8, 0.1, 0.1), (0.1, 0.1, 0.8))
    decision = decide(rising, LABELS, only(end=9.0))
    assert decision.genre == "Rock"
    assert decision.agreement == pytest.approx(1 / 3, abs=1e-6)
    assert decide(rising[::-1], LABELS, only(end=9.0)).genre == "Blues"
    odds = np.exp(9 * rising[2].astype(np.float64))
    assert decision.proba["Rock"] == pytest.approx(odds[2] / odds.sum(), abs=1e-6)
    assert decision.confidence == decision.proba["Rock"]


def test_a_bias_lifts_a_genre() -> None:
    lifted = Stacker((0.0,) * len(FEATURES), (0.0, 3.0, 0.0))
    assert decide(TORN, LABELS, VoteConfig(mode="stacker", stacker=lifted)).genre == "Jazz"


def test_what_a_stacker_sees() -> None:
    seen = dict(zip(FEATURES, features(TORN).T, strict=True))
    log_mean = np.log(TORN.mean(axis=0))
    expected = {
        "log_mean": log_mean,
        "mean": TORN.mean(axis=0),
        "std": TORN.std(axis=0),
        "max": TORN.max(axis=0),
        "mean_log": np.log(TORN).mean(axis=0),
        "first_choices": [1 / 3, 0, 2 / 3],
        "beginning": TORN[0],
        "middle": TORN[1],
        "end": TORN[2],
        "log_n_log_mean": np.log(3) * log_mean,
    }
    assert list(expected) == list(FEATURES)
    for name, values in expected.items():
        np.testing.assert_allclose(seen[name], values, rtol=1e-5, err_msg=name)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7])
def test_thirds_cover_a_track_of_any_length(n: int) -> None:
    # Probabilities that name the slice: thirds are in order and hold the first and the last.
    rising = np.linspace(0, 1, n, dtype=np.float32)
    proba = np.stack([rising, 1 - rising], axis=1)
    seen = dict(zip(FEATURES, features(proba).T, strict=True))
    early, middle, late = (seen[name][0] for name in ("beginning", "middle", "end"))
    assert early <= middle <= late
    assert early + late == pytest.approx(1 if n > 1 else 0)


def test_a_stacker_that_was_not_learned_is_refused() -> None:
    with pytest.raises(ConfigError, match="this model has no stacker"):
        decide(TORN, LABELS, VoteConfig(mode="stacker"))


def test_a_stacker_for_other_genres_is_refused() -> None:
    other = Stacker((0.0,) * len(FEATURES), (0.0, 0.0))
    with pytest.raises(ValueError, match="stacker for 2 genres does not fit 3"):
        decide(TORN, LABELS, VoteConfig(mode="stacker", stacker=other))


def test_other_votes_do_not_ask_the_stacker() -> None:
    assert decide(TORN, LABELS, VoteConfig(stacker=stacker())) == decide(TORN, LABELS, VoteConfig())


@pytest.mark.parametrize("proba", [np.empty((0, 3), np.float32), np.ones((2, 2), np.float32)])
def test_wrong_shapes_are_refused(proba: FloatArray) -> None:
    with pytest.raises(ValueError, match="does not fit 3 labels"):
        decide(proba, LABELS, VoteConfig())


probas = arrays(
    np.float32, st.tuples(st.integers(1, 12), st.just(3)), elements=st.floats(0.015625, 1, width=32)
).map(lambda a: a / a.sum(axis=1, keepdims=True))


@given(probas, st.randoms(use_true_random=False), st.sampled_from(MODES))
def test_the_order_of_slices_does_not_matter(proba: FloatArray, random: object, mode: str) -> None:
    order = np.arange(len(proba))
    random.shuffle(order)  # type: ignore[attr-defined]
    config = VoteConfig(mode=mode, min_agreement=0.5)  # type: ignore[arg-type]
    assert decide(proba[order], LABELS, config) == decide(proba, LABELS, config)


@given(probas, st.sampled_from(MODES))
def test_hearing_every_slice_twice_changes_nothing(proba: FloatArray, mode: str) -> None:
    config = VoteConfig(mode=mode)  # type: ignore[arg-type]
    once, twice = decide(proba, LABELS, config), decide(np.tile(proba, (2, 1)), LABELS, config)
    assert twice.genre == once.genre
    assert twice.confidence == pytest.approx(once.confidence, abs=2e-6)
    assert twice.agreement == pytest.approx(once.agreement, abs=2e-6)


@given(probas, st.sampled_from((*MODES, "stacker")), st.floats(0, 1), st.floats(0, 1))
def test_an_answer_always_meets_what_was_asked(
    proba: FloatArray, mode: str, min_confidence: float, min_agreement: float
) -> None:
    config = VoteConfig(mode, min_confidence, min_agreement, stacker=stacker())  # type: ignore[arg-type]
    decision = decide(proba, LABELS, config)
    assert (decision.genre is None) == bool(decision.rejected)
    assert sum(decision.proba.values()) == pytest.approx(1, abs=1e-4)
    if decision.genre is not None:
        assert decision.confidence >= min_confidence - 1e-6
        assert decision.agreement >= min_agreement - 1e-6


# --- what is no music --------------------------------------------------------------------------

NOISY = rows((0.10, 0.03, 0.01), (0.10, 0.05, 0.05))
HALF = rows((0.9, 0.05, 0.05), (0.04, 0.01, 0.0))


@pytest.mark.parametrize("mode", ["mean", "majority", "confident", "stacker"])
def test_what_does_not_sound_like_music_has_no_genre(mode: str) -> None:
    decision = decide(NOISY, LABELS, VoteConfig(mode=mode, stacker=stacker()))  # type: ignore[arg-type]
    assert decision.genre is None
    # Rows sum to 0.14 and 0.20.
    assert decision.rejected == "does not sound like music (83% likely not)"


def test_a_few_slices_of_talk_do_not_make_music_none() -> None:
    decision = decide(HALF, LABELS, VoteConfig())
    assert decision.genre == "Blues"
    assert sum(decision.proba.values()) == pytest.approx(0.525)
    assert decision.confidence == pytest.approx(0.47)
    refused = decide(HALF, LABELS, VoteConfig(min_music=0.6))
    assert refused.rejected == "does not sound like music (48% likely not)"


def test_what_is_surely_no_music_is_still_a_track_of_slices() -> None:
    outputs = Outputs(np.zeros((4, 3), np.float32), np.full((4, 1), -1e4, np.float32))
    proba = outputs.proba()
    assert (proba > 0).all()
    assert decide(proba, LABELS, VoteConfig()).rejected.endswith("(100% likely not)")


def test_probabilities_are_those_of_the_genre_in_music() -> None:
    logits = np.array([[2.0, 0.0], [0.0, 1.0]], np.float32)
    music = np.array([[0.0], [np.log(3)]], np.float32)
    np.testing.assert_array_equal(Outputs(logits).proba(2.0), softmax(logits, 2.0))
    np.testing.assert_allclose(
        Outputs(logits, music).proba(2.0), softmax(logits, 2.0) * [[0.5], [0.75]], rtol=1e-6
    )


def test_the_least_likelihood_of_music_is_noted_where_it_was_set() -> None:
    assert "min_music" not in VoteConfig().to_dict()
    asked = VoteConfig(min_music=0.2)
    assert VoteConfig.from_dict(asked.to_dict()) == asked

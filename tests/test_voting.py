"""Slices to a decision: the modes, the doubts, and what must not matter."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from earmark.types import FloatArray, VoteConfig
from earmark.voting import decide

LABELS = ("Blues", "Jazz", "Rock")
MODES = ("mean", "majority", "confident")


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


@given(probas, st.sampled_from(MODES), st.floats(0, 1), st.floats(0, 1))
def test_an_answer_always_meets_what_was_asked(
    proba: FloatArray, mode: str, min_confidence: float, min_agreement: float
) -> None:
    config = VoteConfig(mode, min_confidence, min_agreement)  # type: ignore[arg-type]
    decision = decide(proba, LABELS, config)
    assert (decision.genre is None) == bool(decision.rejected)
    assert sum(decision.proba.values()) == pytest.approx(1, abs=1e-4)
    if decision.genre is not None:
        assert decision.confidence >= min_confidence - 1e-6
        assert decision.agreement >= min_agreement - 1e-6

"""The learned decision: what it learns, when it does not, and how it compares with voting."""

import dataclasses
from collections.abc import Callable, Generator
from functools import partial
from typing import Any

import numpy as np
import pytest

from earmark.decision.calibration import Outputs, softmax
from earmark.decision.stacking import predict
from earmark.decision.voting import decide
from earmark.errors import DataError
from earmark.evaluation.votes import compare_votes
from earmark.events import Note
from earmark.models.bundle import BundleMeta
from earmark.models.classical.stacker import MIN_TRACKS, PENALTIES, fit_stacker
from earmark.training.finish import calibrated, measure
from earmark.training.learning_set import Example
from earmark.types import FloatArray, ListenConfig, VoteConfig

LABELS = ("Blues", "Jazz", "Rock")
Made = tuple[list[FloatArray], list[int], list[str]]


def late_bloomers(n_tracks: int = 90, seed: int = 0) -> Made:
    """Tracks whose genre shows in the last third; before, they sound like the next genre."""
    rng = np.random.default_rng(seed)
    probas, reference, groups = [], [], []
    for track in range(n_tracks):
        genre = track % 3
        n = int(rng.integers(6, 10))
        logits = rng.normal(0, 0.5, (n, 3))
        logits[: n * 2 // 3, (genre + 1) % 3] += 1.5
        logits[n * 2 // 3 :, genre] += 2.0
        probas.append(softmax(logits.astype(np.float32)))
        reference.append(genre)
        groups.append(f"artist {track // 3 // 2}")
    return probas, reference, groups


def plain(n_tracks: int = 90, seed: int = 0) -> Made:
    """Tracks of which the mean says all that there is to be known, which is not everything."""
    rng = np.random.default_rng(seed)
    probas, reference, groups = [], [], []
    for track in range(n_tracks):
        logits = rng.normal(0, 1, (5, 3)) + rng.normal(0, 1.0, 3)
        logits[:, track % 3] += 1.0
        probas.append(softmax(logits.astype(np.float32)))
        reference.append(track % 3)
        groups.append(f"artist {track // 3 // 2}")
    return probas, reference, groups


def accuracy(
    decision: Callable[[FloatArray], Any], probas: list[FloatArray], y: list[int]
) -> float:
    found = [int(np.argmax(decision(proba))) for proba in probas]
    return float((np.array(found) == y).mean())


def test_progression_is_learned_where_voting_is_misled() -> None:
    fitted = fit_stacker(*late_bloomers(), n_classes=3)
    probas, reference, _ = late_bloomers(seed=1)
    assert accuracy(lambda proba: proba.mean(axis=0), probas, reference) < 0.4
    assert accuracy(partial(predict, fitted.stacker), probas, reference) > 0.9
    assert (fitted.proba.argmax(axis=1) == late_bloomers()[1]).mean() > 0.9


def test_where_there_is_nothing_to_learn_it_stays_near_the_mean() -> None:
    better = []
    for seed in range(5):
        fitted = fit_stacker(*plain(seed=seed), n_classes=3)
        probas, reference, _ = plain(600, seed=100 + seed)
        by_mean = accuracy(lambda proba: proba.mean(axis=0), probas, reference)
        learned = accuracy(partial(predict, fitted.stacker), probas, reference)
        better.append(learned - by_mean)
    assert abs(np.mean(better)) < 0.02


def test_the_numbers_are_plain_and_few() -> None:
    stacker = fit_stacker(*late_bloomers(), n_classes=3).stacker
    numbers = [*stacker.weights, *stacker.bias]
    assert len(numbers) == 13
    assert all(type(number) is float and np.isfinite(number) for number in numbers)


def test_held_out_opinions_come_from_others() -> None:
    # An artist's label is turned round: only a stacker that has seen the artist can know.
    probas, reference, groups = late_bloomers()
    artist = groups[0]
    turned = [
        (genre + 1) % 3 if group == artist else genre
        for genre, group in zip(reference, groups, strict=True)
    ]
    fitted = fit_stacker(probas, turned, groups, n_classes=3)
    of_artist = [i for i, group in enumerate(groups) if group == artist]
    found = fitted.proba[of_artist].argmax(axis=1)
    assert (found == np.array(reference)[of_artist]).all()
    assert fitted.penalty in PENALTIES


def test_an_artist_alone_in_a_genre_is_in_every_training() -> None:
    probas, reference, groups = late_bloomers()
    alone = [
        "only" if genre == 2 else group for genre, group in zip(reference, groups, strict=True)
    ]
    fitted = fit_stacker(probas, reference, alone, n_classes=3)
    judged = np.isfinite(fitted.proba).all(axis=1)
    np.testing.assert_array_equal(judged, np.array(reference) != 2)


@pytest.mark.parametrize(
    ("n_tracks", "groups", "n_classes", "reason"),
    [
        (MIN_TRACKS - 1, None, 3, f"{MIN_TRACKS - 1} validation tracks are too few"),
        (90, None, 4, "some genre has no validation track"),
        (90, "one", 3, "fewer than two genres have tracks by two artists"),
    ],
)
def test_too_little_to_learn_from_is_said(
    n_tracks: int, groups: str | None, n_classes: int, reason: str
) -> None:
    probas, reference, names = late_bloomers(n_tracks)
    with pytest.raises(DataError, match=reason):
        fit_stacker(probas, reference, names if groups is None else [groups] * n_tracks, n_classes)


# --- in a model's making -----------------------------------------------------------------------


def drain(flow: Generator[Any, None, Any]) -> tuple[Any, list[str]]:
    notes = []
    while True:
        try:
            event = next(flow)
            assert isinstance(event, Note)
            notes.append(event.text)
        except StopIteration as stop:
            return stop.value, notes


def meta(mode: str = "mean") -> BundleMeta:
    return BundleMeta("toy", LABELS, ListenConfig(), VoteConfig(mode=mode))  # type: ignore[arg-type]


def examples(made: Made) -> tuple[list[Outputs], list[Example]]:
    probas, reference, groups = made
    found = [
        Example(f"{i}.mp3", group, genre, str(i), "valid")
        for i, (genre, group) in enumerate(zip(reference, groups, strict=True))
    ]
    return [Outputs(np.log(proba)) for proba in probas], found


def test_every_model_gets_a_stacker_and_votes_as_it_was_told() -> None:
    outputs, valid = examples(late_bloomers())
    found, notes = drain(calibrated(meta(), outputs, valid, 0.8))
    assert notes == []
    assert found.vote.mode == "mean"
    assert found.vote.stacker is not None
    summary = measure(found, outputs, valid).summary
    assert (
        summary["votes"]["stacker"]["accuracy"] > 0.9 > 0.5 > summary["votes"]["mean"]["accuracy"]
    )
    assert summary["accuracy"] == summary["votes"]["mean"]["accuracy"]


def test_a_model_that_votes_by_stacker_doubts_by_what_others_said() -> None:
    outputs, valid = examples(plain(seed=3))
    found, _ = drain(calibrated(meta("stacker"), outputs, valid, 0.9))
    assert found.vote.mode == "stacker"
    probas = [part.proba(found.temperature) for part in outputs]
    fitted = fit_stacker(probas, [e.genre for e in valid], [e.group for e in valid], 3)
    confidence, right = fitted.proba.max(axis=1), fitted.proba.argmax(axis=1)
    answered = confidence >= found.vote.min_confidence - 1e-3
    reference = np.array([e.genre for e in valid])
    assert (right[answered] == reference[answered]).mean() >= 0.88
    assert found.vote.min_confidence > 0.4


def test_too_few_tracks_fall_back_to_the_mean_and_say_so() -> None:
    outputs, valid = examples(late_bloomers(12))
    found, notes = drain(calibrated(meta("stacker"), outputs, valid, 0.8))
    assert notes == [
        "no stacker was learned: 12 validation tracks are too few, 40 are needed;"
        " the model votes by mean"
    ]
    assert (found.vote.mode, found.vote.stacker) == ("mean", None)
    _, notes = drain(calibrated(meta("majority"), outputs, valid, 0.8))
    assert notes == ["no stacker was learned: 12 validation tracks are too few, 40 are needed"]


def divided(n_tracks: int = 120, n_sure: int = 80) -> Made:
    """Sure tracks, of which 17 of 20 are right, and others whose slices differ and doubt."""
    probas, reference, groups = [], [], []
    for track in range(n_tracks):
        genre, sure = track % 3, track < n_sure
        said = [(genre + (sure and track % 20 < 3)) % 3] * 5 if sure else [0, 0, 1, 1, 2]
        proba = np.full((5, 3), 0.075 if sure else 0.275)
        proba[np.arange(5), said] = 0.85 if sure else 0.45
        probas.append(proba.astype(np.float32))
        reference.append(genre)
        groups.append(f"artist {track // 3}")
    return probas, reference, groups


@pytest.mark.parametrize(
    "vote", [("mean", 0.6), ("majority", 0.6), ("confident", 0), ("stacker", 0.6)]
)
def test_what_is_refused_anyway_makes_the_threshold_no_higher(vote: tuple[Any, float]) -> None:
    outputs, valid = examples(divided())
    draft = dataclasses.replace(meta(), vote=VoteConfig(mode=vote[0], min_agreement=vote[1]))
    found, _ = drain(calibrated(draft, outputs, valid, 0.8))
    assert found.vote.mode == vote[0]
    # 85 per cent of the answers are right as it is: none is refused for its confidence.
    answers = [decide(part.proba(found.temperature), LABELS, found.vote) for part in outputs]
    assert sum(answer.genre is not None for answer in answers) == 80


def test_where_every_track_is_refused_there_is_no_threshold() -> None:
    outputs, valid = examples(divided(n_sure=0))
    draft = dataclasses.replace(meta(), vote=VoteConfig(min_agreement=0.6))
    found, _ = drain(calibrated(draft, outputs, valid, 0.8))
    assert found.vote.min_confidence == 0


def test_votes_are_compared_on_the_same_slices() -> None:
    probas, reference, groups = late_bloomers()
    stacker = fit_stacker(probas, reference, groups, 3).stacker
    vote = VoteConfig(mode="majority", min_confidence=0.5, stacker=stacker)
    compared = compare_votes(probas, reference, groups, LABELS, vote)
    assert list(compared) == ["mean", "majority", "confident", "stacker"]
    for mode, scores in compared.items():
        config = VoteConfig(mode=mode, stacker=stacker)
        answers = [decide(proba, LABELS, config) for proba in probas]
        # Where no slice is sure enough to vote, the likeliest counts.
        found = [d.genre or next(iter(d.proba)) for d in answers]
        right = np.mean([g == LABELS[y] for g, y in zip(found, reference, strict=True)])
        assert scores.summary["accuracy"] == pytest.approx(right, abs=1e-4), mode
    without = compare_votes(probas, reference, groups, LABELS, VoteConfig())
    assert list(without) == ["mean", "majority", "confident"]

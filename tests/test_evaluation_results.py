"""All scores together: what is in them, what they warn of, and their JSON."""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from earmark.datasets.splitting import FEW_SHOT, PROTOCOLS
from earmark.errors import DataError
from earmark.evaluation.decisions import TrackDecisions
from earmark.evaluation.results import compare, evaluate
from earmark.types import VoteConfig
from tests.evaluations import LABELS, decisions, detection, evaluation


def measured(data: TrackDecisions, **more: Any) -> Any:
    given = {"name": "m", "data": "d", "protocol": "artist", "n_resamples": 100, **more}
    return evaluate(data, LABELS, **given)


def test_judged_tracks_are_those_that_classify_would_answer() -> None:
    probas = [np.array(p, dtype=np.float32) for p in ([[0.9, 0.05, 0.05]], [[0.4, 0.35, 0.25]] * 2)]
    both = TrackDecisions.by_vote(
        probas, [0, 1], ["a", "b"], LABELS, VoteConfig(min_confidence=0.5)
    )
    assert both.estimated.tolist() == [0, 0]
    assert both.answered.tolist() == [True, False]
    np.testing.assert_allclose(both.confidence, [0.9, 0.4], atol=1e-6)
    np.testing.assert_allclose(both.proba[1], [0.4, 0.35, 0.25], atol=1e-6)


def test_without_a_sure_slice_the_likeliest_genre_is_the_estimate() -> None:
    unsure = [np.array([[0.3, 0.45, 0.25]], dtype=np.float32)]
    vote = VoteConfig(mode="confident", slice_confidence=0.8)
    one = TrackDecisions.by_vote(unsure, [1], ["a"], LABELS, vote)
    assert one.estimated.tolist() == [1]
    assert one.answered.tolist() == [False]


def test_judged_tracks_must_be_the_same_in_every_array() -> None:
    with pytest.raises(ValueError, match="not of the same tracks"):
        dataclasses.replace(decisions(n_tracks=6), groups=["a"])


def test_folds_join_to_what_they_are_together() -> None:
    whole = decisions(n_tracks=12)
    folds = []
    for chosen in (slice(0, 5), slice(5, 12)):
        fields = {
            f.name: getattr(whole, f.name)[chosen] for f in dataclasses.fields(TrackDecisions)
        }
        folds.append(TrackDecisions(**fields))
    joined = measured(TrackDecisions.joined(folds)).to_json()
    assert joined == measured(whole).to_json()


def test_an_evaluation_counts_what_it_was_measured_on() -> None:
    data = decisions()
    result = measured(data)
    assert (result.n_tracks, result.n_groups) == (60, 20)
    assert result.n_slices == sum(len(p) for p in data.probas)
    assert result.slice["accuracy"].n == result.n_slices
    assert result.confusion.sum() == result.answers.sum() == 60
    assert result.confusion.trace() == (data.estimated == data.reference).sum()
    assert result.answers[:, -1].sum() == (~data.answered).sum()
    right = (data.estimated == data.reference).mean()
    assert result.track["accuracy"].value == pytest.approx(right)
    assert result.track["accuracy"].low < right < result.track["accuracy"].high
    assert result.track["answered"].value == pytest.approx(data.answered.mean())
    assert result.baselines["majority"] == pytest.approx(1 / 3)
    assert result.baselines["aurc_at_random"] == pytest.approx(1 - right)
    assert result.baselines["aurc_of_oracle"] < result.track["aurc"].value < 1 - right


def test_votes_beat_slices_on_tracks_that_slices_agree_about() -> None:
    result = measured(decisions(n_tracks=300))
    assert result.track["accuracy"].value > result.slice["accuracy"].value


def test_json_is_plain_and_says_null_for_what_is_not_defined() -> None:
    data = decisions(n_tracks=20, skill=8)
    two_genres = dataclasses.replace(data, reference=data.estimated.clip(max=1))
    result = measured(two_genres, unknown=[detection(["folk"])])
    plain = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert plain["per_genre"]["Rock"]["recall"]["value"] is None
    assert plain["per_genre"]["Rock"]["recall"]["interval_95"] == [None, None]
    assert plain["track"]["accuracy"]["value"] == pytest.approx(
        result.track["accuracy"].value, abs=1e-6
    )
    assert set(plain["track"]["accuracy"]) == {"value", "interval_95", "n", "n_groups"}
    assert plain["unknown"][0]["kinds"]["folk"]["auroc"]["n"] == 12
    assert plain["confusion"] == result.confusion.tolist()
    assert [row["precision"] for row in plain["coverage_at_precision"]] == [0.8, 0.9, 0.95, 0.99]


def test_json_keeps_curves_short_and_their_ends() -> None:
    result = measured(decisions(n_tracks=1500))
    curve = result.to_json()["risk_coverage"]
    assert len(curve["coverage"]) <= 200
    assert curve["coverage"][-1] == 1
    assert curve["risk"][-1] == pytest.approx(result.baselines["aurc_at_random"], abs=1e-6)


@pytest.mark.parametrize("protocol", [*PROTOCOLS, FEW_SHOT.name])
def test_leaky_protocols_are_warned_of(protocol: str) -> None:
    result = measured(decisions(), protocol=protocol)
    assert any("leaks" in warning for warning in result.warnings) == (
        protocol not in ("artist", "few-shot")
    )
    assert bool(result.leak) == (protocol not in ("artist", "few-shot"))


def test_a_data_sets_own_protocol_is_taken_at_its_word() -> None:
    assert measured(decisions(), protocol="fault-filtered").warnings == ()


def test_the_callers_warnings_come_first() -> None:
    result = measured(decisions(), protocol="album", warnings=["the disk is loud"])
    assert result.warnings[0] == "the disk is loud"
    assert len(result.warnings) == 2


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (decisions(n_artists=1), "all tracks are by one artist"),
        (decisions(n_artists=4), "only 4 artists"),
        (decisions(n_artists=3), "one artist only for Blues, Jazz, Rock"),
        (decisions(skill=0), "not shown to be better"),
        (
            dataclasses.replace(decisions(), reference=np.zeros(60, dtype=np.int64)),
            "no track of Jazz, Rock",
        ),
    ],
)
def test_scores_that_say_little_are_warned_of(data: TrackDecisions, said: str) -> None:
    assert any(said in warning for warning in measured(data).warnings)


def test_no_tracks_are_an_error_that_says_so() -> None:
    nothing = TrackDecisions.by_vote([], [], [], LABELS, VoteConfig())
    with pytest.raises(DataError, match="no labelled track"):
        measured(nothing)


def test_comparison_has_a_row_an_evaluation() -> None:
    both = [evaluation("slice-random", skill=4), evaluation("artist")]
    rows = compare(both)
    assert [row["protocol"] for row in rows] == ["slice-random", "artist"]
    assert [bool(row["leak"]) for row in rows] == [True, False]
    assert rows[0]["accuracy"] == both[0].track["accuracy"]
    assert rows[1]["slice_accuracy"] == both[1].slice["accuracy"]
    assert rows[0]["accuracy"].value > rows[1]["accuracy"].value

"""Doubt about what is unlike anything that a head has learned."""

import dataclasses

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs earmark[head]")

from earmark.decision.calibration import softmax
from earmark.models.classical import familiarity
from earmark.models.classical.folds import folds
from earmark.models.classical.head import Tracks, fit_head, hold_out
from tests.blobs import tracks


def test_distances_are_relative_mahalanobis_distances() -> None:
    rng = np.random.default_rng(0)
    genre = rng.integers(0, 3, 300)
    spread = rng.normal(size=(300, 4)) * [1, 2, 3, 4] + [0, 5, 0, 0]
    slices = (spread + 5 * genre[:, None] * [1, 0, 0, 0]).astype(np.float32)
    weights = rng.uniform(0.5, 1.5, 300)
    centre, precision = slices.mean(0).astype(np.float64), np.array([1.0, 0.5, 0.25, 0.0])
    found = familiarity.fit(slices, weights, genre, centre, precision, 3).distances(slices)
    x, share = (slices - centre) * precision, weights / weights.sum()
    means = np.stack(
        [np.average(x[genre == g], axis=0, weights=weights[genre == g]) for g in range(3)]
    )
    rest = x - means[genre]
    within, overall = (rest.T * share) @ rest, (x.T * share) @ x
    near, far = (
        np.linalg.inv(0.5 * c + 0.5 * np.eye(4) * np.trace(c) / 4) for c in (within, overall)
    )
    to_genre = [np.einsum("nd,de,ne->n", x - m, near, x - m) for m in means]
    expected = np.min(to_genre, axis=0) - np.einsum("nd,de,ne->n", x, far, x)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_strange_slices_are_doubted_and_the_likeliest_genre_stays() -> None:
    data, groups = tracks(n_artists=8)
    held_out = hold_out(data, groups, 3, k=4)
    head = fit_head(data, 3, held_out.c, held_out.distances)
    plain = dataclasses.replace(head, familiarity=None)
    # Between two genres and off to a side: a linear head is as sure of it as of what it knows.
    strange = data.slices + np.array([40, 0, 0, 0, 40], np.float32)
    for slices in (data.slices, strange):
        np.testing.assert_array_equal(
            head.logits(slices).argmax(axis=1), plain.logits(slices).argmax(axis=1)
        )
    known, unknown = (softmax(head.logits(s)).max(axis=1) for s in (data.slices, strange))
    assert unknown.max() < np.quantile(known, 0.05)
    assert unknown.max() < 0.4 < np.median(known)
    assert softmax(plain.logits(strange)).max(axis=1).min() > 0.9


def test_logits_are_halved_at_the_usual_distance() -> None:
    data, _ = tracks()
    head = fit_head(data, 3, 0.1, np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
    assert head.familiarity is not None
    found = head.familiarity.factors(np.array([-1e9, 3.0, 5.0, 1e9]))
    np.testing.assert_allclose(found[:, 0], [1, 0.5, 1 / (1 + np.e), 0], atol=1e-12)


def test_what_is_usual_is_told_by_tracks_left_out() -> None:
    data, groups = tracks(n_artists=8)
    assert len(set(data.n_slices.tolist())) > 1
    held_out = hold_out(data, groups, 3, k=4)
    fold = folds(data.reference, groups, 4)
    assert held_out.distances.shape == (len(data),)
    inside, outside = (data.of(np.flatnonzero(chosen)) for chosen in (fold != 0, fold == 0))
    kept = Tracks(data.slices[inside], data.n_slices[fold != 0], data.reference[fold != 0])
    head = fit_head(kept, 3, 0.1, np.arange(3.0))
    assert head.familiarity is not None
    per_slice = head.familiarity.distances(data.slices[outside])
    per_track = np.split(per_slice, np.cumsum(data.n_slices[fold == 0])[:-1])
    np.testing.assert_allclose(
        held_out.distances[fold == 0], [part.mean() for part in per_track], rtol=1e-5
    )

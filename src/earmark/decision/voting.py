"""From slice probabilities to a track's genre, or to "I don't know".

How the slices were batched changes nothing. Nor does their order, except to a stacker or a network,
which have learned what progression through a track means.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from earmark.decision import stacking, track_network
from earmark.errors import ConfigError
from earmark.types import Decision, FloatArray, VoteConfig, VoteMode


def check(config: VoteConfig) -> None:
    """Refuse (`ConfigError`) a learned decision where none was learned."""
    if config.mode == "stacker" and config.stacker is None:
        raise ConfigError(
            "this model has no stacker, so it cannot vote by one",
            "choose mean, majority or confident; or train the model on more tracks",
        )
    if config.mode == "network" and not config.network:
        raise ConfigError(
            "this model has no network over tracks, so it cannot vote by one",
            "choose mean, majority or confident; or train the model with --vote network",
        )


def adjusted(config: VoteConfig, **wished: Any) -> VoteConfig:
    """The way to vote, changed where something else is wished (is not None).

    Raises
    ------
    ConfigError
        There is no such way, or it was not learned, or a threshold is none.
    """
    given = {name: value for name, value in wished.items() if value is not None}
    if given.get("mode", config.mode) not in get_args(VoteMode):
        raise ConfigError(
            f"there is no vote {given['mode']!r}", f"choose {', '.join(get_args(VoteMode))}"
        )
    for name, value in given.items():
        is_number = isinstance(value, (int, float)) and 0 <= value <= 1
        if name != "mode" and not is_number:
            raise ConfigError(f"{name} is {value!r}, but should be a number from 0 to 1")
    changed = dataclasses.replace(config, **given)
    check(changed)
    return changed


def modes(config: VoteConfig) -> list[VoteMode]:
    """Ways to vote that there are: all, but learned ones only where they have been learned."""
    learned = {"stacker": config.stacker is not None, "network": bool(config.network)}
    return [mode for mode in get_args(VoteMode) if learned.get(mode, True)]


def decide(proba: FloatArray, labels: Sequence[str], config: VoteConfig) -> Decision:
    """Let the slices of one track vote.

    Parameters
    ----------
    proba : ndarray, shape (n_slices, n_classes)
        Slice probabilities; a row sums to the probability that the slice is music.
    labels : sequence of str, length n_classes
    config : VoteConfig

    Returns
    -------
    Decision
        A model that answers with what is not a number does not know, and says so. `proba` is the
        mean over all slices; in mode ``confident``, `confidence` is the winner's
        mean over the slices that voted. In modes ``stacker`` and ``network``, both are their own.

    Raises
    ------
    ValueError
        If there is no slice, or `labels` does not fit.
    ConfigError
        If the mode is ``stacker`` or ``network`` and there is none.
    BundleError
        If the network cannot be run.
    """
    if proba.ndim != 2 or len(proba) == 0 or proba.shape[1] != len(labels):
        raise ValueError(f"proba of shape {proba.shape} does not fit {len(labels)} labels")
    check(config)
    if not np.isfinite(proba).all():
        return _unknown("what the network says of it is not a number", labels, len(proba))
    # Summed in float64 so that the order of the slices cannot tip a near tie.
    exact = proba.astype(np.float64)
    track = exact.mean(axis=0)
    if (learned := _learned(proba, config)) is not None:
        if not np.isfinite(learned).all():
            reason = f"what the model's {config.mode} makes of it is not a number"
            return _unknown(reason, labels, len(proba))
        track = learned
        winner, confidence, reason = int(track.argmax()), float(track.max()), ""
    elif (voters := _voters(exact, config)).any():
        winner = _winner(exact[voters], track, config)
        confidence, reason = float(exact[voters, winner].mean()), ""
    else:
        winner, confidence = int(track.argmax()), float(track.max())
        reason = f"no slice is {config.slice_confidence:.0%} sure"
    agreement = float((exact.argmax(axis=1) == winner).mean())
    reason = reason or _doubt(labels[winner], confidence, agreement, config)
    # Where nothing tells music from other sounds, this is 1 but for rounding.
    music = float(exact.sum(axis=1).mean())
    if music < config.min_music:
        reason = f"does not sound like music ({1 - music:.0%} likely not)"
    return Decision(
        genre=None if reason else labels[winner],
        confidence=round(confidence, 6),
        agreement=round(agreement, 6),
        proba={labels[i]: round(float(track[i]), 6) for i in np.argsort(-track, kind="stable")},
        n_slices=len(proba),
        rejected=reason,
    )


def _unknown(reason: str, labels: Sequence[str], n_slices: int) -> Decision:
    """The decision where there is nothing to decide by."""
    return Decision(None, 0.0, 0.0, dict.fromkeys(labels, 0.0), n_slices, reason)


def _learned(proba: FloatArray, config: VoteConfig) -> NDArray[np.float64] | None:
    """The track's probabilities by a learned decision; None where slices vote."""
    if config.mode == "stacker" and config.stacker is not None:
        return stacking.predict(config.stacker, proba)
    if config.mode == "network":
        return track_network.predict(config.network, proba)
    return None


def _voters(proba: NDArray[np.float64], config: VoteConfig) -> NDArray[np.bool_]:
    if config.mode == "confident":
        return np.asarray(proba.max(axis=1) >= config.slice_confidence)
    return np.ones(len(proba), dtype=bool)


def _winner(votes: NDArray[np.float64], mean: NDArray[np.float64], config: VoteConfig) -> int:
    if config.mode == "mean":
        return int(mean.argmax())
    counts = np.bincount(votes.argmax(axis=1), minlength=votes.shape[1])
    # A tie goes to the genre that the slices as a whole find likelier.
    tied = np.flatnonzero(counts == counts.max())
    return int(tied[mean[tied].argmax()])


def _doubt(genre: str, confidence: float, agreement: float, config: VoteConfig) -> str:
    if confidence < config.min_confidence:
        found, asked = _told_apart(confidence, config.min_confidence)
        return f"{genre} is only {found} likely, {asked} asked for"
    if agreement < config.min_agreement:
        found, asked = _told_apart(agreement, config.min_agreement)
        return f"only {found} of the slices say {genre}, {asked} asked for"
    return ""


def _told_apart(a: float, b: float) -> tuple[str, str]:
    """Two shares in per cent, with as many digits as it takes to see that they differ."""
    for n_digits in range(6):
        shown = f"{a:.{n_digits}%}", f"{b:.{n_digits}%}"
        if shown[0] != shown[1]:
            break
    return shown

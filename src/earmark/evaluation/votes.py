"""The ways to decide, compared on the same slices."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from earmark.decision.voting import modes
from earmark.evaluation.scores import Scores, score
from earmark.types import FloatArray, VoteConfig, VoteMode


def compare_votes(
    probas: Sequence[FloatArray],
    reference: Sequence[int],
    groups: Sequence[str],
    labels: Sequence[str],
    vote: VoteConfig,
) -> dict[VoteMode, Scores]:
    """Score every vote mode on the same slice probabilities.

    Parameters
    ----------
    probas, reference, groups, labels
        As for `earmark.evaluation.scores.score`.
    vote : VoteConfig
        Its thresholds, its stacker and its network are used; its mode is not.

    Returns
    -------
    dict of str to Scores
        By mode; without ``stacker`` and ``network`` where none was learned.

    Raises
    ------
    DataError
        If there is no track.
    """
    return {
        mode: score(probas, reference, groups, labels, dataclasses.replace(vote, mode=mode))
        for mode in modes(vote)
    }

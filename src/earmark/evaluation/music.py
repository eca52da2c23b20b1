"""How well a model tells music from other sounds, by how likely it finds each to be music."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from earmark.evaluation import detection
from earmark.evaluation.bootstrap import Bootstrap, Floats, Score
from earmark.evaluation.metrics import ratio


def evaluate(music: Floats, other: Floats, groups: Sequence[str]) -> dict[str, Score]:
    """``auroc``, and the shares on the wrong side of even odds.

    Parameters
    ----------
    music, other : ndarray, shapes (n_music,), (n_other,)
        How likely each is to be music; at least one of either.
    groups : sequence of str, length n_music + n_other
        Artists and folders, those of the music first.

    Returns
    -------
    dict of str to Score
        ``auroc``: how often the music of a pair is the likelier; ``music_refused``,
        ``sounds_passed``.
    """
    bootstrap = Bootstrap(groups)
    numbers = bootstrap.numbers(groups)
    scores = {"auroc": detection.evaluate(1 - music, 1 - other, numbers, bootstrap)["auroc"]}
    is_music = np.arange(len(groups)) < len(music)
    wrong = np.concatenate([music < 0.5, other >= 0.5])
    for name, side in (("music_refused", is_music), ("sounds_passed", ~is_music)):
        n_wrong, n = (np.bincount(numbers, of, bootstrap.n_groups) for of in (wrong & side, side))
        again = ratio(bootstrap.totals(n_wrong), bootstrap.totals(n))
        n_groups = int((n > 0).sum())
        scores[name] = bootstrap.score(float(wrong[side].mean()), again, int(n.sum()), n_groups)
    return scores

"""A second teacher for a backbone: what it says of unlabelled music, told from the first features.

Both listen to the same stretches of the same tracks. See `earmark.training.imitation`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.errors import DataError, MissingExtraError
from earmark.models.bundle import Bundle
from earmark.models.embeddings import EmbeddingStore
from earmark.models.extension import extend
from earmark.training.settings import ImitationConfig
from earmark.types import FloatArray
from earmark.workflows.events import Note, Workflow
from earmark.workflows.hearing import hear_all

# One of so many tracks is left out, to measure by.
_HELD_OUT = 8


def require_imitation() -> None:
    """Fail before listening rather than after (`MissingExtraError`)."""
    try:
        import earmark.training.imitation  # noqa: F401
    except ModuleNotFoundError as e:
        raise MissingExtraError(e.name or "torch", "train") from e


def with_second_teacher(
    backbone: Bundle,
    teacher: Bundle,
    config: ImitationConfig,
    paths: Sequence[str],
    data_dir: Path,
    *,
    clip: float,
    seed: int,
    n_workers: int,
    time_limit_s: float,
) -> Workflow[tuple[bytes, dict[str, Any]]]:
    """ONNX of the backbone with features that imitate the teacher, and what is to be said of it.

    Parameters
    ----------
    backbone, teacher : Bundle
        Both with an embedding; the backbone's is standardised.
    config : ImitationConfig
    paths : sequence of str
        Music.
    data_dir : Path
        What was heard is kept there and not heard again.
    clip : float
        See `earmark.models.extension.extend`.
    seed, n_workers, time_limit_s

    Raises
    ------
    DataError
        If too little of the music can be heard by both.
    """
    from earmark.training.imitation import imitate

    own = backbone.meta.listen.excerpts
    excerpts = dataclasses.replace(own, n_excerpts=config.n_excerpts)
    folder = data_dir / "embeddings"
    with (
        EmbeddingStore(folder, backbone.listening(excerpts)) as mine,
        EmbeddingStore(folder, teacher.listening(excerpts)) as theirs,
    ):
        heard = yield from hear_all(paths, mine, n_workers, time_limit_s)
        by_both = yield from hear_all(sorted(heard), theirs, n_workers, time_limit_s)
        names = sorted(set(by_both.values()))
        places = _aligned(mine, theirs, names)
        if sum(len(rows) > 0 for rows, _ in places) < 2:
            raise DataError(
                f"{len(names)} tracks of music are too few to learn from a second teacher",
                "give folders with more music by --unlabelled: hundreds of tracks of all kinds",
            )
        order = np.random.default_rng(seed).permutation(len(places))
        chosen = np.isin(np.arange(len(places)), order[: -(-len(places) // _HELD_OUT)])
        held_out = np.repeat(chosen, [len(rows) for rows, _ in places])
        embeddings = mine.embeddings(np.concatenate([rows for rows, _ in places]))
        answers = theirs.embeddings(np.concatenate([rows for _, rows in places]))
    learned = imitate(embeddings, answers, held_out, config, seed)
    yield Note(
        f"learned from {teacher.meta.name} on {np.sum(~held_out)} slices; on"
        f" {np.sum(held_out)} slices of other tracks {learned.r2:.1%} of what it says is told"
    )
    facts = {
        **config.to_dict(),
        "model_id": teacher.model_id,
        "n_slices": int(np.sum(~held_out)),
        "n_compared_slices": int(np.sum(held_out)),
        "r2": round(learned.r2, 4),
    }
    return extend(backbone.network, learned.layers, clip), facts


def _aligned(
    mine: EmbeddingStore, theirs: EmbeddingStore, names: Sequence[str]
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """For each track, rows of its slices, and of those of the teacher's that start nearest."""
    places = []
    for spans, starts, other_spans, other_starts in zip(
        mine.locate(names),
        mine.starts(names),
        theirs.locate(names),
        theirs.starts(names),
        strict=True,
    ):
        usable = np.isfinite(mine.embeddings(spans)).all(axis=1)
        if len(other_spans) and np.isfinite(theirs.embeddings(other_spans)).all():
            nearest = _nearest(starts[usable], other_starts)
            places.append((spans[usable], other_spans[nearest]))
    return places


def _nearest(starts: FloatArray, others: FloatArray) -> NDArray[np.intp]:
    return np.asarray(np.abs(starts[:, None] - others).argmin(axis=1))

"""From a music file to slices: the one way that training and inference both take."""

from __future__ import annotations

import os
from collections.abc import Iterable

import numpy as np

from earmark.audio import audio_id, read_excerpts
from earmark.features import compute, quantise
from earmark.slices import cut
from earmark.types import Excerpt, ListenConfig, Slices


def listen(path: str | os.PathLike[str], config: ListenConfig) -> Slices:
    """Excerpts → spectrogram of each → quantised → slices.

    Parameters
    ----------
    path : str or path-like
    config : ListenConfig
        The recipe that a model bundle carries.

    Returns
    -------
    Slices
        In the order of the track; at least one.

    Raises
    ------
    AudioError
        The file cannot be used, and why.
    BundleError, ConfigError
        `config` asks for what this version cannot compute.
    """
    excerpts = read_excerpts(path, config.excerpts, config.features.sr)
    return slices_of(excerpts, config, audio_id(path))


def slices_of(excerpts: Iterable[Excerpt], config: ListenConfig, audio_id: str) -> Slices:
    """Slices of what has been read already: at least one excerpt, at ``config.features.sr``."""
    features = config.features
    blocks, starts_s = [], []
    for excerpt in excerpts:
        S = quantise(compute(excerpt.signal.y, features), features)
        X, start_frame = cut(S, config.slices)
        blocks.append(X)
        starts_s.append(excerpt.start_s + start_frame * (features.hop_length / features.sr))
    return Slices(
        X=np.concatenate(blocks),
        start_s=np.concatenate(starts_s).astype(np.float32),
        audio_id=audio_id,
    )

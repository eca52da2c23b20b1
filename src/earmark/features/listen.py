"""From a music file to slices: the one way that training and inference both take."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from importlib.util import find_spec

import numpy as np

from earmark import features as frontends
from earmark.audio import audio_id, read_excerpts
from earmark.errors import BundleError, MissingExtraError
from earmark.features import compute, quantise
from earmark.features.beats import Bars, find_bars, resample
from earmark.slices import cut
from earmark.types import Excerpt, FloatArray, LevelArray, ListenConfig, Slices

# A slower recording would be lower in one, and the other has no time that could be brought to
# another tempo.
_NOT_IN_BARS = ("wave", "summary")


def listen(path: str | os.PathLike[str], config: ListenConfig, name: str | None = None) -> Slices:
    """Excerpts → spectrogram of each → quantised → slices.

    Parameters
    ----------
    path : str or path-like
    config : ListenConfig
        The recipe that a model bundle carries.
    name : str, optional
        Its `audio_id`, where that is known already.

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
    return slices_of(excerpts, config, audio_id(path) if name is None else name)


def slices_of(excerpts: Iterable[Excerpt], config: ListenConfig, audio_id: str) -> Slices:
    """Slices of what has been read already: at least one excerpt, at ``config.features.sr``."""
    check(config)
    features = config.features
    heard = list(excerpts)
    bars: Sequence[Bars | None] = [None] * len(heard)
    if config.slices.kind == "beat":
        bars = find_bars([e.signal for e in heard], config.slices.beats_per_bar)
    blocks, starts_s = [], []
    for excerpt, own_bars in zip(heard, bars, strict=True):
        S = compute(excerpt.signal.y, features)
        if own_bars is None:
            X, start_frame = cut(quantise(S, features), config.slices)
            start_s = start_frame * (features.hop_length / features.sr)
        else:
            X, start_s = _bar_by_bar(S, own_bars, config), own_bars.starts_s
        blocks.append(X)
        starts_s.append(excerpt.start_s + start_s)
    return Slices(
        X=np.concatenate(blocks),
        start_s=np.concatenate(starts_s).astype(np.float32),
        audio_id=audio_id,
    )


def _bar_by_bar(S: FloatArray, bars: Bars, config: ListenConfig) -> LevelArray:
    frames_per_s = config.features.sr / config.features.hop_length
    starts, length = bars.starts_s * frames_per_s, bars.length_s * frames_per_s
    return quantise(resample(S, starts, length, config.slices.n_frames), config.features)


def check(config: ListenConfig) -> None:
    """Refuse what this version cannot compute.

    Raises
    ------
    BundleError
        The front end is not known, or settings make no sense.
    MissingExtraError
        A library that they need is not installed.
    """
    frontends.check(config.features)
    check_slices(config)


def check_slices(config: ListenConfig) -> None:
    """The same, of slices alone."""
    if config.slices.kind != "beat":
        return
    if config.features.frontend in _NOT_IN_BARS:
        raise BundleError(
            f"the front end {config.features.frontend} cannot be sliced by beats",
            'set [slices] kind = "fixed", or choose a spectrogram',
        )
    if find_spec("librosa") is None:
        raise MissingExtraError("librosa", frontends.EXTRA)

"""From a music file to slices: the one way that training and inference both take."""

from __future__ import annotations

import os
import reprlib
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from earmark import features as frontends
from earmark.audio import audio_id, level, read_excerpts
from earmark.audio.silence import ENOUGH, blocks, floor
from earmark.errors import BundleError, MissingExtraError
from earmark.features import compute, quantise
from earmark.features.beats import Bars, find_bars, resample
from earmark.slices import cut
from earmark.types import (
    Excerpt,
    FloatArray,
    LevelArray,
    LevelMode,
    ListenConfig,
    Signal,
    SliceKind,
    Slices,
)

# A slower recording would be lower in one, and the other has no time that could be brought to
# another tempo.
_NOT_IN_BARS = ("wave", "summary")


def listen(path: str | os.PathLike[str], config: ListenConfig, name: str | None = None) -> Slices:
    """Excerpts → one level for all → spectrogram of each → quantised → slices.

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
    """Slices of what has been read already: at least one excerpt, at ``config.features.sr``.

    A slice that is silent for the most part is left out where others sound.
    """
    check(config)
    heard = list(excerpts)
    track = [blocks(excerpt.signal) for excerpt in heard]
    lowest = floor(track)
    if config.level == "rms":
        gain = np.float32(level.gain([e.signal for e in heard]))
        heard = [Excerpt(e.start_s, Signal(e.signal.y * gain, e.signal.sr)) for e in heard]
    bars: Sequence[Bars | None] = [None] * len(heard)
    if config.slices.kind == "beat":
        bars = find_bars([e.signal for e in heard], config.slices.beats_per_bar)
    X, starts_s, shares = [], [], []
    for excerpt, own_blocks, own_bars in zip(heard, track, bars, strict=True):
        of_excerpt, start_s, length_s = _cut(excerpt.signal.y, own_bars, config)
        X.append(of_excerpt)
        starts_s.append(excerpt.start_s + start_s)
        if len(start_s) == 1:  # and of statistics of a whole excerpt, no frame says how long
            shares.append([own_blocks.sounding(lowest)])
        else:
            shares.append([own_blocks.sounding(lowest, s, s + length_s) for s in start_s.tolist()])
    kept = _sounding(np.concatenate(shares))
    return Slices(
        X=np.concatenate(X)[kept],
        start_s=np.concatenate(starts_s)[kept].astype(np.float32),
        audio_id=audio_id,
    )


def _cut(
    y: FloatArray, bars: Bars | None, config: ListenConfig
) -> tuple[LevelArray, NDArray[np.float64], float]:
    """Slices of an excerpt, where in it each of them starts, and how long they are, in seconds."""
    features = config.features
    S = compute(y, features)
    if bars is not None:
        return _bar_by_bar(S, bars, config), bars.starts_s, bars.length_s
    X, start_frame = cut(quantise(S, features), config.slices)
    frame_s = features.hop_length / features.sr
    start_s = np.asarray(start_frame * frame_s, dtype=np.float64)
    return X, start_s, config.slices.n_frames * frame_s


def _sounding(shares: NDArray[np.float64]) -> NDArray[np.bool_] | slice:
    """Which slices to keep, by the share of each that sounds."""
    for enough in (shares >= ENOUGH, shares > 0):
        if enough.all():
            return slice(None)
        if enough.any():
            return np.asarray(enough)
    return slice(None)


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
    if config.level not in get_args(LevelMode):
        raise BundleError(
            f"this version cannot bring tracks to one level by {reprlib.repr(config.level)}",
            "upgrade earmark, or train the model again",
        )
    frontends.check(config.features)
    check_slices(config)


def check_slices(config: ListenConfig) -> None:
    """The same, of slices alone."""
    if config.slices.kind not in get_args(SliceKind):
        raise BundleError(
            f"unknown kind of slices {reprlib.repr(config.slices.kind)}",
            "upgrade earmark, or train the model again",
        )
    if config.slices.kind != "beat":
        return
    if config.features.frontend in _NOT_IN_BARS:
        raise BundleError(
            f"the front end {config.features.frontend} cannot be sliced by beats",
            'set [slices] kind = "fixed", or choose a spectrogram',
        )
    if find_spec("librosa") is None:
        raise MissingExtraError("librosa", frontends.EXTRA)

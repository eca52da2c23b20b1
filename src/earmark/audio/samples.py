"""Excerpts of sound that is in memory already, chosen and prepared as those of a file are."""

from __future__ import annotations

from typing import Any

import numpy as np
import soxr
from numpy.typing import ArrayLike, NDArray

from earmark.audio.excerpts import plan
from earmark.audio.mono import repair
from earmark.audio.reading import require_sound
from earmark.errors import AudioError
from earmark.types import Excerpt, ExcerptConfig, FloatArray, Signal

NAME = "samples"
"""Stands for a path in errors."""

_MOST_CHANNELS = 255


def excerpts_of(y: ArrayLike, sr: float, config: ExcerptConfig, to_sr: int) -> list[Excerpt]:
    """The excerpts that `plan` chooses, mixed to mono, resampled to `to_sr`.

    Parameters
    ----------
    y : array_like, shape (n_samples,), (n_channels, n_samples) or (n_samples, n_channels)
        As librosa and soundfile give it; the shorter axis of two is that of the channels. Floats
        within ±1, or whole numbers, which are scaled as soundfile does it: by the range of their
        type.
    sr : float
        Its rate in hertz.
    config : ExcerptConfig
    to_sr : int
        Rate of the excerpts in hertz.

    Returns
    -------
    list of Excerpt
        As `earmark.audio.read_excerpts` gives them.

    Raises
    ------
    AudioError
        `y` is empty, too short, silent, holds what is no number, or is no sound by its shape; `sr`
        is no rate.
    """
    channels = _channels(y)
    if not np.isfinite(sr) or sr <= 0:
        raise AudioError(NAME, f"a rate of {sr} hertz", "give sr, the samples in a second")
    excerpts = []
    for start_s, length_s in plan(channels.shape[1] / sr, config):
        first = round(start_s * sr)
        part = channels[:, first : first + round(length_s * sr)]
        mono = repair(_scaled(part).mean(axis=0, dtype=np.float32), NAME)
        excerpts.append(Excerpt(first / sr, Signal(mono, round(sr))))
    require_sound(NAME, excerpts)
    return [
        Excerpt(e.start_s, Signal(soxr.resample(e.signal.y, sr, to_sr, quality="HQ"), to_sr))
        for e in excerpts
    ]


def _channels(y: ArrayLike) -> NDArray[Any]:
    """As (n_channels, n_samples), not yet scaled."""
    found = np.asarray(y)
    if found.dtype.kind not in "iuf":
        raise AudioError(NAME, f"of type {found.dtype}", "give floats or whole numbers")
    if found.ndim not in (1, 2) or found.size == 0:
        raise AudioError(
            NAME,
            f"of shape {found.shape}" if found.size else "there are none",
            "give (n_samples,) or (n_channels, n_samples)",
        )
    channels = found[None] if found.ndim == 1 else found
    if channels.shape[0] > channels.shape[1]:
        channels = channels.T
    if channels.shape[0] > _MOST_CHANNELS:
        raise AudioError(
            NAME,
            f"{channels.shape[0]} channels by their shape, {found.shape}",
            "give (n_samples,) or (n_channels, n_samples)",
        )
    if channels.dtype.kind == "f" and not np.isfinite(channels).all():
        raise AudioError(NAME, "some are not finite numbers (NaN or infinite)", "repair them")
    return channels


def _scaled(part: NDArray[Any]) -> FloatArray:
    """Floats within ±1."""
    if part.dtype.kind == "f":
        return part.astype(np.float32)
    full_scale = 2.0 ** (8 * part.dtype.itemsize - 1)
    scaled = part.astype(np.float64) / full_scale
    return np.asarray(scaled - (part.dtype.kind == "u"), np.float32)

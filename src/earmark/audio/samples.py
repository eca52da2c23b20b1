"""Excerpts of sound that is in memory already, chosen and prepared as those of a file are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from earmark.audio.excerpts import Place
from earmark.audio.mono import mix
from earmark.audio.reading import Read, where_it_sounds
from earmark.errors import AudioError
from earmark.types import Excerpt, ExcerptConfig, FloatArray

NAME = "samples"
"""Stands for a path in errors."""

_MOST_CHANNELS = 255
_LOWEST_RATE, _HIGHEST_RATE = 1000, 100_000_000


def excerpts_of(y: ArrayLike, sr: float, config: ExcerptConfig, to_sr: int) -> list[Excerpt]:
    """Excerpts as `read_excerpts` reads them of a file, mixed to mono, resampled to `to_sr`.

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
    own_sr = _rate(sr)

    def read(places: Sequence[Place]) -> list[Read]:
        found = []
        for start_s, length_s in places:
            first = round(start_s * own_sr)
            part = channels[:, first : first + round(length_s * own_sr)]
            mono = mix(_scaled(part))
            found.append(Read.of(first / own_sr, mono, own_sr, to_sr, NAME))
        return found

    excerpts = where_it_sounds(NAME, read, channels.shape[1] / own_sr, config)
    assert excerpts is not None
    return excerpts


def _rate(sr: object) -> int:
    try:
        own_sr = 0 if isinstance(sr, bool) else round(float(sr))  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError) as e:
        raise AudioError(NAME, f"a rate of {sr!r}", "give sr, the samples in a second") from e
    if not _LOWEST_RATE <= own_sr <= _HIGHEST_RATE:
        raise AudioError(NAME, f"a rate of {sr} hertz", "give sr, the samples in a second")
    return own_sr


def _channels(y: ArrayLike) -> NDArray[Any]:
    """As (n_channels, n_samples), not yet scaled."""
    if np.ma.is_masked(y):
        raise AudioError(NAME, "some are masked", "fill them: y.filled(0)")
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
        with np.errstate(over="ignore"):  # what is too large is damage, see `repair`
            return part.astype(np.float32)
    full_scale = 2.0 ** (8 * part.dtype.itemsize - 1)
    scaled = part.astype(np.float64) / full_scale
    return np.asarray(scaled - (part.dtype.kind == "u"), np.float32)

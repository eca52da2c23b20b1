"""Where a recording sounds: what is silent is no part of what is listened to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from earmark.types import FloatArray, Signal

SILENCE_DBFS = -70.0
"""Peak, after the mean is taken off (a constant is silence too), below which all is silent. The
dither of 16 bits lies at -84 dBFS, the faintest passage of a real recording far above -70."""

BELOW_LOUDEST_DB = 60.0
"""So far below the track's loudest moment is only what tape and needle add to a pause."""

ENOUGH = 0.5
"""An excerpt, or a slice, of which a smaller share sounds says little about the music."""

_BLOCK_S = 0.05
# Above, recordings by one-bit converters hold these converters' noise.
_AUDIBLE_RATE = 48_000


@dataclass(frozen=True, slots=True)
class Blocks:
    """Stretches of a twentieth of a second, one after the other.

    Attributes
    ----------
    peak : ndarray of float32, shape (n_blocks,)
        Half of what lies between the lowest and the highest sample.
    length_s : float
        Of each.
    """

    peak: FloatArray
    length_s: float

    def sounding(self, floor: float, begin_s: float = 0.0, end_s: float = np.inf) -> float:
        """Share of those within two times whose peak reaches `floor`."""
        last = len(self.peak) - 1
        first = min(last, int(begin_s / self.length_s))
        end = max(first + 1, int(min(end_s / self.length_s, last + 1)))
        return float((self.peak[first:end] >= floor).mean())


def blocks(signal: Signal) -> Blocks:
    """Blocks of a signal, which is not empty; a rest that fills none is left out."""
    found, length_s = rows(signal)
    return Blocks((found.max(axis=1) - found.min(axis=1)) / 2, length_s)


def rows(signal: Signal) -> tuple[FloatArray, float]:
    """Samples of each block, shape (n_blocks, n_samples), and its length in seconds."""
    y, sr = signal.y, signal.sr
    n_each = sr // _AUDIBLE_RATE
    if n_each > 1 and y.size >= n_each:
        y = y[: y.size // n_each * n_each].reshape(-1, n_each).mean(axis=1)
        sr //= n_each
    size = min(y.size, max(1, round(_BLOCK_S * sr)))
    return y[: y.size // size * size].reshape(-1, size), size / sr


def floor(of_track: Iterable[Blocks]) -> float:
    """Peak from which on a block of a track counts as sounding."""
    loudest = max(float(each.peak.max()) for each in of_track)
    return float(max(10 ** (SILENCE_DBFS / 20), loudest * 10 ** (-BELOW_LOUDEST_DB / 20)))

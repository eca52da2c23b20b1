"""Three synthetic timbres, each at many pitches and levels: what any network should learn."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from earmark.features.listen import slices_of
from earmark.types import Excerpt, FloatArray, ListenConfig, Signal, Slices

TIMBRES = ("organ", "hiss", "clicks")


def signal(timbre: str, seed: int, sr: int, n_samples: int) -> FloatArray:
    """Float32 (n_samples,) within ±1: a chord of harmonics, noise, or short decaying pulses."""
    rng = np.random.default_rng((seed, TIMBRES.index(timbre)))
    t = np.arange(n_samples) / sr
    f0 = rng.uniform(110, 440)
    if timbre == "organ":
        phases = rng.uniform(0, 2 * np.pi, 6)
        y = sum(np.sin(2 * np.pi * f0 * (k + 1) * t + phases[k]) / (k + 1) for k in range(6))
    elif timbre == "hiss":
        y = rng.standard_normal(n_samples)
    else:
        # 20 to 40 a second, so that the shortest slice has several.
        since = np.mod(t * rng.uniform(20, 40) + rng.random(), 1.0)
        y = np.exp(-40 * since) * np.sin(2 * np.pi * 8 * f0 * t)
    y = y / np.abs(y).max() * rng.uniform(0.2, 0.9)
    return np.asarray(y + 1e-3 * rng.standard_normal(n_samples), dtype=np.float32).clip(-1, 1)


def tracks(seeds: range, config: ListenConfig, n_slices: int = 2) -> Iterator[tuple[Slices, int]]:
    """A track of each timbre for every seed, as `config` hears it, with its timbre's number."""
    features = config.features
    length = config.slices.n_frames + (n_slices - 1) * config.slices.hop_frames
    for seed in seeds:
        for number, timbre in enumerate(TIMBRES):
            y = signal(timbre, seed, features.sr, length * features.hop_length)
            excerpt = Excerpt(0.0, Signal(y, features.sr))
            yield slices_of([excerpt], config, f"{timbre}-{seed}"), number

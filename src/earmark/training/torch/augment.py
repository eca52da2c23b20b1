"""Changes to training slices that leave music music; no flips: music has a direction.

Slices are in the levels that stores hold, as float: 0 to 255 over the decibels from `db_min` to
`db_max` of their `FeatureConfig`. What is drawn for a slice comes from a numpy generator, what is
computed on slices is done for the whole batch at once.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from earmark.features import axis, compute
from earmark.training.recipes.settings import AugmentConfig
from earmark.types import FeatureConfig

_TOP = 255.0
# Of each colour of noise; slices take theirs from a random place in it.
_NOISE_S = 20.0


class Augmenter:
    """The changes that a recipe asks for, apart from `mixup`, which changes labels too.

    Parameters
    ----------
    config : AugmentConfig
    features : FeatureConfig
        Of the slices.
    n_frames : int
        Of a slice.
    """

    def __init__(self, config: AugmentConfig, features: FeatureConfig, n_frames: int) -> None:
        self.config, self.features = config, features
        self._step_db = (features.db_max - features.db_min) / _TOP
        self._noise = _noises(features, n_frames) if config.snr_db else torch.empty(0)

    def __call__(self, X: Tensor, rng: np.random.Generator) -> Tensor:
        """Changed slices, float (n, n_bins, n_frames); `X` itself may be changed too."""
        config = self.config

        def on_some(change: Callable[[Tensor], Tensor]) -> None:
            chosen = torch.from_numpy(np.flatnonzero(rng.random(len(X)) < config.probability))
            if len(chosen):
                X[chosen] = change(X[chosen])

        def drawn(low: float, high: float, part: Tensor) -> NDArray[np.float64]:
            return rng.uniform(low, high, len(part))

        if (most := config.stretch) > 0:
            on_some(lambda part: stretch(part, drawn(1 - most, 1 + most, part), rng))
        if (semitones := config.pitch_semitones) > 0:
            on_some(
                lambda part: shift_pitch(part, drawn(-semitones, semitones, part), self.features)
            )
        if config.snr_db:
            low, high = config.snr_db
            on_some(lambda part: self._with_noise(part, drawn(low, high, part), rng))
        if (gain_db := config.gain_db) > 0:
            on_some(lambda part: part + self._levels(drawn(-gain_db, gain_db, part)))
        if config.snr_db or config.gain_db:
            X.clamp_(0.0, _TOP)
        if config.mask_frames or config.mask_bins:
            return mask(X, config.mask_frames, config.mask_bins, rng)
        return X

    def _levels(self, db: NDArray[np.float64]) -> Tensor:
        return torch.from_numpy(db / self._step_db).float()[:, None, None]

    def _with_noise(
        self, X: Tensor, snr_db: NDArray[np.float64], rng: np.random.Generator
    ) -> Tensor:
        """With white or pink noise from a random place."""
        n_colours, _, length = self._noise.shape
        colour = torch.from_numpy(rng.integers(n_colours, size=len(X)))
        start = torch.from_numpy(rng.integers(length - X.shape[2] + 1, size=len(X)))
        noise = self._noise.unfold(2, X.shape[2], 1)[colour, :, start]
        return add_noise(X, noise, snr_db, self._step_db)


def stretch(X: Tensor, rate: NDArray[np.float64], rng: np.random.Generator) -> Tensor:
    """Play each slice `rate` times as fast, at unchanged pitch.

    Frames are interpolated linearly, in decibels. What is left over of a slower slice is cropped,
    at a random end. A faster one is too short: it goes on from its own beginning, as `slices.cut`
    repeats what is too short for a slice; stored slices have no context to take instead.

    Parameters
    ----------
    X : Tensor of float, shape (n, n_bins, n_frames)
    rate : ndarray, shape (n,)
    """
    n_frames = X.shape[2]
    spare = np.maximum(0.0, (n_frames - 1) * (1 - rate))
    start = rng.uniform(0.0, 1.0, len(X)) * spare
    positions = start[:, None] + rate[:, None] * np.arange(n_frames)
    return _interpolated(X, positions % n_frames, 2, wrap=True)


def shift_pitch(X: Tensor, semitones: NDArray[np.float64], config: FeatureConfig) -> Tensor:
    """Move each slice along the frequency axis to where a transposition would bring it.

    A bin takes the level (interpolated linearly) from where the frequency lies that transposing
    brings to its centre; beyond the ends of the axis, where nothing was heard, from the last bin.

    Parameters
    ----------
    X : Tensor of float, shape (n, n_bins, n_frames)
    semitones : ndarray, shape (n,)
        Positive: up.
    config : FeatureConfig
    """
    centres = axis(config).values
    sources_hz = centres / 2.0 ** (semitones[:, None] / 12)
    positions = np.interp(sources_hz, centres, np.arange(len(centres)))
    return _interpolated(X, positions, 1, wrap=False)


def _interpolated(X: Tensor, positions: NDArray[np.float64], dim: int, *, wrap: bool) -> Tensor:
    """Each slice at its own fractional `positions` (n, length of `dim`) along `dim`, 1 or 2."""
    length = X.shape[dim]
    lower = np.floor(positions).astype(np.int64)
    upper = (lower + 1) % length if wrap else np.minimum(lower + 1, length - 1)
    share = torch.from_numpy((positions - lower).astype(np.float32)).unsqueeze(3 - dim)

    def at(indices: NDArray[np.int64]) -> Tensor:
        return X.gather(dim, torch.from_numpy(indices).unsqueeze(3 - dim).expand(X.shape))

    return torch.lerp(at(lower), at(upper), share)


def add_noise(X: Tensor, noise: Tensor, snr_db: NDArray[np.float64], step_db: float) -> Tensor:
    """Add the powers of slices and noise, the noise `snr_db` below in mean power.

    Parameters
    ----------
    X : Tensor of float, shape (n, n_bins, n_frames)
        In levels of `step_db` decibels.
    noise : Tensor of float, shape (n, n_bins, n_frames)
        Power.
    snr_db : ndarray, shape (n,)
    """
    to_log = step_db / 10 * np.log(10.0)
    # Relative to the slice's highest level, so that no power overflows.
    top = X.amax(dim=(1, 2), keepdim=True)
    power = torch.exp((X - top) * to_log)
    share = torch.from_numpy(10.0 ** (-snr_db / 10)).to(X)[:, None, None]
    scale = share * power.mean(dim=(1, 2), keepdim=True) / noise.mean(dim=(1, 2), keepdim=True)
    louder: Tensor = torch.log(power + scale * noise) / to_log + top
    return louder


def _noises(config: FeatureConfig, n_frames: int) -> Tensor:
    """White and pink noise as the front end hears them: power (2, n_bins, ≥ n_frames)."""
    rng = np.random.default_rng(0)
    n = max(int(_NOISE_S * config.sr), (n_frames + 1) * config.hop_length)
    spectrum = np.fft.rfft(rng.standard_normal(n))
    pink = spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 1))
    powers = []
    for colour in (spectrum, pink):
        y = np.fft.irfft(colour, n)
        S = compute((y / y.std()).astype(np.float32), config)
        powers.append(10.0 ** (S / 10))
    return torch.from_numpy(np.stack(powers))


def mask(X: Tensor, max_frames: int, max_bins: int, rng: np.random.Generator) -> Tensor:
    """Cover one stretch of frames and one of bins in every slice by the slice's own mean.

    After SpecAugment (Park et al., Interspeech 2019).

    Parameters
    ----------
    X : Tensor of float, shape (n, n_bins, n_frames)
    max_frames, max_bins : int
        Lengths are drawn uniformly from 0 up to these, or up to the whole axis.
    """
    n, n_bins, n_frames = X.shape
    covered = _span(n, n_frames, max_frames, rng)[:, None, :]
    covered = covered | _span(n, n_bins, max_bins, rng)[:, :, None]
    return torch.where(covered.to(X.device), X.mean(dim=(1, 2), keepdim=True), X)


def _span(n: int, length: int, longest: int, rng: np.random.Generator) -> Tensor:
    """One stretch in each of n rows of `length`, as booleans."""
    width = rng.integers(0, min(longest, length) + 1, size=(n, 1))
    start = rng.integers(0, length - width + 1)
    at = np.arange(length)
    return torch.from_numpy((start <= at) & (at < start + width))


def mixup(X: Tensor, alpha: float, rng: np.random.Generator) -> tuple[Tensor, Tensor, float]:
    """Mix every slice with another one (Zhang et al., "mixup", ICLR 2018).

    Returns
    -------
    mixed : Tensor
    partner : Tensor of int, shape (n,)
        Which slice each was mixed with.
    share : float
        Of the slice itself, at least one half.
    """
    share = float(rng.beta(alpha, alpha)) if alpha > 0 else 1.0
    share = max(share, 1.0 - share)
    partner = torch.from_numpy(rng.permutation(len(X)))
    if share == 1.0:
        return X, partner, share
    return torch.lerp(X[partner], X, share), partner, share

"""Changes to training slices that leave music music: masks and mixtures, no flips."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def mask(X: Tensor, max_frames: int, max_bins: int, rng: np.random.Generator) -> Tensor:
    """Cover one stretch of frames and one of bins in every slice by the slice's own mean.

    After SpecAugment (Park et al., Interspeech 2019).

    Parameters
    ----------
    X : Tensor of float, shape (n, n_bins, n_frames)
        Changed in place.
    max_frames, max_bins : int
        Lengths are drawn uniformly from 0 up to these.
    """
    n, n_bins, n_frames = X.shape
    means = X.mean(dim=(1, 2))
    for i in range(n):
        width, height = rng.integers(0, max_frames + 1), rng.integers(0, max_bins + 1)
        left = rng.integers(0, n_frames - width + 1)
        low = rng.integers(0, n_bins - height + 1)
        X[i, :, left : left + width] = means[i]
        X[i, low : low + height, :] = means[i]
    return X


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
    return share * X + (1.0 - share) * X[partner], partner, share

"""From a signal to a spectrogram: the front ends, and how their output is stored.

A front end is a function ``(y, config) -> S``: `y` float32 (n_samples,) at ``config.sr``, `S`
float32 (n_bins, n_frames) in decibels. It lives in a file of its own and has its name in
`FRONTENDS`; nothing is imported before it is asked for.
"""

from __future__ import annotations

from importlib import import_module

import numpy as np
from numpy.typing import NDArray

from earmark.errors import BundleError
from earmark.types import FeatureConfig, FloatArray

FRONTENDS: dict[str, str] = {"mel": "earmark.features.mel:log_mel"}

_LEVELS = 255


def compute(y: FloatArray, config: FeatureConfig) -> FloatArray:
    """Spectrogram of `y` by the front end that `config` names.

    Parameters
    ----------
    y : ndarray of float32, shape (n_samples,)
        At `config.sr` hertz.
    config : FeatureConfig

    Returns
    -------
    ndarray of float32, shape (n_bins, n_frames)
        Decibels.

    Raises
    ------
    BundleError
        The front end is not known, or `config` makes no sense.
    """
    check(config)
    module, _, name = FRONTENDS[config.frontend].partition(":")
    S: FloatArray = getattr(import_module(module), name)(y, config)
    return S


def check(config: FeatureConfig) -> None:
    """Refuse (`BundleError`) a front end that this version does not know."""
    if config.frontend not in FRONTENDS:
        raise BundleError(
            f"unknown front end {config.frontend!r}; known: {', '.join(sorted(FRONTENDS))}",
            "upgrade earmark, or train the model again",
        )


def quantise(S: FloatArray, config: FeatureConfig) -> NDArray[np.uint8]:
    """Decibels from `config.db_min` to `config.db_max` as 0 to 255, any shape; clipped beyond."""
    scaled = (S - np.float32(config.db_min)) * np.float32(_LEVELS / _range_db(config))
    levels: FloatArray = np.rint(np.clip(scaled, 0, _LEVELS))
    return levels.astype(np.uint8)


def dequantise(Q: NDArray[np.uint8], config: FeatureConfig) -> FloatArray:
    """Decibels, float32, of what `quantise` made; off by half a step (0.2 dB) at most."""
    step = np.float32(_range_db(config) / _LEVELS)
    return Q.astype(np.float32) * step + np.float32(config.db_min)


def _range_db(config: FeatureConfig) -> float:
    if not config.db_min < config.db_max:
        raise BundleError(f"db_min {config.db_min} is not below db_max {config.db_max}")
    return config.db_max - config.db_min

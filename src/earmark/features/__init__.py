"""From a signal to a spectrogram: the front ends, and how their output is stored.

A front end is a module of its own, named in `FRONTENDS`; nothing is imported before it is asked
for. It offers

- a function ``(y, config) -> S``: `y` float32 (n_samples,) at ``config.sr``, `S` float32
  (n_bins, n_frames);
- ``check(config)``: `BundleError` where `config` makes no sense;
- ``axis(config)``: what its bins are, an `Axis`;
- ``limits(config)``: lowest and highest value that can be stored, of all bins or of each
  (n_bins, 1); only where it is not decibels from ``config.db_min`` to ``config.db_max``.
"""

from __future__ import annotations

import reprlib
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.errors import BundleError, MissingExtraError
from earmark.types import Axis, FeatureConfig, FloatArray, LevelArray

EXTRA = "analysis"
"""Extra of the libraries that some front ends need."""


@dataclass(frozen=True, slots=True)
class FrontEnd:
    """Where a front end is (``module:function``), how it is stored, and which libraries it needs.

    One in `decibels` is stored over the range that its configuration gives; another says itself.
    """

    path: str
    dtype: type[np.uint8 | np.uint16] = np.uint8
    decibels: bool = True
    needs: tuple[str, ...] = ()


FRONTENDS: dict[str, FrontEnd] = {
    "cochlear": FrontEnd("earmark.features.cochlear:activity", needs=("numba",)),
    "linear": FrontEnd("earmark.features.linear:log_power"),
    "log-frequency": FrontEnd("earmark.features.log_frequency:constant_q", needs=("librosa",)),
    "mel": FrontEnd("earmark.features.mel:log_mel"),
    "mfcc": FrontEnd("earmark.features.mfcc:mfcc", np.uint16, decibels=False),
    "summary": FrontEnd(
        "earmark.features.summary:summary", np.uint16, decibels=False, needs=("librosa",)
    ),
    "wave": FrontEnd("earmark.features.wave:samples", np.uint16, decibels=False),
    "wavelet": FrontEnd("earmark.features.wavelet:scalogram"),
}


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
        Decibels, unless the front end says otherwise.

    Raises
    ------
    BundleError
        The front end is not known, or `config` makes no sense.
    MissingExtraError
        A library that the front end needs is not installed.
    """
    check(config)
    name = FRONTENDS[config.frontend].path.partition(":")[2]
    S: FloatArray = getattr(_module(config), name)(y, config)
    return S


def check(config: FeatureConfig) -> None:
    """Refuse what this version cannot compute.

    Raises
    ------
    BundleError
        The front end is not known, or `config` makes no sense.
    MissingExtraError
        A library that the front end needs is not installed.
    """
    if config.frontend not in FRONTENDS:
        raise BundleError(
            f"unknown front end {reprlib.repr(config.frontend)};"
            f" known: {', '.join(sorted(FRONTENDS))}",
            "upgrade earmark, or train the model again",
        )
    for library in FRONTENDS[config.frontend].needs:
        if find_spec(library) is None:
            raise MissingExtraError(library, EXTRA)
    _module(config).check(config)
    _limits(config)


def dtype(config: FeatureConfig) -> np.dtype[np.uint8 | np.uint16]:
    """Type of stored slices, and of the input of networks that take them."""
    return np.dtype(FRONTENDS[config.frontend].dtype)


def in_decibels(config: FeatureConfig) -> bool:
    """Whether a level more is `config.db_max` less `config.db_min` by 255 decibels more."""
    return FRONTENDS[config.frontend].decibels


def axis(config: FeatureConfig) -> Axis:
    """What the bins of a spectrogram are."""
    found: Axis = _module(config).axis(config)
    return found


def n_bins(config: FeatureConfig) -> int:
    """Number of bins of a spectrogram: the length of a slice's first axis."""
    return len(axis(config).values)


def quantise(S: FloatArray, config: FeatureConfig) -> LevelArray:
    """Spectrograms as whole numbers from 0 to the most that `dtype` holds; clipped beyond.

    Parameters
    ----------
    S : ndarray of float32, shape (..., n_bins, n_frames)
    config : FeatureConfig
    """
    low, high = _limits(config)
    kind = dtype(config)
    top = np.iinfo(kind).max
    scaled = (S - np.float32(low)) * np.float32(top / (high - low))
    levels: FloatArray = np.rint(np.clip(scaled, 0, top))
    return levels.astype(kind)


def dequantise(Q: LevelArray, config: FeatureConfig) -> FloatArray:
    """What `quantise` made of a spectrogram as float32, off by half a step (0.2 dB) at most."""
    low, high = _limits(config)
    step = np.float32((high - low) / np.iinfo(Q.dtype).max)
    return Q.astype(np.float32) * step + np.float32(low)


def _module(config: FeatureConfig) -> Any:
    return import_module(FRONTENDS[config.frontend].path.partition(":")[0])


def _limits(config: FeatureConfig) -> tuple[Any, Any]:
    """Lowest and highest value that can be stored: numbers, or arrays (n_bins, 1)."""
    if not in_decibels(config):
        limits: tuple[NDArray[Any], NDArray[Any]] = _module(config).limits(config)
        return limits
    if not config.db_min < config.db_max:
        raise BundleError(f"db_min {config.db_min} is not below db_max {config.db_max}")
    return config.db_min, config.db_max

"""An ear model: a cascade of asymmetric resonators with fast-acting compression.

Follows R. F. Lyon, "Cascades of two-pole–two-zero asymmetric resonators are good models of
peripheral auditory function" (Journal of the Acoustical Society of America 130(6), 2011) for the
filters, and his "Using a cascade of asymmetric resonators with fast-acting compression as a
cochlear model for machine-hearing applications" (Autumn Meeting of the Acoustical Society of
Japan, 2011) for what makes a neural activity pattern of them; values of parameters are those of
his "Human and Machine Hearing" (Cambridge University Press, 2017), chapters 16 to 19.

Sound travels through the resonators from high to low frequencies, each handing its output to the
next. Three things compress: outer hair cells lower a resonator's gain within a cycle where it
moves fast, inner hair cells saturate, and a gain control of four time constants (2 to 128 ms)
lowers the gain of a resonator and of its neighbours according to what the inner hair cells give.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.errors import BundleError
from earmark.features.stft import n_frames
from earmark.types import Axis, FeatureConfig, FloatArray

# Equivalent rectangular bandwidth after Glasberg & Moore (1990): 24.7 Hz + f / 9.26.
_BREAK_HZ, _Q = 165.3, 1000 / (24.7 * 4.37)
_STEP_ERB = 0.5
# Share of half the rate up to which resonators stay what they should be.
_HIGHEST = 0.85
_MIN_ZETA, _MAX_ZETA = 0.10, 0.35
# Of the stages of the gain control.
_TIME_CONSTANTS_S = (0.002, 0.008, 0.032, 0.128)
# Channels over which a stage smoothes, up and down: the second is wider, so that gain control
# reaches from a sound's own place towards the higher ones.
_SPREAD = (1.0, 1.65)
# Of inner hair cells: the sound's own low end is cut off, the reservoir empties and fills up
# again, and the membrane cannot follow fast sounds.
_CORNER_HZ, _EMPTIES_S, _FILLS_S, _FOLLOWS_S = 20.0, 0.0005, 0.010, 0.000080
_ACTIVITY_MIN = 1e-4
# Steps of 0.2 % at most in which characteristic frequencies are looked for.
_N_TONES = 4096


def activity(y: FloatArray, config: FeatureConfig) -> FloatArray:
    """Neural activity of `y` in decibels, 0 where inner hair cells are saturated.

    Channels stand half a critical band apart, from `config.fmax` down to `config.fmin`.

    Parameters
    ----------
    y : ndarray of float32, shape (n_samples,)
        At `config.sr` hertz; full scale is a very loud sound.
    config : FeatureConfig

    Returns
    -------
    ndarray of float32, shape (n_channels, 1 + n_samples // hop_length)
        Of the mean activity in the hop around a frame's middle: 20 log10, at least -80.

    Raises
    ------
    BundleError
        `config` makes no sense.
    """
    check(config)
    hop, n = config.hop_length, n_frames(y.size, config.hop_length)
    padded = np.zeros(n * hop, dtype=np.float64)
    held = y[: n * hop - hop // 2]
    padded[hop // 2 : hop // 2 + held.size] = held
    resonators = _resonators(config)
    kernel = import_module("earmark.features.cochlear_kernel")
    cell, control = _hair_cell(config.sr, kernel), _gain_control(config.sr, kernel.STEP)
    means = kernel.hear(padded, hop, *resonators, cell, control)
    S = 20 * np.log10(np.maximum(means[:, ::-1].T, _ACTIVITY_MIN))
    return np.ascontiguousarray(S, dtype=np.float32)


def _poles_hz(config: FeatureConfig) -> NDArray[np.float64]:
    """Frequencies of the resonators, from the highest down."""
    poles = []
    hz = config.fmax
    while hz >= config.fmin:
        poles.append(hz)
        hz -= _STEP_ERB * (_BREAK_HZ + hz) / _Q
    return np.array(poles)


def _resonators(config: FeatureConfig) -> tuple[NDArray[np.float64], ...]:
    """Coefficients, each (n_channels,), from the highest channel down.

    Cosine and sine of the angle of the poles; their radius where damping is highest, and what is
    added to it where there is least.
    """
    hz = _poles_hz(config)
    theta = 2 * np.pi * hz / config.sr
    # Relative to half the rate, less near it: damping does not grow beyond all bounds.
    share = theta / np.pi
    turn = np.pi * (share - 0.5 * share**3)
    # Sharper where critical bands are narrower relative to their frequency.
    min_zeta = _MIN_ZETA + 0.25 * ((_BREAK_HZ + hz) / _Q / hz - _MIN_ZETA)
    radius, undamping = 1 - turn * _MAX_ZETA, turn * (_MAX_ZETA - min_zeta)
    return np.cos(theta), np.sin(theta), radius, undamping


def _hair_cell(sr: int, kernel: Any) -> tuple[float, ...]:
    """Shares per sample, and how the current becomes activity.

    A conductance g lets a current flow from a reservoir that is refilled through a resistance.
    Activity is 0 for the current at rest, 1 for the mean of that at full conductance in every
    other half of a cycle.
    """
    least = 1 / kernel.conductance(10.0)
    refill = least * _FILLS_S / _EMPTIES_S
    at_rest = 1 / (refill + 1 / kernel.conductance(0.0))
    saturated = 1 / (refill + 2 * least)
    return (
        2 * np.pi * _CORNER_HZ / sr,
        least / (_EMPTIES_S * sr),
        1 / (_FILLS_S * sr),
        1 - np.exp(-1 / (_FOLLOWS_S * sr)),
        at_rest,
        1 / (saturated - at_rest),
        1 - at_rest * refill,
    )


def _gain_control(sr: int, step: int) -> NDArray[np.float64]:
    """Of each stage, shape (n_stages, 3): its share per step, and how it smoothes down and up.

    Smoothing by an exponential in either direction; their poles are such that after a time
    constant a stage has spread by `_SPREAD`, more by the square root of 2 with each stage.
    """
    stages = []
    for k, tau_s in enumerate(_TIME_CONSTANTS_S):
        n_steps = tau_s * sr / (step * 2**k)
        down, up = (spread * 2 ** (k / 2) for spread in _SPREAD)
        delay, variance = (up - down) / n_steps, (down**2 + up**2) / n_steps
        u = 1 + 1 / variance
        pole = u - np.sqrt(u**2 - 1)
        shift = delay * (1 - pole) ** 2 / 2
        stages.append((1 - np.exp(-1 / n_steps), pole - shift, pole + shift))
    return np.array(stages)


def check(config: FeatureConfig) -> None:
    """Refuse (`BundleError`) what makes no sense."""
    highest = _HIGHEST * config.sr / 2
    if config.hop_length < 1 or not 0 < config.fmin < config.fmax <= highest:
        raise BundleError(
            f"no activity of an ear can be computed as {config}",
            f"hop_length is at least 1, and 0 < fmin < fmax ≤ {_HIGHEST} × sr / 2 = {highest:.0f}",
        )


def axis(config: FeatureConfig) -> Axis:
    """Characteristic frequencies: of the softest tones that can be heard in each channel."""
    return Axis("Hz", _characteristic_hz(config))


@lru_cache(maxsize=8)
def _characteristic_hz(config: FeatureConfig) -> NDArray[np.float64]:
    """Where the cascade down to each channel answers most, a little above its own resonance."""
    cos, sin, radius, undamping = _resonators(config)
    r = radius + undamping
    hz = np.geomspace(config.fmin, config.sr / 2, _N_TONES)
    z = np.exp(2j * np.pi * hz / config.sr)
    gain_db = np.zeros(hz.size)
    found = []
    for c, s, p in zip(cos, sin, r, strict=True):
        poles = z**2 - 2 * p * c * z + p**2
        at_0_hz = (1 - 2 * p * c + p**2) / (1 - 2 * p * c + p**2 + p * s**2)
        gain_db += 20 * np.log10(at_0_hz * np.abs((poles + p * s**2 * z) / poles))
        found.append(hz[gain_db.argmax()])
    return np.array(found[::-1])

"""The inner loop of `earmark.features.cochlear`, compiled by numba when it is first used.

Needs earmark[analysis]; imported only when an ear is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

F = TypeVar("F", bound=Callable[..., Any])
Array = NDArray[np.float64]

# Samples between two steps of the gain control, of which each stage but the first takes every
# other one of the stage before it.
STEP = 8
_STAGE_GAIN = 2.0
_DETECTED = 1 / (1 + 2 + 4 + 8)
# Of outer hair cells: how fast a resonator has to move for its damping to rise.
_VELOCITY_SCALE, _VELOCITY_OFFSET = 0.1, 0.04


def _compiled(function: F) -> F:
    """Machine code of `function`, kept on disk where there is a place for it."""
    try:
        fast: Any = njit(cache=True)(function)
    except RuntimeError:  # nowhere to keep it
        fast = njit(function)
    return cast(F, fast)


@_compiled
def conductance(x: float) -> float:
    """Of the channels of an inner hair cell, 0 to 1, at a displacement `x`."""
    bent = max(0.0, x + 0.175)
    return bent**3 / (bent**3 + bent**2 + 0.1)


@_compiled
def hear(
    y: Array,
    hop: int,
    cos: Array,
    sin: Array,
    radius: Array,
    undamping: Array,
    cell: tuple[float, ...],
    control: Array,
) -> Array:
    """Mean activity (n_samples // hop, n_channels) of each hop, from the highest channel down.

    Parameters
    ----------
    y : ndarray of float64, shape (n_samples,)
    hop : int
    cos, sin, radius, undamping : ndarray of float64, shape (n_channels,)
    cell : tuple of float
    control : ndarray of float64, shape (n_stages, 3)
        All as `earmark.features.cochlear` makes them.
    """
    corner, empties, fills, follows, at_rest, gain, full = cell
    n = cos.size
    z1, z2, velocity, low = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n)
    reservoir, first, second = np.full(n, full), np.zeros(n), np.zeros(n)
    heard, inputs, memory = np.zeros(n), np.zeros((4, n)), np.zeros((4, n))
    free, free_step = undamping.copy(), np.zeros(n)
    level, level_step = _levels(cos, sin, radius + free), np.zeros(n)
    means = np.zeros((y.size // hop, n))
    for i in range(means.shape[0] * hop):
        x = y[i]
        row = means[i // hop]
        for k in range(n):
            bent = velocity[k] * _VELOCITY_SCALE + _VELOCITY_OFFSET
            r = radius[k] + free[k] / (1 + bent * bent)
            p, q = z1[k], z2[k]
            z1[k] = x + r * (cos[k] * p - sin[k] * q)
            z2[k] = r * (sin[k] * p + cos[k] * q)
            velocity[k] = z2[k] - q
            x = level[k] * (x + sin[k] * z2[k])
            moved = x - low[k]
            low[k] += corner * moved
            current = conductance(moved) * reservoir[k]
            reservoir[k] += (1 - reservoir[k]) * fills - current * empties
            first[k] += follows * ((current - at_rest) * gain - first[k])
            second[k] += follows * (first[k] - second[k])
            row[k] += second[k] / hop
            heard[k] += second[k] / STEP
            free[k] += free_step[k]
            level[k] += level_step[k]
        if (i + 1) % STEP == 0:
            _control((i + 1) // STEP, heard, inputs, memory, control)
            heard[:] = 0
            # Gliding to where they should be by the next step.
            aim = undamping * (1 - np.minimum(memory[0], 1.0))
            free_step = (aim - free) / STEP
            level_step = (_levels(cos, sin, radius + aim) - level) / STEP
    return means


@_compiled
def _levels(cos: Array, sin: Array, r: Array) -> Array:
    """What makes the gain of each resonator 1 at 0 Hz."""
    poles = 1 - 2 * r * cos + r * r
    levels: Array = poles / (poles + r * sin * sin)
    return levels


@_compiled
def _control(step: int, heard: Array, inputs: Array, memory: Array, control: Array) -> None:
    """Step `step` (from 1) of the gain control: `inputs` and `memory` (n_stages, n) change."""
    inputs[0] = heard * _DETECTED
    last = 0
    while last < 3 and step % (2 << last) == 0:
        inputs[last + 1] += inputs[last] / 2
        last += 1
    if last < 3:
        inputs[last + 1] += inputs[last] / 2
    for stage in range(last, -1, -1):
        share, down, up = control[stage]
        aim = inputs[stage].copy()
        if stage < 3:
            aim += _STAGE_GAIN * memory[stage + 1]
        memory[stage] += share * (aim - memory[stage])
        _smooth(memory[stage], down, up)
        inputs[stage] = 0


@_compiled
def _smooth(x: Array, down: float, up: float) -> None:
    """Exponential smoothing in place: towards the first, highest channel, and back."""
    n = x.size
    held = x[n - 1]
    for k in range(n - 1, -1, -1):
        held += (1 - up) * (x[k] - held)
        x[k] = held
    for k in range(n):
        held += (1 - down) * (x[k] - held)
        x[k] = held

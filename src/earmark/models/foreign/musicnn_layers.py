"""The layers of musicnn, read back from the graph that `earmark.models.foreign.musicnn` writes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from earmark.errors import BundleError
from earmark.types import FloatArray


@dataclass(frozen=True, slots=True)
class Layer:
    """Linear, rectified, then scaled and shifted channel by channel.

    Attributes
    ----------
    weights : ndarray of float32
        Of a convolution (n_out, n_in, …); of the dense layer (n_in, n_out).
    bias, scale, shift : ndarray of float32, shape (n_out,)
    sign : ndarray of float32, shape (n_out,)
        By which a maximum is multiplied before it is rectified: -1 where `weights` and `bias` are
        turned so that a minimum comes out as a maximum.
    """

    weights: FloatArray
    bias: FloatArray
    sign: FloatArray
    scale: FloatArray
    shift: FloatArray


@dataclass(frozen=True, slots=True)
class Layers:
    """All of musicnn up to its embedding.

    Attributes
    ----------
    input_scale, input_shift : float
        What the natural logarithm of 1 + 10⁴ · power is scaled and shifted by.
    timbral, temporal, middle : tuple of Layer
        Filters over (frequency, frames), of these over frames alone, and over frames of channels.
    dense : Layer
        From maxima of all channels, and behind these their means.
    """

    input_scale: float
    input_shift: float
    timbral: tuple[Layer, ...]
    temporal: tuple[Layer, ...]
    middle: tuple[Layer, ...]
    dense: Layer


def read_layers(network: Path) -> Layers:
    """Read them.

    Raises
    ------
    BundleError
        If the graph is another one.
    """
    try:
        graph = onnx.load(network).graph
        constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        log = next(i for i, node in enumerate(graph.node) if node.op_type == "Log")
        found = iter(
            (node.op_type, [constants[name] for name in node.input if name in constants])
            for node in graph.node[log:]
            if node.op_type in ("Conv", "Gemm", "Mul", "Add")
        )
        scale, shift = _take(found, "Mul"), _take(found, "Add")
        front = tuple(_layer(found, "Conv", turned=True) for _ in range(5))
        middle = tuple(_layer(found, "Conv") for _ in range(3))
        dense = _layer(found, "Gemm")
    except (StopIteration, ValueError, IndexError) as e:
        raise BundleError(
            f"{network} is not the network of musicnn", "add it by `earmark models add musicnn`"
        ) from e
    return Layers(scale.item(), shift.item(), front[:2], front[2:], middle, dense)


_Found = Iterator[tuple[str, list[NDArray[np.float32]]]]


def _take(found: _Found, op: str) -> FloatArray:
    """Constants of the next node that has any; it has to be an `op`."""
    for kind, constants in found:
        if constants:
            if kind != op:
                raise ValueError(f"{kind} where {op} was to come")
            return constants[0].ravel()
    raise ValueError(f"no {op}")


def _layer(found: _Found, op: str, *, turned: bool = False) -> Layer:
    weights, bias = next(constants for kind, constants in found if kind == op)
    sign = _take(found, "Mul") if turned else np.ones_like(bias)
    return Layer(weights, bias, sign, _take(found, "Mul"), _take(found, "Add"))

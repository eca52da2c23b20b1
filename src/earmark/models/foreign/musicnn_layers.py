"""The layers of musicnn, read back from the graph that `earmark.models.foreign.musicnn` writes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from earmark.errors import BundleError
from earmark.models.foreign.musicnn import N_FEATURES
from earmark.types import FloatArray

POOLED = "pooled"
"""Output of `probe`."""

_HINT = "add it by `earmark models add musicnn`, and give its name"


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

    def only(self, channels: NDArray[np.int64]) -> Layer:
        """The layer with these of its outputs; of a convolution."""
        values = (getattr(self, field.name) for field in dataclasses.fields(self))
        return Layer(*(value[channels] for value in values))


@dataclass(frozen=True, slots=True)
class Layers:
    """All of musicnn.

    Attributes
    ----------
    input_scale, input_shift : float
        What the natural logarithm of 1 + 10⁴ · power is scaled and shifted by.
    timbral, temporal, middle : tuple of Layer
        Filters over (frequency, frames), of these over frames alone, and over frames of channels.
    dense : Layer
        From maxima of all channels, and behind these their means.
    tags : (ndarray, ndarray)
        Weights (n_features, n_tags) and bias.
    """

    input_scale: float
    input_shift: float
    timbral: tuple[Layer, ...]
    temporal: tuple[Layer, ...]
    middle: tuple[Layer, ...]
    dense: Layer
    tags: tuple[FloatArray, FloatArray]

    @property
    def sizes(self) -> list[int]:
        """Channels of each layer but the dense one."""
        return [len(each.bias) for each in (*self.timbral, *self.temporal, *self.middle)]


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
        scale, shift = _take(found, "Mul").item(), _take(found, "Add").item()
        front = tuple(_layer(found, "Conv", turned=True) for _ in range(5))
        middle = tuple(_layer(found, "Conv") for _ in range(3))
        dense = _layer(found, "Gemm")
        weights, bias = next(held for kind, held in found if kind == "Gemm")
    except (StopIteration, ValueError, IndexError) as e:
        raise BundleError(f"{network} is not the network of musicnn", _HINT) from e
    layers = Layers(scale, shift, front[:2], front[2:], middle, dense, (weights, bias))
    if dense.weights.shape != (2 * sum(layers.sizes), N_FEATURES):
        raise BundleError(f"{network} is not the network of musicnn", _HINT)
    return layers


def probe(network: Path) -> bytes:
    """The network with one more output, `POOLED`: what its dense layer is given."""
    model = onnx.load(network)
    dense = next(node for node in model.graph.node if node.op_type == "Gemm")
    size = next(
        tensor.dims[0] for tensor in model.graph.initializer if tensor.name == dense.input[1]
    )
    model.graph.node.append(helper.make_node("Identity", [dense.input[0]], [POOLED]))
    model.graph.output.append(helper.make_tensor_value_info(POOLED, TensorProto.FLOAT, ["n", size]))
    content: bytes = model.SerializeToString()
    return content


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

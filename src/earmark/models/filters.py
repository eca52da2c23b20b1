"""The weights that a bundle's network has learned, layer by layer, read from its ONNX."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from earmark.models.bundle import Bundle
from earmark.types import FloatArray

Kind = Literal["convolution", "matrix"]

# What exporters put between stored weights and the operation that takes them.
_FOLDED = ("Identity", "Cast", "Exp", "Reshape", "Transpose", "Unsqueeze", "DequantizeLinear")


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer's weights.

    Attributes
    ----------
    name : str
        Of the weights, as whoever exported them called them.
    kind : {'convolution', 'matrix'}
    weights : ndarray of float32
        Of a convolution (n_filters, n_inputs, width) or (n_filters, n_inputs, height, width); of a
        matrix (n_outputs, n_inputs).
    """

    name: str
    kind: Kind
    weights: FloatArray

    def __str__(self) -> str:
        return f"{self.name} ({self.kind}, {' × '.join(map(str, self.weights.shape))})"


def layers(bundle: Bundle) -> list[Layer]:
    """Layers with weights, in the order in which slices go through them.

    Empty for networks that have none, such as ensembles of trees.
    """
    graph = onnx.load(bundle.network).graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    values: dict[str, NDArray[Any]] = {}

    def constant(name: str) -> NDArray[Any] | None:
        if name not in values and name in constants:
            values[name] = numpy_helper.to_array(constants[name])
        return values.get(name)

    found = []
    for node in graph.node:
        inputs = [constant(name) if name else None for name in node.input]
        if node.op_type == "Constant" or (
            node.op_type in _FOLDED and all(value is not None for value in inputs)
        ):
            feeds = dict(zip(node.input, inputs, strict=True))
            outputs: Any = ReferenceEvaluator(node).run(None, feeds)
            values[node.output[0]] = outputs[0]
        layer = _layer(node, inputs)
        if layer is not None:
            found.append(layer)
    return found


def _layer(node: onnx.NodeProto, inputs: list[NDArray[Any] | None]) -> Layer | None:
    if node.op_type == "LinearClassifier":
        options = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        n_outputs = len(options["intercepts"])
        weights = np.reshape(options["coefficients"], (n_outputs, -1))
        return Layer(node.name or "classifier", "matrix", weights.astype(np.float32))
    if node.op_type not in ("Conv", "MatMul", "Gemm"):
        return None
    place = next((i for i, value in enumerate(inputs[:2]) if value is not None), None)
    if place is None:
        return None
    weights = np.asarray(inputs[place], dtype=np.float32)
    if node.op_type == "Conv":
        return Layer(node.input[place], "convolution", weights) if weights.ndim in (3, 4) else None
    if weights.ndim != 2:
        return None
    # Inputs come first where the weights stand on the right, unless they are told to be turned.
    is_turned = any(a.name == "transB" and a.i for a in node.attribute)
    turn = place == 1 and not is_turned
    return Layer(node.input[place], "matrix", weights.T if turn else weights)

"""How many numbers a network holds."""

from __future__ import annotations

import math
import os

import onnx


def n_numbers(network: str | os.PathLike[str]) -> int:
    """Fractional numbers in an ONNX file: weights, and what classical models keep as attributes."""
    graph = onnx.load(network).graph
    weights: int = sum(
        math.prod(tensor.dims)
        for tensor in graph.initializer
        if tensor.data_type in (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE)
    )
    attributes = sum(len(attribute.floats) for node in graph.node for attribute in node.attribute)
    return weights + attributes

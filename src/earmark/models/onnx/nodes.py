"""Adding to ONNX graphs that others have made."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper


def add_node(
    model: onnx.ModelProto,
    op: str,
    *inputs: str | NDArray[Any],
    output: str = "",
    n_outputs: int = 1,
    **attributes: Any,
) -> str:
    """Append a node; arrays become constants. The name of its first output is returned."""
    names = []
    for given in inputs:
        if isinstance(given, str):
            names.append(given)
        else:
            constant = numpy_helper.from_array(
                np.ascontiguousarray(given), unused(model, "constant")
            )
            model.graph.initializer.append(constant)
            names.append(constant.name)
    output = output or unused(model, "value")
    outputs = [output, *(f"{output}, {i}" for i in range(1, n_outputs))]
    node = helper.make_node(op, names, outputs, name=unused(model, "node"), **attributes)
    model.graph.node.append(node)
    return output


def unused(model: onnx.ModelProto, name: str) -> str:
    """The name, with a number behind it where it is taken."""
    taken = {tensor.name for tensor in model.graph.initializer}
    for node in model.graph.node:
        taken.update([node.name, *node.output])
    numbered = (f"{name}.{number}" for number in itertools.count(2))
    return next(free for free in itertools.chain([name], numbered) if free not in taken)

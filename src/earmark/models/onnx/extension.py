"""More features behind those of a backbone, computed from them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx

from earmark.models.onnx.nodes import add_node, unused
from earmark.types import FloatArray

_NAME = "embedding"


def extend(network: Path, layers: Sequence[tuple[FloatArray, FloatArray]], clip: float) -> bytes:
    """ONNX of a backbone whose embedding has what a perceptron makes of it behind it.

    Parameters
    ----------
    network : Path
    layers : sequence of (ndarray, ndarray)
        Weights (n_in, n_out) and bias (n_out,); all but the last are rectified.
    clip : float
        The new features are cut off at this distance from 0; 0: they are not.
    """
    model = onnx.load(network)
    own = unused(model, f"own_{_NAME}")
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = [own if name == _NAME else name for name in names]
    x = own
    for weights, bias in layers[:-1]:
        x = add_node(model, "Relu", add_node(model, "Gemm", x, weights, bias))
    x = add_node(model, "Gemm", x, *layers[-1])
    if clip:
        x = add_node(model, "Clip", x, np.array(-clip, np.float32), np.array(clip, np.float32))
    add_node(model, "Concat", own, x, output=_NAME, axis=1)
    output = next(value for value in model.graph.output if value.name == _NAME)
    output.type.tensor_type.shape.dim[1].dim_value += len(layers[-1][1])
    # What was inferred of the old one no longer holds.
    del model.graph.value_info[:]
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString()
    return content

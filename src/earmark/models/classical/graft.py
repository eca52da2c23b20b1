"""Putting a head on a backbone's graph: the old last layer goes, the new one comes."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from onnx.utils import Extractor

from earmark import features
from earmark.errors import BundleError
from earmark.models.bundle import Bundle
from earmark.models.classical.head import Head

TOLERANCE = 1e-4
"""Largest difference of the graph's logits from the head's, by the size of the largest logit."""


def graft(backbone: Bundle, head: Head) -> bytes:
    """ONNX of the backbone with `head` in place of its own: outputs ``logits``, ``embedding``.

    What only the old head needed is left out.

    Raises
    ------
    BundleError
        If the backbone has no embedding that fits the head, or the new graph does not answer as
        backbone and head do.
    """
    try:
        body = Extractor(onnx.load(backbone.network)).extract_model(["slices"], ["embedding"])
    except ValueError as e:  # no such output, or sparse or quantised by annotation
        raise BundleError(
            f"no head can be put on {backbone.network}: {e}", "choose another backbone"
        ) from e
    weights = numpy_helper.from_array(head.weights, _unused(body, "head.weights"))
    bias = numpy_helper.from_array(head.bias, _unused(body, "head.bias"))
    body.graph.initializer.extend((weights, bias))
    body.graph.node.append(
        helper.make_node(
            "Gemm", ["embedding", weights.name, bias.name], ["logits"], name=_unused(body, "head")
        )
    )
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", len(head.bias)])
    body.graph.output.insert(0, logits)
    try:
        onnx.checker.check_model(body, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as e:
        raise BundleError(
            f"{backbone.network}: no head for {len(head.weights)} features fits its embedding: {e}"
        ) from e
    network: bytes = body.SerializeToString()
    _prove_parity(backbone, head, network)
    return network


def _unused(model: onnx.ModelProto, name: str) -> str:
    taken = {tensor.name for tensor in model.graph.initializer}
    for node in model.graph.node:
        taken.update([node.name, *node.output])
    while name in taken:
        name += "_"
    return name


def _prove_parity(backbone: Bundle, head: Head, network: bytes) -> None:
    rng = np.random.default_rng(0)
    old = ort.InferenceSession(str(backbone.network), providers=["CPUExecutionProvider"])
    new = ort.InferenceSession(network, providers=["CPUExecutionProvider"])
    dtype = features.dtype(backbone.meta.listen.features)
    for n in (1, 5):
        shape = (n, *old.get_inputs()[0].shape[1:])
        slices = rng.integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)
        expected = head.logits(old.run(["embedding"], {"slices": slices})[0])
        found = new.run(["logits"], {"slices": slices})[0]
        difference = float(np.abs(found - expected).max() / max(1.0, np.abs(expected).max()))
        if not difference <= TOLERANCE:
            raise BundleError(
                f"the grafted network differs from backbone and head by {difference:.2g}"
            )

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
from earmark.models.classical.familiarity import Familiarity
from earmark.models.classical.head import Head
from earmark.models.onnx.nodes import add_node

TOLERANCE = 1e-4
"""Largest difference of the graph's logits from the head's, by the size of the largest logit."""


def graft(backbone: Bundle, head: Head, music: Head | None = None) -> bytes:
    """ONNX of the backbone with `head` in place of its own: outputs ``logits``, ``embedding``.

    What only the old head needed is left out. An output ``music`` is that of the head `music`,
    whose one number is the logarithm of the odds that a slice is music, see `read_music`.

    Raises
    ------
    BundleError
        If the backbone has no embedding that fits the head, or the new graph does not give what
        backbone and head do.
    """
    try:
        body = Extractor(onnx.load(backbone.network)).extract_model(["slices"], ["embedding"])
    except ValueError as e:  # no such output, or sparse or quantised by annotation
        raise BundleError(
            f"no head can be put on {backbone.network}: {e}", "choose another backbone"
        ) from e
    if head.familiarity is None:
        add_node(body, "Gemm", "embedding", head.weights, head.bias, output="logits")
    else:
        logits = add_node(body, "Gemm", "embedding", head.weights, head.bias)
        factor = _factor(body, head.familiarity)
        add_node(body, "Mul", logits, factor, output="logits")
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", len(head.bias)])
    body.graph.output.insert(0, logits)
    if music is not None:
        add_node(body, "Gemm", "embedding", music.weights, music.bias, output="music")
        odds = helper.make_tensor_value_info("music", TensorProto.FLOAT, ["n", 1])
        body.graph.output.append(odds)
    try:
        onnx.checker.check_model(body, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as e:
        raise BundleError(
            f"{backbone.network}: no head for {len(head.weights)} features fits its embedding: {e}"
        ) from e
    network: bytes = body.SerializeToString()
    _prove_parity(backbone, head, music, network)
    return network


def read_music(backbone: Bundle) -> Head | None:
    """The part of a backbone that tells music from other sounds; None where it has none.

    Raises
    ------
    BundleError
        If it is another thing than a layer on the embedding, as `graft` makes it.
    """
    graph = onnx.load(backbone.network).graph
    if "music" not in [output.name for output in graph.output]:
        return None
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        inputs = list(node.input)
        if (node.op_type, list(node.output), inputs[:1]) == ("Gemm", ["music"], ["embedding"]):
            weights, bias = (numpy_helper.to_array(constants[name]) for name in inputs[1:])
            return Head(weights, bias)
    raise BundleError(
        f"the output music of {backbone.network} is no layer on its embedding, so it cannot be"
        " kept",
        "teach the new model what is no music: --not-music",
    )


def _factor(model: onnx.ModelProto, familiarity: Familiarity) -> str:
    """`Familiarity.factors`, (n, 1)."""
    x = add_node(model, "Sub", "embedding", familiarity.centre)
    x = add_node(model, "Mul", x, familiarity.precision)
    product = add_node(model, "Mul", add_node(model, "MatMul", x, familiarity.matrix), x)
    # Sum and minimum by operators that are the same in all versions of ONNX that backbones have.
    square = add_node(model, "MatMul", product, np.ones((len(familiarity.centre), 1), np.float32))
    to_genres = add_node(model, "Gemm", x, familiarity.linear, familiarity.offsets)
    nearest = add_node(model, "TopK", to_genres, np.array([1]), n_outputs=2, largest=0)
    distance = add_node(model, "Add", square, nearest)
    steepness = np.array(-1 / familiarity.width, np.float32)
    scaled = add_node(model, "Mul", distance, steepness)
    limit = np.array(familiarity.limit / familiarity.width, np.float32)
    return add_node(model, "Sigmoid", add_node(model, "Add", scaled, limit))


def _prove_parity(backbone: Bundle, head: Head, music: Head | None, network: bytes) -> None:
    rng = np.random.default_rng(0)
    old = ort.InferenceSession(backbone.read_network(), providers=["CPUExecutionProvider"])
    new = ort.InferenceSession(network, providers=["CPUExecutionProvider"])
    dtype = features.dtype(backbone.meta.listen.features)
    for n in (1, 5):
        shape = (n, *old.get_inputs()[0].shape[1:])
        slices = {"slices": rng.integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)}
        embedding = old.run(["embedding"], slices)[0]
        expected = {"logits": head.logits(embedding)}
        if music is not None:
            expected["music"] = music.logits(embedding)
        for name, values in expected.items():
            found = new.run([name], slices)[0]
            difference = float(np.abs(found - values).max() / max(1.0, np.abs(values).max()))
            if not difference <= TOLERANCE:
                raise BundleError(
                    f"{name} of the grafted network differ from backbone and head by"
                    f" {difference:.2g}"
                )

"""From a fitted scikit-learn estimator to a network as bundles hold it, proven to agree."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.utils import Extractor
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.dummy import DummyClassifier
from sklearn.svm import SVC

from earmark.errors import BundleError
from earmark.models.classical.summary import LOWEST, log_proba
from earmark.types import FloatArray

TOLERANCE = 1e-3
"""Largest difference of a probability that single precision may make."""

_OPSET, _ML_OPSET, _IR_VERSION = 18, 3, 10


@dataclass(frozen=True, slots=True)
class Standardisation:
    """From stored levels to statistics of mean 0 and deviation 1: ``level * scale + shift``.

    Attributes
    ----------
    scale, shift : ndarray of float32, shape (n_statistics,)
    """

    scale: FloatArray
    shift: FloatArray

    @classmethod
    def of(cls, levels: NDArray[np.uint16]) -> Self:
        """By the mean and deviation of levels (n, n_statistics, 1) that are learned from."""
        values = levels[:, :, 0].astype(np.float64)
        # What never changes teaches nothing; dividing by its deviation would only blow up noise.
        deviation = values.std(axis=0)
        scale = np.where(deviation > 0, 1 / np.maximum(deviation, 1e-9), 0)
        return cls(scale.astype(np.float32), (-values.mean(axis=0) * scale).astype(np.float32))

    def __call__(self, levels: NDArray[np.uint16]) -> FloatArray:
        """Standardised statistics (n, n_statistics), to the bit as the graph computes them."""
        values: FloatArray = levels[:, :, 0].astype(np.float32) * self.scale + self.shift
        return values


def export(
    fitted: Any, standardise: Standardisation, n_classes: int, sample: NDArray[np.uint16]
) -> bytes:
    """Serialise as ONNX: input ``slices`` (uint16), outputs ``logits``, ``embedding``.

    Parameters
    ----------
    fitted : scikit-learn classifier
        One of `earmark.models.classical.summary.ESTIMATORS`, of genres 0, 1, ….
    standardise : Standardisation
        What it was given.
    n_classes : int
    sample : ndarray of uint16, shape (n, n_statistics, 1)
        Levels to compare the outputs on.

    Raises
    ------
    BundleError
        If the graph's outputs differ from the estimator's by more than `TOLERANCE`.
    """
    n_statistics = len(standardise.scale)
    head = _constant_head(fitted) if isinstance(fitted, DummyClassifier) else _head(fitted)
    graph = helper.make_graph(
        [*_body(), *head.node],
        "summary",
        [helper.make_tensor_value_info("slices", TensorProto.UINT16, ["n", n_statistics, 1])],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", n_classes]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", n_statistics]),
        ],
        [*_constants(standardise), *head.initializer],
    )
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid("ai.onnx.ml", _ML_OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)
    onnx.checker.check_model(model)
    # Without what only the estimator's own choice of a genre needs.
    needed = Extractor(model).extract_model(["slices"], ["logits", "embedding"])
    network: bytes = needed.SerializeToString()
    _prove_parity(fitted, standardise, network, sample)
    return network


def _body() -> Sequence[onnx.NodeProto]:
    """From ``slices`` to ``embedding``."""
    return (
        helper.make_node("Squeeze", ["slices", "earmark.last"], ["earmark.levels"]),
        helper.make_node("Cast", ["earmark.levels"], ["earmark.floats"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["earmark.floats", "earmark.scale"], ["earmark.scaled"]),
        helper.make_node("Add", ["earmark.scaled", "earmark.shift"], ["embedding"]),
    )


def _constants(standardise: Standardisation) -> list[onnx.TensorProto]:
    return [
        numpy_helper.from_array(np.array([2], np.int64), "earmark.last"),
        numpy_helper.from_array(standardise.scale, "earmark.scale"),
        numpy_helper.from_array(standardise.shift, "earmark.shift"),
        numpy_helper.from_array(np.array(LOWEST, np.float32), "earmark.lowest"),
    ]


def _head(fitted: Any) -> onnx.GraphProto:
    """From ``embedding`` to ``logits``, by skl2onnx."""
    is_svm = isinstance(fitted, SVC)
    options = {"zipmap": False, **({"raw_scores": True} if is_svm else {})}
    with warnings.catch_warnings():
        # The converter reads attributes that scikit-learn will do without some day.
        warnings.simplefilter("ignore", FutureWarning)
        model = to_onnx(
            fitted,
            initial_types=[("embedding", FloatTensorType([None, fitted.n_features_in_]))],
            options={id(fitted): options},
            target_opset={"": _OPSET, "ai.onnx.ml": _ML_OPSET},
        )
    graph: onnx.GraphProto = model.graph
    output = graph.output[1].name
    if is_svm:
        graph.node.append(helper.make_node("LogSoftmax", [output], ["logits"], axis=1))
    else:
        graph.node.append(helper.make_node("Max", [output, "earmark.lowest"], ["earmark.proba"]))
        graph.node.append(helper.make_node("Log", ["earmark.proba"], ["logits"]))
    return graph


def _constant_head(fitted: DummyClassifier) -> onnx.GraphProto:
    """The same ``logits`` for every ``embedding``; skl2onnx knows no dummy."""
    n_statistics, n_classes = fitted.n_features_in_, len(fitted.classes_)
    nothing = np.zeros((n_statistics, n_classes), np.float32)
    logs = np.log(np.maximum(fitted.class_prior_, LOWEST)).astype(np.float32)
    node = helper.make_node("Gemm", ["embedding", "earmark.nothing", "earmark.prior"], ["logits"])
    constants = [
        numpy_helper.from_array(nothing, "earmark.nothing"),
        numpy_helper.from_array(logs, "earmark.prior"),
    ]
    return helper.make_graph([node], "dummy", [], [], constants)


def _prove_parity(
    fitted: Any, standardise: Standardisation, network: bytes, sample: NDArray[np.uint16]
) -> None:
    session = ort.InferenceSession(network, providers=["CPUExecutionProvider"])
    expected = np.exp(log_proba(fitted, standardise(sample)))
    parts = [session.run(["logits"], {"slices": part})[0] for part in (sample[:1], sample[1:])]
    difference = float(np.abs(np.exp(np.concatenate(parts)) - expected).max())
    if not difference <= TOLERANCE:
        raise BundleError(f"the exported estimator differs from the fitted one by {difference:.2g}")

"""A backbone that was never trained: its embedding is the mean and spread of each bin over time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from earmark.models import bundle as bundles
from earmark.models.bundle import Bundle, BundleMeta
from earmark.types import (
    FeatureConfig,
    FloatArray,
    LevelArray,
    ListenConfig,
    SliceConfig,
    VoteConfig,
)

N_BINS, N_FRAMES = 32, 64
N_FEATURES = 2 * N_BINS
LISTEN = ListenConfig(
    features=FeatureConfig(n_mels=N_BINS, n_fft=1024), slices=SliceConfig(N_FRAMES, N_FRAMES)
)
LABELS = ("Polka", "Waltz")


def expected(X: LevelArray) -> FloatArray:
    """The embedding of slices, as the graph computes it."""
    scaled = X.astype(np.float32) / 255
    return np.concatenate([scaled.mean(axis=2), np.abs(np.diff(scaled)).mean(axis=2)], axis=1)


def network(with_embedding: bool = True, broken: bool = False, full: int = 255) -> bytes:
    """ONNX: `LABELS` by an arbitrary last layer; a broken one divides by zero on the way.

    Embeddings are the smaller, the larger `full` is.
    """
    rng = np.random.default_rng(0)
    constants: dict[str, NDArray[Any]] = {
        "full": np.array(0 if broken else full, np.float32),
        "time": np.array([2], np.int64),
        "zero": np.array([0], np.int64),
        "one": np.array([1], np.int64),
        "last": np.array([N_FRAMES - 1], np.int64),
        "end": np.array([N_FRAMES], np.int64),
        "old.weight": rng.normal(size=(N_FEATURES, len(LABELS))).astype(np.float32),
        "old.bias": np.array([0.5, -0.5], np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["slices"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["floats", "full"], ["scaled"]),
        helper.make_node("ReduceMean", ["scaled", "time"], ["mean"], keepdims=0),
        helper.make_node("Slice", ["scaled", "one", "end", "time"], ["later"]),
        helper.make_node("Slice", ["scaled", "zero", "last", "time"], ["earlier"]),
        helper.make_node("Sub", ["later", "earlier"], ["change"]),
        helper.make_node("Abs", ["change"], ["size"]),
        helper.make_node("ReduceMean", ["size", "time"], ["spread"], keepdims=0),
        helper.make_node("Concat", ["mean", "spread"], ["embedding"], axis=1),
        helper.make_node("Gemm", ["embedding", "old.weight", "old.bias"], ["logits"]),
    ]
    shape: list[str | int | None] = ["n", N_BINS, N_FRAMES]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", len(LABELS)])]
    if with_embedding:
        size: list[str | int | None] = ["n", N_FEATURES]
        outputs.append(helper.make_tensor_value_info("embedding", TensorProto.FLOAT, size))
    graph = helper.make_graph(
        nodes,
        "backbone",
        [helper.make_tensor_value_info("slices", TensorProto.UINT8, shape)],
        outputs,
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString()
    return content


def write(folder: Path, learned: Mapping[str, str] | None = None, **options: bool) -> Bundle:
    """A bundle at `folder` with such a network; `learned` as in ``model.json``'s data."""
    meta = BundleMeta(
        name="bins",
        labels=LABELS,
        listen=LISTEN,
        vote=VoteConfig(),
        data={} if learned is None else {"learned": dict(learned)},
        licence="CC0",
    )
    return bundles.write(folder, meta, network(**options))

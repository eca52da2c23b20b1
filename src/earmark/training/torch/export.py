"""From a trained torch network to ONNX, proven to answer alike."""

from __future__ import annotations

import io
import logging
import warnings
from typing import Any

import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import DTypeLike, NDArray
from torch import Tensor, nn

from earmark.errors import BundleError

TOLERANCE = 1e-3


def to_onnx(network: nn.Module, n_bins: int, n_frames: int, dtype: DTypeLike = np.uint8) -> bytes:
    """Serialise `network` as ONNX: input ``slices``, outputs ``logits``, ``embedding``.

    Parameters
    ----------
    network : nn.Module
        With ``embed`` and ``head``, as `earmark.models.nets.cnn.SliceCNN` has them.
    n_bins, n_frames : int
    dtype : numpy dtype
        Of slices, uint8 or uint16.

    Raises
    ------
    BundleError
        If onnxruntime's logits differ from torch's by more than `TOLERANCE`.
    """
    network = network.eval()
    both = _Both(network).eval()
    rng = np.random.default_rng(0)
    slices = _slices(rng, 2, n_bins, n_frames, dtype)
    with warnings.catch_warnings():
        # The exporter warns about its own internals, which nobody here can act on.
        warnings.simplefilter("ignore")
        level = logging.getLogger("torch.onnx").level
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        try:
            program = torch.onnx.export(
                both,
                (torch.from_numpy(slices),),
                input_names=["slices"],
                output_names=["logits", "embedding"],
                dynamic_shapes=({0: torch.export.Dim("n", min=1)},),
                dynamo=True,
                verbose=False,
            )
        finally:
            logging.getLogger("torch.onnx").setLevel(level)
    assert program is not None
    model = program.model_proto
    # The exporter notes which lines of code each node is from, with the paths of this machine.
    for part in (model, model.graph, *model.graph.node, *model.graph.value_info):
        del part.metadata_props[:]
    exported: bytes = model.SerializeToString()
    _prove_parity(network, exported, n_bins, n_frames, dtype)
    return exported


def track_to_onnx(network: nn.Module, n_classes: int) -> bytes:
    """Serialise a network over tracks as ONNX: input ``proba``, output ``logits``.

    Shapes are as `earmark.decision.track_network` has them.

    Raises
    ------
    BundleError
        If onnxruntime's logits differ from torch's by more than `TOLERANCE`.
    """
    network = network.eval()
    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # By tracing: the newer exporter has recurrent layers take sequences of one length only.
        torch.onnx.export(
            network,
            (torch.full((1, n_classes, 3), 1 / n_classes),),
            content,  # type: ignore[arg-type]  # it takes files too, though it does not say so
            input_names=["proba"],
            output_names=["logits"],
            dynamic_axes={"proba": {2: "n_slices"}},
            dynamo=False,
        )
    exported = content.getvalue()
    session = ort.InferenceSession(exported, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(1)
    for n_slices in (1, 3, 50):
        proba = rng.dirichlet(np.ones(n_classes), (1, n_slices)).transpose(0, 2, 1)
        _check_parity(network, session, {"proba": proba.astype(np.float32)})
    return exported


class _Both(nn.Module):
    """Logits and embedding of a network in one pass."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, slices: Tensor) -> tuple[Tensor, Tensor]:
        embedding = self.network.embed(slices)  # type: ignore[operator]
        return self.network.head(embedding), embedding  # type: ignore[operator]


def _slices(
    rng: np.random.Generator, n: int, n_bins: int, n_frames: int, dtype: DTypeLike
) -> NDArray[np.integer]:
    top = np.iinfo(np.dtype(dtype)).max
    return rng.integers(0, top, (n, n_bins, n_frames), dtype=dtype, endpoint=True)


def _prove_parity(
    network: nn.Module, exported: bytes, n_bins: int, n_frames: int, dtype: DTypeLike
) -> None:
    session = ort.InferenceSession(exported, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(1)
    for n in (1, 5):
        _check_parity(network, session, {"slices": _slices(rng, n, n_bins, n_frames, dtype)})


def _check_parity(
    network: nn.Module, session: ort.InferenceSession, inputs: dict[str, NDArray[Any]]
) -> None:
    with torch.inference_mode():
        expected = network(*map(torch.from_numpy, inputs.values())).numpy()
    found = session.run(["logits"], inputs)[0]
    difference = float(np.abs(found - expected).max())
    if not difference <= TOLERANCE:
        raise BundleError(f"the exported network differs from the trained one by {difference}")

"""Running a network over a track's slices, the second stage of a model; it is trained elsewhere.

It takes ``proba``, float32 (1, n_classes, n_slices), the slices' calibrated probabilities in the
order of the track, and gives ``logits``, float32 (1, n_classes).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from earmark.decision.calibration import softmax
from earmark.errors import BundleError
from earmark.types import FloatArray

if TYPE_CHECKING:
    import onnxruntime as ort

_FLOATS = "tensor(float)"


def predict(network: bytes, proba: FloatArray) -> NDArray[np.float64]:
    """Probabilities (n_classes,) of a track whose slices have `proba` (n_slices, n_classes).

    Parameters
    ----------
    network : bytes
        ONNX.
    proba : ndarray, shape (n_slices, n_classes)

    Raises
    ------
    BundleError
        If onnxruntime refuses the network, or it is for another number of genres.
    """
    sequence = np.ascontiguousarray(proba.T[None], dtype=np.float32)
    logits = _session(network, proba.shape[1]).run(["logits"], {"proba": sequence})[0][0]
    return softmax(logits)


def check(network: bytes, n_classes: int) -> None:
    """Refuse (`BundleError`) what `predict` could not run for so many genres."""
    _session(network, n_classes)


@lru_cache(maxsize=8)
def _session(network: bytes, n_classes: int) -> ort.InferenceSession:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = ort.InferenceSession(
            network,
            options,
            providers=["CPUExecutionProvider"],
            enable_fallback=0,  # which would print what it does
        )
    except Exception as e:
        raise BundleError(
            f"the model's network over tracks cannot be run by onnxruntime: {e}",
            "get or train the model again",
        ) from e
    inputs, outputs = session.get_inputs(), session.get_outputs()
    wanted = [("proba", 3, [n_classes])], [("logits", 2, [n_classes])]
    found = tuple(
        [(part.name, len(part.shape), part.shape[1:2]) for part in parts if part.type == _FLOATS]
        for parts in (inputs, outputs)
    )
    if found != wanted or (len(inputs), len(outputs)) != (1, 1):
        raise BundleError(
            f"the model's network over tracks does not take probabilities of {n_classes} genres",
            "get or train the model again",
        )
    return session

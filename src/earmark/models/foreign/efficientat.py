"""mn04_as (F. Schmid, K. Koutini and G. Widmer, 2023): 527 classes of AudioSet, as ONNX.

EfficientAT's MobileNetV3-Large at width 0.4 (Howard et al., 2019, table 1): inverted residual
blocks, some with squeeze-and-excitation over channels, the mean over frequency and time, which is
the embedding, and two dense layers. It takes samples: pre-emphasis, spectrum and Kaldi's mel
filters are part of the graph, for no front end of Earmark's has them.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError

import numpy as np
from numpy.typing import NDArray

from earmark import features
from earmark.errors import BundleError
from earmark.models.bundle import BundleMeta
from earmark.models.foreign.sources import Converted
from earmark.models.onnx.graph import Graph
from earmark.types import (
    ExcerptConfig,
    FeatureConfig,
    FloatArray,
    ListenConfig,
    SliceConfig,
    VoteConfig,
)

LISTEN = ListenConfig(
    # Ten seconds are what the network has learned from.
    ExcerptConfig(n_excerpts=3, excerpt_s=10.0),
    FeatureConfig(frontend="wave", sr=32000, hop_length=1),
    SliceConfig(n_frames=320_000, hop_frames=320_000),
)

N_FEATURES = 384
N_CLASSES = 527
LABEL_FILES = ("class_labels_indices.csv", "audioset_labels.csv")
"""Names under which AudioSet's list of classes is looked for beside the weights."""

DATA = {
    "about": "AudioSet, 527 classes of sound in clips of ten seconds from YouTube; pre-trained on"
    " ImageNet, taught by transformers; by the authors of EfficientAT",
    "source": "EfficientAT, mn04_as_mAP_432.pt",
    "cite": "F. Schmid, K. Koutini and G. Widmer: Efficient large-scale audio tagging via"
    " transformer-to-CNN knowledge distillation. ICASSP 2023",
}

LICENCE = """MIT License

Copyright (c) 2022 Florian Schmid

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
associated documentation files (the "Software"), to deal in the Software without restriction,
including without limitation the rights to use, copy, modify, merge, publish, distribute,
sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or
substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT
NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM,
DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT
OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""

_EPSILON = 1e-3
_N_FFT, _WINDOW, _HOP = 1024, 800, 320
_N_MELS, _FMAX = 128, 15_000.0
_PREEMPHASIS = 0.97
_N_BLOCKS = 15
_STRIDED = (2, 4, 7, 13)  # blocks that halve frequency and time
_FIRST_HARD_SWISH = 7

Weights = Mapping[str, FloatArray]


def convert(checkpoint: Path) -> Converted:
    """The bundle that mn04_as_mAP_432.pt and the list of classes beside it make.

    Raises
    ------
    BundleError
        If a file is not what it should be.
    ModuleNotFoundError
        If torch is not installed.
    """
    import torch

    try:
        held = torch.load(checkpoint, map_location="cpu", weights_only=True)
        weights = {name: tensor.numpy() for name, tensor in held.items()}
    # torch's own words are many, and advise to load it unsafely.
    except (AttributeError, EOFError, OSError, RuntimeError, UnpicklingError) as e:
        raise BundleError(f"{checkpoint} holds no weights of torch", "get the file again") from e
    labels = _labels(checkpoint.parent)
    meta = BundleMeta("mn04", labels, LISTEN, VoteConfig(), data=DATA)
    try:
        return Converted(meta, network(weights), LICENCE)
    except KeyError as e:
        raise BundleError(f"{checkpoint} lacks {e}", "get mn04_as_mAP_432.pt") from e


def _labels(folder: Path) -> tuple[str, ...]:
    """Display names of AudioSet's classes, in the network's order."""
    lists = [folder / name for name in LABEL_FILES if (folder / name).is_file()]
    if not lists:
        raise BundleError(
            f"{folder} lacks AudioSet's list of classes, {LABEL_FILES[0]}",
            "put it beside the weights; EfficientAT and AudioSet publish it",
        )
    try:
        with lists[0].open(encoding="utf-8", newline="") as file:
            labels = tuple(row["display_name"] for row in csv.DictReader(file))
    except (KeyError, OSError, UnicodeDecodeError, csv.Error) as e:
        raise BundleError(f"{lists[0]} is no list of AudioSet's classes: {e}") from e
    if len(labels) != N_CLASSES:
        raise BundleError(f"{lists[0]} lists {len(labels)} classes, not {N_CLASSES}")
    return labels


def network(weights: Weights) -> bytes:
    """ONNX: ``slices`` (n, 1, n_samples) to ``logits`` (n, 527) and ``embedding`` (n, 384).

    Parameters
    ----------
    weights : mapping of str to ndarray
        The network's parameters under the names that EfficientAT gives them.

    Raises
    ------
    KeyError
        If one is missing.
    """
    g = Graph()
    x = g.add("Unsqueeze", _log_mel(g), g.constant([1]))  # (n, 1, mels, frames)
    x = _convolution(g, weights, "features.0", x, stride=2, activation="HardSwish")
    for number in range(1, _N_BLOCKS + 1):
        x = _block(g, weights, number, x)
    x = _convolution(g, weights, f"features.{_N_BLOCKS + 1}", x, activation="HardSwish")
    embedding = g.add("ReduceMean", x, g.constant([2, 3]), keepdims=0, name="embedding")
    hidden = g.add("HardSwish", _dense(g, weights, "classifier.2", embedding))
    _dense(g, weights, "classifier.5", hidden, "logits")
    shape = (1, LISTEN.slices.n_frames)
    outputs = {"logits": N_CLASSES, "embedding": N_FEATURES}
    dtype = features.dtype(LISTEN.features)
    return g.network((dtype, shape), outputs, "mn04_as of EfficientAT (MIT licence)")


def _log_mel(g: Graph) -> str:
    """Kaldi's mel spectrogram (n, mels, frames) of the samples, as the network was trained on it.

    Frames are centred on multiples of the hop of what pre-emphasis leaves, mirrored at the ends.
    The window is shorter than the transform, so the transform's sums go over the window alone.
    """
    y = g.unquantised(LISTEN.features)
    edge = np.array([[[-_PREEMPHASIS, 1]]], np.float32)
    y = g.add("Conv", y, g.constant(edge), kernel_shape=[2])
    half = _WINDOW // 2
    y = g.add("Pad", y, g.constant([0, 0, half, 0, 0, half]), mode="reflect")
    filters = mel_filters()
    n_bins = int(np.flatnonzero(filters.any(axis=0))[-1]) + 1
    parts = (g.constant(part) for part in _fourier(n_bins))
    found = [g.add("Conv", y, p, kernel_shape=[_WINDOW], strides=[_HOP]) for p in parts]
    power = g.add("Add", *(g.add("Mul", part, part) for part in found))
    mel = g.add("MatMul", g.constant(filters[:, :n_bins].astype(np.float32)), power)
    log = g.add("Log", g.add("Add", mel, g.constant(1e-5)))
    return g.scaled(log, 1 / 5, 4.5 / 5)


def _fourier(n_bins: int) -> tuple[FloatArray, FloatArray]:
    """Windowed cosines and sines (n_bins, 1, window) of the first bins."""
    t = np.arange(_WINDOW)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * t / (_WINDOW - 1))  # symmetric
    phase = 2 * np.pi * np.outer(np.arange(n_bins), t) / _N_FFT
    cosines, sines = np.cos(phase) * window, np.sin(phase) * window
    return cosines[:, None].astype(np.float32), sines[:, None].astype(np.float32)


def mel_filters() -> NDArray[np.float64]:
    """Kaldi's filters (mels, bins): triangles over mel, 1127 ln(1 + f / 700), of height 1."""
    bins_hz = np.arange(1 + _N_FFT // 2) * (LISTEN.features.sr / _N_FFT)
    mel = 1127 * np.log1p(bins_hz / 700)
    edges = np.linspace(0, 1127 * np.log1p(_FMAX / 700), _N_MELS + 2)
    rising = (mel - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - mel) / (edges[2:] - edges[1:-1])[:, None]
    triangles: NDArray[np.float64] = np.maximum(0, np.minimum(rising, falling))
    return triangles


def _block(g: Graph, weights: Weights, number: int, x: str) -> str:
    """An inverted residual block: wider, each channel by itself, excited, narrower."""
    name = f"features.{number}.block"
    activation = "HardSwish" if number >= _FIRST_HARD_SWISH else "Relu"
    stride = 2 if number in _STRIDED else 1
    part, found = 0, x
    if f"{name}.2.0.weight" in weights or f"{name}.3.0.weight" in weights:  # not in the first
        found = _convolution(g, weights, f"{name}.0", found, activation=activation)
        part = 1
    found = _convolution(
        g, weights, f"{name}.{part}", found, stride, activation=activation, by_channel=True
    )
    if f"{name}.{part + 1}.conc_se_layers.0.fc1.weight" in weights:
        part += 1
        found = _excited(g, weights, f"{name}.{part}.conc_se_layers.0", found)
    narrow = f"{name}.{part + 1}"
    found = _convolution(g, weights, narrow, found)
    n_in = weights[f"{name}.0.0.weight"].shape[1 if part else 0]
    same = stride == 1 and n_in == len(weights[f"{narrow}.0.weight"])
    return g.add("Add", found, x) if same else found


def _convolution(
    g: Graph,
    weights: Weights,
    name: str,
    x: str,
    stride: int = 1,
    *,
    activation: str = "",
    by_channel: bool = False,
) -> str:
    """Convolution with its batch norm folded in, and an activation."""
    kernel = weights[f"{name}.0.weight"].astype(np.float64)
    gamma, beta, mean, variance = (
        weights[f"{name}.1.{part}"].astype(np.float64)
        for part in ("weight", "bias", "running_mean", "running_var")
    )
    scale = gamma / np.sqrt(variance + _EPSILON)
    size = kernel.shape[2]
    found = g.add(
        "Conv",
        x,
        g.constant((kernel * scale[:, None, None, None]).astype(np.float32)),
        g.constant((beta - mean * scale).astype(np.float32)),
        kernel_shape=[size, size],
        pads=[size // 2] * 4,
        strides=[stride, stride],
        group=len(kernel) if by_channel else 1,
    )
    return g.add(activation, found) if activation else found


def _excited(g: Graph, weights: Weights, name: str, x: str) -> str:
    """Squeeze-and-excitation: channels scaled by what the means of all channels say."""
    mean = g.add("ReduceMean", x, g.constant([2, 3]), keepdims=0)
    hidden = g.add("Relu", _dense(g, weights, f"{name}.fc1", mean))
    gate = g.add("Sigmoid", _dense(g, weights, f"{name}.fc2", hidden))
    return g.add("Mul", x, g.add("Unsqueeze", gate, g.constant([2, 3])))


def _dense(g: Graph, weights: Weights, name: str, x: str, output: str = "") -> str:
    constants = (g.constant(weights[f"{name}.{part}"]) for part in ("weight", "bias"))
    return g.add("Gemm", x, *constants, transB=1, name=output)

"""MSD_musicnn (J. Pons and X. Serra, 2019): fifty tags of the Million Song Dataset, as ONNX.

The network is the one of the package musicnn 0.1.0: a batch norm of the log-mel spectrogram;
filters that span time and most of the frequencies ("timbral") or time alone ("temporal"), each
followed by its maximum over frequency; three convolutions over time with residual connections; the
maximum and the mean over time of everything before; a dense layer of 200, which is the embedding;
the tags.

What has to be right: batch norm comes after ReLU, with an ε of 1e-3; a temporal filter of even
length k is padded by k/2 - 1 frames before and k/2 after; maximum and mean of each channel lie next
to each other in the dense layer's inputs. The package's own code casts the spectrogram to float16,
which overflows in loud music; here it stays float32.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earmark import features
from earmark.errors import BundleError
from earmark.models.bundle import BundleMeta
from earmark.models.foreign.sources import Converted
from earmark.models.foreign.tensorflow import read_checkpoint
from earmark.models.onnx.graph import Graph
from earmark.types import (
    ExcerptConfig,
    FeatureConfig,
    FloatArray,
    ListenConfig,
    SliceConfig,
    VoteConfig,
)

# The tags as musicnn/configuration.py lists them.
TAGS = (
    *("rock", "pop", "alternative", "indie", "electronic", "female vocalists", "dance", "00s"),
    *("alternative rock", "jazz", "beautiful", "metal", "chillout", "male vocalists"),
    *("classic rock", "soul", "indie rock", "Mellow", "electronica", "80s", "folk", "90s", "chill"),
    *("instrumental", "punk", "oldies", "blues", "hard rock", "ambient", "acoustic"),
    *("experimental", "female vocalist", "guitar", "Hip-Hop", "70s", "party", "country"),
    *("easy listening", "sexy", "catchy", "funk", "electro", "heavy metal", "Progressive rock"),
    *("60s", "rnb", "indie pop", "sad", "House", "happy"),
)

LISTEN = ListenConfig(
    ExcerptConfig(n_excerpts=5, excerpt_s=3.0),
    FeatureConfig(
        sr=16000,
        n_fft=512,
        hop_length=256,
        n_mels=96,
        fmax=8000.0,
        db_min=-60.0,
        db_max=30.0,
    ),
    SliceConfig(n_frames=187, hop_frames=187),
)

DATA = {
    "about": "Million Song Dataset, 50 most frequent tags of Last.fm; by the authors of musicnn",
    "source": "musicnn 0.1.0 on PyPI, MSD_musicnn",
    "cite": "J. Pons and X. Serra: musicnn: pre-trained convolutional neural networks for music"
    " audio tagging. Late-breaking demo, ISMIR 2019",
}

N_FEATURES = 200
_EPSILON = 1e-3
_TIMBRAL = (0, 1)
_TEMPORAL = (2, 3, 4)
_TEMPORAL_FRAMES = (128, 64, 32)

Weights = Mapping[str, FloatArray]


def convert(wheel: Path) -> Converted:
    """The bundle that the wheel of musicnn 0.1.0 makes.

    Raises
    ------
    BundleError
        If the wheel lacks what it should hold.
    """
    try:
        with zipfile.ZipFile(wheel) as held:
            index, data = (
                held.read(f"musicnn/MSD_musicnn/{name}")
                for name in (".index", ".data-00000-of-00001")
            )
            licence = held.read("musicnn-0.1.0.dist-info/LICENSE.md").decode()
    except (KeyError, OSError, zipfile.BadZipFile) as e:
        raise BundleError(f"{wheel} is not the wheel of musicnn 0.1.0: {e}") from e
    meta = BundleMeta("musicnn", TAGS, LISTEN, VoteConfig(), data=DATA)
    return Converted(meta, network(read_checkpoint(index, data)), licence)


def network(weights: Weights) -> bytes:
    """ONNX: ``slices`` (n, 96, 187) to ``logits`` (n, 50) and ``embedding`` (n, 200).

    Parameters
    ----------
    weights : mapping of str to ndarray
        Variables of the checkpoint, by name.

    Raises
    ------
    BundleError
        If a variable is missing.
    """
    try:
        return _network(weights)
    except KeyError as e:
        raise BundleError(f"the checkpoint has no variable {e}", "get musicnn 0.1.0") from e


def _network(weights: Weights) -> bytes:
    g = Graph()
    compressed = g.add("Log", g.scaled(_power(g), 1e4, 1.0))
    scale, shift = _batch_norm(weights, 0)
    normed = g.scaled(compressed, scale.item() / np.log(10), shift.item())
    image = g.add("Unsqueeze", normed, g.constant([1]))  # (n, 1, mels, frames)
    heard = [_timbral(g, weights, i, image) for i in _TIMBRAL]
    heard += [_temporal(g, weights, i, image) for i in _TEMPORAL]
    front = g.add("Concat", *heard, axis=1)  # (n, channels, frames) from here on
    middle = [_over_time(g, weights, 5, front)]
    for i in (6, 7):
        middle.append(g.add("Add", _over_time(g, weights, i, middle[-1]), middle[-1]))
    embedding = _dense(g, weights, g.add("Concat", front, *middle, axis=1))
    tags = [g.constant(weights[f"dense_1/{part}"]) for part in ("kernel", "bias")]
    g.add("Gemm", embedding, *tags, name="logits")
    shape = (LISTEN.features.n_mels, LISTEN.slices.n_frames)
    outputs = {"logits": len(TAGS), "embedding": N_FEATURES}
    dtype = features.dtype(LISTEN.features)
    return g.network((dtype, shape), outputs, "MSD_musicnn of musicnn 0.1.0 (ISC licence)")


def _power(g: Graph) -> str:
    """Power in each mel filter, from its decibels."""
    per_db = np.log(10) / 10
    return g.add("Exp", g.scaled(g.unquantised(LISTEN.features), per_db, 0.0))


def _batch_norm(weights: Weights, number: int) -> tuple[FloatArray, FloatArray]:
    """Scale and shift that the batch norm comes down to."""
    name = "batch_normalization" + (f"_{number}" if number else "")
    gamma, beta, mean, variance = (
        weights[f"{name}/{part}"].astype(np.float64)
        for part in ("gamma", "beta", "moving_mean", "moving_variance")
    )
    scale = gamma / np.sqrt(variance + _EPSILON)
    return scale.astype(np.float32), (beta - mean * scale).astype(np.float32)


def _convolution(weights: Weights, number: int) -> tuple[FloatArray, FloatArray]:
    """Kernel (time, frequency, in, out) and bias."""
    name = "conv2d" + (f"_{number}" if number else "")
    return weights[f"{name}/kernel"], weights[f"{name}/bias"]


def _timbral(g: Graph, weights: Weights, number: int, image: str) -> str:
    kernel, bias = _convolution(weights, number)
    half = len(kernel) // 2
    return _highest(g, weights, number, image, kernel, bias, (half, half))


def _temporal(g: Graph, weights: Weights, number: int, image: str) -> str:
    kernel, bias = _convolution(weights, number)
    half = len(kernel) // 2
    return _highest(g, weights, number, image, kernel, bias, (half - 1, half))


def _highest(
    g: Graph,
    weights: Weights,
    number: int,
    image: str,
    kernel: FloatArray,
    bias: FloatArray,
    padding: tuple[int, int],
) -> str:
    """Convolution, ReLU, batch norm and maximum over frequency: (n, channels, frames).

    The maximum is taken first, which saves passes over the largest array. Where the batch norm
    turns the sign, the highest is what was lowest: those filters are turned, and turned back.
    """
    scale, shift = _batch_norm(weights, number + 1)
    sign = np.where(scale < 0, -1, 1).astype(np.float32)
    filters = (kernel * sign).transpose(3, 2, 1, 0)
    before, after = padding
    found = g.add(
        "Conv",
        image,
        g.constant(filters),
        g.constant(bias * sign),
        kernel_shape=filters.shape[2:],
        pads=[0, before, 0, after],
    )
    highest = g.add("ReduceMax", found, g.constant([2]), keepdims=0)
    rectified = g.add("Relu", g.add("Mul", highest, g.constant(_column(sign))))
    return g.scaled(rectified, _column(scale), _column(shift))


def _over_time(g: Graph, weights: Weights, number: int, x: str) -> str:
    """Convolution over time, ReLU, batch norm; channels were the width of the package's images."""
    kernel, bias = _convolution(weights, number)
    half = len(kernel) // 2
    filters = kernel[:, :, 0].transpose(2, 1, 0)
    found = g.add(
        "Conv",
        x,
        g.constant(filters),
        g.constant(bias),
        kernel_shape=[len(kernel)],
        pads=[half, half],
    )
    scale, shift = _batch_norm(weights, number + 1)
    return g.scaled(g.add("Relu", found), _column(scale), _column(shift))


def _dense(g: Graph, weights: Weights, x: str) -> str:
    """Maximum and mean over time, batch norm, the dense layer and its batch norm."""
    highest = g.add("ReduceMax", x, g.constant([2]), keepdims=0)
    mean = g.add("ReduceMean", x, g.constant([2]), keepdims=0)
    pooled = g.add("Concat", highest, mean, axis=1)
    scale, shift = _batch_norm(weights, 9)
    kernel = weights["dense/kernel"].astype(np.float64)
    bias = weights["dense/bias"] + shift @ kernel
    kernel = kernel * scale[:, None]
    apart = np.concatenate([kernel[0::2], kernel[1::2]])  # maximum and mean alternate
    found = g.add("Gemm", pooled, g.constant(_float32(apart)), g.constant(_float32(bias)))
    scale, shift = _batch_norm(weights, 10)
    product = g.add("Mul", g.add("Relu", found), g.constant(scale))
    return g.add("Add", product, g.constant(shift), name="embedding")


def _column(values: FloatArray) -> FloatArray:
    return values[:, None]


def _float32(values: NDArray[np.float64]) -> FloatArray:
    return values.astype(np.float32)

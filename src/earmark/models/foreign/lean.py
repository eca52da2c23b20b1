"""musicnn without what it does not use: the same answers at an eighth of the cost.

Most channels of MSD_musicnn are constant, whatever is played. They are folded into the biases of
the layers that follow, frame by frame, since a convolution sees zeros beyond the ends of a slice.
What is left is written so that processors like it: the input through a table, few filters over many
frames as one product with a matrix of all their shifts. Nothing is trained; which channels are
constant, and how the others spread, has been seen on music (`earmark.models.foreign.survey`).

Taking the timbral filters apart into few filters over frequency and mixtures of these over frames,
as is often done, was tried: where it cost a tenth less than all of this, the answers had lost 2 %
of their variance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from earmark import features
from earmark.errors import DataError
from earmark.models.foreign.musicnn import LISTEN
from earmark.models.foreign.musicnn_layers import Layer, Layers, read_layers
from earmark.models.foreign.survey import Survey
from earmark.models.onnx.graph import Graph
from earmark.types import FloatArray

_N_FRAMES = LISTEN.slices.n_frames
# Features that hardly change over all that was heard tell nothing, and would be blown up to noise.
_SPREAD = 0.01
# From so many filters on, a convolution is faster than the matrix of all shifts; as many channels
# are computed at once.
_BLOCK = 16


@dataclass(frozen=True, slots=True)
class Lean:
    """The network, and what it is made of.

    Attributes
    ----------
    network : bytes
        ONNX: ``slices`` (n, 96, 187) to ``logits``, the teacher's tags, and ``embedding``.
    imitated : ndarray of int64
        The last features of the embedding stand for these of the teacher's.
    mean, spread : ndarray of float32, shape (len(imitated),)
        By which those have been standardised.
    n_features : int
        Of the embedding.
    n_alive : tuple of int
        Channels that are left of each layer.
    """

    network: bytes
    imitated: NDArray[np.int64]
    mean: FloatArray
    spread: FloatArray
    n_features: int
    n_alive: tuple[int, ...]


def lean(network: Path, found: Survey, clip: float) -> Lean:
    """The lean network of a teacher.

    Its embedding is the maximum over time of every channel that is left, and then the teacher's
    embedding, all standardised over the music of the survey.

    Parameters
    ----------
    network : Path
        The teacher's.
    found : Survey
    clip : float
        Standardised features are cut off at this distance from 0; 0: they are not.

    Raises
    ------
    BundleError
        If the graph is not musicnn's.
    DataError
        If the music of the survey was all the same to the teacher.
    """
    layers = read_layers(network)
    if not (found.spread[len(found.alive) :] > _SPREAD).any():
        raise DataError(
            "the music to distil on sounds all the same", "give more music, of more kinds"
        )
    kept = _kept(layers, found)
    used = _numbers(layers, kept)
    g = Graph()
    levels = g.add("Cast", "slices", to=TensorProto.INT32)
    x = g.add("Gather", g.constant(_table(layers)), levels)  # (n, mels, frames)
    front = _front(g, x, layers, kept)
    first, whole = _first_middle(g, front, layers, kept, found)
    middle = [whole]
    for layer in layers.middle[1:]:
        answer = _rectified(g, _over_time(g, middle[-1], layer.weights, layer.bias[:, None]), layer)
        middle.append(g.add("Add", answer, middle[-1]))
    channels = g.add("Concat", front, first, *middle[1:], axis=1)
    maxima = g.add("ReduceMax", channels, g.constant([2]), keepdims=0)
    means = g.add("ReduceMean", channels, g.constant([2]), keepdims=0)
    imitation = _dense(g, g.add("Concat", maxima, means, axis=1), layers.dense, used, found)
    g.add("Gemm", imitation, *(g.constant(values) for values in layers.tags), name="logits")
    columns = _standardised(g, g.add("Concat", maxima, imitation, axis=1), used, found, clip)
    imitated = columns[columns >= len(found.alive)]
    return Lean(
        g.network(
            (features.dtype(LISTEN.features), (LISTEN.features.n_mels, _N_FRAMES)),
            {"logits": len(layers.tags[1]), "embedding": len(columns)},
            "MSD_musicnn of musicnn 0.1.0 (ISC licence) without what is constant in it",
        ),
        imitated=imitated - len(found.alive),
        mean=_float32(found.mean[imitated]),
        spread=_float32(found.spread[imitated]),
        n_features=len(columns),
        n_alive=tuple(map(len, kept)),
    )


def _table(layers: Layers) -> FloatArray:
    """What each level of a quantised spectrogram is to the first layers."""
    dtype = features.dtype(LISTEN.features)
    levels = np.arange(np.iinfo(dtype).max + 1, dtype=dtype)
    power = 10 ** (features.dequantise(levels, LISTEN.features).astype(np.float64) / 10)
    return _float32(np.log1p(1e4 * power) * layers.input_scale + layers.input_shift)


def _kept(layers: Layers, found: Survey) -> list[NDArray[np.int64]]:
    """Channels of each layer that are alive; of the last two, to which others are added, all."""
    sizes = layers.sizes
    alive = np.split(found.alive, np.cumsum(sizes)[:-1])
    # No layer can be without any channel.
    kept = [np.flatnonzero(part) if part.any() else np.arange(1) for part in alive]
    return [*kept[:-2], *(np.arange(size) for size in sizes[-2:])]


def _numbers(layers: Layers, kept: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Numbers, among all channels, of those that are kept of the first layers."""
    starts = np.cumsum([0, *layers.sizes])
    return np.concatenate([start + part for start, part in zip(starts, kept, strict=False)])


def _front(g: Graph, x: str, layers: Layers, kept: Sequence[NDArray[np.int64]]) -> str:
    """Timbral and temporal filters where they are highest over frequency, (n, channels, frames)."""
    image = g.add("Unsqueeze", x, g.constant([1]))
    front = (*layers.timbral, *layers.temporal)
    answers = []
    for layer, channels in zip(front, kept, strict=False):
        filters = layer.weights[channels]
        if filters.shape[2] > 1 or len(filters) >= _BLOCK:
            answers.append(_highest(g, image, filters))
        else:
            answers.append(_highest_shifted(g, x, filters[:, 0, 0]))
    bias, sign, scale, shift = (
        np.concatenate(
            [getattr(layer, name)[channels] for layer, channels in zip(front, kept, strict=False)]
        )[:, None]
        for name in ("bias", "sign", "scale", "shift")
    )
    turned = g.scaled(g.add("Concat", *answers, axis=1), sign, sign * bias)
    return g.scaled(g.add("Relu", turned), scale, shift)


def _highest(g: Graph, image: str, filters: FloatArray) -> str:
    """Answers of filters (n, 1, height, length) over time, the highest over frequency.

    In whole blocks of channels, and by pooling, onnxruntime does both without rearranging what is
    its largest array by far.
    """
    n, _, height, length = filters.shape
    padded = np.zeros((-(-n // _BLOCK) * _BLOCK, *filters.shape[1:]), np.float32)
    padded[:n] = filters
    pads = [0, (length - 1) // 2, 0, length // 2]
    found = g.add("Conv", image, g.constant(padded), kernel_shape=[height, length], pads=pads)
    rows = LISTEN.features.n_mels - height + 1
    highest = g.add("Squeeze", g.add("MaxPool", found, kernel_shape=[rows, 1]), g.constant([2]))
    return g.add("Slice", highest, g.constant([0]), g.constant([n]), g.constant([1]))


def _highest_shifted(g: Graph, x: str, filters: FloatArray) -> str:
    """The same of filters (n, length) over time alone, as one product with all their shifts."""
    n, length = filters.shape
    places = np.arange(_N_FRAMES)
    tap = places[:, None] - places + (length - 1) // 2  # of a frame, seen from a place
    within = (tap >= 0) & (tap < length)
    shifts = np.where(within, filters[:, tap.clip(0, length - 1)], 0)  # (n, frame, place)
    matrix = shifts.transpose(1, 0, 2).reshape(_N_FRAMES, -1)
    found = g.add("MatMul", x, g.constant(_float32(matrix)))
    highest = g.add("ReduceMax", found, g.constant([1]), keepdims=0)
    return g.add("Reshape", highest, g.constant([-1, n, _N_FRAMES]))


def _first_middle(
    g: Graph, front: str, layers: Layers, kept: Sequence[NDArray[np.int64]], found: Survey
) -> tuple[str, str]:
    """The first layer over time: the channels that are left of it, and all of them."""
    layer, channels = layers.middle[0].only(kept[5]), kept[5]
    n_front, n = sum(layers.sizes[:5]), layers.sizes[5]
    used = _numbers(layers, kept[:5])
    still = found.constant[:n_front].copy()
    still[used] = 0
    n_taps = layer.weights.shape[2]
    places = np.arange(_N_FRAMES)[:, None] + np.arange(n_taps) - n_taps // 2
    within = (places >= 0) & (places < _N_FRAMES)
    bias = layer.bias[:, None] + np.einsum("oct,c,ft->of", layer.weights, still, within)
    answer = _over_time(g, front, layer.weights[:, used], _float32(bias))
    first = _rectified(g, answer, layer)
    still = found.constant[n_front : n_front + n].copy()
    still[channels] = 0
    placed = np.eye(n, dtype=np.float32)[:, channels, None]
    constants = g.constant(placed), g.constant(_float32(still))
    return first, g.add("Conv", first, *constants, kernel_shape=[1])


def _over_time(g: Graph, x: str, weights: FloatArray, bias: FloatArray) -> str:
    """Convolution with weights (n_out, n_in, taps); `bias` is (n_out, 1) or (n_out, frames)."""
    half = weights.shape[2] // 2
    kernel = g.constant(weights)
    found = g.add("Conv", x, kernel, kernel_shape=weights.shape[2:], pads=[half, half])
    return g.add("Add", found, g.constant(bias))


def _rectified(g: Graph, x: str, layer: Layer) -> str:
    return g.scaled(g.add("Relu", x), layer.scale[:, None], layer.shift[:, None])


def _dense(g: Graph, pooled: str, layer: Layer, used: NDArray[np.int64], found: Survey) -> str:
    """The teacher's embedding, from maxima and means of the channels `used`."""
    of_maxima, of_means = np.split(layer.weights, 2)
    still = found.constant.copy()
    still[used] = 0
    bias = layer.bias + still @ (of_maxima + of_means)
    weights = np.concatenate([of_maxima[used], of_means[used]])
    answer = g.add("Gemm", pooled, g.constant(weights), g.constant(_float32(bias)))
    return g.scaled(g.add("Relu", answer), layer.scale, layer.shift)


def _standardised(
    g: Graph, x: str, used: NDArray[np.int64], found: Survey, clip: float
) -> NDArray[np.int64]:
    """Write the embedding; the survey's numbers of its features."""
    columns = np.concatenate([used, np.arange(len(found.alive), len(found.mean))])
    telling = np.flatnonzero(found.spread[columns] > _SPREAD)
    columns = columns[telling]
    mean, spread = found.mean[columns], found.spread[columns]
    told = g.add("Gather", x, g.constant(telling), axis=1)
    product = g.add("Mul", told, g.constant(_float32(1 / spread)))
    centred = product, g.constant(_float32(-mean / spread))
    if clip:
        limits = g.constant(-clip), g.constant(clip)
        g.add("Clip", g.add("Add", *centred), *limits, name="embedding")
    else:
        g.add("Add", *centred, name="embedding")
    return columns


def _float32(values: NDArray[Any]) -> FloatArray:
    return values.astype(np.float32)

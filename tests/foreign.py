"""Checkpoints of others with random weights, and their networks written once more.

The networks follow the published descriptions in the layout of the original frameworks, and share
no code with the graphs that they are compared with.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from earmark.types import FloatArray

if TYPE_CHECKING:
    import torch

Numbers = NDArray[np.float64]

_EPSILON = 1e-3


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _entry(shape: tuple[int, ...], offset: int, size: int, dtype: int) -> bytes:
    """A ``BundleEntryProto``."""
    dims = b"".join(b"\x12" + _varint(len(d)) + d for d in (b"\x08" + _varint(n) for n in shape))
    place = b"\x20" + _varint(offset) + b"\x28" + _varint(size) + b"\x35" + bytes(4)
    return b"\x08" + _varint(dtype) + b"\x12" + _varint(len(dims)) + dims + place


def _block(entries: list[tuple[bytes, bytes]]) -> bytes:
    """Entries that share prefixes, all from one restart point."""
    out, before = b"", b""
    for key, value in entries:
        shared = 0
        while shared < min(len(key), len(before)) and key[shared] == before[shared]:
            shared += 1
        own = key[shared:]
        out += _varint(shared) + _varint(len(own)) + _varint(len(value)) + own + value
        before = key
    return out + struct.pack("<II", 0, 1)


def checkpoint(
    variables: Mapping[str, FloatArray], *, kind: int = 0, per_block: int = 7
) -> tuple[bytes, bytes]:
    """Index and data of a TensorFlow checkpoint; `kind` is what blocks say of their compression."""
    data = b""
    entries = [(b"", b"\x08\x01\x1a\x02\x08\x01")]  # a header: one shard
    for name, values in sorted(variables.items()):
        raw = values.astype("<f4").tobytes()
        entries.append((name.encode(), _entry(values.shape, len(data), len(raw), 1)))
        data += raw
    entries.append((b"~step", _entry((), len(data), 8, 9)))  # int64, of no interest
    index, handles = b"", []

    def append(block: bytes) -> bytes:
        nonlocal index
        handle = _varint(len(index)) + _varint(len(block))
        index += block + bytes([kind]) + bytes(4)
        return handle

    for i in range(0, len(entries), per_block):
        part = entries[i : i + per_block]
        handles.append((part[-1][0], append(_block(part))))
    ends = append(_block([])) + append(_block(handles))
    return index + ends.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57), data + bytes(8)


# --- MSD_musicnn -------------------------------------------------------------------------------

_KERNELS = (
    *((7, 38, 1, 204), (7, 67, 1, 204), (128, 1, 1, 51), (64, 1, 1, 51), (32, 1, 1, 51)),
    *((7, 561, 1, 64), (7, 64, 1, 64), (7, 64, 1, 64)),
)
_NORMED = (1, 204, 204, 51, 51, 51, 64, 64, 64, 1506, 200)


def musicnn_variables(seed: int = 0) -> dict[str, FloatArray]:
    """Random variables of the names and shapes of MSD_musicnn's, that keep its numbers in range."""
    rng = np.random.default_rng(seed)
    found: dict[str, Numbers] = {}
    for i, shape in enumerate(_KERNELS):
        name = "conv2d" + (f"_{i}" if i else "")
        found[f"{name}/kernel"] = rng.normal(size=shape) / np.sqrt(np.prod(shape[:3]))
        found[f"{name}/bias"] = rng.normal(0, 0.1, shape[3])
    for i, n in enumerate(_NORMED):
        name = "batch_normalization" + (f"_{i}" if i else "")
        found[f"{name}/gamma"] = rng.normal(0.5, 0.5, n)  # some turn the sign
        found[f"{name}/beta"] = rng.normal(0, 0.2, n)
        found[f"{name}/moving_mean"] = rng.normal(0.3, 0.2, n)
        found[f"{name}/moving_variance"] = rng.uniform(0.2, 2, n)
    for name, n_in, n_out in (("dense", 1506, 200), ("dense_1", 200, 50)):
        found[f"{name}/kernel"] = rng.normal(size=(n_in, n_out)) / np.sqrt(n_in)
        found[f"{name}/bias"] = rng.normal(0, 0.1, n_out)
    return {name: values.astype(np.float32) for name, values in found.items()}


ALIVE = (23, 14, 3, 7, 17, 20)
"""Channels that ever fire in MSD_musicnn's layers, but for the last two, where all do."""


def musicnn_mostly_dead(n_alive: tuple[int, ...] = ALIVE, seed: int = 0) -> dict[str, FloatArray]:
    """Random variables with which only so many channels of the first layers can fire."""
    found = musicnn_variables(seed)
    rng = np.random.default_rng(seed)
    for layer, n in enumerate(n_alive):
        bias = found[f"conv2d_{layer}/bias" if layer else "conv2d/bias"]
        bias[rng.permutation(len(bias))[n:]] = -1000
    return found


def musicnn_wheel(path: Path, variables: Mapping[str, FloatArray]) -> Path:
    """A file that holds what the wheel of musicnn 0.1.0 holds of MSD_musicnn."""
    index, data = checkpoint(variables)
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("musicnn/MSD_musicnn/.index", index)
        wheel.writestr("musicnn/MSD_musicnn/.data-00000-of-00001", data)
        wheel.writestr("musicnn-0.1.0.dist-info/LICENSE.md", "Copyright. Permission to use …")
    return path


def held_by(wheel: Path) -> tuple[bytes, bytes]:
    """Index and data of the checkpoint in such a wheel."""
    with zipfile.ZipFile(wheel) as held:
        folder = "musicnn/MSD_musicnn"
        return held.read(f"{folder}/.index"), held.read(f"{folder}/.data-00000-of-00001")


def musicnn(variables: Mapping[str, FloatArray], power: Numbers) -> tuple[Numbers, Numbers]:
    """Embedding and logits of mel powers (n, frames, mels), in TensorFlow's layout."""

    def norm(number: int, x: Numbers) -> Numbers:
        name = "batch_normalization" + (f"_{number}" if number else "")
        gamma, beta, mean, variance = (
            variables[f"{name}/{part}"].astype(np.float64)
            for part in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        return np.asarray(gamma * (x - mean) / np.sqrt(variance + _EPSILON) + beta)

    def conv_relu_norm(number: int, x: Numbers, before: int, after: int) -> Numbers:
        name = "conv2d" + (f"_{number}" if number else "")
        kernel = variables[f"{name}/kernel"].astype(np.float64)
        padded = np.pad(x, [(0, 0), (before, after), (0, 0), (0, 0)])
        patches = sliding_window_view(padded, kernel.shape[:2], axis=(1, 2))
        found = np.tensordot(patches, kernel, axes=([3, 4, 5], [2, 0, 1]))
        return norm(number + 1, np.maximum(found + variables[f"{name}/bias"], 0))

    x = norm(0, np.log10(1 + 10000 * power)[..., None])
    front = [conv_relu_norm(i, x, 3, 3).max(axis=2) for i in (0, 1)]
    front += [
        conv_relu_norm(i, x, before, after).max(axis=2)
        for i, before, after in ((2, 63, 64), (3, 31, 32), (4, 15, 16))
    ]
    blocks = [np.concatenate(front, axis=2)[..., None]]
    blocks.append(conv_relu_norm(5, blocks[0], 3, 3).transpose(0, 1, 3, 2))
    for i in (6, 7):
        blocks.append(conv_relu_norm(i, blocks[-1], 3, 3).transpose(0, 1, 3, 2) + blocks[-1])
    features = np.concatenate(blocks, axis=2)
    pooled = np.concatenate([features.max(axis=1), features.mean(axis=1)], axis=2)
    flat = norm(9, pooled.reshape(len(pooled), -1))
    dense = np.maximum(flat @ variables["dense/kernel"] + variables["dense/bias"], 0)
    embedding = norm(10, dense)
    return embedding, embedding @ variables["dense_1/kernel"] + variables["dense_1/bias"]


# --- EfficientAT -------------------------------------------------------------------------------

_FIRST, _LAST, _HIDDEN, _CLASSES = 8, 384, 512, 527
_BLOCKS = (  # kernel, wide, out, squeezed to, stride
    *((3, 8, 8, 0, 1), (3, 24, 16, 0, 2), (3, 32, 16, 0, 1), (5, 32, 16, 8, 2), (5, 48, 16, 16, 1)),
    *((5, 48, 16, 16, 1), (3, 96, 32, 0, 2), (3, 80, 32, 0, 1), (3, 72, 32, 0, 1)),
    *((3, 72, 32, 0, 1), (3, 192, 48, 48, 1), (3, 272, 48, 72, 1), (5, 272, 64, 72, 2)),
    *((5, 384, 64, 96, 1), (5, 384, 64, 96, 1)),
)


def mn04_weights(seed: int = 0) -> dict[str, FloatArray]:
    """Random weights of the names and shapes of mn04_as."""
    rng = np.random.default_rng(seed)
    found: dict[str, Numbers] = {}

    def conv(name: str, n_out: int, n_in: int, size: int) -> None:
        gain = np.sqrt(2 / (n_in * size * size))
        found[f"{name}.0.weight"] = rng.normal(0, gain, (n_out, n_in, size, size))
        found[f"{name}.1.weight"] = rng.uniform(0.5, 1.5, n_out)
        found[f"{name}.1.bias"] = rng.normal(0, 0.2, n_out)
        found[f"{name}.1.running_mean"] = rng.normal(0, 0.2, n_out)
        found[f"{name}.1.running_var"] = rng.uniform(0.5, 1.5, n_out)

    def dense(name: str, n_out: int, n_in: int) -> None:
        found[f"{name}.weight"] = rng.normal(0, 1 / np.sqrt(n_in), (n_out, n_in))
        found[f"{name}.bias"] = rng.normal(0, 0.2, n_out)

    conv("features.0", _FIRST, 1, 3)
    n_in = _FIRST
    for i, (size, wide, n_out, squeezed, _) in enumerate(_BLOCKS, start=1):
        name, part = f"features.{i}.block", 0
        if i > 1:
            conv(f"{name}.0", wide, n_in, 1)
            part = 1
        conv(f"{name}.{part}", wide, 1, size)
        if squeezed:
            part += 1
            dense(f"{name}.{part}.conc_se_layers.0.fc1", squeezed, wide)
            dense(f"{name}.{part}.conc_se_layers.0.fc2", wide, squeezed)
        conv(f"{name}.{part + 1}", n_out, wide, 1)
        n_in = n_out
    conv("features.16", _LAST, n_in, 1)
    dense("classifier.2", _HIDDEN, _LAST)
    dense("classifier.5", _CLASSES, _HIDDEN)
    return {name: values.astype(np.float32) for name, values in found.items()}


def mn04(weights: Mapping[str, FloatArray], y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Embedding and logits of samples (n, n_samples) at 32 kHz, by torch's own functions."""
    import torch
    from torch.nn import functional as F  # noqa: N812 - its usual name

    w = {name: torch.from_numpy(values).double() for name, values in weights.items()}

    def conv(name: str, x: torch.Tensor, stride: int = 1, groups: int = 1) -> torch.Tensor:
        kernel = w[f"{name}.0.weight"]
        x = F.conv2d(x, kernel, None, stride, kernel.shape[2] // 2, groups=groups)
        mean, variance = w[f"{name}.1.running_mean"], w[f"{name}.1.running_var"]
        scale, shift = w[f"{name}.1.weight"], w[f"{name}.1.bias"]
        return F.batch_norm(x, mean, variance, scale, shift, eps=_EPSILON)

    def dense(name: str, x: torch.Tensor) -> torch.Tensor:
        return F.linear(x, w[f"{name}.weight"], w[f"{name}.bias"])

    x = F.hardswish(conv("features.0", _mn04_mel(torch.from_numpy(y).double())[:, None], 2))
    for i, (_, wide, _, squeezed, stride) in enumerate(_BLOCKS, start=1):
        name, part, before = f"features.{i}.block", 0, x
        activation = F.relu if i < 7 else F.hardswish
        if i > 1:
            x, part = activation(conv(f"{name}.0", x)), 1
        x = activation(conv(f"{name}.{part}", x, stride, wide))
        if squeezed:
            part += 1
            inner = f"{name}.{part}.conc_se_layers.0"
            gate = dense(f"{inner}.fc2", F.relu(dense(f"{inner}.fc1", x.mean((2, 3)))))
            x = x * torch.sigmoid(gate)[:, :, None, None]
        x = conv(f"{name}.{part + 1}", x)
        if stride == 1 and x.shape == before.shape:
            x = x + before
    embedding = F.hardswish(conv("features.16", x)).mean((2, 3))
    logits = dense("classifier.5", F.hardswish(dense("classifier.2", embedding)))
    return embedding.float().numpy(), logits.float().numpy()


def add_musicnn(home: Path) -> None:
    """As `earmark models add` would, with random weights of which most do nothing."""
    from earmark.models import bundle as bundles
    from earmark.models.foreign.musicnn import convert

    made = convert(musicnn_wheel(home / "any.whl", musicnn_mostly_dead()))
    texts = {bundles.LICENCE_NAME: made.licence}
    bundles.write(home / "models" / "musicnn", made.meta, made.network, texts)


def _mn04_mel(y: torch.Tensor) -> torch.Tensor:
    import torch

    y = y[:, 1:] - 0.97 * y[:, :-1]
    window = torch.hann_window(800, periodic=False, dtype=y.dtype)
    spectrum = torch.stft(y, 1024, 320, 800, window, center=True, return_complex=True)
    hz = torch.arange(513, dtype=y.dtype) * (32000 / 1024)
    mel = 1127 * torch.log1p(hz / 700)
    top = 1127 * np.log1p(15000 / 700)
    bank = torch.stack(
        [(1 - (mel - top * (i + 1) / 129).abs() / (top / 129)).clamp(min=0) for i in range(128)]
    )
    return ((bank @ spectrum.abs() ** 2 + 1e-5).log() + 4.5) / 5

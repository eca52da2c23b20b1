"""Recordings of one bit at any of their rates."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from earmark.audio import probe
from tests.audiofiles import FloatArray
from tests.refusals import SR, assert_refused, read


def write_dsf(path: Path, y: FloatArray, rate: int) -> Path:
    """A DSF file of `y`, shape (n_channels, n_samples), within ±1, by sigma-delta modulation."""
    n_channels, n_samples = y.shape
    steps = np.floor(np.cumsum((y.astype(np.float64) + 1) / 2, axis=1))
    bits = np.diff(steps, axis=1, prepend=0).astype(np.uint8)
    size = 4096
    n_blocks = -(-n_samples // (8 * size))
    packed = np.zeros((n_channels, n_blocks * size), dtype=np.uint8)
    found = np.packbits(bits, axis=1, bitorder="little")
    packed[:, : found.shape[1]] = found
    data = packed.reshape(n_channels, n_blocks, size).swapaxes(0, 1).tobytes()
    kind = 2 if n_channels == 2 else 1
    form = (1, 0, kind, n_channels, rate, 1, n_samples, size, 0)
    path.write_bytes(
        struct.pack("<4sQQQ", b"DSD ", 28, 92 + len(data), 0)
        + struct.pack("<4sQIIIIIIQII", b"fmt ", 52, *form)
        + struct.pack("<4sQ", b"data", 12 + len(data))
        + data
    )
    return path


@pytest.mark.parametrize("multiple", [64, 128, 256, 512])
def test_dsd_of_any_rate(multiple: int, tmp_path: Path) -> None:
    rate = 44_100 * multiple
    t = np.arange(round(0.7 * rate)) / rate
    y = np.stack([0.5 * np.sin(2 * np.pi * 441 * t)] * 2).astype(np.float32)
    path = write_dsf(tmp_path / "song.dsf", y, rate)
    assert probe(path).sr == rate // 8
    (excerpt,) = read(path)
    heard = excerpt.signal.y[SR // 10 : 6 * SR // 10]
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(heard.size)))
    assert spectrum.argmax() * SR / heard.size == pytest.approx(441, abs=3)
    assert heard.std() == pytest.approx(0.5 / np.sqrt(2), rel=0.02)


def test_a_rate_beyond_all_of_them_is_damage(tmp_path: Path) -> None:
    path = write_dsf(tmp_path / "song.dsf", np.zeros((2, 44_100), np.float32), 64 * 44_100)
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, 28 + 28, 2_000_000_000)
    path.write_bytes(content)
    assert_refused(path, "damaged header: 2 channels of 250000000 samples a second")

"""Makes `ape.ape`, a real Monkey's Audio file: ``python -m tests.data.make_ape``.

No free encoder of this format is packaged, so here is the least of one: a single frame, mono,
16 bits, compression level "fast", file version 3990. Written from the format's description, for
test data only: it is slow, and larger than it need be where a sample surprises the predictor.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from pathlib import Path

import numpy as np

from tests.audiofiles import synth

SR = 16000
VERSION, FAST, MAKE_WAV_HEADER = 3990, 1000, 32

# Ends of the first symbols' intervals, out of 65536; symbols above are written as escapes.
SYMBOL_ENDS = (0, 19578, 36160, 48417, 56323, 60899, 63265, 64435, 64971, 65232)
ESCAPE = 65535


class RangeCoder:
    """Carries take care of themselves: `low` is one integer as long as the output."""

    def __init__(self) -> None:
        self._low, self._range, self._n_bits = 0, 1 << 31, 31

    def encode(self, start: int, width: int, total: int) -> None:
        """Narrow the interval to `start` to `start + width` parts out of `total`."""
        while self._range <= 1 << 23:
            self._low <<= 8
            self._range <<= 8
            self._n_bits += 8
        part = self._range // total
        self._low += part * start
        self._range = part * width

    def finish(self) -> bytes:
        n_bytes = -(-self._n_bits // 8)
        return (self._low << 8 * n_bytes - self._n_bits).to_bytes(n_bytes, "big") + bytes(8)


def residuals(samples: list[int]) -> list[int]:
    """What an adaptive predictor of four coefficients fails to foresee."""
    coefficients = [360, 317, -109, 98]
    past = [0, 0, 0, 0]  # the last value, and the last three differences
    adapt = [0, 0, 0, 0]
    before_last = last = previous = 0
    result = []
    for sample in samples:
        filtered = sample - (previous * 31 >> 5)
        previous = sample
        past = [last, last - before_last, past[1], past[2]]
        adapt = [_sign(past[0]), _sign(past[1]), adapt[1], adapt[2]]
        prediction = sum(p * c for p, c in zip(past, coefficients, strict=True)) >> 10
        residual = filtered - prediction
        coefficients = [c + a * _sign(residual) for c, a in zip(coefficients, adapt, strict=True)]
        before_last, last = last, filtered
        result.append(residual)
    return result


def _sign(x: int) -> int:
    return (x < 0) - (x > 0)


def entropy_code(values: list[int]) -> bytes:
    """Each value as a quotient and a remainder by a pivot that follows the mean."""
    coder = RangeCoder()
    mean_sum = 1 << 14
    for value in values:
        x = 2 * value - 1 if value > 0 else -2 * value
        pivot = max(1, mean_sum >> 5)
        quotient, remainder = divmod(x, pivot)
        if quotient + 1 < len(SYMBOL_ENDS):
            start, end = SYMBOL_ENDS[quotient : quotient + 2]
            coder.encode(start, end - start, 1 << 16)
        else:
            coder.encode(ESCAPE, 1, 1 << 16)
            coder.encode(quotient >> 16, 1, 1 << 16)
            coder.encode(quotient & 0xFFFF, 1, 1 << 16)
        coder.encode(remainder, 1, pivot)
        mean_sum += (x + 1) // 2 - (mean_sum + 16 >> 5)
    return coder.finish()


def encode(samples: list[int], sr: int) -> bytes:
    pcm = struct.pack(f"<{len(samples)}h", *samples)
    frame = struct.pack(">I", zlib.crc32(pcm) >> 1) + b"\0" + entropy_code(residuals(samples))
    frame += bytes(-len(frame) % 4)
    words = struct.unpack(f">{len(frame) // 4}I", frame)
    frame = struct.pack(f"<{len(words)}I", *words)
    header = struct.pack("<HHIIIHHI", FAST, MAKE_WAV_HEADER, 73728 * 4, len(samples), 1, 16, 1, sr)
    seek_table = struct.pack("<I", 52 + len(header) + 4)
    checksum = hashlib.md5(frame + header + seek_table, usedforsecurity=False).digest()
    descriptor = struct.pack(
        "<4sHHIIIIIII", b"MAC ", VERSION, 0, 52, len(header), 4, 0, len(frame), 0, 0
    )
    return descriptor + checksum + header + seek_table + frame


if __name__ == "__main__":
    y = synth("music", 1.0, SR, n_channels=1)[0]
    samples = np.round(y * 2**15).astype(int).tolist()
    (Path(__file__).parent / "ape.ape").write_bytes(encode(samples, SR))

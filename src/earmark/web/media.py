"""What a browser needs to play and show a track: overview, spectrogram, preview, cover.

Overview
    A whole track at a glance: its spectrogram and its loudness, narrow enough for a screen.
Spectrogram
    PNG in few bytes and without an imaging library: rows of indices, and a palette.
Preview
    The sound in a form that every browser plays.
Cover
    The picture that comes with the sound, where it is not too large for a page.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import av
import numpy as np
from numpy.typing import NDArray

from earmark.audio import cover, mono_chunks
from earmark.features.mel import axis, log_mel
from earmark.types import FeatureConfig, FloatArray

Palette = Literal["magma", "grey"]

# Steps of 46 ms, of which as many are taken together as it takes to fit.
_CONFIG = FeatureConfig(n_fft=2048, hop_length=1024, n_mels=96)
_MOST_COLUMNS = 1600
_RANGE_DB = 80.0

# Every 32nd colour of matplotlib's magma (CC0), from nothing to the loudest; the rest lie between.
_MAGMA = (
    *((0, 0, 4), (28, 16, 68), (79, 18, 123), (129, 37, 129), (181, 54, 122)),
    *((229, 80, 100), (251, 135, 97), (254, 194, 135), (252, 253, 191)),
)

LARGEST_COVER = 20 << 20
"""In bytes; larger pictures are passed over."""

_PREVIEW_SR = 48_000
_PREVIEW_BIT_RATE = 96_000


# --- overview ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TrackOverview:
    """Column i covers the seconds from ``i * column_s`` on.

    Attributes
    ----------
    S : ndarray of uint8, shape (n_bins, n_columns)
        Level, 255 at the loudest, 0 at 80 dB below it and less.
    peaks : ndarray of float32, shape (n_columns,)
        Largest magnitude, within [0, 1].
    bins_hz : ndarray of float64, shape (n_bins,)
    column_s, duration_s : float
    truncated : bool
        Whether the track goes on.
    """

    S: NDArray[np.uint8]
    peaks: FloatArray
    bins_hz: NDArray[np.float64]
    column_s: float
    duration_s: float
    truncated: bool


def overview(path: str | os.PathLike[str], max_s: float) -> TrackOverview:
    """Decode a file, at most `max_s` seconds of it, and picture it. Memory is a few megabytes.

    Raises
    ------
    AudioError
        The file cannot be read, or holds no audio.
    """
    hop, sr = _CONFIG.hop_length, _CONFIG.sr
    n_most = max(1, round(max_s * sr / hop))
    spectra: list[FloatArray] = []
    peaks: list[FloatArray] = []
    n_frames = n_samples = 0
    for block in _blocks(mono_chunks(path, sr), hop):
        spectra.append(block.S)
        peaks.append(block.peaks)
        n_frames += block.peaks.size
        n_samples += block.n_samples
        if n_frames > n_most:
            break
    truncated = n_frames > n_most
    # What is kept of a long track is a multiple of what it takes to fill the screen.
    n_kept = min(n_frames, n_most)
    each = -(-n_kept // _MOST_COLUMNS)
    S = _in_groups(np.concatenate(spectra, axis=1)[:, :n_kept], each).mean(axis=2)
    loud = _in_groups(np.concatenate(peaks)[None, :n_kept], each).max(axis=2)[0]
    levels = (S - (S.max() - _RANGE_DB)) * (255 / _RANGE_DB)
    return TrackOverview(
        S=np.clip(np.rint(levels), 0, 255).astype(np.uint8),
        peaks=np.minimum(loud, 1).astype(np.float32),
        bins_hz=axis(_CONFIG).values,
        column_s=each * hop / sr,
        duration_s=n_kept * hop / sr if truncated else n_samples / sr,
        truncated=truncated,
    )


@dataclass(frozen=True, slots=True)
class _Block:
    S: FloatArray
    peaks: FloatArray
    n_samples: int


def _blocks(chunks: Iterator[FloatArray], hop: int) -> Iterator[_Block]:
    """Frames of a stream, each as if it had been computed from the whole."""
    # A hop on either side is all that the frames in between see.
    pending = np.zeros(hop, np.float32)
    for chunk in chunks:
        pending = np.concatenate([pending, chunk])
        n = pending.size // hop - 2
        if n > 0:
            yield _block(pending[: (n + 2) * hop], hop, n * hop)
            pending = pending[n * hop :]
    n_left = pending.size - hop
    if n_left > 0:
        n = -(-n_left // hop)
        yield _block(np.pad(pending, (0, (n + 2) * hop - pending.size)), hop, n_left)


def _block(y: FloatArray, hop: int, n_samples: int) -> _Block:
    S = log_mel(y, _CONFIG)[:, 1 : y.size // hop - 1]
    inner = y[hop:-hop].reshape(-1, hop)
    return _Block(S, np.abs(inner).max(axis=1), n_samples)


def _in_groups(S: FloatArray, each: int) -> FloatArray:
    """Columns in groups of `each`, shape (n_rows, n_groups, each); the last column fills up."""
    padded = np.pad(S, ((0, 0), (0, -S.shape[1] % each)), mode="edge")
    return padded.reshape(S.shape[0], -1, each)


# --- spectrogram ---------------------------------------------------------------------------------


def png(S: NDArray[np.uint8], palette: Palette) -> bytes:
    """Draw levels, shape (n_bins, n_columns), with the lowest bin at the bottom."""
    n_rows, n_columns = S.shape
    # Each row starts with the number of its filter: none.
    rows = np.zeros((n_rows, n_columns + 1), dtype=np.uint8)
    rows[:, 1:] = S[::-1]
    header = struct.pack(">IIBBBBB", n_columns, n_rows, 8, 3, 0, 0, 0)
    chunks = (
        (b"IHDR", header),
        (b"PLTE", _colours(palette).tobytes()),
        (b"IDAT", zlib.compress(rows.tobytes(), 6)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _colours(palette: Palette) -> NDArray[np.uint8]:
    levels = np.arange(256)
    if palette == "grey":
        return np.repeat(levels[:, None], 3, axis=1).astype(np.uint8)
    known = np.linspace(0, 255, len(_MAGMA))
    channels = [np.interp(levels, known, channel) for channel in zip(*_MAGMA, strict=True)]
    colours: NDArray[np.uint8] = np.rint(np.stack(channels, axis=1)).astype(np.uint8)
    return colours


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


# --- preview -------------------------------------------------------------------------------------


def write_preview(path: str | os.PathLike[str], target: Path, max_s: float) -> None:
    """Write the sound of a file, mono, at most `max_s` seconds of it, as Ogg Opus.

    `target` is there only when it is whole.

    Raises
    ------
    AudioError
        The file cannot be read, or holds no audio.
    OSError
        `target` cannot be written.
    """
    part = target.with_name(f".{target.name}.part")
    n_left = round(max_s * _PREVIEW_SR)
    n_done = 0
    try:
        with av.open(str(part), "w", format="ogg") as out:
            stream = out.add_stream("libopus", rate=_PREVIEW_SR, layout="mono", format="flt")
            assert isinstance(stream, av.AudioStream)
            stream.bit_rate = _PREVIEW_BIT_RATE
            for y in mono_chunks(path, _PREVIEW_SR):
                data = np.ascontiguousarray(y[:n_left].clip(-1, 1)[None])
                if data.size:
                    frame = av.AudioFrame.from_ndarray(data, format="flt", layout="mono")
                    frame.sample_rate, frame.pts = _PREVIEW_SR, n_done
                    out.mux(stream.encode(frame))
                n_done, n_left = n_done + data.size, n_left - data.size
                if n_left <= 0:
                    break
            out.mux(stream.encode(None))
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


# --- cover ---------------------------------------------------------------------------------------


def write_cover(path: str | os.PathLike[str], target: Path) -> None:
    """Write the picture in a file, nothing where there is none or one that is too large.

    It goes to the disk, not to who asks: several at a time would not fit in the server's memory.
    `target` is there only when it is whole.

    Raises
    ------
    AudioError
        The file cannot be read, or holds no audio.
    OSError
        `target` cannot be written.
    """
    data = cover(path)
    part = target.with_name(f".{target.name}.part")
    part.write_bytes(data if len(data) <= LARGEST_COVER else b"")
    part.replace(target)

"""More channels than FFmpeg's frames have places for: each is read, and nothing beyond them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.audio.plane import AudioPlane

from earmark.audio import mono_chunks
from tests.audiofiles import FloatArray
from tests.refusals import SR, read

RATE = 48_000
# Container, codec, sample format.
KINDS = {
    "opus": ("opus", "libopus", "flt"),
    "opus in mp4": ("mp4", "libopus", "flt"),
    "m4a": ("ipod", "aac", "fltp"),
    "wavpack": ("wv", "wavpack", "s16p"),
    "wavpack float": ("wv", "wavpack", "fltp"),
    "wav": ("wav", "pcm_s16le", "s16"),
}


def tone(n_channels: int) -> FloatArray:
    """A channel and the next have tones of other pitches; shape (n_channels, n_samples)."""
    t = np.arange(RATE) / RATE
    hz = 200 + 10 * np.arange(n_channels)[:, None]
    return (0.5 * np.sin(2 * np.pi * hz * t)).astype(np.float32)


def write_channels(path: Path, y: FloatArray, kind: str, layout: str | None = None) -> Path:
    muxer, codec, sample_fmt = KINDS[kind]
    plane: Any = AudioPlane
    n_channels = len(y)
    layout = layout or f"{n_channels} channels"
    options = {"mapping_family": "255"} if codec == "libopus" else {}
    with av.open(str(path), "w", format=muxer) as out:
        stream = out.add_stream(codec, rate=RATE, layout=layout, format=sample_fmt, options=options)
        assert isinstance(stream, av.AudioStream)
        for start in range(0, y.shape[1], 960):
            part = y[:, start : start + 960]
            if sample_fmt.startswith("s16"):
                part = np.round(part * 2**15).clip(-(2**15), 2**15 - 1).astype(np.int16)
            rows = part if sample_fmt.endswith("p") else part.T.reshape(1, -1)
            frame = av.AudioFrame(sample_fmt, layout, part.shape[1])
            for number, row in enumerate(rows):
                # PyAV's own list of planes runs past the last one.
                plane(frame, number).update(np.ascontiguousarray(row).tobytes())
            frame.sample_rate, frame.pts = RATE, start
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("kind", "n_channels"),
    [
        *(("opus", n) for n in (9, 12, 31)),
        ("opus in mp4", 16),
        *(("wavpack", n) for n in (9, 24, 64, 255)),
        ("wavpack float", 17),
        *(("wav", n) for n in (9, 255)),
    ],
)
def test_the_mean_of_all_channels(kind: str, n_channels: int, tmp_path: Path) -> None:
    y = tone(n_channels)
    path = write_channels(tmp_path / "song", y, kind)
    (excerpt,) = read(path)
    spectrum = np.abs(np.fft.rfft(excerpt.signal.y[:SR], SR)) / SR
    # Every channel's tone, at its share of the mean, and no other sound.
    expected = np.zeros(spectrum.size)
    expected[200 : 200 + 10 * n_channels : 10] = 0.25 / n_channels
    assert excerpt.signal.y.size == pytest.approx(SR, rel=0.02)
    np.testing.assert_allclose(spectrum, expected, atol=0.12 * 0.25 / n_channels + 3e-4)


@pytest.mark.parametrize(
    ("kind", "layout", "n_channels"), [("wavpack", "7.1", 8), ("m4a", "hexadecagonal", 16)]
)
def test_layouts_with_a_name(kind: str, layout: str, n_channels: int, tmp_path: Path) -> None:
    """FFmpeg's list of planes has eight places, and no mark behind the last."""
    path = write_channels(tmp_path / "song", tone(n_channels), kind, layout)
    (excerpt,) = read(path)
    expected = tone(n_channels).mean(axis=0).std()
    assert excerpt.signal.y.std() == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize(("kind", "n_channels"), [("opus", 12), ("wavpack", 255)])
def test_the_stream_of_a_whole_file(kind: str, n_channels: int, tmp_path: Path) -> None:
    path = write_channels(tmp_path / "song", tone(n_channels), kind)
    y = np.concatenate(list(mono_chunks(path, 8000)))
    assert y.std() == pytest.approx(tone(n_channels).mean(axis=0).std(), rel=0.1)

"""Tiny real music files for tests, encoded by PyAV alone.

Signals are float32 arrays of shape (n_channels, n_samples) within ±1 and depend on nothing but
the arguments. `CONTAINERS` maps a name, for parametrising, to what `write` needs to know::

    y = synth("music", seconds=2.0)
    write(tmp_path / "song.mp3", y, 44100, "mp3", tags={"artist": "Trio", "genre": "Jazz"})

`sample` also serves the formats that FFmpeg reads and cannot write (`READY_MADE`).
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
from numpy.typing import NDArray

DATA = Path(__file__).parent / "data"

Kind = Literal["tone", "chirp", "noise", "music", "silence", "dc"]
FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Container:
    """How one kind of file is written.

    Attributes
    ----------
    suffix : str
        File name ending, with its dot.
    family : str
        What `earmark.types.Tags.container` calls it.
    muxer, codec, sample_fmt : str
        FFmpeg's names; `muxer` is empty for ready-made files.
    error : float
        Largest difference of a decoded sample from the written one; infinite for lossy codecs.
    taggable : bool
        Whether mutagen knows how to tag it.
    """

    suffix: str
    family: str
    muxer: str
    codec: str
    sample_fmt: str
    error: float = float("inf")
    taggable: bool = True


_S16 = 2.0**-15
_S24 = 2.0**-23

CONTAINERS: dict[str, Container] = {
    "mp3": Container(".mp3", "mp3", "mp3", "libmp3lame", "fltp"),
    "flac": Container(".flac", "flac", "flac", "flac", "s16", _S16),
    "flac_s24": Container(".flac", "flac", "flac", "flac", "s32", _S24),
    "ogg": Container(".ogg", "ogg", "ogg", "vorbis", "fltp"),
    "opus": Container(".opus", "opus", "opus", "libopus", "flt"),
    "m4a": Container(".m4a", "mp4", "ipod", "aac", "fltp"),
    "alac": Container(".m4a", "mp4", "ipod", "alac", "s16p", _S16),
    "wav": Container(".wav", "wav", "wav", "pcm_s16le", "s16", _S16),
    "wav_u8": Container(".wav", "wav", "wav", "pcm_u8", "u8", 2.0**-7),
    "wav_s24": Container(".wav", "wav", "wav", "pcm_s24le", "s32", _S24),
    "wav_s32": Container(".wav", "wav", "wav", "pcm_s32le", "s32", _S24),
    "wav_f32": Container(".wav", "wav", "wav", "pcm_f32le", "flt", 0.0),
    "wav_f64": Container(".wav", "wav", "wav", "pcm_f64le", "dbl", 0.0),
    "aiff": Container(".aiff", "aiff", "aiff", "pcm_s16be", "s16", _S16),
    "wma": Container(".wma", "asf", "asf", "wmav2", "fltp"),
    "wavpack": Container(".wv", "wavpack", "wv", "wavpack", "s16p", _S16),
    "adts": Container(".aac", "aac", "adts", "aac", "fltp", taggable=False),
    "mp4_video": Container(".mp4", "mp4", "mp4", "aac", "fltp"),
    "mkv_video": Container(".mkv", "matroska", "matroska", "aac", "fltp", taggable=False),
}

# Copied from tests/data, see the README there: FFmpeg has no encoder for these.
READY_MADE: dict[str, Container] = {
    "musepack": Container(".mpc", "musepack", "", "musepack8", ""),
    "ape": Container(".ape", "ape", "", "ape", ""),
}

SAMPLES = {**CONTAINERS, **READY_MADE}


def synth(
    kind: Kind = "music", seconds: float = 2.0, sr: int = 44100, n_channels: int = 2, seed: int = 0
) -> FloatArray:
    """A test signal, shape (n_channels, round(seconds · sr)), peak at most 0.9.

    Channels differ (each is 0.8 × as loud as the one before), so that a wrong mix shows. Another
    `seed` gives another pitch, tune or noise.
    """
    n_samples = round(seconds * sr)
    t = np.arange(n_samples) / sr
    rng = np.random.default_rng(seed)
    pitch = 220.0 * 2 ** (seed % 24 / 12)
    if kind == "tone":
        y = 0.5 * np.sin(2 * np.pi * pitch * t)
    elif kind == "chirp":
        rate = (0.4 * sr - pitch) / max(seconds, 1e-9)
        y = 0.5 * np.sin(2 * np.pi * (pitch + 0.5 * rate * t) * t)
    elif kind == "noise":
        y = np.clip(0.2 * rng.standard_normal(n_samples), -0.9, 0.9)
    elif kind == "music":
        y = _music(t, sr, rng, pitch)
    elif kind == "silence":
        y = np.zeros(n_samples)
    else:
        y = np.full(n_samples, 0.25)
    gains = 0.8 ** np.arange(n_channels)
    return (gains[:, None] * y).astype(np.float32)


def _music(t: NDArray[np.float64], sr: int, rng: np.random.Generator, pitch: float) -> Any:
    """Triads that change every half second, with a noisy beat on each."""
    y = np.zeros_like(t)
    beat = sr // 2
    for start in range(0, t.size, beat):
        span = t[start : start + beat]
        decay = np.exp(-6 * (span - span[0]))
        root = pitch * 2 ** (rng.integers(0, 12) / 12)
        for interval in (0, 4, 7):
            hz = root * 2 ** (interval / 12)
            for harmonic in (1, 2, 3):
                y[start : start + beat] += (
                    0.12 / harmonic * np.sin(2 * np.pi * hz * harmonic * span)
                )
        y[start : start + beat] += 0.1 * decay**4 * rng.standard_normal(span.size)
    return np.clip(y, -0.9, 0.9)


def write(
    path: str | Path,
    y: FloatArray,
    sr: int = 44100,
    container: str = "wav",
    tags: Mapping[str, str] | None = None,
    bit_rate: int | None = None,
) -> Path:
    """Encode `y`, shape (n_channels, n_samples) or (n_samples,), into a file at `path`.

    `tags` go through FFmpeg under its own names (``title``, ``artist``, ``album``, ``genre``, …).
    The containers named ``*_video`` get a second of moving grey beside the sound. Opus takes only
    8, 12, 16, 24 and 48 kHz.
    """
    spec = CONTAINERS[container]
    y = np.atleast_2d(y)
    with av.open(str(path), "w", format=spec.muxer) as out:
        stream = out.add_stream(
            spec.codec,
            rate=sr,
            layout=_LAYOUTS[y.shape[0]],
            format=spec.sample_fmt,
            # FFmpeg's own Vorbis encoder (stereo only) counts as experimental.
            options={"strict": "-2"},
        )
        assert isinstance(stream, av.AudioStream)
        stream.bit_rate = bit_rate or 128_000
        target = stream if spec.muxer in ("ogg", "opus") else out
        target.metadata.update(dict(tags or {}))
        if container.endswith("_video"):
            _add_video(out)
        out.start_encoding()  # even if no sample follows
        for start in range(0, y.shape[1], 1 << 16):
            frame = _frame(y[:, start : start + (1 << 16)], sr, spec.sample_fmt)
            frame.pts = start
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return Path(path)


def write_silent_film(path: str | Path) -> Path:
    """An MP4 that holds pictures and no sound."""
    with av.open(str(path), "w", format="mp4") as out:
        _add_video(out)
    return Path(path)


def sample(path: str | Path, container: str, tags: Mapping[str, str] | None = None) -> Path:
    """A second or so of music at `path` in any of `SAMPLES`; ready-made files take no `tags`."""
    if container in READY_MADE:
        assert not tags, "ready-made files carry no tags"
        return Path(shutil.copyfile(DATA / f"{container}{SAMPLES[container].suffix}", path))
    sr = 48000 if container == "opus" else 44100
    return write(path, synth("music", 1.0, sr), sr, container, tags)


_LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}


def _frame(y: FloatArray, sr: int, sample_fmt: str) -> av.AudioFrame:
    """`y` in FFmpeg's sample format; planar formats keep a row a channel."""
    base = sample_fmt.removesuffix("p")
    if base == "u8":
        data: Any = np.clip(np.round(y * 128.0) + 128, 0, 255).astype(np.uint8)
    elif base == "s16":
        data = np.clip(np.round(y * 2.0**15), -(2**15), 2**15 - 1).astype(np.int16)
    elif base == "s32":
        high = np.clip(np.round(y.astype(np.float64) * 2.0**23), -(2**23), 2**23 - 1)
        data = high.astype(np.int32) << 8
    else:
        data = y.astype(np.float32 if base == "flt" else np.float64)
    if not sample_fmt.endswith("p"):
        data = data.T.reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(
        np.ascontiguousarray(data), format=sample_fmt, layout=_LAYOUTS[y.shape[0]]
    )
    frame.sample_rate = sr
    return frame


def _add_video(out: Any) -> None:
    stream = out.add_stream("mpeg4", rate=10)
    stream.width = stream.height = 32
    stream.pix_fmt = "yuv420p"
    for level in range(10):
        picture = np.full((32, 32, 3), 25 * level, dtype=np.uint8)
        out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
    out.mux(stream.encode(None))

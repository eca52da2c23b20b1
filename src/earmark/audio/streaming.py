"""A whole file as mono, a few seconds at a time, so that its length costs no memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, Literal

import av
import soxr

from earmark.audio.mono import Mixer, repair
from earmark.audio.source import Source
from earmark.types import FloatArray

_CHUNK_S = 5


def mono_chunks(
    path: str | os.PathLike[str], sr: int, quality: Literal["LQ", "MQ", "HQ"] = "MQ"
) -> Iterator[FloatArray]:
    """Samples of a file from its beginning, float32 (n_samples,), at `sr` hertz.

    Raises
    ------
    AudioError
        The file cannot be read, or holds no audio.
    """
    with Source(path) as source:
        mixer: Mixer | None = None
        resampler: Any = None
        for frame in _frames(source):
            if mixer is not None and not mixer.accepts(frame):
                # Another recording was glued on.
                yield resampler.resample_chunk(repair(mixer.mono(), source.path), last=True)
                mixer = None
            if mixer is None:
                mixer = Mixer(frame, _CHUNK_S * frame.sample_rate)
                resampler = soxr.ResampleStream(frame.sample_rate, sr, 1, "float32", quality)
            begin = 0
            while begin < frame.samples:
                if mixer.full:
                    yield resampler.resample_chunk(repair(mixer.mono(), source.path))
                    mixer = Mixer(frame, _CHUNK_S * frame.sample_rate)
                taken = mixer.n_samples
                mixer.add(frame, begin)
                begin += mixer.n_samples - taken
        if mixer is None:
            raise source.failure()
        yield resampler.resample_chunk(repair(mixer.mono(), source.path), last=True)


def _frames(source: Source) -> Iterator[av.AudioFrame]:
    for packet in source.packets():
        yield from source.decode(packet)

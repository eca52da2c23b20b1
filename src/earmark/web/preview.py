"""A track in a form that every browser plays."""

from __future__ import annotations

import os
from pathlib import Path

import av
import numpy as np

from earmark.audio import mono_chunks

_SR = 48_000
_BIT_RATE = 96_000


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
    n_left = round(max_s * _SR)
    n_done = 0
    try:
        with av.open(str(part), "w", format="ogg") as out:
            stream = out.add_stream("libopus", rate=_SR, layout="mono", format="flt")
            assert isinstance(stream, av.AudioStream)
            stream.bit_rate = _BIT_RATE
            for y in mono_chunks(path, _SR):
                data = np.ascontiguousarray(y[:n_left].clip(-1, 1)[None])
                if data.size:
                    frame = av.AudioFrame.from_ndarray(data, format="flt", layout="mono")
                    frame.sample_rate, frame.pts = _SR, n_done
                    out.mux(stream.encode(frame))
                n_done, n_left = n_done + data.size, n_left - data.size
                if n_left <= 0:
                    break
            out.mux(stream.encode(None))
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)

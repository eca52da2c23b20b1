"""What the tests of bad input have in common."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soxr

from earmark.audio import read_excerpts
from earmark.errors import AudioError
from earmark.types import Excerpt, ExcerptConfig
from tests.audiofiles import FloatArray

SR = 22050


def read(path: str | Path) -> list[Excerpt]:
    return read_excerpts(path, ExcerptConfig(), SR)


def assert_refused(path: str | Path, reason: str) -> None:
    """Reading gives one line: the path, then `reason`."""
    with pytest.raises(AudioError) as caught:
        read(path)
    assert reason in caught.value.reason
    line = str(caught.value)
    assert line.startswith(f"{os.fspath(path)}: ")
    assert "\n" not in line


def assert_right_places(excerpts: list[Excerpt], track: FloatArray, sr: int) -> None:
    """Each excerpt is what `track`, mono, has at its `start_s`."""
    mono = soxr.resample(track, sr, SR)
    for excerpt in excerpts:
        first = round(excerpt.start_s * SR)
        inner = slice(200, -200)
        expected = mono[first : first + excerpt.signal.y.size]
        assert expected.size == excerpt.signal.y.size
        assert np.corrcoef(expected[inner], excerpt.signal.y[inner])[0, 1] > 0.98

"""Excerpts out of real files of every container, held against the signal that was written."""

from __future__ import annotations

import os
from pathlib import Path

import av
import numpy as np
import pytest
import soxr
from numpy.typing import NDArray

from earmark.audio import probe, read_excerpts
from earmark.audio.source import Source
from earmark.types import Excerpt, ExcerptConfig
from tests.audiofiles import CONTAINERS, READY_MADE, FloatArray, sample, synth, write

SR = 22050
CONFIG = ExcerptConfig()
SECONDS = 24.0
# How far from its stated place an excerpt may lie: MP3 is entered to a frame, WMA to a packet, ADTS
# does not say how much the encoder delayed, Matroska counts milliseconds.
MISPLACED_S = {"mp3": 0.027, "wma": 0.1, "adts": 0.024, "mkv_video": 0.001}
# FFmpeg's AAC fills noisy bands with other noise each time, so that no two decodes are alike.
LIKENESS = {"m4a": 0.97, "adts": 0.97, "mp4_video": 0.97, "mkv_video": 0.97, "opus": 0.98}


def file_rate(container: str) -> int:
    return 48000 if container == "opus" else 44100


def lag_and_likeness(excerpt: FloatArray, track: FloatArray, start_s: float) -> tuple[float, float]:
    """Seconds by which `excerpt` is found off `start_s` in `track`, and its correlation there."""
    reach = round(0.2 * SR)
    first = max(0, round(start_s * SR) - reach)
    around = track[first : first + excerpt.size + 2 * reach]
    size = 1 << (around.size + excerpt.size).bit_length()
    spectrum = np.fft.rfft(around, size) * np.conj(np.fft.rfft(excerpt, size))
    at = int(np.fft.irfft(spectrum, size)[: around.size - excerpt.size + 1].argmax())
    likeness = float(np.corrcoef(around[at : at + excerpt.size], excerpt)[0, 1])
    return (first + at) / SR - start_s, likeness


@pytest.mark.parametrize("container", CONTAINERS)
def test_excerpts_are_what_was_written_there(container: str, tmp_path: Path) -> None:
    spec, sr = CONTAINERS[container], file_rate(container)
    y = synth("music", SECONDS, sr)
    path = write(tmp_path / f"song{spec.suffix}", y, sr, container)
    track = soxr.resample(y.mean(axis=0), sr, SR)
    excerpts = read_excerpts(path, CONFIG, SR)
    assert len(excerpts) == 5
    for excerpt, planned_s in zip(excerpts, [2.4, 6.45, 10.5, 14.55, 18.6], strict=True):
        assert excerpt.signal.sr == SR
        assert excerpt.signal.y.dtype == np.float32
        assert excerpt.signal.y.size == pytest.approx(3 * SR, abs=0.1 * SR)
        assert excerpt.start_s == pytest.approx(planned_s, abs=0.1)
        lag_s, likeness = lag_and_likeness(excerpt.signal.y, track, excerpt.start_s)
        assert abs(lag_s) <= MISPLACED_S.get(container, 1.5 / SR)
        assert likeness > LIKENESS.get(container, 0.99)


@pytest.mark.parametrize("container", [*CONTAINERS, *READY_MADE])
def test_short_files_are_read_whole(container: str, tmp_path: Path) -> None:
    path = sample(tmp_path / "short", container)
    (excerpt,) = read_excerpts(path, CONFIG, SR)
    assert excerpt.start_s == pytest.approx(0, abs=0.1)
    assert excerpt.signal.y.size == pytest.approx(SR, abs=0.1 * SR)
    # 0.9 is the mean of synth's two gains, 1 and 0.8.
    level = np.abs(excerpt.signal.y).max() / np.abs(synth("music", 1.0)[0]).max()
    assert level == pytest.approx(0.9, abs=0.2)


@pytest.mark.parametrize("container", [c for c in CONTAINERS if CONTAINERS[c].error < 1])
@pytest.mark.parametrize("n_channels", [1, 2, 6])
def test_mono_is_the_mean_over_channels(container: str, n_channels: int, tmp_path: Path) -> None:
    y = synth("noise", 1.0, SR, n_channels)
    path = write(tmp_path / "song", y, SR, container)
    (excerpt,) = read_excerpts(path, CONFIG, SR)
    tolerance = CONTAINERS[container].error + 1e-6
    np.testing.assert_allclose(excerpt.signal.y, y.mean(axis=0), atol=tolerance, rtol=0)


@pytest.mark.parametrize("sr", [8000, 11025, 22050, 48000, 96000, 192000])
def test_any_rate_becomes_the_one_asked_for(sr: int, tmp_path: Path) -> None:
    path = write(tmp_path / "song.wav", synth("tone", 2.0, sr, 1), sr, "wav")
    (excerpt,) = read_excerpts(path, CONFIG, SR)
    inner = slice(SR // 10, -SR // 10)
    t = np.arange(excerpt.signal.y.size) / SR
    expected = 0.5 * np.sin(2 * np.pi * 220 * t)
    np.testing.assert_allclose(excerpt.signal.y[inner], expected[inner], atol=1e-3)


def count_decoded(path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[float, list[Excerpt]]:
    seconds = 0.0
    decode = Source.decode

    def counting(self: Source, packet: av.Packet[av.AudioStream]) -> list[av.AudioFrame]:
        nonlocal seconds
        frames = decode(self, packet)
        seconds += sum(frame.samples / frame.sample_rate for frame in frames)
        return frames

    monkeypatch.setattr(Source, "decode", counting)
    excerpts = read_excerpts(path, CONFIG, SR)
    return seconds, excerpts


@pytest.mark.parametrize("container", CONTAINERS)
def test_only_the_excerpts_are_decoded(
    container: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sr = file_rate(container)
    path = write(tmp_path / "song", synth("tone", 45.0, sr), sr, container)
    seconds, excerpts = count_decoded(path, monkeypatch)
    assert len(excerpts) == 5
    # Five times 3 s and the warm-up, rounded up to whole frames (0.1 s each in FLAC).
    assert 15.0 <= seconds <= 17.5


def test_files_that_cannot_seek_are_counted_through(tmp_path: Path) -> None:
    path = write(tmp_path / "song.aac", synth("music", 40.0), 44100, "adts")
    info = probe(path)
    assert (info.duration_s, info.seekable) == (None, False)
    starts_s = [e.start_s for e in read_excerpts(path, CONFIG, SR)]
    np.testing.assert_allclose(starts_s, [4, 11.25, 18.5, 25.75, 33], atol=0.1)


def test_reading_twice_gives_the_same(tmp_path: Path) -> None:
    path = write(tmp_path / "song.mp3", synth("music", 30.0), 44100, "mp3")
    for a, b in zip(read_excerpts(path, CONFIG, SR), read_excerpts(path, CONFIG, SR), strict=True):
        assert a.start_s == b.start_s
        np.testing.assert_array_equal(a.signal.y, b.signal.y)


@pytest.mark.parametrize(
    ("container", "codec", "sr"),
    [
        ("mp3", "mp3", 44100),
        ("m4a", "aac", 44100),
        ("wav_f64", "pcm_f64le", 44100),
        ("opus", "opus", 48000),
    ],
)
def test_probe(container: str, codec: str, sr: int, tmp_path: Path) -> None:
    info = probe(sample(tmp_path / "song", container))
    assert info.duration_s == pytest.approx(1.0, abs=0.05)
    assert (info.sr, info.n_channels, info.codec, info.seekable) == (sr, 2, codec, True)


@pytest.mark.skipif(os.name == "nt", reason="file names are Unicode there")
def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9 \xff.mp3")
    sample(tmp_path / "song.mp3", "mp3").rename(path)
    assert len(read_excerpts(path, CONFIG, SR)) == 1


def test_frames_of_another_layout_end_an_excerpt(tmp_path: Path) -> None:
    """Two recordings glued together: rates and channels change in the middle."""
    glued = tmp_path / "glued.mp3"
    parts: list[NDArray[np.float32]] = [
        synth("music", 3.0, 44100, 2),
        synth("music", 3.0, 22050, 1),
    ]
    with glued.open("wb") as out:
        for y, sr in zip(parts, (44100, 22050), strict=True):
            out.write(write(tmp_path / "part.mp3", y, sr, "mp3").read_bytes())
    excerpts = read_excerpts(glued, CONFIG, SR)
    assert sum(e.signal.y.size for e in excerpts) / SR > 2.5

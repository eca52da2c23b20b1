"""The zoo of damaged sound: cut off, full of holes, lied about, too short, silent, not numbers."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from earmark.audio import audio_id, packet_hash, reading
from earmark.errors import AudioError
from tests.audiofiles import SAMPLES, sample, synth, write
from tests.refusals import SR, assert_refused, assert_right_places, read

# --- truncated and damaged ------------------------------------------------------------------------


@pytest.mark.parametrize("container", ["flac", "mp3", "ogg", "wav", "aiff", "wavpack", "adts"])
def test_truncated(container: str, tmp_path: Path) -> None:
    """Half a file: excerpts all over the half, in their right places."""
    y = synth("music", 60.0)
    path = write(tmp_path / "song", y, 44100, container)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    excerpts = read(path)
    assert len(excerpts) == 5
    assert excerpts[0].start_s == pytest.approx(3, abs=0.5)
    assert excerpts[-1].start_s == pytest.approx(24, abs=2)
    if container not in ("mp3", "adts"):  # they lie some samples off, which `y` would not match
        assert_right_places(excerpts, y.mean(axis=0), 44100)


def test_m4a_without_its_index(tmp_path: Path) -> None:
    path = write(tmp_path / "song.m4a", synth("music", 20.0), 44100, "m4a")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert_refused(path, "not a music file, or damaged beyond reading")


@pytest.mark.parametrize("n_bytes", [100, 5_000, 60_000])
def test_garbage_before_the_first_frame(n_bytes: int, tmp_path: Path) -> None:
    content = write(tmp_path / "song.mp3", synth("music", 30.0), 44100, "mp3").read_bytes()
    path = tmp_path / "garbage.mp3"
    # Without a sync word in the garbage, as left behind by cut-off downloads and broken taggers.
    garbage = np.random.default_rng(1).integers(0, 255, n_bytes, dtype=np.uint8).tobytes()
    path.write_bytes(garbage + content[content.index(b"\xff\xfb") :])
    excerpts = read(path)
    assert len(excerpts) == 5
    for excerpt in excerpts:
        assert 0.3 < np.abs(excerpt.signal.y).max() < 1


def lie_in_mp3(content: bytearray, factor: float) -> None:
    at = content.index(b"Info") + 8
    (n_frames,) = struct.unpack_from(">I", content, at)
    struct.pack_into(">I", content, at, round(n_frames * factor))
    content[at - 8 : at - 4] = b"Xing"  # variable bit rate


def lie_in_flac(content: bytearray, factor: float) -> None:
    # The last 36 bits before the MD5 sum of the stream info block.
    at = 4 + 4 + 10
    (packed,) = struct.unpack_from(">Q", content, at)
    n_samples = packed & (1 << 36) - 1
    packed += round(n_samples * factor) - n_samples
    struct.pack_into(">Q", content, at, packed)


def lie_in_wav(content: bytearray, factor: float) -> None:
    at = content.index(b"data") + 4
    (size,) = struct.unpack_from("<I", content, at)
    struct.pack_into("<I", content, at, round(size * factor) // 4 * 4)


@pytest.mark.parametrize("factor", [10.0, 0.2], ids=["too_long", "too_short"])
@pytest.mark.parametrize(
    ("container", "lie"), [("mp3", lie_in_mp3), ("flac", lie_in_flac), ("wav", lie_in_wav)]
)
def test_lying_headers(
    container: str, lie: Callable[[bytearray, float], None], factor: float, tmp_path: Path
) -> None:
    y = synth("music", 60.0)
    path = write(tmp_path / "song", y, 44100, container)
    content = bytearray(path.read_bytes())
    lie(content, factor)
    path.write_bytes(content)
    excerpts = read(path)
    assert excerpts
    assert sum(e.signal.y.size for e in excerpts) / SR > 5
    assert all(0.3 < np.abs(e.signal.y).max() < 1 for e in excerpts)
    if container != "mp3":
        assert_right_places(excerpts, y.mean(axis=0), 44100)


@pytest.mark.parametrize("container", ["mp3", "flac", "ogg", "opus", "m4a", "wma", "wavpack"])
def test_holes_and_noise_never_raise_anything_else(container: str, tmp_path: Path) -> None:
    sr = 48000 if container == "opus" else 44100
    content = write(tmp_path / "song", synth("music", 25.0, sr), sr, container).read_bytes()
    rng = np.random.default_rng(3)
    path = tmp_path / "damaged"
    for _ in range(12):
        damaged = bytearray(content)
        for at in rng.integers(0, len(damaged), 200):
            damaged[at] = rng.integers(0, 256)
        hole = rng.integers(0, len(damaged))
        damaged[hole : hole + 20_000] = bytes(len(damaged[hole : hole + 20_000]))
        path.write_bytes(damaged)
        try:
            excerpts = read(path)
        except AudioError:
            continue
        assert all(np.isfinite(e.signal.y).all() for e in excerpts)


@pytest.mark.parametrize("container", SAMPLES)
def test_damaged_headers_never_raise_anything_else(
    container: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    content = sample(tmp_path / "song", container).read_bytes()
    rng = np.random.default_rng(5)
    path = tmp_path / "damaged"
    for _ in range(40):
        damaged = bytearray(content)
        for at in rng.integers(0, rng.choice([64, 300, 2000]), rng.integers(1, 20)):
            damaged[at] = rng.integers(0, 256) if rng.random() < 0.5 else 255
        path.write_bytes(damaged[: rng.integers(1, len(damaged))])
        for look in (read, audio_id, packet_hash):
            with contextlib.suppress(AudioError):
                look(path)
    assert capfd.readouterr().err == ""


# --- too little, too quiet, not numbers -----------------------------------------------------------


@pytest.mark.parametrize("container", ["wav", "wav_f32", "flac", "aiff", "wavpack"])
def test_no_samples(container: str, tmp_path: Path) -> None:
    path = write(tmp_path / "song", synth("tone", 0.0), 44100, container)
    with pytest.raises(AudioError, match=r"holds no audio samples|not a music file"):
        read(path)


def test_no_samples_in_a_wav_is_said_so(tmp_path: Path) -> None:
    assert_refused(write(tmp_path / "song.wav", synth("tone", 0.0)), "holds no audio samples")


@pytest.mark.parametrize("container", ["wav", "wav_f64", "flac", "mp3"])
@pytest.mark.parametrize("n_samples", [1, 3000])
def test_too_short(container: str, n_samples: int, tmp_path: Path) -> None:
    y = synth("tone", 1.0)[:, 100 : 100 + n_samples]
    path = write(tmp_path / "song", y, 44100, container)
    assert_refused(path, "too short to judge")


def test_half_a_second_is_enough(tmp_path: Path) -> None:
    path = write(tmp_path / "song.wav", synth("music", reading.MIN_LENGTH_S), 44100, "wav")
    assert len(read(path)) == 1


@pytest.mark.parametrize("container", ["wav", "wav_u8", "wav_f32", "flac", "mp3", "opus", "m4a"])
@pytest.mark.parametrize("seconds", [2.0, 20.0])
def test_silence(container: str, seconds: float, tmp_path: Path) -> None:
    sr = 48000 if container == "opus" else 44100
    path = write(tmp_path / "song", synth("silence", seconds, sr), sr, container)
    assert_refused(path, "silent: nothing above -70 dBFS")


@pytest.mark.parametrize("container", ["wav", "wav_u8", "wav_f64", "flac"])
def test_a_constant_is_silence(container: str, tmp_path: Path) -> None:
    path = write(tmp_path / "song", synth("dc", 20.0), 44100, container)
    assert_refused(path, "silent")


@pytest.mark.parametrize(("level_dbfs", "silent"), [(-75.0, True), (-65.0, False)])
def test_where_silence_ends(level_dbfs: float, silent: bool, tmp_path: Path) -> None:
    y = synth("tone", 2.0, n_channels=1) / 0.5 * 10 ** (level_dbfs / 20)
    path = write(tmp_path / "song.wav", y.astype(np.float32), 44100, "wav_f32")
    if silent:
        assert_refused(path, "silent")
    else:
        assert len(read(path)) == 1


def test_music_on_top_of_a_constant_is_left_alone(tmp_path: Path) -> None:
    y = synth("tone", 2.0, SR, 1) + np.float32(0.25)
    (excerpt,) = read(write(tmp_path / "song.wav", y, SR, "wav_f32"))
    assert excerpt.signal.y.mean() == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("container", ["wav_f32", "wav_f64"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e38, 32767.0])
def test_samples_that_are_not_numbers(container: str, bad: float, tmp_path: Path) -> None:
    y = synth("music", 2.0, SR)
    y[:, ::500] = bad
    assert_refused(write(tmp_path / "song", y, SR, container), "damaged samples: 0.2")


@pytest.mark.parametrize("bad", [np.nan, np.inf, 3e38])
def test_a_trace_of_damage_is_zeroed(bad: float, tmp_path: Path) -> None:
    y = synth("music", 2.0, SR)
    y[0, 1000:1010] = bad
    (excerpt,) = read(write(tmp_path / "song.wav", y, SR, "wav_f32"))
    assert (excerpt.signal.y[1000:1010] == 0).all()
    np.testing.assert_allclose(excerpt.signal.y[2000:], y.mean(axis=0)[2000:], atol=1e-6)


def test_doubles_that_floats_cannot_hold(tmp_path: Path) -> None:
    path = write(tmp_path / "song.wav", synth("music", 1.0, SR), SR, "wav_f64")
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 8
    content[at : at + 8 * 400] = struct.pack("<d", 1e300) * 400
    path.write_bytes(content)
    assert_refused(path, "damaged samples")


@pytest.mark.parametrize(("sr", "n_channels"), [(1, 2), (2_000_000_000, 2)])
def test_absurd_headers(sr: int, n_channels: int, tmp_path: Path) -> None:
    path = write(tmp_path / "song.wav", synth("music", 1.0), 44100, "wav")
    content = bytearray(path.read_bytes())
    struct.pack_into("<HI", content, content.index(b"fmt ") + 10, n_channels, sr)
    path.write_bytes(content)
    assert_refused(path, "damaged header")

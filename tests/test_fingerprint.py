"""Fingerprints survive what happens to files, and tell recordings apart."""

from pathlib import Path

import numpy as np
import pytest

from earmark.audio import audio_id
from earmark.audio import fingerprint as module
from earmark.audio.fingerprint import SR, TICK_S, fingerprint, landmarks
from earmark.errors import AudioError
from tests.audiofiles import FloatArray, Kind, synth, write


def shared_share(a: FloatArray, b: FloatArray, offset_s: float) -> float:
    """Share of the landmarks of `b`, which begins `offset_s` into `a`, that are found in `a`."""
    found = [landmarks(y) for y in (a, b)]
    shift = round(offset_s / TICK_S)
    places = {(h, f + e) for h, f in zip(*found[0], strict=True) for e in (-1, 0, 1)}
    return sum((h, f + shift) in places for h, f in zip(*found[1], strict=True)) / len(found[1][0])


def music(seconds: float = 20.0, seed: int = 0) -> FloatArray:
    y: FloatArray = synth("music", seconds, SR, 1, seed)[0]
    return y


def test_level_and_offset_change_nothing() -> None:
    y = music()
    assert shared_share(y, np.float32(0.1) * y, 0.0) > 0.99
    # Not a whole number of ticks.
    for start in (SR, 3 * SR + 77, 5 * SR + 128):
        assert shared_share(y, y[start:], start / SR) > 0.7


def test_noise_leaves_most() -> None:
    y = music()
    noise = 0.01 * np.random.default_rng(0).standard_normal(y.size)
    assert shared_share(y, y + noise.astype(np.float32), 0.0) > 0.3


def test_other_music_shares_nothing() -> None:
    assert shared_share(music(seed=1), music(seed=2), 0.0) < 0.01


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    y = music()
    whole = landmarks(y)
    monkeypatch.setattr(module, "_BLOCK_FRAMES", 37)
    parts = landmarks(y)
    assert np.array_equal(whole[0], parts[0])
    assert np.array_equal(whole[1], parts[1])


def test_a_running_max_is_the_highest_of_the_neighbourhood() -> None:
    S = np.random.default_rng(0).random((30, 4)).astype(np.float32)
    for reach in (1, 2, 3, 5, 7, 10):
        expected = [S[max(0, i - reach) : i + reach + 1].max(axis=0) for i in range(30)]
        assert np.array_equal(module._running_max(S, reach), expected)


def test_a_dozen_landmarks_a_second_in_order_of_time() -> None:
    hashes, ticks = landmarks(music(60.0))
    assert hashes.dtype == np.uint32
    assert ticks.dtype == np.int32
    assert 3 < hashes.size / 60 < 30
    assert (np.diff(ticks) >= 0).all()
    assert ticks.min() >= 0
    assert ticks.max() * TICK_S < 60
    # Hashes hardly ever come twice in music that does not repeat itself.
    assert np.unique(hashes).size > 0.9 * hashes.size


@pytest.mark.parametrize("kind", ["silence", "dc"])
def test_silence_has_no_landmarks(kind: Kind) -> None:
    y = synth(kind, 10.0, SR, 1)[0]
    hashes, ticks = landmarks(y[2 * SR : 2 * SR + 100])
    assert hashes.size == ticks.size == 0
    if kind == "silence":
        assert landmarks(y)[0].size == 0


def test_dither_has_no_landmarks() -> None:
    y = np.random.default_rng(0).integers(-1, 2, 10 * SR) / np.float32(2**15)
    assert landmarks(y.astype(np.float32))[0].size == 0


@pytest.mark.parametrize("sr", [8000, 22050, 44100, 48000])
def test_a_file_is_read_from_beginning_to_end(tmp_path: Path, sr: int) -> None:
    path = write(tmp_path / "a.wav", synth("music", 12.34, sr), sr)
    found = fingerprint(path)
    assert found.audio_id == audio_id(path)
    assert found.duration_s == pytest.approx(12.34, abs=0.01)
    y = module._decode(path)
    expected = synth("music", 12.34, SR, 2).mean(axis=0)
    assert y.size == pytest.approx(expected.size, abs=80)
    assert np.abs(y).max() == pytest.approx(np.abs(expected).max(), rel=0.3)


def test_only_the_beginning_of_a_long_file_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.flac", synth("music", 20.0), 44100, "flac")
    whole = fingerprint(path)
    monkeypatch.setattr(module, "MAX_S", 10.0)
    head = fingerprint(path)
    assert head.duration_s == 10.0
    n = np.count_nonzero(whole.ticks * TICK_S < 7)
    assert np.array_equal(head.hashes[:n], whole.hashes[:n])


def test_a_file_whose_rate_changes_midway(tmp_path: Path) -> None:
    parts = [
        write(tmp_path / f"{sr}.mp3", synth("music", 6.0, sr), sr, "mp3") for sr in (44100, 22050)
    ]
    glued = tmp_path / "glued.mp3"
    glued.write_bytes(b"".join(p.read_bytes() for p in parts))
    assert fingerprint(glued).duration_s == pytest.approx(12, abs=0.3)


def test_what_cannot_be_decoded_is_an_audio_error(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    path.write_text("not music\n" * 100)
    with pytest.raises(AudioError, match="not a music file"):
        fingerprint(path)

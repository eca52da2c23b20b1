"""The one way from a file to slices."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from earmark.audio import audio_id, read_excerpts
from earmark.errors import AudioError
from earmark.features import compute, dequantise, quantise
from earmark.features.listen import listen
from earmark.types import ExcerptConfig, FeatureConfig, ListenConfig, SliceConfig
from tests.audiofiles import SAMPLES, Kind, sample, synth, write

CONFIG = ListenConfig()
SR = CONFIG.features.sr


def test_five_excerpts_are_five_slices(tmp_path: Path) -> None:
    path = write(tmp_path / "song.mp3", synth("music", 60.0), 44100, "mp3")
    heard = listen(path, CONFIG)
    assert heard.X.shape == (5, 128, 128)
    assert heard.X.dtype == np.uint8
    assert heard.start_s.dtype == np.float32
    np.testing.assert_allclose(heard.start_s, [6, 17.25, 28.5, 39.75, 51], atol=0.03)
    assert heard.audio_id == audio_id(path)


def test_slices_hold_the_spectrogram_of_their_excerpt(tmp_path: Path) -> None:
    path = write(tmp_path / "song.wav", synth("music", 60.0), 44100, "wav")
    heard = listen(path, CONFIG)
    features = CONFIG.features
    for x, excerpt in zip(heard.X, read_excerpts(path, CONFIG.excerpts, features.sr), strict=True):
        S = compute(excerpt.signal.y, features)
        np.testing.assert_array_equal(x, quantise(S, features)[:, :128])
        inside = np.clip(S[:, :128], features.db_min, features.db_max)
        np.testing.assert_allclose(dequantise(x, features), inside, atol=0.21)


def test_a_track_taken_whole_is_one_row_of_slices(tmp_path: Path) -> None:
    path = write(tmp_path / "song.wav", synth("music", 10.5), 44100, "wav")
    heard = listen(path, CONFIG)
    frame_s = 512 / 22050
    # 453 frames: three full slices, and a last one that ends with the track.
    np.testing.assert_allclose(heard.start_s, np.array([0, 128, 256, 325]) * frame_s, atol=1e-4)


@pytest.mark.parametrize("container", SAMPLES)
def test_every_container_can_be_heard(container: str, tmp_path: Path) -> None:
    heard = listen(sample(tmp_path / "song", container), CONFIG)
    assert heard.X.shape == (1, 128, 128)
    assert heard.X.std() > 10


@pytest.mark.parametrize(
    ("kind", "gain", "low", "high"), [("tone", 2.0, 200, 254), ("noise", 0.003, 10, 60)]
)
def test_levels_fit_the_stored_range(
    kind: Kind, gain: float, low: int, high: int, tmp_path: Path
) -> None:
    """Neither does full scale clip at the top, nor 64 dB below it sink to the bottom."""
    y = synth(kind, 5.0, SR, 1) * np.float32(gain)
    heard = listen(write(tmp_path / "song.wav", y, SR, "wav_f32"), CONFIG)
    assert low < np.percentile(heard.X, 99.9) < high


def test_the_recipe_is_followed(tmp_path: Path) -> None:
    path = write(tmp_path / "song.flac", synth("music", 30.0), 44100, "flac")
    recipe = ListenConfig(
        ExcerptConfig(n_excerpts=2, excerpt_s=4.0, margin=0.2),
        FeatureConfig(sr=16000, n_fft=1024, hop_length=160, n_mels=64, fmax=8000.0),
        SliceConfig(n_frames=200, hop_frames=100),
    )
    heard = listen(path, recipe)
    # 401 frames an excerpt: a slice of 2 s every second, and nothing worth keeping behind.
    assert heard.X.shape == (6, 64, 200)
    np.testing.assert_allclose(heard.start_s, [6, 7, 8, 20, 21, 22], atol=1e-3)


def test_a_copy_sounds_the_same(tmp_path: Path) -> None:
    path = write(tmp_path / "song.ogg", synth("music", 20.0), 44100, "ogg")
    copy = Path(shutil.copy(path, tmp_path / "copy"))
    a, b = listen(path, CONFIG), listen(copy, CONFIG)
    np.testing.assert_array_equal(a.X, b.X)
    assert a.audio_id == b.audio_id


def test_silence_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "song.wav", synth("silence", 5.0), 44100, "wav")
    with pytest.raises(AudioError, match="silent"):
        listen(path, CONFIG)

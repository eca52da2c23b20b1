"""Changes to training slices, against what they claim to be: louder, noisier, faster, higher."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs earmark[train]")

import torch
from torch import Tensor

from earmark.features import compute
from earmark.training.recipes.settings import AugmentConfig
from earmark.training.torch.augment import (
    Augmenter,
    add_noise,
    mask,
    mixup,
    shift_pitch,
    stretch,
)
from earmark.types import FeatureConfig

N = 16
FEATURES = FeatureConfig(n_mels=64, n_fft=2048, hop_length=512)
STEP_DB = (FEATURES.db_max - FEATURES.db_min) / 255


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def levels(y: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Tensor:
    """Slice (1, n_mels, n_frames) of a signal, as float levels, without frames at its ends."""
    S = compute(y.astype(np.float32), FEATURES)[:, 2:-2]
    scaled = (np.clip(S, FEATURES.db_min, FEATURES.db_max) - FEATURES.db_min) / STEP_DB
    return torch.from_numpy(scaled.astype(np.float32))[None]


def tone(hz: float, seconds: float = 1.0) -> Tensor:
    t = np.arange(int(seconds * FEATURES.sr)) / FEATURES.sr
    return levels(0.1 * np.sin(2 * np.pi * hz * t))


def rumble(hz: float) -> Tensor:
    """Noise around `hz`, of a width in octaves that is the same wherever it lies."""
    spectrum = np.fft.rfft(rng().standard_normal(4 * FEATURES.sr))
    octaves = np.log2(np.maximum(np.arange(len(spectrum)) / 4, 1.0) / hz)
    # A density that falls with frequency, as the same power spread over a wider band does.
    y = np.fft.irfft(spectrum * np.exp(-(octaves**2)) / np.sqrt(hz))
    return levels(y / 10)


class TestPitch:
    @pytest.mark.parametrize("hz", [110.0, 440.0, 3000.0])
    @pytest.mark.parametrize("semitones", [-2.0, -0.5, 1.0, 2.0])
    def test_a_shifted_tone_is_the_tone_that_is_higher(self, hz: float, semitones: float) -> None:
        shifted = shift_pitch(tone(hz), np.array([semitones]), FEATURES)[0, :, 10]
        played = tone(hz * 2 ** (semitones / 12))[0, :, 10]
        assert abs(int(shifted.argmax()) - int(played.argmax())) <= 1

    @pytest.mark.parametrize("semitones", [-3.0, 1.0, 3.0])
    def test_a_shifted_timbre_is_the_timbre_that_is_higher(self, semitones: float) -> None:
        shifted = shift_pitch(rumble(600.0), np.array([semitones]), FEATURES)
        played = rumble(600.0 * 2 ** (semitones / 12))

        def gap_db(X: Tensor) -> float:
            profile, wanted = X.mean(dim=(0, 2)), played.mean(dim=(0, 2))
            loud = wanted > wanted.max() - 30 / STEP_DB
            return STEP_DB * float((profile - wanted)[loud].abs().mean())

        assert gap_db(shifted) < 1.0
        assert gap_db(rumble(600.0)) > 3 * gap_db(shifted)

    def test_an_octave_moves_harmonics_onto_each_other(self) -> None:
        shifted = shift_pitch(tone(500.0), np.array([12.0]), FEATURES)
        assert abs(int(shifted[0, :, 10].argmax()) - int(tone(1000.0)[0, :, 10].argmax())) <= 1

    def test_no_shift_changes_nothing(self) -> None:
        X = 255 * torch.rand(3, FEATURES.n_mels, N)
        torch.testing.assert_close(shift_pitch(X, np.zeros(3), FEATURES), X, atol=1e-3, rtol=0)

    def test_every_slice_has_its_own(self) -> None:
        X = tone(440.0).expand(2, -1, -1)
        shifted = shift_pitch(X, np.array([-4.0, 4.0]), FEATURES)
        peaks = shifted[:, :, 10].argmax(dim=1)
        assert peaks[0] < int(X[0, :, 10].argmax()) < peaks[1]

    def test_beyond_the_ends_the_last_bin_goes_on(self) -> None:
        X = torch.arange(float(FEATURES.n_mels))[None, :, None].expand(2, -1, N)
        up, down = shift_pitch(X, np.array([12.0, -12.0]), FEATURES)
        assert float(up.min()) == 0.0
        assert (down[-8:] == FEATURES.n_mels - 1).all()


class TestStretch:
    def test_known_frames(self) -> None:
        X = torch.arange(float(N)).expand(2, 3, N)
        slower, faster = stretch(X, np.array([0.5, 1.25]), rng())
        steps = slower[0].diff()
        torch.testing.assert_close(steps, torch.full((N - 1,), 0.5))
        assert float(slower.max()) <= N - 1
        expected = 1.25 * np.arange(N)
        within = expected <= N - 1
        np.testing.assert_allclose(faster[1].numpy()[within], expected[within], atol=1e-5)
        # From the end on it begins again.
        np.testing.assert_allclose(faster[1].numpy()[-2:], (expected - N)[-2:], atol=1e-5)

    def test_rate_one_changes_nothing(self) -> None:
        X = 255 * torch.rand(4, 5, N)
        torch.testing.assert_close(stretch(X, np.ones(4), rng()), X)

    def test_a_pulse_train_gets_its_new_tempo(self) -> None:
        X = torch.zeros(1, 1, 120)
        X[:, :, ::12] = 100.0
        faster = stretch(X, np.array([1.2]), rng())[0, 0, :100]
        beats = torch.nonzero(faster > 50).flatten()
        np.testing.assert_allclose(np.diff(beats.numpy()), 10, atol=1)

    def test_pitch_stays(self) -> None:
        X = tone(440.0)
        changed = stretch(X, np.array([0.9]), rng())
        torch.testing.assert_close(changed[:, :, 5], X[:, :, 5], atol=2.0, rtol=0)

    def test_the_crop_of_a_slower_slice_is_random(self) -> None:
        X = torch.arange(float(N)).expand(20, 1, N)
        starts = stretch(X, np.full(20, 0.5), rng())[:, 0, 0]
        assert len(set(starts.tolist())) > 10
        assert float(starts.min()) >= 0
        assert float(starts.max()) <= (N - 1) / 2 + 1e-4


class TestNoise:
    def test_powers_add(self) -> None:
        X = torch.full((1, 2, N), 100.0)
        # Equal mean powers at 0 dB, one bin of the noise twice as strong as the other.
        noise = torch.tensor([2.0, 1.0])[None, :, None].expand(1, 2, N)
        found = add_noise(X, noise, np.array([0.0]), step_db=0.5)[0, :, 0]
        expected = 100.0 + 10 * np.log10([1 + 2 / 1.5, 1 + 1 / 1.5]) / 0.5
        np.testing.assert_allclose(found, expected, rtol=1e-5)

    def test_the_signal_to_noise_ratio_is_what_was_asked_for(self) -> None:
        X, noise = 60 * torch.rand(3, 8, N) + 100, torch.rand(3, 8, N)
        snr_db = np.array([20.0, 0.0, -10.0])
        noisy = add_noise(X, noise, snr_db, STEP_DB)

        def power(levels: Tensor) -> Tensor:
            return (10 ** (levels.double() * STEP_DB / 10)).mean(dim=(1, 2))

        found = 10 * torch.log10(power(X) / (power(noisy) - power(X)))
        np.testing.assert_allclose(found, snr_db, atol=1e-2)

    def test_next_to_none_changes_next_to_nothing(self) -> None:
        X = 255 * torch.rand(2, 8, N)
        found = add_noise(X, torch.rand(2, 8, N), np.array([150.0, 200.0]), STEP_DB)
        torch.testing.assert_close(found, X, atol=1e-3, rtol=0)

    def test_it_is_what_noise_added_to_the_sound_would_be(self) -> None:
        """A tone with noise in the signal, against the tone's slice with noise added to it."""
        random = rng()
        t = np.arange(FEATURES.sr * 2) / FEATURES.sr
        y, noise = 0.1 * np.sin(2 * np.pi * 440 * t), random.standard_normal(len(t))
        X = levels(y)
        power = 10 ** (compute(noise.astype(np.float32), FEATURES)[:, 2:-2] / 10)
        signal_power = (10 ** ((X.double() * STEP_DB + FEATURES.db_min) / 10)).mean()
        gain = float(torch.sqrt(signal_power / 10**2 / power.mean()))  # 20 dB
        played = levels(y + gain * noise)
        added = add_noise(X, torch.from_numpy(power)[None], np.array([20.0]), STEP_DB)
        assert STEP_DB * float((played - added).abs().mean()) < 0.5

    def test_both_colours_are_given(self) -> None:
        config = AugmentConfig(probability=1.0, snr_db=(0.0, 0.0))
        augment = Augmenter(config, FEATURES, N)
        quiet = torch.full((40, FEATURES.n_mels, N), 100.0)
        added = augment(quiet, rng()) - 100.0
        tilt = added[:, :8].mean(dim=(1, 2)) - added[:, -8:].mean(dim=(1, 2))
        assert int((tilt > 10).sum()) > 5  # pink: stronger below
        assert int((tilt < 5).sum()) > 5  # white


class TestMasks:
    def test_cover_at_most_what_they_may_and_keep_the_level(self) -> None:
        X = torch.rand(50, N, N) + 1.0
        masked = mask(X, 4, 3, rng())
        changed = masked != X
        assert changed.any()
        whole_frames, whole_bins = changed.all(dim=1).sum(dim=1), changed.all(dim=2).sum(dim=1)
        assert {int(n) for n in whole_frames} == {0, 1, 2, 3, 4}
        assert {int(n) for n in whole_bins} == {0, 1, 2, 3}
        torch.testing.assert_close(masked.mean(dim=(1, 2)), X.mean(dim=(1, 2)), atol=0.05, rtol=0)

    def test_are_of_one_stretch_filled_with_the_mean(self) -> None:
        X = torch.arange(float(N * N)).reshape(1, N, N).expand(30, N, N)
        for slice_ in mask(X, 6, 0, rng()):
            covered = torch.nonzero((slice_ == X[0].mean()).all(dim=0)).flatten().numpy()
            assert (np.diff(covered) == 1).all()

    def test_longer_than_the_slice_cover_at_most_the_slice(self) -> None:
        masked = mask(torch.rand(20, N, N), 10 * N, 10 * N, rng())
        assert torch.isfinite(masked).all()


class TestMixup:
    def test_mixes_towards_the_slice_itself(self) -> None:
        X = torch.arange(4.0)[:, None, None].expand(4, N, N)
        for seed in range(5):
            mixed, partner, share = mixup(X, 0.3, np.random.default_rng(seed))
            assert 0.5 <= share <= 1
            torch.testing.assert_close(mixed, share * X + (1 - share) * X[partner])

    def test_zero_mixes_nothing(self) -> None:
        X = torch.rand(4, N, N)
        mixed, _, share = mixup(X, 0.0, rng())
        assert share == 1.0
        assert torch.equal(mixed, X)


ALL = AugmentConfig(
    probability=0.7,
    gain_db=6.0,
    snr_db=(10.0, 40.0),
    stretch=0.1,
    pitch_semitones=2.0,
    mask_frames=3,
    mask_bins=3,
)


class TestTogether:
    def test_gain_is_in_decibels(self) -> None:
        augment = Augmenter(AugmentConfig(probability=1.0, gain_db=6.0), FEATURES, N)
        X = torch.full((200, FEATURES.n_mels, N), 128.0)
        changes_db = STEP_DB * (augment(X.clone(), rng()) - X)[:, 0, 0]
        assert -6 <= float(changes_db.min()) < -5 < 5 < float(changes_db.max()) <= 6

    def test_what_a_slice_is_spared(self) -> None:
        augment = Augmenter(AugmentConfig(probability=0.25, gain_db=6.0), FEATURES, N)
        X = torch.full((400, FEATURES.n_mels, N), 128.0)
        share = float((augment(X.clone(), rng()) != X).any(dim=(1, 2)).float().mean())
        assert 0.18 < share < 0.32

    def test_levels_stay_levels(self) -> None:
        X = torch.randint(0, 256, (32, FEATURES.n_mels, N)).float()
        changed = Augmenter(ALL, FEATURES, N)(X, rng())
        assert changed.shape == X.shape
        assert changed.dtype == torch.float32
        assert 0 <= float(changed.min()) <= float(changed.max()) <= 255

    def test_silence_survives(self) -> None:
        changed = Augmenter(ALL, FEATURES, N)(torch.zeros(8, FEATURES.n_mels, N), rng())
        assert torch.isfinite(changed).all()

    def test_the_generator_decides_alone(self) -> None:
        X = torch.randint(0, 256, (8, FEATURES.n_mels, N)).float()
        augment = Augmenter(ALL, FEATURES, N)
        first, same = augment(X.clone(), rng()), augment(X.clone(), rng())
        other = augment(X.clone(), np.random.default_rng(1))
        assert torch.equal(first, same)
        assert not torch.equal(first, other)

    def test_nothing_asked_for_changes_nothing(self) -> None:
        X = torch.randint(0, 256, (8, FEATURES.n_mels, N)).float()
        assert torch.equal(Augmenter(AugmentConfig(), FEATURES, N)(X.clone(), rng()), X)

    @pytest.mark.parametrize(
        "change",
        [
            lambda X: stretch(X, np.full(len(X), 1.08), rng()),
            lambda X: shift_pitch(X, np.full(len(X), 1.0), FEATURES),
        ],
    )
    def test_slices_do_not_reach_into_each_other(self, change: Callable[[Tensor], Tensor]) -> None:
        X = 255 * torch.rand(6, FEATURES.n_mels, N)
        together = change(X)
        alone = torch.cat([change(X[i : i + 1]) for i in range(len(X))])
        torch.testing.assert_close(together, alone, atol=1e-3, rtol=0)

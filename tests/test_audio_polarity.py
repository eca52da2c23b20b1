"""A mono mix that cancels is no silence; an ordinary one stays what it was, bit for bit."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soxr

from earmark.audio import mono_chunks, read_excerpts
from earmark.types import ExcerptConfig
from tests.audiofiles import FloatArray, synth, write
from tests.refusals import SR, read

CASES = Path(__file__).parents[2] / "shared" / "cases" / "antiphase-stereo"
WHOLE = ExcerptConfig(1, 1000.0, 0.0)


def stereo(left: FloatArray, right: FloatArray) -> FloatArray:
    return np.stack([left, right]).astype(np.float32)


def mixed(y: FloatArray, folder: Path, container: str = "wav_f32") -> FloatArray:
    """The mix of a whole file at its own rate."""
    path = write(folder / "song", y, SR, container)
    (excerpt,) = read_excerpts(path, WHOLE, SR)
    return excerpt.signal.y


def independent(seed: int, n: int = 2 * SR) -> FloatArray:
    return (0.1 * np.random.default_rng(seed).standard_normal(n)).astype(np.float32)


@pytest.mark.parametrize("factor", [-1.0, -0.8, -0.6])
@pytest.mark.parametrize("container", ["wav", "wav_u8", "wav_f32", "wav_f64", "flac_s24"])
def test_an_inverted_channel_is_heard_as_the_other(
    factor: float, container: str, tmp_path: Path
) -> None:
    left = synth("music", 2.0, SR, 1)[0]
    heard = mixed(stereo(left, factor * left), tmp_path, container)
    assert np.corrcoef(heard, left)[0, 1] > 0.999 if container != "wav_u8" else 0.99
    assert heard.std() == pytest.approx((1 - factor) / 2 * left.std(), rel=0.02)


@pytest.mark.parametrize("right", [1.0, 0.5, 0.0, -0.2])
def test_ordinary_stereo_is_the_mean_bit_for_bit(right: float, tmp_path: Path) -> None:
    """The middle panned to one side, a silent channel, a faint echo upside down."""
    left = synth("music", 2.0, SR, 1)[0]
    y = stereo(left, right * left)
    expected = ((np.float32(0) + y[0]) + y[1]) * np.float32(0.5)
    np.testing.assert_array_equal(mixed(y, tmp_path), expected)


def test_channels_with_nothing_in_common_are_the_mean_bit_for_bit(tmp_path: Path) -> None:
    y = stereo(independent(1), independent(2))
    np.testing.assert_array_equal(mixed(y, tmp_path), (y[0] + y[1]) * np.float32(0.5))


def test_a_miswired_recording_keeps_what_is_in_its_middle(tmp_path: Path) -> None:
    """The voice is in both channels, one of them upside down: the mean has only the rest."""
    voice, a, b = synth("music", 2.0, SR, 1)[0], 0.1 * independent(1), 0.1 * independent(2)
    heard = mixed(stereo(voice + a, -(voice + b)), tmp_path)
    assert np.corrcoef(heard, voice)[0, 1] > 0.99


def test_no_tiny_change_makes_a_large_one(tmp_path: Path) -> None:
    """From independent channels to inverted ones: no step between neighbours stands out."""
    a, b = independent(1), independent(2)
    shares = np.linspace(0, 1, 41)
    mixes = [mixed(stereo(a, (1 - s) * b - s * a), tmp_path) for s in shares]
    steps = np.array([np.std(y - x) for x, y in pairwise(mixes)])
    assert steps.max() < 0.25 * a.std()
    assert mixes[-1].std() == pytest.approx(a.std(), rel=1e-3)
    # On the way there, too, something is left to hear.
    assert min(y.std() for y in mixes) > 0.3 * a.std()


@pytest.mark.parametrize("n_channels", [3, 4, 6, 8])
def test_more_channels_that_cancel(n_channels: int, tmp_path: Path) -> None:
    left = synth("music", 2.0, SR, 1)[0]
    signs = np.array([1, -1] * (n_channels // 2) + [0] * (n_channels % 2))
    heard = mixed((signs[:, None] * left).astype(np.float32), tmp_path)
    assert np.corrcoef(heard, left)[0, 1] > 0.999
    assert heard.std() > 0.5 * left.std()


def test_a_constant_in_both_channels_hides_nothing(tmp_path: Path) -> None:
    left = synth("music", 2.0, SR, 1)[0]
    heard = mixed(stereo(0.5 * left + 0.25, -0.5 * left + 0.25), tmp_path)
    assert np.corrcoef(heard, left)[0, 1] > 0.999


@pytest.mark.parametrize("container", ["mp3", "m4a", "ogg", "flac"])
def test_inverted_channels_of_encoded_files(container: str, tmp_path: Path) -> None:
    left = synth("music", 6.0, 44100, 1)[0]
    path = write(tmp_path / "song", stereo(left, -left), 44100, container)
    (excerpt,) = read(path)
    plain = soxr.resample(left, 44100, SR)[: excerpt.signal.y.size]
    assert excerpt.signal.y.std() == pytest.approx(plain.std(), rel=0.1)


def test_a_stream_is_mixed_alike(tmp_path: Path) -> None:
    left = synth("music", 12.0, SR, 1)[0]
    path = write(tmp_path / "song.wav", stereo(left, -left), SR, "wav_f32")
    heard = np.concatenate(list(mono_chunks(path, SR)))
    assert np.corrcoef(heard, left)[0, 1] > 0.999


@pytest.mark.parametrize("name", ["inverted.mp3", "nearly_inverted.mp3"])
def test_the_shipped_model_hears_what_a_person_hears(name: str, tmp_path: Path) -> None:
    if not CASES.is_dir():
        pytest.skip("needs ../shared/cases")
    from earmark.decision.voting import decide
    from earmark.features.listen import listen
    from earmark.models import bundle
    from earmark.models.catalog import shipped_model
    from earmark.models.runtime import Classifier

    classifier = Classifier(bundle.load(shipped_model()))
    meta = classifier.bundle.meta
    probs = classifier.slice_probs(listen(CASES / name, meta.listen))
    assert decide(probs.proba, meta.labels, meta.vote).genre == "Metal"

"""The tail rule, and what holds for every length."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.errors import BundleError
from earmark.slices import cut
from earmark.types import SliceConfig


def ramp(n_frames: int, n_bins: int = 3) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Frame i holds i in every bin, so that a slice shows where it comes from."""
    return np.tile(np.arange(n_frames), (n_bins, 1))


@pytest.mark.parametrize(
    ("n_frames", "starts"),
    [
        (128, [0]),
        (130, [0]),  # the default excerpt: 3 s at 22050 Hz
        (191, [0]),
        (192, [0, 64]),  # half a slice is left: one more, moved back
        (255, [0, 127]),
        (256, [0, 128]),
        (319, [0, 128]),
        (320, [0, 128, 192]),
    ],
)
def test_tail_rule(n_frames: int, starts: list[int]) -> None:
    X, start_frame = cut(ramp(n_frames), SliceConfig())
    assert start_frame.tolist() == starts
    assert X.shape == (len(starts), 3, 128)
    assert X[:, 0, 0].tolist() == starts
    assert X[:, 2, -1].tolist() == [start + 127 for start in starts]


def test_short_spectrograms_are_repeated() -> None:
    X, start_frame = cut(ramp(5), SliceConfig(n_frames=12, hop_frames=12))
    assert X[0, 1].tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1]
    assert X.shape == (1, 3, 12)
    assert start_frame.tolist() == [0]


def test_overlapping_slices() -> None:
    _, start_frame = cut(ramp(256), SliceConfig(hop_frames=64))
    assert start_frame.tolist() == [0, 64, 128]


def test_no_frames_no_slices() -> None:
    X, start_frame = cut(ramp(0), SliceConfig())
    assert X.shape == (0, 3, 128)
    assert start_frame.size == 0


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("n_frames", [0, 7, 300])
def test_type_is_kept_and_memory_not_shared(dtype: type[np.generic], n_frames: int) -> None:
    S = np.ones((4, n_frames), dtype=dtype)
    X, _ = cut(S, SliceConfig())
    assert X.dtype == dtype
    assert X.flags.c_contiguous
    assert not np.shares_memory(X, S)


@pytest.mark.parametrize("config", [SliceConfig(n_frames=0), SliceConfig(hop_frames=0)])
def test_impossible_recipes_are_refused(config: SliceConfig) -> None:
    with pytest.raises(BundleError, match="cannot be cut"):
        cut(ramp(10), config)


@given(
    n_frames=st.integers(1, 700),
    length=st.integers(1, 150),
    hop=st.integers(1, 200),
)
def test_slices_of_any_spectrogram(n_frames: int, length: int, hop: int) -> None:
    S = ramp(n_frames, n_bins=1)
    X, start_frame = cut(S, SliceConfig(n_frames=length, hop_frames=hop))
    assert X.shape == (start_frame.size, 1, length)
    assert start_frame.size >= 1
    assert (np.diff(start_frame) > 0).all()
    if n_frames < length:
        assert start_frame.tolist() == [0]
        return
    for slice_, start in zip(X, start_frame, strict=True):
        assert slice_[0].tolist() == list(range(start, start + length))
    # At most what is less than half a slice is lost at the end.
    assert 0 <= n_frames - (start_frame[-1] + length) < (length + 1) / 2
    # All but the last lie on the grid.
    assert (start_frame[:-1] % hop == 0).all()

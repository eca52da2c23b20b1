"""Silent stretches: other excerpts in their place, no vote for what is left of them."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.audio import silence
from earmark.audio.excerpts import Place, further, plan
from earmark.audio.source import Source
from earmark.features.listen import listen, slices_of
from earmark.types import (
    Excerpt,
    ExcerptConfig,
    FeatureConfig,
    ListenConfig,
    Signal,
    SliceConfig,
)
from tests.audiofiles import FloatArray, synth, write
from tests.refusals import assert_refused, read

RATE = 8000
CONFIG = ExcerptConfig()
LISTEN = ListenConfig(features=FeatureConfig(sr=16000, fmax=8000.0), slices=SliceConfig(90, 90))


def made_of(*stretches: tuple[str, float]) -> FloatArray:
    """Music and silence, one after the other, at `RATE`."""
    tune = synth("music", 5.0, RATE, 1)
    parts = [
        np.resize(tune if kind == "music" else 0 * tune, (1, round(seconds * RATE)))
        for kind, seconds in stretches
    ]
    return np.concatenate(parts, axis=1)


TRACKS = {
    "hidden after 75 s": (("music", 180.0), ("silence", 75.0), ("music", 60.0)),
    "hidden after 10 minutes": (("music", 240.0), ("silence", 600.0), ("music", 180.0)),
    "hidden at the very end": (("silence", 600.0), ("music", 70.0)),
    "silent intro": (("silence", 60.0), ("music", 120.0)),
    "silent end": (("music", 60.0), ("silence", 60.0)),
    "music in the middle": (("silence", 90.0), ("music", 60.0), ("silence", 90.0)),
}


@pytest.mark.parametrize("name", TRACKS)
@pytest.mark.parametrize("container", ["flac", "mp3"])
def test_excerpts_lie_where_it_sounds(name: str, container: str, tmp_path: Path) -> None:
    path = write(tmp_path / "song", made_of(*TRACKS[name]), RATE, container)
    excerpts = read(path)
    assert len(excerpts) == CONFIG.n_excerpts or name == "hidden at the very end"
    for excerpt in excerpts:
        quiet = np.abs(excerpt.signal.y).reshape(-1, 50).max(axis=1) < 1e-3
        assert quiet.mean() <= 0.5
    starts_s = [e.start_s for e in excerpts]
    assert starts_s == sorted(starts_s)
    assert min(np.diff(starts_s), default=9.0) > 2.9


def test_a_file_that_cannot_seek_is_gone_through_again(tmp_path: Path) -> None:
    y = made_of(("music", 60.0), ("silence", 60.0), ("music", 20.0))
    excerpts = read(write(tmp_path / "song.aac", y, RATE, "adts"))
    assert len(excerpts) == CONFIG.n_excerpts
    assert all(e.start_s < 60 or e.start_s > 118 for e in excerpts)


def count_seconds(path: Path, monkeypatch: pytest.MonkeyPatch) -> float:
    seconds = 0.0
    decode = Source.decode

    def counting(self: Source, packet: object) -> list[object]:
        nonlocal seconds
        frames = decode(self, packet)  # type: ignore[arg-type]
        seconds += sum(frame.samples / frame.sample_rate for frame in frames)
        return list(frames)

    monkeypatch.setattr(Source, "decode", counting)
    try:
        read(path)
    finally:
        monkeypatch.undo()
    return seconds


def test_what_is_read_has_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sounding = write(tmp_path / "music.wav", made_of(("music", 120.0)), RATE)
    assert count_seconds(sounding, monkeypatch) < 18
    silent = write(tmp_path / "silence.wav", made_of(("silence", 120.0)), RATE)
    with pytest.raises(Exception, match="silent"):
        count_seconds(silent, monkeypatch)
    assert_refused(silent, "silent: nothing above -70 dBFS at the 15 places listened to")


def test_a_short_track_that_is_silent_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "silence.wav", made_of(("silence", 6.0)), RATE)
    assert_refused(path, "silent: nothing above -70 dBFS")


def test_noise_of_tape_between_songs_is_silence(tmp_path: Path) -> None:
    """Above -70 dBFS, but 60 dB below the music."""
    y = made_of(("music", 60.0), ("silence", 120.0), ("music", 20.0))
    y += (1.3e-4 * np.random.default_rng(0).standard_normal(y.shape)).astype(np.float32)
    for excerpt in read(write(tmp_path / "song.wav", y, RATE, "wav_f32")):
        assert excerpt.start_s < 58 or excerpt.start_s > 178


def test_music_with_pauses_everywhere_is_heard(tmp_path: Path) -> None:
    """A tick a second: no excerpt sounds for half its time."""
    y = np.zeros((1, 60 * RATE), dtype=np.float32)
    for second in range(60):
        y[0, second * RATE : second * RATE + 400] = synth("tone", 0.05, RATE, 1)[0]
    assert len(read(write(tmp_path / "song.wav", y, RATE, "wav_f32"))) >= CONFIG.n_excerpts


@pytest.mark.parametrize("kind", ["fixed", "beat"])
def test_silent_slices_of_an_excerpt_have_no_vote(kind: str) -> None:
    if kind == "beat":
        pytest.importorskip("librosa")
    y = synth("music", 12.0, 16000, 1)[0]
    y[: 5 * 16000] = 0
    slices = SliceConfig(90, 90, kind)  # type: ignore[arg-type]
    config = ListenConfig(LISTEN.excerpts, LISTEN.features, slices)
    heard = slices_of([Excerpt(0.0, Signal(y, 16000))], config, "")
    assert len(heard.X) == len(heard.start_s) >= 2
    assert heard.start_s.min() > 3.4


def test_a_track_that_is_taken_whole(tmp_path: Path) -> None:
    path = write(tmp_path / "song.wav", made_of(("silence", 6.0), ("music", 8.0)), RATE)
    heard = listen(path, LISTEN)
    assert heard.start_s.min() >= 4.5


def test_blocks_of_a_constant_are_silent() -> None:
    found = silence.blocks(Signal(np.full(RATE, 0.25, dtype=np.float32), RATE))
    assert len(found.peak) == 20
    assert (found.peak == 0).all()


def test_the_noise_of_one_bit_converters_is_not_heard() -> None:
    """It lies above what anybody hears, at rates that nobody else uses."""
    t = np.arange(352_800) / 352_800
    y = (0.01 * np.sin(2 * np.pi * 151_200 * t)).astype(np.float32)
    found = silence.blocks(Signal(y, 352_800))
    assert found.peak.max() < 10 ** (silence.SILENCE_DBFS / 20)


# --- where else to listen -------------------------------------------------------------------------


@given(
    st.floats(20, 5000),
    st.lists(st.booleans(), min_size=5, max_size=5),
    st.integers(1, 10),
)
def test_further_places_fit_between_those_tried(
    duration_s: float, sounds: list[bool], n: int
) -> None:
    planned = plan(duration_s, CONFIG)
    if len(planned) < 5:
        return
    tried = [(*place, s) for place, s in zip(planned, sounds, strict=True)]
    places = further(duration_s, tried, n)
    assert len(places) <= n
    taken: list[Place] = sorted([*planned, *places])
    assert taken[0][0] >= 0
    assert taken[-1][0] + taken[-1][1] <= duration_s + 1e-6
    for (start_s, length_s), (next_s, _) in pairwise(taken):
        assert start_s + length_s <= next_s + 1e-6


def test_further_places_are_looked_for_beside_music() -> None:
    tried = [(10.0, 3.0, False), (30.0, 3.0, False), (50.0, 3.0, True), (70.0, 3.0, True)]
    ((start_s, length_s),) = further(80.0, tried, 1)
    assert (start_s, length_s) == (60.0, 3.0)


def test_further_places_are_at_the_ends_where_nothing_sounds() -> None:
    tried = [(start, 3.0, False) for start in (10.0, 20.0, 30.0)]
    assert [start for start, _ in further(43.0, tried, 2)] == [3.5, 36.5]


def test_there_may_be_no_room_for_another() -> None:
    assert further(10.0, [(0.0, 10.0, False)], 3) == ()

"""Copies, encodings and cuts of a recording are found; other music is not taken for them."""

from pathlib import Path

import numpy as np
import pytest
import soxr

from earmark.audio.fingerprint import SR, Fingerprint, fingerprint, landmarks
from earmark.datasets.duplicates import DuplicatePair, find_duplicates
from tests.audiofiles import FloatArray, synth, write

RATE = 44100


def named(name: str, y: FloatArray) -> Fingerprint:
    hashes, ticks = landmarks(y)
    return Fingerprint(name, hashes, ticks, y.size / SR)


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[FloatArray, Fingerprint]]:
    """Five tracks of 24 s, with what they sound like and what FLAC files of them give."""
    folder = tmp_path_factory.mktemp("music")
    tracks = [synth("music", 24.0, RATE, seed=seed) for seed in range(5)]
    files = [write(folder / f"{i}.flac", track, RATE, "flac") for i, track in enumerate(tracks)]
    return [(track, fingerprint(file)) for track, file in zip(tracks, files, strict=True)]


ENCODINGS = [
    ("mp3", 44100, 32_000), ("mp3", 22050, 24_000), ("mp3", 44100, 320_000),
    ("m4a", 44100, 64_000), ("ogg", 44100, 64_000), ("opus", 48000, 24_000),
    ("wma", 44100, 64_000), ("wav_u8", 11025, None),
]  # fmt: skip


@pytest.mark.parametrize(("container", "sr", "bit_rate"), ENCODINGS)
def test_every_encoding_of_a_cut_at_another_level_is_found_and_nothing_else(
    tmp_path: Path,
    originals: list[tuple[FloatArray, Fingerprint]],
    container: str,
    sr: int,
    bit_rate: int | None,
) -> None:
    copies = []
    for i, (y, _) in enumerate(originals):
        start_s = 1.234 + i
        cut = 0.3 * y[:, round(start_s * RATE) : round((start_s + 12) * RATE)]
        cut = soxr.resample(cut.T, RATE, sr).T.astype(np.float32)
        suffix = {"wav_u8": "wav"}.get(container, container)
        copies.append(
            fingerprint(write(tmp_path / f"{i}.{suffix}", cut, sr, container, None, bit_rate))
        )
    pairs = find_duplicates([*(item for _, item in originals), *copies])
    assert [(pair.a, pair.b) for pair in pairs] == [(i, i + 5) for i in range(5)]
    for i, pair in enumerate(pairs):
        assert pair.kind == "near"
        # Encoders put up to a tenth of a second of nothing before the first sample.
        assert pair.offset_s == pytest.approx(1.234 + i, abs=0.15)
        assert 6 < pair.overlap_s < 12.2
        assert 0.05 < pair.score <= 1


def test_copies_are_exact_and_compared_once() -> None:
    y = synth("music", 20.0, SR, 1)[0]
    a, b = named("a", y), named("b", y[4 * SR :])
    pairs = find_duplicates([a, a, b, a])
    assert [(p.a, p.b, p.kind) for p in pairs] == [
        (0, 1, "exact"),
        (0, 2, "near"),
        (0, 3, "exact"),
    ]
    assert pairs[0] == DuplicatePair(0, 1, "exact", 20.0, 0.0, 1.0)
    assert pairs[1].offset_s == pytest.approx(4.0, abs=0.04)


def test_the_order_of_tracks_only_turns_the_pair_around() -> None:
    y = synth("music", 20.0, SR, 1)[0]
    a, b = named("a", y), named("b", y[5 * SR :])
    (one,), (other,) = find_duplicates([a, b]), find_duplicates([b, a])
    assert one.offset_s == -other.offset_s
    assert one.score == pytest.approx(other.score, abs=0.05)
    assert one.overlap_s == pytest.approx(other.overlap_s, abs=0.1)


def test_tracks_that_overlap_at_their_ends() -> None:
    y = synth("music", 30.0, SR, 1)[0]
    (pair,) = find_duplicates([named("a", y[: 18 * SR]), named("b", y[12 * SR :])])
    assert pair.offset_s == pytest.approx(12.0, abs=0.04)
    assert 4 < pair.overlap_s < 6.1


def test_three_seconds_are_enough() -> None:
    y = synth("music", 30.0, SR, 1)[0]
    clips = [named(f"{i}", y[i * SR : (i + 3) * SR]) for i in (2, 9, 17, 25)]
    pairs = find_duplicates([named("whole", y), *clips])
    assert [(p.a, p.b, round(p.offset_s)) for p in pairs] == [
        (0, 1, 2), (0, 2, 9), (0, 3, 17), (0, 4, 25),
    ]  # fmt: skip


def perform(tune: int, performer: int) -> FloatArray:
    """The same tune as played by another: touch, timbre, tempo and timing differ a little."""
    notes = np.random.default_rng(tune).integers(0, 24, 60)
    hand = np.random.default_rng([tune, performer])
    timbre = hand.uniform(0.1, 1.0, 6) / np.arange(1, 7)
    y = np.zeros(45 * SR)
    beats = 1 + np.cumsum(hand.normal(hand.uniform(0.48, 0.52), 0.02, 60))
    for note, beat in zip(notes, beats, strict=True):
        at = round(SR * beat)
        t = np.arange(round(SR * hand.uniform(0.4, 0.6))) / SR
        hz = 220 * 2 ** (note / 12)
        for k, level in enumerate(timbre, start=1):
            y[at : at + t.size] += 0.2 * level * np.sin(2 * np.pi * hz * k * t) * np.exp(-4 * t)
    return np.clip(y, -0.9, 0.9).astype(np.float32)


def test_performances_of_one_tune_are_not_one_recording() -> None:
    items = [named(f"{t} {p}", perform(t, p)) for t in range(3) for p in range(4)]
    assert min(item.hashes.size for item in items) > 100
    assert find_duplicates(items) == []
    again = named("again", perform(1, 2)[3 * SR :])
    assert [(p.a, p.b) for p in find_duplicates([*items, again])] == [(6, 12)]


def test_silence_and_steady_sounds_are_not_taken_for_music() -> None:
    silence = [named(f"s{i}", np.zeros((5 + i) * SR, np.float32)) for i in range(3)]
    noise = [named(f"n{i}", synth("noise", 20.0, SR, 1, seed=i)[0]) for i in range(3)]
    tones = [named(f"t{i}", synth("tone", 20.0, SR, 1, seed=i)[0]) for i in range(3)]
    assert find_duplicates([*silence, *noise, *tones]) == []


def test_silence_around_music_does_not_hide_it() -> None:
    y = synth("music", 20.0, SR, 1)[0]
    quiet = np.zeros(30 * SR, np.float32)
    (pair,) = find_duplicates([named("a", y), named("b", np.concatenate([quiet, y, quiet]))])
    assert pair.offset_s == pytest.approx(-30.0, abs=0.04)
    assert pair.score > 0.5


def test_nothing_to_compare() -> None:
    assert find_duplicates([]) == []
    assert find_duplicates([named("a", synth("music", 5.0, SR, 1)[0])]) == []


def test_many_tracks_with_the_same_landmark() -> None:
    """A hash that half the library has costs bounded work, and hides no duplicate."""
    rng = np.random.default_rng(0)

    def item(i: int) -> Fingerprint:
        own = rng.integers(0, 2**32, 50, dtype=np.uint32)
        ticks = np.sort(rng.integers(0, 12000, 60)).astype(np.int32)
        return Fingerprint(str(i), np.concatenate([own, np.full(10, 7, np.uint32)]), ticks, 96.0)

    items = [item(i) for i in range(600)]
    copy = Fingerprint("copy", items[3].hashes, items[3].ticks + np.int32(100), 97.0)
    pairs = find_duplicates([*items, copy])
    assert [(p.a, p.b) for p in pairs] == [(3, 600)]
    assert pairs[0].offset_s == pytest.approx(-0.8)

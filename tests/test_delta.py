"""Deltas rebuild the old file to the byte, and stay small where little changed."""

from __future__ import annotations

import errno
import io
import itertools
import mmap
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import earmark.tags.delta
from earmark.tags.delta import DeltaError, apply_delta, make_delta

RNG = np.random.default_rng(0)
AUDIO = RNG.bytes(2_000_000)
COVER = RNG.bytes(3_000_000)


def delta_of(folder: Path, old: bytes, new: bytes, **options: int) -> bytes | None:
    (folder / "old").write_bytes(old)
    (folder / "new").write_bytes(new)
    delta = make_delta(folder / "old", folder / "new", **options)
    if delta is not None:
        out = io.BytesIO()
        apply_delta(io.BytesIO(new), delta, out)
        assert out.getvalue() == old
    return delta


@pytest.mark.parametrize(("old", "new"), [(b"", b""), (b"", b"new"), (b"old", b""), (b"ab", b"b")])
def test_tiny_files(tmp_path: Path, old: bytes, new: bytes) -> None:
    assert delta_of(tmp_path, old, new) is not None


@pytest.mark.parametrize(
    ("case", "old", "new", "most"),
    [
        ("nothing changed", AUDIO, AUDIO, 60),
        ("audio moved", b"tag" + AUDIO, b"longer tag" + AUDIO, 60),
        ("one byte", AUDIO[:-1] + b"\x11", AUDIO[:-1] + b"\x12", 60),
        ("chunk at the end, size in front", b"RIFF1234" + AUDIO, b"RIFF5678" + AUDIO + b"id3", 80),
        (
            "cover between two edits",
            b"title" * 20 + COVER + b"Jazz" + AUDIO,
            b"TITLE" * 31 + COVER + b"Rhythm and blues" + bytes(2048) + AUDIO,
            120,
        ),
        (
            "cover behind the audio moves to the front",
            AUDIO[:5000] + COVER + AUDIO[5000:],
            COVER + AUDIO[:5000] + AUDIO[5000:],
            100,
        ),
        ("padding used up", b"Jazz" + bytes(4096) + AUDIO, b"Rock" * 9 + bytes(4064) + AUDIO, 100),
    ],
)
def test_what_merely_moved_is_not_stored(
    tmp_path: Path, case: str, old: bytes, new: bytes, most: int
) -> None:
    delta = delta_of(tmp_path, old, new)
    assert delta is not None
    assert len(delta) <= most, case


def test_renumbered_ogg_pages_stay_small(tmp_path: Path) -> None:
    def pages(first: int, header: bytes, seed: int) -> bytes:
        checksums = np.random.default_rng(seed).bytes(4 * 400)
        out = [header]
        for i in range(400):
            number = (first + i).to_bytes(4, "little") + checksums[4 * i : 4 * i + 4]
            out.append(b"OggS" + bytes(14) + number + bytes(18) + AUDIO[4000 * i : 4000 * i + 4000])
        return b"".join(out)

    delta = delta_of(tmp_path, pages(3, AUDIO[:4500], 1), pages(4, AUDIO[:9000], 2))
    assert delta is not None
    assert len(delta) < 400 * 10  # 8 bytes of each page differ


def test_shifted_table_of_offsets_costs_the_table_only(tmp_path: Path) -> None:
    steps = list(itertools.accumulate(RNG.integers(300, 500, 5000).tolist()))
    tables = [b"".join((s + d).to_bytes(4, "big") for s in steps) for d in (0, 1000)]
    old = AUDIO[:3000] + tables[0] + AUDIO[3000:]
    delta = delta_of(tmp_path, old, AUDIO[:3100] + tables[1] + bytes(1000) + AUDIO[3000:])
    assert delta is not None
    assert len(delta) < 25_000


def test_too_large_a_delta_is_none(tmp_path: Path) -> None:
    assert delta_of(tmp_path, AUDIO, COVER, limit=1_000_000) is None
    assert delta_of(tmp_path, AUDIO[:1000], COVER, limit=100) is None
    assert delta_of(tmp_path, AUDIO, COVER, limit=3_000_000) is not None


def test_damaged_or_foreign_deltas_are_refused(tmp_path: Path) -> None:
    old, new = b"tag" + AUDIO[:9000], b"longer tag" + AUDIO[:9000]
    delta = delta_of(tmp_path, old, new)
    assert delta is not None
    out = io.BytesIO()
    for damaged in (
        b"",
        delta[:10],
        b"XXXX" + delta[4:],
        delta[:-3],
        delta[:30] + b"x" + delta[31:],
    ):
        with pytest.raises(DeltaError):
            apply_delta(io.BytesIO(new), damaged, out)
    with pytest.raises(DeltaError, match="another size"):
        apply_delta(io.BytesIO(new + b"x"), delta, out)


@st.composite
def edited(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Two files, the second made of pieces of the first, of noise and of zeros."""
    old = AUDIO[: draw(st.integers(0, 6000))]
    pieces = []
    for _ in range(draw(st.integers(0, 6))):
        kind = draw(st.sampled_from(["piece", "noise", "zeros", "flipped"]))
        start, size = draw(st.integers(0, 6000)), draw(st.integers(0, 3000))
        piece = {"noise": COVER, "zeros": bytes(9000)}.get(kind, old)[start : start + size]
        if kind == "flipped":
            step = draw(st.integers(1, 300))
            piece = bytes(b ^ (i % step == 0) for i, b in enumerate(piece))
        pieces.append(piece)
    return old, b"".join(pieces)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(edited(), st.booleans())
def test_applying_the_delta_gives_the_old_file(
    tmp_path_factory: pytest.TempPathFactory, files: tuple[bytes, bytes], swapped: bool
) -> None:
    old, new = files[::-1] if swapped else files
    assert delta_of(tmp_path_factory.mktemp("delta"), old, new) is not None


def test_large_files_are_mapped_where_that_is_possible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = delta_of(tmp_path, b"Jazz" + AUDIO, b"Rock" * 9 + AUDIO)
    monkeypatch.setattr(earmark.tags.delta, "_MAP_FROM", 1000)
    assert delta_of(tmp_path, b"Jazz" + AUDIO, b"Rock" * 9 + AUDIO) == small

    def refuse(*args: object, **options: object) -> None:
        raise OSError(errno.ENODEV, "No such device")

    monkeypatch.setattr(mmap, "mmap", refuse)
    assert delta_of(tmp_path, b"Jazz" + AUDIO, b"Rock" * 9 + AUDIO) == small


def test_a_file_that_is_cut_off_meanwhile_ends_it(tmp_path: Path) -> None:
    class CutOff(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(size) if self.tell() < 1_000_000 else b""

    delta = delta_of(tmp_path, b"Jazz" + AUDIO, b"Rock" + AUDIO)
    assert delta is not None
    with pytest.raises(DeltaError, match="cut off"):
        apply_delta(CutOff(b"Rock" + AUDIO), delta, io.BytesIO())

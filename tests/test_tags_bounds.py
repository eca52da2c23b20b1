"""What cannot be written safely is refused while planning, and no small file costs much."""

from __future__ import annotations

import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from earmark.errors import TagError
from earmark.tags import check_writable, read_tags
from tests.audiofiles import sample
from tests.tagfiles import without_tail
from tests.tagmakers import append, bare_mp3, id3_header, prepend, vorbis
from tests.tagplaces import IN_FRONT, atom, comment_block, flac_of, id3, in_moov, with_chunks

# --- what is refused, and when --------------------------------------------------------------------


def refused_early(path: Path, match: str) -> None:
    """While planning, in no time, and as a reason and not as damage that nobody can place."""
    start = time.perf_counter()
    with pytest.raises(TagError, match=match):
        check_writable(str(path))
    assert time.perf_counter() - start < 2.0


@pytest.mark.parametrize("container", IN_FRONT)
def test_tags_in_front_of_what_players_then_do_not_open(tmp_path: Path, container: str) -> None:
    path = sample(tmp_path / f"a{IN_FRONT[container]}", container)
    check_writable(str(path))
    prepend(path, id3("Jazz"))
    assert read_tags(path).genres == ("Jazz",)
    refused_early(path, "an ID3v2 tag stands in front of the .* data")


def _huge_index(path: Path) -> None:
    in_moov(path)
    append(path, atom(b"mfra", atom(b"tfra", bytes(12) + b"\xff\xff\xff\xff" + bytes(20))))


def _huge_table(name: bytes) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        in_moov(path)
        data = path.read_bytes()
        at = data.index(name) + 8
        path.write_bytes(data[:at] + b"\xff\xff\xff\xff" + data[at + 4 :])

    return make


def _huge_saio(path: Path) -> None:
    inner = atom(b"saio", bytes(4) + b"\xff\xff\xff\xff" + bytes(8))
    in_moov(path, atom(b"trak", atom(b"mdia", atom(b"minf", atom(b"stbl", inner)))))


@pytest.mark.parametrize("make_it", [_huge_index, _huge_table(b"stco"), _huge_saio])
def test_counts_in_mp4_are_bounded_by_what_there_is(
    tmp_path: Path, make_it: Callable[[Path], None]
) -> None:
    path = tmp_path / "a.m4a"
    make_it(path)
    refused_early(path, "claims more than it holds")


def test_flac_whose_blocks_do_not_lead_to_the_sound(tmp_path: Path) -> None:
    path = flac_of(tmp_path / "a.flac", (4, comment_block(b"GENRE=Jazz")), (1, bytes(50)))
    data = path.read_bytes()
    at = data.index(bytes([0x81, 0, 0, 50]))
    path.write_bytes(data[: at + 3] + b"\x0a" + data[at + 4 :])
    refused_early(path, "do not lead to the sound")


def test_chain_whose_streams_cannot_be_told(tmp_path: Path) -> None:
    path = tmp_path / "a.ogg"
    vorbis(path, "ogg", "Jazz")
    path.write_bytes(path.read_bytes() * 2)
    assert read_tags(path).genres == ("Jazz",)
    refused_early(path, "two streams of its chain have the same number")


# --- bounds ---------------------------------------------------------------------------------------


def _bomb(path: Path) -> None:
    """A genre that inflates to 300 MB."""
    packer = zlib.compressobj()
    packed = packer.compress(b"\0") + b"".join(packer.compress(bytes(1 << 20)) for _ in range(300))
    packed = (300 << 20).to_bytes(4, "big") + packed + packer.flush()
    frame = b"TCON" + len(packed).to_bytes(4, "big") + b"\0\x80" + packed
    prepend(bare_mp3(path), id3_header(3, 0, frame))


def _many_values(path: Path) -> None:
    body = b"\0" + b"a\0b\0" * 200_000
    frame = b"TCON" + len(body).to_bytes(4, "big") + b"\0\0" + body
    prepend(bare_mp3(path), id3_header(3, 0, frame))


def _many_frames(path: Path) -> None:
    frames = b"".join(b"TCON\0\0\0\4\0\0\0" + f"{i:03}".encode()[-3:] for i in range(400_000))
    prepend(bare_mp3(path), id3_header(3, 0, frames))


def _many_comments(path: Path) -> None:
    flac_of(path, (4, comment_block(*[b"GENRE=x"] * 900_000)))


def _bare_wavpack(path: Path) -> Path:
    path.write_bytes(without_tail(sample(path, "wavpack").read_bytes()))
    return path


def _many_items(path: Path) -> None:
    items = (struct.pack("<II", 1, 0) + b"Genre\0x") * 400_000
    footer = struct.pack("<8sIIII8x", b"APETAGEX", 2000, len(items) + 32, 400_000, 0)
    append(_bare_wavpack(path), items + footer)


def _many_blocks(path: Path) -> None:
    flac_of(path, *[(2, b"")] * 1_000_000)


def _many_chunks(path: Path) -> None:
    with_chunks(path, "pcm_s16le", b"junk\0\0\0\0" * 1_000_000)


def _many_atoms(path: Path) -> None:
    in_moov(path, atom(b"udta", atom(b"free", b"") * 1_000_000))


@pytest.mark.parametrize(
    ("suffix", "make_it"),
    [
        (".mp3", _bomb),
        (".mp3", _many_values),
        (".mp3", _many_frames),
        (".flac", _many_comments),
        (".flac", _many_blocks),
        (".wv", _many_items),
        (".wav", _many_chunks),
        (".m4a", _many_atoms),
    ],
)
def test_no_small_file_costs_much(
    tmp_path: Path, suffix: str, make_it: Callable[[Path], None]
) -> None:
    path = tmp_path / f"a{suffix}"
    make_it(path)
    start = time.process_time()
    with pytest.raises(TagError, match=r"more than|longer than"):
        read_tags(path)
    assert time.process_time() - start < 2.0


def test_bomb_beside_the_genre_does_not_go_off(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    _bomb(path)
    path.write_bytes(path.read_bytes().replace(b"TCON", b"TIT2", 1))
    start = time.process_time()
    assert read_tags(path).title == ""
    assert time.process_time() - start < 1.0

"""What stands beside the genre stays, to the byte; what cannot be written is refused early."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import mutagen
import pytest
from mutagen.ogg import OggPage

from earmark.tags import Journal, read_tags
from earmark.tags.rewrite import family_of
from tests.audiofiles import sample
from tests.tagfiles import decoded, make, undo, without_tail, write
from tests.tagmakers import (
    add_id3,
    append,
    bare_mp3,
    id3_header,
    id3v1,
    make_ape,
    prepend,
    vorbis,
)
from tests.tagplaces import (
    JAZZ,
    MP3GAIN,
    atom,
    chain,
    comment_block,
    flac_of,
    id3,
    id3_chunk,
    in_moov,
    info_list,
    ogg_pages,
    with_chunks,
)

CASES = Path(__file__).parents[2] / "shared" / "cases"


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "data") as journal:
        yield journal


def bare_wavpack(path: Path) -> Path:
    """FFmpeg gives WavPack an APEv2 tag; here it has none."""
    path.write_bytes(without_tail(sample(path, "wavpack").read_bytes()))
    return path


def written(journal: Journal, path: Path, *kept: bytes) -> bytes:
    """The file's bytes after "Zydeco" was written, `kept` among them; it is as it was again."""
    before, sound = path.read_bytes(), decoded(path)
    for part in kept:
        assert part in before
    write(journal, path, "Zydeco")
    after = path.read_bytes()
    assert decoded(path) == sound
    for part in kept:
        assert part in after
    undo(journal)
    assert path.read_bytes() == before
    return after


# --- MP3 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("v1", [b"", id3v1(255), id3v1(JAZZ)])
def test_tag_of_gains_alone_gets_id3_beside(tmp_path: Path, journal: Journal, v1: bytes) -> None:
    gains = make_ape(MP3GAIN)
    path = append(bare_mp3(tmp_path / "a.mp3"), gains + v1)
    after = written(journal, path, gains, v1[:-1])
    assert after[:4] == b"ID3\3"
    assert b"Zydeco" not in after[-len(gains + v1) :]


def test_fields_of_apev2_go_along_into_new_id3(tmp_path: Path, journal: Journal) -> None:
    items = {"Title": "Song", "Artist": "Trio", "Album": "Live", "Year": "1999", "Track": "3/9"}
    path = append(bare_mp3(tmp_path / "a.mp3"), make_ape({**items, "Comment": "a note"}))
    write(journal, path, "Zydeco")
    new = mutagen.id3.ID3(path, translate=False)
    assert {key: str(new[key]) for key in ("TIT2", "TPE1", "TALB", "TYER", "TRCK", "TCON")} == {
        "TIT2": "Song",
        "TPE1": "Trio",
        "TALB": "Live",
        "TYER": "1999",
        "TRCK": "3/9",
        "TCON": "Zydeco",
    }
    assert str(new["COMM::eng"]) == "a note"
    assert read_tags(path).title == "Song"


def test_apev2_whose_count_is_wrong_loses_nothing(tmp_path: Path, journal: Journal) -> None:
    tag = bytearray(make_ape({"Title": "Song", "Artist": "Trio", "Genre": "Jazz", "Xtra": "more"}))
    for at in (16, len(tag) - 16):
        assert tag[at : at + 4] == struct.pack("<I", 4)
        tag[at : at + 4] = struct.pack("<I", 1)
    path = append(bare_wavpack(tmp_path / "a.wv"), bytes(tag))
    assert read_tags(path).genres == ("Jazz",)
    written(journal, path, b"Artist\0Trio", b"Xtra\0more", b"Title\0Song")


def test_apev2_keeps_version_flags_and_what_is_behind_its_items(
    tmp_path: Path, journal: Journal
) -> None:
    item = struct.pack("<II", 4, 0) + b"Genre\0Jazz"
    footer = struct.pack("<8sIIII", b"APETAGEX", 1000, len(item) + 7 + 32, 1, 1) + b"reserved"
    path = append(bare_wavpack(tmp_path / "a.wv"), item + b"padding" + footer)
    after = written(journal, path)
    assert after.endswith(b"Genre\0Zydecopadding" + footer[:12] + after[-20:-16] + footer[16:])
    assert after.count(b"APETAGEX") == 1


def test_utf16_without_a_mark_is_read_in_both_orders(tmp_path: Path) -> None:
    for order in ("le", "be"):
        text = b"\1" + "Jazz".encode(f"utf-16-{order}") + b"\0\0"
        path = bare_mp3(tmp_path / f"{order}.mp3")
        prepend(path, id3_header(3, 0, b"TCON" + struct.pack(">IH", len(text), 0) + text))
        assert read_tags(path).genres == ("Jazz",)


# --- FLAC and Ogg ---------------------------------------------------------------------------------


def test_flac_blocks_are_copied_and_not_understood(tmp_path: Path, journal: Journal) -> None:
    picture = struct.pack(">II", 3, 10) + b"image/jpeg" + struct.pack(">I", 4) + b"caf\xe9"
    picture += struct.pack(">IIIII", 1, 1, 24, 0, 4) + b"\xff\xd8\xff\xd9" + b"behind"
    seektable = bytes(range(20))
    path = tmp_path / "a.flac"
    flac_of(
        path,
        (3, seektable),
        (4, comment_block(b"GENRE=Jazz", b"no key", rest=b"rest")),
        (6, picture),
        (100, b"unknown"),
        (1, b""),
    )
    written(journal, path, seektable, picture, b"no keyrest", b"\x64\0\0\x07unknown")


@pytest.mark.parametrize("n_padding", [None, 0, 3, 11, 12, 13, 40, 5000])
def test_flac_padding_gives_way(tmp_path: Path, journal: Journal, n_padding: int | None) -> None:
    """ "GENRE=Zydeco" and its length are 16 bytes longer than nothing: room, or just not enough."""
    padding = [] if n_padding is None else [(1, bytes(n_padding))]
    for at, name in ((0, "front"), (1, "back")):
        blocks = [(4, comment_block(b"ARTIST=Trio"))]
        blocks[at:at] = padding
        path = flac_of(tmp_path / f"{name}.flac", *blocks)
        size = path.stat().st_size
        after = written(journal, path)
        if n_padding and n_padding >= 16:
            assert len(after) == size


def test_flac_without_comments_gets_some(tmp_path: Path, journal: Journal) -> None:
    path = make(tmp_path, "flac_bare")
    for blocks in ((), ((2, b"app!data"),), ((1, bytes(500)),)):
        if blocks:
            flac_of(path, *blocks)
        after = written(journal, path, *(content for kind, content in blocks if kind == 2))
        assert b"GENRE=Zydeco" in after


def test_what_is_behind_opus_comments_stays(tmp_path: Path, journal: Journal) -> None:
    path = tmp_path / "a.opus"
    vorbis(path, "opus", "Jazz")
    pages = ogg_pages(path)
    pages[1].packets[0] = pages[1].packets[0].rstrip(b"\0") + b"\1 a suffix of some program"
    path.write_bytes(b"".join(page.write() for page in pages))
    written(journal, path, b"\1 a suffix of some program")


def test_what_is_behind_vorbis_comments_stays(tmp_path: Path, journal: Journal) -> None:
    path = tmp_path / "a.ogg"
    vorbis(path, "ogg", "Jazz")
    pages = ogg_pages(path)
    first = pages[1].packets[0].rstrip(b"\0")
    assert first.endswith(b"\1")
    pages[1].packets[0] = first + b"stray"
    path.write_bytes(b"".join(page.write() for page in pages))
    assert b"\1stray" in written(journal, path, b"stray")


@pytest.mark.parametrize("container", ["ogg", "opus"])
@pytest.mark.parametrize("n_bytes", [10, 3000, 200_000])
def test_ogg_pages_are_laid_out_and_numbered_anew(
    tmp_path: Path, journal: Journal, container: str, n_bytes: int
) -> None:
    """Comments of any size, over many pages and back; every page sound and in order."""
    path = tmp_path / "a.ogg"
    vorbis(path, container)
    before = path.read_bytes()
    write(
        journal,
        path,
        "Zydeco",
        *(str(i) + "x" * min(n_bytes, 50_000) for i in range(-(-n_bytes // 50_000))),
    )
    write(journal, path, "Rock")
    for run_id in (2, 1):
        pages = ogg_pages(path)
        assert [page.sequence for page in pages] == list(range(len(pages)))
        data = path.read_bytes()
        # mutagen computes every checksum when it writes a page.
        assert b"".join(page.write() for page in pages) == data
        assert OggPage.to_packets(pages, strict=True)
        undo(journal, run_id)
    assert path.read_bytes() == before


def test_all_recordings_of_a_chain_are_written(tmp_path: Path, journal: Journal) -> None:
    path = tmp_path / "a.ogg"
    chain(path, "ogg", "Jazz", "", "Polka")
    assert read_tags(path).duration_s == pytest.approx(3.0, abs=0.1)
    after = written(journal, path)
    assert after.lower().count(b"genre=zydeco") == 3
    assert b"Polka" not in after


# --- WAV ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("claim", ["all", "zero", "cut"])
def test_wrong_sizes_of_wav_are_put_right(tmp_path: Path, journal: Journal, claim: str) -> None:
    """From a pipe, or a download that broke off."""
    path = sample(tmp_path / "a.wav", "wav")
    data = bytearray(path.read_bytes())
    at = data.index(b"data") + 4
    n_sound = len(data) - at - 4
    if claim == "cut":
        del data[-40_001:]
        n_sound -= 40_001
    else:
        data[at : at + 4] = data[4:8] = b"\xff" * 4 if claim == "all" else bytes(4)
        if claim == "zero":
            data[at + 4 : at + 8] = b"\xff\xfe\xff\xfe"  # sound, as no chunk's name would be
    path.write_bytes(data)
    assert read_tags(path).duration_s == pytest.approx(n_sound / 44100 / 4, abs=0.001)
    after = written(journal, path)
    assert int.from_bytes(after[4:8], "little") == len(after) - 8
    at = after.index(b"data") + 4
    assert int.from_bytes(after[at : at + 4], "little") == n_sound
    assert b"IGNR\7\0\0\0Zydeco" in after


def test_wav_texts_and_chunks_stay(tmp_path: Path, journal: Journal) -> None:
    path = tmp_path / "a.wav"
    texts = info_list((b"INAM", b"Song\0"), (b"IGNR", b"Jazz\0"), (b"ISFT", b"some program\0"))
    tag = id3("Jazz") + b"\0behind the tag"
    cue = b"cue " + struct.pack("<I", 4) + bytes(4)
    with_chunks(path, "pcm_s16le", texts, cue, id3_chunk(tag))
    after = written(journal, path, b"INAM\5\0\0\0Song\0\0", b"ISFT", cue, b"\0behind the tag")
    assert b"Jazz" not in after


# --- undo -----------------------------------------------------------------------------------------


def test_every_place_comes_back_after_another_programs_edit(
    tmp_path: Path, journal: Journal
) -> None:
    """ID3v2, APEv2 and ID3v1 that differ: each gets its own back."""
    path = add_id3(bare_mp3(tmp_path / "a.mp3"), 3, "Jazz")
    append(path, make_ape({"Genre": "Polka", "Title": "T"}) + id3v1(17))
    write(journal, path, "Zydeco")
    data = path.read_bytes()
    path.write_bytes(data.replace(b"Title\0T", b"Title\0U"))
    undo(journal)
    assert str(mutagen.id3.ID3(path)["TCON"]) == "Jazz"
    assert str(mutagen.apev2.APEv2(path)["Genre"]) == "Polka"
    assert path.read_bytes()[-1] == 17
    assert b"Title\0U" in path.read_bytes()


@pytest.mark.parametrize(
    ("name", "native", "genres"),
    [
        ("mp3_all", {"id3v2": [b"\0Old"], "apev2": [], "id3v1": [b"\x11"]}, ("Old",)),
        ("mp3_ape", {"apev2": [struct.pack("<II", 3, 0) + b"Genre\0Old"]}, ("Old",)),
        ("flac_id3", {"comments": [b"genre=Old"]}, ("Old",)),
        ("ogg", {"comments": [b"GENRE=Old", b"GENRE=Older"]}, ("Old", "Older")),
        ("wav_info", {"info": [b"Old\0"]}, ("Old",)),
        ("wav_id3", {"id3v2": [b"\0Old"]}, ("Old",)),
        ("m4a", {"ilst": [atom(b"\xa9gen", atom(b"data", b"\0\0\0\1\0\0\0\0Old"))]}, ("Old",)),
        ("wma_two", {"extended": [], "library": []}, ()),
        ("wavpack_v1", {"apev2": [struct.pack("<II", 3, 0) + b"GENRE\0Old"]}, ("Old",)),
    ],
)
def test_what_earlier_versions_noted_is_put_back(
    tmp_path: Path, name: str, native: dict[str, list[bytes]], genres: tuple[str, ...]
) -> None:
    """In journals: places under the names that they have always had."""
    path = make(tmp_path, name)
    with path.open("r+b") as f:
        family = family_of(f, str(path))
        family.write(f, ("Zydeco",))
        family.put(f, native)
        now = family.get(f)
    assert {place: now.get(place, []) for place in native} == native
    assert read_tags(path).genres == genres


# --- inputs of people -----------------------------------------------------------------------------


@pytest.mark.skipif(not CASES.is_dir(), reason="needs the shared folder of cases")
@pytest.mark.parametrize(
    ("name", "genres"),
    [
        ("ogg-cover-as-theora/vorbis_jazz.ogg", ("Jazz",)),
        ("ogg-cover-as-theora/vorbis_no_genre.ogg", ()),
        ("ogg-cover-as-theora/opus_no_genre.opus", ()),
        ("mp3gain-only-ape/gained.mp3", ()),
        ("flac-two-comment-blocks/empty_then_full.flac", ("Jazz",)),
        ("fill-overwrites-id3v1-genre/apeother_v1jazz.mp3", ("Jazz",)),
        ("fill-overwrites-id3v1-genre/v2other_v1jazz.mp3", ("Jazz",)),
        ("wav-streamed-or-truncated/piped_ffmpeg.wav", ()),
    ],
)
def test_files_of_people(
    tmp_path: Path, journal: Journal, name: str, genres: tuple[str, ...]
) -> None:
    source = CASES / name
    path = tmp_path / source.name
    path.write_bytes(source.read_bytes())
    assert read_tags(path).genres == genres
    if source.suffix == ".wav":
        assert read_tags(path).duration_s == pytest.approx(8.0, abs=0.1)
    after = written(journal, path)
    assert b"Jazz" not in after
    if source.suffix == ".mp3":
        assert after[:4] == b"ID3\3"


def test_udta_of_quicktime_keeps_its_end(tmp_path: Path, journal: Journal) -> None:
    path = tmp_path / "a.m4a"
    in_moov(path, atom(b"udta", atom(b"name", b"mine") + bytes(4)))
    after = written(journal, path, b"name" + b"mine")
    assert after.endswith(bytes(4))  # with which QuickTime ends udta

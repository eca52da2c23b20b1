"""Tiny real music files with tags in every dialect, written natively: by mutagen, or by hand.

`SPECIMENS` maps a name, for parametrising, to what the file is and what its tags say.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import mutagen
from mutagen.apev2 import APEv2
from mutagen.id3 import ID3, TIT2

from earmark.errors import FileError
from earmark.tags import Journal, Written, apply_change, read_tags, undo_change
from earmark.types import TagChange, Tags
from tests.audiofiles import sample
from tests.tagmakers import (
    add_id3,
    ape,
    ape_tag,
    append,
    bare_flac,
    bare_m4a,
    bare_mp3,
    chunked,
    compressed_mp3,
    encode,
    extended_v24_mp3,
    faststart_m4a,
    flac,
    flac_with_id3,
    fragmented_m4a,
    gnre_m4a,
    id3v1,
    itunes_v24_mp3,
    m4a,
    unsynchronised_mp3,
    untidy_flac,
    v22_mp3,
    vorbis,
    wav,
    wma,
)


@dataclass(frozen=True)
class Specimen:
    """A file: its suffix, how it is made, and what `read_tags` has to say about it."""

    suffix: str
    make: Callable[[Path], object]
    container: str
    dialect: str
    genres: tuple[str, ...] = ("Jazz",)


def make(folder: Path, name: str) -> Path:
    """The specimen of that name, in `folder`."""
    specimen = SPECIMENS[name]
    path = folder / f"{name}{specimen.suffix}"
    specimen.make(path)
    return path


def decoded(path: Path) -> str:
    """Hash of the decoded sound: what a listener hears, however it was compared elsewhere."""
    digest = hashlib.sha256()
    # FFmpeg takes an ID3v1 tag behind WavPack or Musepack for a block of it.
    invalid = contextlib.suppress(av.error.InvalidDataError)
    data = io.BytesIO(without_tail(path.read_bytes()))
    with av.open(data, "r", metadata_errors="replace") as file, invalid:
        for frame in file.decode(audio=0):
            digest.update(frame.to_ndarray().tobytes())
    return digest.hexdigest()


def without_tail(data: bytes) -> bytes:
    """`data` without ID3v1 and APEv2 at its end."""
    while True:
        if data[-128:-125] == b"TAG":
            data = data[:-128]
        elif data[-32:-24] == b"APETAGEX":
            size, flags = struct.unpack("<I4xI", data[-20:-8])
            data = data[: -size - (32 if flags >> 31 else 0)]
        else:
            return data


def by_mutagen(path: Path) -> Any:
    """The file as an independent reader sees it."""
    if path.suffix == ".aac":
        return ID3(path)  # mutagen takes the file for an MP3
    audio: Any = mutagen.File(path)
    if audio.tags is None and path.read_bytes()[-32:-24] == b"APETAGEX":
        return APEv2(path)  # which mutagen does not look for in an MP3
    return audio


def genres_by_mutagen(path: Path) -> list[str]:
    audio, found = by_mutagen(path), []
    for key in audio.keys():  # noqa: SIM118  # iterating some of them gives pairs
        if is_genre_key(key):
            value = audio[key]
            found += [str(v) for v in (value.genres if hasattr(value, "genres") else value)]
    return found


def everything_else(path: Path) -> dict[str, Any]:
    """All tags but the genre, as mutagen sees them, pictures included."""
    audio = by_mutagen(path)
    found: dict[str, Any] = {
        key: repr(audio[key])
        for key in audio.keys()  # noqa: SIM118
        if not is_genre_key(key)
    }
    found["pictures"] = [picture.write() for picture in getattr(audio, "pictures", ())]
    return found


def edit_title(audio: Any) -> None:
    """What another program may do to a file, given as mutagen has it."""
    tags = getattr(audio, "tags", audio)
    if isinstance(tags, ID3):
        tags["TIT2"] = TIT2(encoding=3, text="Edited")
        audio.save(v2_version=3 if tags.version[1] == 3 else 4)
    else:
        key = {"MP4": "\xa9nam", "ASF": "Title"}.get(type(audio).__name__, "title")
        audio[key] = ["Edited"]
        audio.save()


def is_genre_key(key: str) -> bool:
    return key.lower() in ("tcon", "genre", "wm/genre", "\xa9gen", "gnre")


SPECIMENS: dict[str, Specimen] = {
    "mp3_none": Specimen(".mp3", bare_mp3, "mp3", "", ()),
    "mp3_v1": Specimen(".mp3", lambda p: append(bare_mp3(p), id3v1(8)), "mp3", "ID3v1"),
    "mp3_v1_none": Specimen(".mp3", lambda p: append(bare_mp3(p), id3v1(255)), "mp3", "ID3v1", ()),
    "mp3_v22": Specimen(".mp3", v22_mp3, "mp3", "ID3v2.2", ("(8)Jazz",)),
    "mp3_v23": Specimen(
        ".mp3", lambda p: add_id3(bare_mp3(p), 3, "(17)Rock"), "mp3", "ID3v2.3", ("(17)Rock",)
    ),
    "mp3_v23_two": Specimen(
        ".mp3",
        lambda p: add_id3(bare_mp3(p), 3, "Jazz", "Größe"),
        "mp3",
        "ID3v2.3",
        ("Jazz", "Größe"),
    ),
    "mp3_v23_none": Specimen(".mp3", lambda p: add_id3(bare_mp3(p), 3), "mp3", "ID3v2.3", ()),
    "mp3_v23_unsync": Specimen(".mp3", unsynchronised_mp3, "mp3", "ID3v2.3"),
    "mp3_v23_compressed": Specimen(".mp3", compressed_mp3, "mp3", "ID3v2.3"),
    "mp3_v24": Specimen(".mp3", lambda p: add_id3(bare_mp3(p), 4, "17"), "mp3", "ID3v2.4", ("17",)),
    "mp3_v24_two": Specimen(
        ".mp3",
        lambda p: add_id3(bare_mp3(p), 4, "Jazz", "Rock/Pop"),
        "mp3",
        "ID3v2.4",
        ("Jazz", "Rock/Pop"),
    ),
    "mp3_v24_itunes": Specimen(".mp3", itunes_v24_mp3, "mp3", "ID3v2.4"),
    "mp3_v24_extended": Specimen(".mp3", extended_v24_mp3, "mp3", "ID3v2.4"),
    "mp3_ape": Specimen(".mp3", lambda p: append(bare_mp3(p), ape_tag()), "mp3", "APEv2"),
    "mp3_v23_ape": Specimen(
        ".mp3", lambda p: append(add_id3(bare_mp3(p), 3, "Jazz"), ape_tag("Old")), "mp3", "ID3v2.3"
    ),
    "mp3_all": Specimen(
        ".mp3",
        lambda p: append(add_id3(bare_mp3(p), 4, "Jazz"), ape_tag() + id3v1(8)),
        "mp3",
        "ID3v2.4",
    ),
    "aac": Specimen(".aac", lambda p: add_id3(sample(p, "adts"), 4, "Jazz"), "aac", "ID3v2.4"),
    "tta": Specimen(
        ".tta", lambda p: add_id3(encode(p, "tta", "tta", "s16"), 3, "Jazz"), "tta", "ID3v2.3"
    ),
    "flac": Specimen(".flac", lambda p: flac(p, "Jazz"), "flac", "Vorbis comments"),
    "flac_two": Specimen(
        ".flac",
        lambda p: flac(p, "Jazz", "(17)Rock"),
        "flac",
        "Vorbis comments",
        ("Jazz", "(17)Rock"),
    ),
    "flac_bare": Specimen(".flac", bare_flac, "flac", "", ()),
    "flac_untidy": Specimen(".flac", untidy_flac, "flac", "Vorbis comments", ("Jazz", "Jazz")),
    "flac_id3": Specimen(
        ".flac",
        flac_with_id3,
        "flac",
        "Vorbis comments",
    ),
    "ogg": Specimen(".ogg", lambda p: vorbis(p, "ogg", "Jazz"), "ogg", "Vorbis comments"),
    "ogg_none": Specimen(".ogg", lambda p: vorbis(p, "ogg"), "ogg", "Vorbis comments", ()),
    "opus": Specimen(
        ".opus",
        lambda p: vorbis(p, "opus", "Jazz", "Pop"),
        "opus",
        "Vorbis comments",
        ("Jazz", "Pop"),
    ),
    "oggflac": Specimen(
        ".oga", lambda p: encode(p, "ogg", "flac", "s16"), "oggflac", "Vorbis comments", ()
    ),
    "m4a": Specimen(".m4a", lambda p: m4a(p, "Jazz"), "mp4", "MP4 ilst"),
    "m4a_two": Specimen(
        ".m4a", lambda p: m4a(p, "Jazz", "Größe"), "mp4", "MP4 ilst", ("Jazz", "Größe")
    ),
    "m4a_none": Specimen(".m4a", lambda p: m4a(p), "mp4", "MP4 ilst", ()),
    "m4a_gnre": Specimen(".m4a", gnre_m4a, "mp4", "MP4 ilst"),
    "m4a_bare": Specimen(".m4a", bare_m4a, "mp4", "", ()),
    "m4a_faststart": Specimen(".m4a", faststart_m4a, "mp4", "MP4 ilst"),
    "m4a_fragmented": Specimen(".m4a", fragmented_m4a, "mp4", "MP4 ilst", ()),
    "alac": Specimen(".m4a", lambda p: m4a(p, "Jazz", container="alac"), "mp4", "MP4 ilst"),
    "mp4_video": Specimen(
        ".mp4", lambda p: m4a(p, "Jazz", container="mp4_video"), "mp4", "MP4 ilst"
    ),
    "wav": Specimen(".wav", wav, "wav", "RIFF INFO", ()),
    "wav_info": Specimen(".wav", lambda p: sample(p, "wav", {"genre": "Jazz"}), "wav", "RIFF INFO"),
    "wav_odd": Specimen(".wav", lambda p: wav(p, odd=True), "wav", "RIFF INFO", ()),
    "wav_id3": Specimen(".wav", lambda p: chunked(p, "wav", 3, "Jazz"), "wav", "ID3v2.3"),
    "aiff": Specimen(".aiff", lambda p: sample(p, "aiff"), "aiff", "", ()),
    "aiff_id3": Specimen(".aiff", lambda p: chunked(p, "aiff", 4, "Jazz"), "aiff", "ID3v2.4"),
    "wma": Specimen(".wma", lambda p: wma(p, "Jazz"), "asf", "ASF"),
    "wma_two": Specimen(".wma", lambda p: wma(p, "Jazz", "Pop"), "asf", "ASF", ("Jazz", "Pop")),
    "wma_none": Specimen(".wma", lambda p: wma(p), "asf", "ASF", ()),
    "wavpack": Specimen(".wv", lambda p: ape(p, "wavpack", "Jazz"), "wavpack", "APEv2"),
    "wavpack_v1": Specimen(
        ".wv",
        lambda p: ape(p, "wavpack", "Jazz", "Pop", v1=True),
        "wavpack",
        "APEv2",
        ("Jazz", "Pop"),
    ),
    "musepack": Specimen(".mpc", lambda p: sample(p, "musepack"), "musepack", "", ()),
    "musepack_ape": Specimen(".mpc", lambda p: ape(p, "musepack", "Jazz"), "musepack", "APEv2"),
}


# --- what tests do with them ----------------------------------------------------------------------


def plan(path: Path, *after: str) -> TagChange:
    """The change of a file's genre to `after`, as of now."""
    tags, stat = read_tags(path), path.stat()
    return TagChange(str(path), "genre", tags.genres, after, stat.st_size, stat.st_mtime_ns)


def write(journal: Journal, path: Path, *after: str, **options: Any) -> Written:
    """Carry out `plan` in a run of its own."""
    return apply_change(journal, journal.new_run(), plan(path, *after), **options)


def tags_after(written: Written) -> Tags:
    """What was read back from a file that was written."""
    assert written.tags is not None
    return written.tags


def undo(journal: Journal, run_id: int | None = None) -> list[str]:
    """Undo a run as a caller would; the reasons of the files that could not be."""
    run = journal.run_to_undo(run_id)
    reasons = []
    for change in journal.changes_to_undo(run.run_id):
        try:
            undo_change(journal, change)
        except FileError as e:
            reasons.append(e.reason)
    journal.finish_undo(run.run_id)
    return reasons


def leftovers(folder: Path) -> list[Path]:
    """Temporary copies that somebody forgot."""
    return list(folder.rglob(".earmark-*"))

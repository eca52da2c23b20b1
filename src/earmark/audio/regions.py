"""Where the encoded audio lies in a file: its bytes without tags, pictures and indexes.

One function a container, each reading a few headers. What they find does not change when the file
is tagged anew, however large the tag.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Region:
    """Encoded audio in a file.

    Attributes
    ----------
    spans : tuple of (start, end)
        Byte offsets, in order.
    format : bytes
        The sample format, where the bytes alone do not say it (PCM).
    paged : bool
        Whether the bytes are Ogg pages, whose numbers and checksums change with the tags.
    """

    spans: tuple[Span, ...]
    format: bytes = b""
    paged: bool = False

    @property
    def size(self) -> int:
        return sum(end - start for start, end in self.spans)


def find_region(file: io.FileIO) -> Region | None:
    """The audio in an open file, or None where the container is not known or looks damaged."""
    size = file.seek(0, io.SEEK_END)
    start = _skip_leading_tags(file, size)
    end = end_of_audio(file)
    head = read_at(file, start, 16)
    for finder, recognises in _FINDERS:
        if recognises(head):
            try:
                region = finder(file, start, end)
            except (struct.error, IndexError):
                return None
            return region if region and region.size > 0 else None
    return None


def read_at(file: io.FileIO, offset: int, n: int) -> bytes:
    """Up to `n` bytes from `offset` on."""
    file.seek(offset)
    return file.read(n)


# --- tags before and behind the audio -----------------------------------------------------------


def _skip_leading_tags(file: io.FileIO, size: int) -> int:
    """Where ID3v2 and APEv2 tags at the beginning end."""
    at = 0
    while at < size:
        head = read_at(file, at, 32)
        if head[:3] == b"ID3" and len(head) >= 10:
            at += 10 + _synchsafe(head[6:10]) + (10 if head[5] & 0x10 else 0)
        elif head[:8] == b"APETAGEX" and len(head) == 32:
            at += 32 + struct.unpack_from("<I", head, 12)[0]
        else:
            break
    return min(at, size)


def end_of_audio(file: io.FileIO) -> int:
    """Where ID3v1, APEv2, Lyrics3v2 and appended ID3v2 tags at the end of a file begin."""
    end = file.seek(0, io.SEEK_END)
    while end > 128:
        tail = read_at(file, end - 128, 128)
        if tail[:3] == b"TAG":
            length = 128
        elif tail[-32:-24] == b"APETAGEX":
            length, _, flags = struct.unpack_from("<III", tail, 128 - 20)
            length += 32 if flags & 1 << 31 else 0
        elif tail[-9:] == b"LYRICS200" and tail[-15:-9].isdigit():
            length = int(tail[-15:-9]) + 15
        elif tail[-10:-7] == b"3DI":
            length = _synchsafe(tail[-4:]) + 20
        else:
            break
        if not 0 < length <= end:
            break
        end -= length
    return end


def _synchsafe(four: bytes) -> int:
    a, b, c, d = (byte & 0x7F for byte in four)
    return a << 21 | b << 14 | c << 7 | d


# --- containers ---------------------------------------------------------------------------------


def _bare(_file: io.FileIO, start: int, end: int) -> Region:
    """MP3, ADTS, WavPack, Musepack, Monkey's Audio, TTA: all between the tags is audio."""
    return Region(((start, end),))


def _flac(file: io.FileIO, start: int, end: int) -> Region | None:
    at = start + 4
    while at < end:
        (header,) = struct.unpack(">I", read_at(file, at, 4))
        at += 4 + (header & 0xFFFFFF)
        if header >> 31:
            return Region(((at, end),))
    return None


def _ogg(file: io.FileIO, start: int, end: int) -> Region | None:
    at = start
    while at < end:
        header = read_at(file, at, 27 + 255)
        if header[:4] != b"OggS":
            return None
        # Header packets end at granule position 0; -1 marks a page on which no packet ends.
        if struct.unpack_from("<q", header, 6)[0] > 0:
            return Region(((at, end),), paged=True)
        n_segments = header[26]
        at += 27 + n_segments + sum(header[27 : 27 + n_segments])
    return None


def _riff(file: io.FileIO, start: int, end: int) -> Region | None:
    return _chunks(file, start, end, order="<", data=b"data", format=b"fmt ")


def _aiff(file: io.FileIO, start: int, end: int) -> Region | None:
    return _chunks(file, start, end, order=">", data=b"SSND", format=b"COMM")


def _chunks(
    file: io.FileIO, start: int, end: int, order: str, data: bytes, format: bytes
) -> Region | None:
    at = start + 12
    data_size_64 = 0
    audio: Span | None = None
    description = b""
    while at + 8 <= end and not (audio and description):
        name, size = struct.unpack(f"{order}4sI", read_at(file, at, 8))
        if name == data:
            size = data_size_64 or size
            # Programs that write to a pipe cannot go back to fill the size in.
            audio = (at + 8, end if size in (0, 0xFFFFFFFF) else min(end, at + 8 + size))
        elif name == format:
            description = read_at(file, at + 8, min(size, 64))
        elif name == b"ds64":
            data_size_64 = struct.unpack("<Q", read_at(file, at + 16, 8))[0]
        at += 8 + size + size % 2
    return Region((audio,), format=description) if audio else None


def _mp4(file: io.FileIO, start: int, end: int) -> Region | None:
    at = start
    spans = []
    while at + 8 <= end:
        size, name = struct.unpack(">I4s", read_at(file, at, 8))
        header = 8
        if size == 1:
            (size,) = struct.unpack(">Q", read_at(file, at + 8, 8))
            header = 16
        elif size == 0:
            size = end - at
        if size < header:
            return None
        if name == b"mdat":
            spans.append((at + header, min(end, at + size)))
        at += size
    return Region(tuple(spans))


_ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_DATA = bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")


def _asf(file: io.FileIO, start: int, end: int) -> Region | None:
    at = start
    while at + 24 <= end:
        guid, size = struct.unpack("<16sQ", read_at(file, at, 24))
        if guid == _ASF_DATA:
            # File identifier, packet count and a reserved field come before the packets.
            return Region(((at + 50, min(end, at + size) if size else end),))
        if size < 24:
            return None
        at += size
    return None


Finder = Callable[[io.FileIO, int, int], Region | None]

_FINDERS: tuple[tuple[Finder, Callable[[bytes], bool]], ...] = (
    (_flac, lambda head: head[:4] == b"fLaC"),
    (_ogg, lambda head: head[:4] == b"OggS"),
    (_riff, lambda head: head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE"),
    (_aiff, lambda head: head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC")),
    (_mp4, lambda head: head[4:8] == b"ftyp"),
    (_asf, lambda head: head == _ASF_HEADER),
    (_bare, lambda head: head[:4] in (b"wvpk", b"MPCK", b"MAC ", b"TTA1") or head[:3] == b"MP+"),
    # MPEG audio's frame sync: MP3 and ADTS.
    (_bare, lambda head: head[:1] == b"\xff" and head[1:2] >= b"\xe0"),
)

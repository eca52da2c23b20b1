"""What identifies a recording: hashes of its encoded audio, blind to names and tags."""

from __future__ import annotations

import hashlib
import io
import os
import struct

from earmark.audio.regions import Region, find_region, read_at
from earmark.audio.source import Source, open_regular
from earmark.errors import AudioError

_DIGEST_BYTES = 16
_N_BLOCKS = 16
_BLOCK_BYTES = 4096
_PAGE_BYTES_MAX = 65307


def audio_id(path: str | os.PathLike[str]) -> str:
    """Short name of the recording in a file: the same however the file is named or tagged.

    BLAKE2b-128 over the length of the encoded audio and 16 blocks of 4 KiB spread evenly from its
    first byte to its last; a file of any size costs some twenty short reads. Containers that
    `find_region` does not know cost a `packet_hash`.

    Two recordings get the same name only if their audio has the same length to the byte and agrees
    in all 64 KiB looked at. Encoded music has no two such places alike: a coder's output differs
    from the first difference in its input on, and PCM does unless the recordings themselves agree
    there. Files that agree are copies, or copies edited in a few seconds between the blocks: they
    are of one genre.

    Returns
    -------
    str
        32 hexadecimal digits.

    Raises
    ------
    AudioError
        The file cannot be read, or is of an unknown container and not music.
    """
    path = os.fspath(path)
    with open_regular(path) as file:
        try:
            region = find_region(file)
            if region is not None:
                return _sample(file, region)
        except OSError as e:
            raise AudioError(path, f"cannot be read: {e.strerror}") from e
    return packet_hash(path)


def _sample(file: io.FileIO, region: Region) -> str:
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    digest.update(struct.pack("<Q", region.size) + region.format)
    last = max(0, region.size - _BLOCK_BYTES)
    for i in range(_N_BLOCKS):
        offset = last * i // (_N_BLOCKS - 1)
        if region.paged:
            block = _page_after(file, region.spans[0][0] + offset)
        else:
            block = _read_across(file, region, offset)
        digest.update(block)
    return digest.hexdigest()


def _read_across(file: io.FileIO, region: Region, offset: int) -> bytes:
    """A block that may begin in one span and go on in the next."""
    block = b""
    for start, end in region.spans:
        length = end - start
        if offset < length:
            wanted = min(_BLOCK_BYTES - len(block), length - offset)
            block += read_at(file, start + offset, wanted)
        offset = max(0, offset - length)
        if len(block) == _BLOCK_BYTES:
            break
    return block


def _page_after(file: io.FileIO, offset: int) -> bytes:
    """Segment table and first bytes of the Ogg page that starts at or after `offset`.

    The page's header is left out: its sequence number and checksum change when the pages of
    comments before it become more or fewer.
    """
    window = b""
    found = -1
    while found < 0 and len(window) <= _PAGE_BYTES_MAX:
        more = read_at(file, offset + len(window), 2 * _BLOCK_BYTES)
        if not more:
            return b""
        window += more
        found = window.find(b"OggS\0")
    if found < 0:
        return b""
    page = read_at(file, offset + found + 26, 1 + 255 + _BLOCK_BYTES)
    n_segments = page[0] if page else 0
    table, payload = page[1 : 1 + n_segments], page[1 + n_segments :]
    return table + payload[: min(sum(table), _BLOCK_BYTES)]


def packet_hash(path: str | os.PathLike[str]) -> str:
    """Proof that audio is unchanged: a hash of every encoded packet, in order.

    BLAKE2b-128 over the codec, its header, rate, channels and the content of all packets of the
    sound as FFmpeg's demuxer delivers them; tags and pictures are no part of it.

    Returns
    -------
    str
        32 hexadecimal digits.

    Raises
    ------
    AudioError
        The file cannot be read or holds no audio.
    """
    with Source(path) as source:
        info = source.info
        digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
        digest.update(f"{info.codec} {info.sr} {info.n_channels}\n".encode())
        digest.update(_codec_header(info.codec, source.extradata))
        n_bytes = 0
        for packet in source.packets():
            if packet.size:
                digest.update(packet)
                n_bytes += packet.size
        if not n_bytes:
            raise source.failure()
        return digest.hexdigest()


def _codec_header(codec: str, extradata: bytes) -> bytes:
    """`extradata` without Vorbis's second of three headers, which holds the tags."""
    if codec != "vorbis" or extradata[:1] != b"\x02":
        return extradata
    # Xiph lacing: the sizes of the first two headers, each as a row of 255s and a remainder.
    sizes = [0, 0]
    at = 1
    for i in range(2):
        full = len(extradata[at:]) - len(extradata[at:].lstrip(b"\xff"))
        at += full + 1
        sizes[i] = 255 * full + sum(extradata[at - 1 : at])
    comments = at + sizes[0]
    return extradata[at:comments] + extradata[comments + sizes[1] :]

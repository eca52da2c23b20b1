"""ID3v2 tags as bytes: take one apart into raw frames, and put it together again.

Frames that nobody asked to change stay as they are, to the byte, whatever they hold: pictures,
frames of other programs, frames that no reader understands. That is why Earmark edits tags here
and does not let a tag library load and save them, which re-encodes every frame and drops those
that it cannot parse. ID3v2.2, 2.3 and 2.4 all stay what they are.

Not kept: the extended header (checksum and size of the padding, both wrong after an edit) and the
footer of v2.4, which forbids padding.

References: https://id3.org/id3v2-00 (2.2), https://id3.org/id3v2.3.0, https://id3.org/id3v2.4.0-structure
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace

from earmark.tags.fields import DamagedTagError

HEADER_SIZE = 10
NEW_VERSION = 3  # for a file without a tag: the version that every player reads
PADDING = 2048  # for a tag that has to grow: later edits then need not move the audio
UNSYNCHRONISED, _EXTENDED, _FOOTER = 0x80, 0x40, 0x10
_MAX_FRAMES = 20_000
_MARKS = {b"\xff\xfe": "le", b"\xfe\xff": "be"}
_FRAME_ID = re.compile(rb"[A-Z][A-Z0-9]{2}[A-Z0-9\0]")
GENRE_IDS = (b"TCON", b"TCO", b"TCO\0")  # the last: v2.2 name in a v2.3 tag, some programs do so
_USER_IDS = (b"TXXX", b"TXX", b"TXX\0")


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame: its ID, its flags (0 in v2.2), its bytes as found, and how many are its header."""

    frame_id: bytes
    flags: int
    raw: bytes
    head: int

    @property
    def body(self) -> bytes:
        return self.raw[self.head :]


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag. `junk` is what follows the last frame that could be told from its neighbours."""

    version: int
    revision: int
    flags: int
    frames: tuple[Frame, ...]
    junk: bytes = b""
    size: int = 0  # bytes in the file, header (and footer) included

    @property
    def dialect(self) -> str:
        return f"ID3v2.{self.version}"


def tag_size(header: bytes) -> int:
    """Bytes that the tag takes which starts with these ten; 0 where they start none."""
    if len(header) < HEADER_SIZE or header[:3] != b"ID3":
        return 0
    footer = HEADER_SIZE if header[3] >= 4 and header[5] & _FOOTER else 0
    return HEADER_SIZE + _syncsafe(header[6:10]) + footer


def parse(data: bytes) -> Tag:
    """Take apart the tag that `data` starts with.

    Raises
    ------
    DamagedTagError
        There is none, its version is unknown, or it is cut off or compressed as a whole.
    """
    size = tag_size(data[:HEADER_SIZE])
    if not size:
        raise DamagedTagError("no ID3v2 tag")
    version, revision, flags = data[3], data[4], data[5]
    if version not in (2, 3, 4):
        raise DamagedTagError(f"ID3v2.{version} is not known")
    if len(data) < size:
        raise DamagedTagError("ID3v2 tag is longer than the file")
    if version == 2 and flags & 0x40:
        raise DamagedTagError("ID3v2.2 tag is compressed, which the standard never defined")
    body = data[HEADER_SIZE : HEADER_SIZE + _syncsafe(data[6:10])]
    if version < 4 and flags & UNSYNCHRONISED:
        body = body.replace(b"\xff\x00", b"\xff")
    if version > 2 and flags & _EXTENDED:
        body = _skip_extended_header(version, body)
        flags &= ~_EXTENDED
    if version == 4:
        flags &= ~_FOOTER
    frames, rest = _frames(version, body)
    return Tag(version, revision, flags, frames, rest.rstrip(b"\0"), size)


def render(tag: Tag, size: int = 0) -> bytes:
    """The tag's bytes: as many as it had, or `size`, where they suffice; else with new padding.

    Raises
    ------
    DamagedTagError
        It would be longer than a tag can be.
    """
    data = b"".join(frame.raw for frame in tag.frames) + tag.junk
    if tag.version < 4 and tag.flags & UNSYNCHRONISED:
        data = re.sub(rb"\xff(?=[\x00\xe0-\xff]|\Z)", b"\xff\x00", data)
    room = (size or tag.size) - HEADER_SIZE
    data = data.ljust(room if room >= len(data) else len(data) + PADDING, b"\0")
    if len(data) >= 1 << 28:
        raise DamagedTagError("ID3v2 tag would exceed 256 MiB")
    return _tag_header(tag.version, tag.revision, tag.flags, len(data)) + data


def _tag_header(version: int, revision: int, flags: int, size: int) -> bytes:
    return struct.pack(">3sBBB4s", b"ID3", version, revision, flags, _to_syncsafe(size))


def with_footer(data: bytes) -> bytes:
    """The tag in `data` as it has to be at the end of a file: with a footer, without padding."""
    tag = parse(data)
    body = b"".join(frame.raw for frame in tag.frames) + tag.junk
    header = _tag_header(tag.version, tag.revision, tag.flags | _FOOTER, len(body))
    return header + body + b"3DI" + header[3:]


def new_tag(texts: Iterable[tuple[str, str]] = ()) -> Tag:
    """A tag for a file that has none, with frames of these names and texts."""
    frames = [
        make_frame(
            NEW_VERSION,
            name,
            comment_body(NEW_VERSION, text) if name == "COMM" else text_body(NEW_VERSION, (text,)),
        )
        for name, text in texts
    ]
    return Tag(version=NEW_VERSION, revision=0, flags=0, frames=tuple(frames))


def genre_frames(tag: Tag) -> list[Frame]:
    """The frames of the standard; see also `is_user_genre`."""
    return [frame for frame in tag.frames if frame.frame_id in GENRE_IDS]


def is_user_genre(frame: Frame) -> bool:
    """Whether this is a text of the user's own (TXXX) that is named "genre"."""
    if frame.frame_id not in _USER_IDS or frame.flags:
        return False
    found = text_values(frame.raw[frame.head : frame.head + 16])  # the name comes first
    return len(found) > 1 and found[0].lower() == "genre"


def text_values(body: bytes) -> list[str]:
    """What the body of a text frame holds: an encoding byte, then values with NULs between."""
    encoding, data = body[:1], body[1:]
    if encoding in (b"\1", b"\2"):
        data = data[: len(data) & ~1]
        order = "be" if encoding == b"\2" or _looks_big_endian(data) else "le"
        found = []
        for value in _split_wide(data):
            mark = _MARKS.get(value[:2])
            order = mark or order
            found.append((value[2:] if mark else value).decode(f"utf-16-{order}", "replace"))
        return found
    return data.decode("utf-8" if encoding == b"\3" else "latin-1", "replace").split("\0")


def _split_wide(data: bytes) -> list[bytes]:
    """`data` parted at NULs of two bytes."""
    parts, start = [], 0
    at = data.find(b"\0\0")
    while at >= 0:
        if at % 2:
            at = data.find(b"\0\0", at + 1)
            continue
        parts.append(data[start:at])
        start = at + 2
        at = data.find(b"\0\0", start)
    return [*parts, data[start:]]


def _looks_big_endian(data: bytes) -> bool:
    """Whether text without a byte order mark has its zeros where big-endian Latin text has them."""
    return data[:2] not in _MARKS and data[0::2].count(0) > data[1::2].count(0)


def other_frames(tag: Tag) -> list[bytes]:
    return [frame.raw for frame in tag.frames if not _is_genre(frame)]


def with_genre(tag: Tag, bodies: list[bytes], user_bodies: Iterable[bytes] = ()) -> Tag:
    """`tag` with genre frames of these bodies where the first one was, or else in front.

    In front, since some tags hold rubbish at which readers stop.
    """
    at = next((i for i, frame in enumerate(tag.frames) if _is_genre(frame)), 0)
    kept = [frame for frame in tag.frames if not _is_genre(frame)]
    new = [make_frame(tag.version, "TCON", body) for body in bodies]
    new += [make_frame(tag.version, "TXXX", body) for body in user_bodies]
    return replace(tag, frames=(*kept[:at], *new, *kept[at:]))


def _is_genre(frame: Frame) -> bool:
    return frame.frame_id in GENRE_IDS or is_user_genre(frame)


def make_frame(version: int, name: str, body: bytes) -> Frame:
    """A frame without flags. `name` is the v2.3 one; TCON is known as TCO in v2.2."""
    if version == 2:
        name = {"TCON": "TCO", "TXXX": "TXX"}[name]
    frame_id = name.encode("latin-1")
    if version == 2:
        head = frame_id + len(body).to_bytes(3, "big")
    else:
        size = _to_syncsafe(len(body)) if version == 4 else len(body).to_bytes(4, "big")
        head = frame_id + size + b"\0\0"
    return Frame(frame_id, 0, head + body, len(head))


def text_body(version: int, values: tuple[str, ...]) -> bytes:
    """Body of a text frame: encoding byte, then the values with a NUL between them.

    ASCII text is marked as Latin-1, which all readers agree on; other text is UTF-8 in v2.4 and
    UTF-16 with a byte order mark before.
    """
    if all(value.isascii() for value in values):
        return b"\0" + "\0".join(values).encode("ascii")
    if version == 4:
        return b"\3" + "\0".join(values).encode()
    return b"\1" + b"\0\0".join(b"\xff\xfe" + value.encode("utf-16-le") for value in values)


def comment_body(version: int, text: str) -> bytes:
    """Body of a comment frame: encoding, language, an empty description, the text.

    The language is the one that players look for first, whatever the text's.
    """
    body = text_body(version, ("", text))
    return body[:1] + b"eng" + body[1:]


def _frames(version: int, body: bytes) -> tuple[tuple[Frame, ...], bytes]:
    """The frames in `body`, and what is left where no further frame can be told."""
    frames = []
    at = 0
    head = 6 if version == 2 else 10
    while at + head <= len(body) and body[at]:
        frame_id = body[at : at + (3 if version == 2 else 4)]
        size = _frame_size(version, body, at)
        if at + head + size > len(body):
            break
        flags = 0 if version == 2 else int.from_bytes(body[at + 8 : at + 10], "big")
        end = at + head + size
        frames.append(Frame(frame_id, flags, body[at:end], head))
        if len(frames) > _MAX_FRAMES:
            raise DamagedTagError(f"ID3v2 tag has more than {_MAX_FRAMES} frames")
        at = end
    return tuple(frames), body[at:]


def _frame_size(version: int, body: bytes, at: int) -> int:
    if version == 2:
        return int.from_bytes(body[at + 3 : at + 6], "big")
    field = body[at + 4 : at + 8]
    plain = int.from_bytes(field, "big")
    if version == 3:
        return plain
    # Old iTunes wrote plain numbers into v2.4: believe whichever leads to a next frame.
    size = _syncsafe(field)
    if size != plain and not _frame_starts(body, at + 10 + size):
        return plain if _frame_starts(body, at + 10 + plain) else size
    return size


def _frame_starts(body: bytes, at: int) -> bool:
    return at == len(body) or (
        at < len(body) and (not body[at] or bool(_FRAME_ID.fullmatch(body[at : at + 4])))
    )


def _skip_extended_header(version: int, body: bytes) -> bytes:
    if _FRAME_ID.fullmatch(body[:4]):  # flagged, yet absent: some programs do so
        return body
    size = _syncsafe(body[:4]) if version == 4 else 4 + int.from_bytes(body[:4], "big")
    if not 4 <= size <= len(body):
        raise DamagedTagError("ID3v2 extended header is damaged")
    return body[size:]


def _syncsafe(data: bytes) -> int:
    value = 0
    for byte in data:
        value = value << 7 | byte & 0x7F
    return value


def _to_syncsafe(value: int) -> bytes:
    return bytes(value >> shift & 0x7F for shift in (21, 14, 7, 0))

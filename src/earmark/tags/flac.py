"""FLAC: Vorbis comments in one of the metadata blocks in front of the sound.

The blocks are edited one by one: the others stay as they are, to the byte, pictures with odd
descriptions and odd tables among them. There should be one block of comments; players read the
first, FFmpeg and others all that there are. So all are read, the first is written, and the
others lose their genre. Tags around the file (ID3v2 in front, ID3v1 behind) are read where
the comments say nothing, and kept in step.

Reference: RFC 9639
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, BinaryIO

from earmark.tags import outer, vorbis
from earmark.tags.edits import Edit, read_at
from earmark.tags.fields import (
    DamagedTagError,
    Family,
    Native,
    Reading,
    Source,
    combine,
    numbered,
)

_STREAMINFO, _PADDING, _COMMENT, _INVALID = 0, 1, 4, 127
_LAST = 0x80
_HEAD = 4
_MAX_BLOCKS = 4096
_MAX_SIZE = (1 << 24) - 1
_NEW_PADDING = 4096  # later edits then need not move the sound


@dataclass(frozen=True, slots=True)
class Block:
    """A metadata block whose content is bytes [start, end) of the file."""

    kind: int
    start: int
    end: int
    last: bool


class FlacFamily(Family):
    """FLAC, not in Ogg."""

    def read(self, f: BinaryIO) -> Reading:
        around, blocks = _layout(f)
        comments = _comments(f, blocks)
        sources: list[Source] = [(vorbis.DIALECT, vorbis.texts(found)) for _, found in comments]
        return combine([*sources, *outer.sources(around)], _duration_s(f, blocks))

    def get(self, f: BinaryIO) -> Native:
        around, blocks = _layout(f)
        native = {
            numbered("comments", i): vorbis.genre(found)
            for i, (_, found) in enumerate(_comments(f, blocks))
        }
        return native | outer.get(around)

    def encode(self, f: BinaryIO, values: tuple[str, ...]) -> Native:
        around, blocks = _layout(f)
        comments = [found for _, found in _comments(f, blocks)]
        named = next((found for found in comments if vorbis.genre(found)), None)
        return outer.in_step(around, values) | {"comments": vorbis.encode(named, values)}

    def edits(self, f: BinaryIO, native: Native) -> list[Edit]:
        around, blocks = _layout(f)
        if read_at(f, blocks[-1].end, 1) != b"\xff":
            raise DamagedTagError("its metadata blocks do not lead to the sound")
        replaced: dict[Block, bytes] = {}
        comments = _comments(f, blocks)
        for i, (block, found) in enumerate(comments):
            genre = native.get(numbered("comments", i), [])
            if genre != vorbis.genre(found):
                replaced[block] = vorbis.render(vorbis.with_genre(found, genre))
        new = b""
        if not comments and native.get("comments"):
            new = vorbis.render(vorbis.with_genre(vorbis.Comments(), native["comments"]))
        return _edits(blocks, replaced, new) + outer.edits(around, native)

    def others(self, f: BinaryIO) -> Any:
        around, blocks = _layout(f)
        comments = [(found.others, found.rest) for _, found in _comments(f, blocks)]
        return (
            comments or [(vorbis.Comments().others, b"")],
            [
                (block.kind, _content(f, block))
                for block in blocks
                if block.kind not in (_COMMENT, _PADDING)
            ],
            outer.others(around),
        )


def _layout(f: BinaryIO) -> tuple[outer.Outer, list[Block]]:
    around = outer.find(f)
    blocks: list[Block] = []
    at = around.start + 4
    while True:
        head = read_at(f, at, _HEAD)
        end = at + _HEAD + int.from_bytes(head[1:], "big")
        if len(head) < _HEAD or end > around.end or head[0] & ~_LAST == _INVALID:
            raise DamagedTagError("its metadata blocks are cut off or damaged")
        blocks.append(Block(head[0] & ~_LAST, at + _HEAD, end, bool(head[0] & _LAST)))
        if blocks[-1].last:
            break
        if len(blocks) > _MAX_BLOCKS:
            raise DamagedTagError(f"it has more than {_MAX_BLOCKS} metadata blocks")
        at = end
    if blocks[0].kind != _STREAMINFO:
        raise DamagedTagError("the block that describes its sound is missing")
    return around, blocks


def _content(f: BinaryIO, block: Block) -> bytes:
    return read_at(f, block.start, block.end - block.start)


def _comments(f: BinaryIO, blocks: list[Block]) -> list[tuple[Block, vorbis.Comments]]:
    return [(b, vorbis.parse(_content(f, b))) for b in blocks if b.kind == _COMMENT]


def _duration_s(f: BinaryIO, blocks: list[Block]) -> float | None:
    data = _content(f, blocks[0])
    if len(data) < 18:
        raise DamagedTagError("the block that describes its sound is cut off")
    rate = int.from_bytes(data[10:13], "big") >> 4
    n_samples = int.from_bytes(data[13:18], "big") & (1 << 36) - 1
    return n_samples / rate if rate else None


def _edits(blocks: list[Block], replaced: dict[Block, bytes], new: bytes) -> list[Edit]:
    """What gives the `replaced` blocks other content, and adds a block of the comments `new`."""
    found = [
        Edit(block.start - _HEAD, block.end, _render(_COMMENT, data, block.last))
        for block, data in replaced.items()
    ]
    behind = b""  # what comes behind the last block, but for the bit that says which is the last
    at = blocks[0].end
    if new and len(blocks) > 1:
        found.append(Edit(at, at, _render(_COMMENT, new, False)))
    elif new:
        behind = _render(_COMMENT, new, True)
    grown = sum(edit.shift for edit in found) + len(behind)
    padding = next((b for b in reversed(blocks) if b.kind == _PADDING), None)
    if padding is not None and grown:
        left = padding.end - padding.start - grown
        size = left if 0 <= left <= _MAX_SIZE else _NEW_PADDING
        edit = Edit(
            padding.start - _HEAD, padding.end, _render(_PADDING, bytes(size), padding.last)
        )
        found.append(edit)
    elif grown > 0:
        behind = (_render(_COMMENT, new, False) if behind else b"") + _render(
            _PADDING, bytes(_NEW_PADDING), True
        )
    elif grown <= -_HEAD:
        behind = _render(_PADDING, bytes(-grown - _HEAD), True)
    return found if not behind else [*_not_last(blocks[-1], found), Edit(*_end(blocks), behind)]


def _end(blocks: list[Block]) -> tuple[int, int]:
    return blocks[-1].end, blocks[-1].end


def _not_last(block: Block, edits: list[Edit]) -> list[Edit]:
    """`edits`, after which `block` no longer says that it is the last."""
    at = block.start - _HEAD
    for i, edit in enumerate(edits):
        if (edit.start, edit.end) == (at, block.end):
            head = bytes([edit.data[0] & ~_LAST])
            return [*edits[:i], Edit(edit.start, edit.end, head + edit.data[1:]), *edits[i + 1 :]]
    return [*edits, Edit(at, at + 1, bytes([block.kind]))]


def _render(kind: int, data: bytes, last: bool) -> bytes:
    if len(data) > _MAX_SIZE:
        raise DamagedTagError("a metadata block would be longer than 16 MiB")
    return bytes([kind | (_LAST if last else 0)]) + len(data).to_bytes(3, "big") + data

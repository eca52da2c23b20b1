"""Reading the checkpoints of TensorFlow's ``Saver`` (version 2) without TensorFlow.

A checkpoint is two files. The ``.data`` file holds the raw little-endian numbers of all variables
one after the other. The ``.index`` file is a table in LevelDB's format: sorted keys, which are the
variables' names, in blocks of entries that share prefixes; each value is a ``BundleEntryProto``,
which says type, shape and place. The formats are described in LevelDB's ``doc/table_format.md`` and
in TensorFlow's ``tensor_bundle.proto``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from earmark.errors import BundleError
from earmark.types import FloatArray

_MAGIC = 0xDB4775248B80FB57
_FOOTER_BYTES = 48
_FLOAT32 = 1  # DT_FLOAT of types.proto
_UNCOMPRESSED = 0


def read_checkpoint(index: bytes, data: bytes) -> dict[str, FloatArray]:
    """The float32 variables of a checkpoint of one shard, by name; others are left out.

    Parameters
    ----------
    index, data : bytes
        Contents of the files ``….index`` and ``….data-00000-of-00001``.

    Raises
    ------
    BundleError
        If this is no checkpoint, or one of a kind that is not read here: with compressed blocks,
        several shards or partitioned variables.
    """
    try:
        entries = {key.decode(): value for key, value in _table(index) if key}
        found = {name: _variable(name, value, data) for name, value in entries.items()}
    except (IndexError, TypeError, ValueError, struct.error) as e:
        raise BundleError(f"this is no whole TensorFlow checkpoint: {e}") from e
    return {name: values for name, values in found.items() if values is not None}


def _table(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of a LevelDB table, in order."""
    footer = content[-_FOOTER_BYTES:]
    if len(footer) < _FOOTER_BYTES or struct.unpack("<Q", footer[-8:])[0] != _MAGIC:
        raise ValueError("the index is no LevelDB table")
    at = 0
    for _ in range(2):  # offset and size of the meta index, which nothing is needed from
        _, at = _varint(footer, at)
    for _, handle in _block(content, footer, at):
        yield from _block(content, handle, 0)


def _block(content: bytes, handle: bytes, at: int) -> Iterator[tuple[bytes, bytes]]:
    """Entries of the block that `handle`, read from `at` on, points to."""
    offset, at = _varint(handle, at)
    size, _ = _varint(handle, at)
    block, kind = content[offset : offset + size], content[offset + size]
    if kind != _UNCOMPRESSED:
        raise ValueError(f"a block is compressed (kind {kind})")
    n_restarts = struct.unpack("<I", block[-4:])[0]
    end = size - 4 * (n_restarts + 1)
    key, at = b"", 0
    while at < end:
        n_shared, at = _varint(block, at)
        n_own, at = _varint(block, at)
        n_value, at = _varint(block, at)
        key = key[:n_shared] + block[at : at + n_own]
        at += n_own
        yield key, block[at : at + n_value]
        at += n_value


def _variable(name: str, entry: bytes, data: bytes) -> NDArray[np.float32] | None:
    """Numbers of a ``BundleEntryProto``; None where they are not float32."""
    fields = dict(_fields(entry))
    if 7 in fields or fields.get(3, 0):
        raise ValueError(f"{name} is in several parts")
    if fields.get(1) != _FLOAT32:
        return None
    dims = [dict(_fields(_bytes(dim))) for tag, dim in _fields(_bytes(fields.get(2, b"")))]
    shape = [_number(dim.get(1, 0)) for dim in dims]
    offset, size = _number(fields.get(4, 0)), _number(fields.get(5, 0))
    if offset + size > len(data):
        raise ValueError(f"{name} lies beyond the end of the data")
    return np.frombuffer(data[offset : offset + size], "<f4").reshape(shape).astype(np.float32)


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of each field of a protocol buffer's message."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        value: int | bytes
        match tag & 7:
            case 0:
                value, at = _varint(message, at)
            case 2:
                size, at = _varint(message, at)
                value, at = message[at : at + size], at + size
            case 5:
                value, at = message[at : at + 4], at + 4
            case kind:
                raise ValueError(f"a field of unknown kind {kind}")
        yield tag >> 3, value


def _number(value: int | bytes) -> int:
    if isinstance(value, bytes):
        raise TypeError("a field is of the wrong kind")
    return value


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise TypeError("a field is of the wrong kind")
    return value


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """A number of variable length at `at`, and where it ends."""
    value = shift = 0
    while True:
        byte = content[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7

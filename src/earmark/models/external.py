"""Whether an ONNX file keeps weights in other files, found without any library of ONNX.

A bundle's checksums say nothing of such files, and their names may lead anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

# Of each message, the fields through which tensors are reached (onnx.proto3).
_REACHES: dict[str, dict[int, str]] = {
    "Model": {7: "Graph", 20: "Training", 25: "Function"},
    "Training": {1: "Graph", 2: "Graph"},
    "Function": {7: "Node", 11: "Attribute"},
    "Graph": {1: "Node", 5: "Tensor", 15: "SparseTensor"},
    "Node": {5: "Attribute"},
    "Attribute": {
        5: "Tensor",
        10: "Tensor",
        22: "SparseTensor",
        23: "SparseTensor",
        6: "Graph",
        11: "Graph",
    },
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
    "Tensor": {},
}
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14


def has_external_data(network: bytes) -> bool:
    """Whether any tensor of the network, at any depth, is kept in another file.

    Raises
    ------
    ValueError
        If `network` is no ONNX.
    """
    waiting = [("Model", memoryview(network))]
    while waiting:
        message, content = waiting.pop()
        reaches = _REACHES[message]
        for number, value in _fields(content):
            if message == "Tensor" and (
                number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value != 0)
            ):
                return True
            if number in reaches and isinstance(value, memoryview):
                waiting.append((reaches[number], value))
    return False


def _fields(content: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Numbers and values of a message's fields; of those with a fixed size, 0 as the value."""
    place = 0
    while place < len(content):
        key, place = _varint(content, place)
        number, kind = key >> 3, key & 7
        value: int | memoryview = 0
        if kind == _VARINT:
            value, place = _varint(content, place)
        elif kind in (_FIXED64, _FIXED32):
            place += 8 if kind == _FIXED64 else 4
        elif kind == _BYTES:
            size, place = _varint(content, place)
            value = content[place : place + size]
            place += size
        else:
            raise ValueError(f"field {number} is of no known kind")
        if place > len(content):
            raise ValueError(f"field {number} reaches beyond its message")
        yield number, value


def _varint(content: memoryview, place: int) -> tuple[int, int]:
    value = 0
    for i, byte in enumerate(content[place : place + 10]):
        value |= (byte & 127) << 7 * i
        if byte < 128:
            return value & 0xFFFF_FFFF_FFFF_FFFF, place + i + 1
    raise ValueError("a number without an end")

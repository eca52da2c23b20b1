"""Modification times of files, as SQLite can hold them.

File systems know times that do not fit into the 64 bits of SQLite's integers: in nanoseconds those
end in 2262 and begin in 1677. A broken clock or a damaged archive is enough for a file to have one.
"""

from __future__ import annotations

_SMALLEST, _LARGEST = -(2**63), 2**63 - 1


def to_column(mtime_ns: int) -> int | bytes:
    """What to store for a time; equal times are equal in the database, too."""
    # Bytes, as SQLite would make a number with a fraction of a text of digits.
    return mtime_ns if _SMALLEST <= mtime_ns <= _LARGEST else str(mtime_ns).encode("ascii")


def from_column(value: int | bytes) -> int:
    """The time of what `to_column` gave, to the nanosecond; ValueError or TypeError of what it did
    not give."""
    if isinstance(value, float):
        raise TypeError("not whole nanoseconds")
    return int(value)

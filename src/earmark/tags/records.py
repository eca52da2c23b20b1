"""What the journal's tables hold, and how a row becomes an object.

A row may be damaged, by a failing disk or by hand. Each column is read by itself: what cannot be
read is named and empty, and whoever needs it says so.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from earmark.moments import from_column
from earmark.tags.fields import Native


class ChangeState(StrEnum):
    """How far a change has come; `earmark.tags.journal` draws the ways between."""

    WRITING = "writing"
    READY = "ready"
    DONE = "done"
    UNDOING = "undoing"
    UNDONE = "undone"
    FAILED = "failed"
    ABANDONED = "abandoned"
    UNKNOWN = "unknown"


# Every state is in one of these three.
PENDING = (ChangeState.WRITING, ChangeState.READY, ChangeState.UNDOING)
"""Half-way: only a crash leaves a change so."""

IN_FORCE = (ChangeState.DONE, ChangeState.UNKNOWN)
"""The file holds the change, or may: what undo takes back."""

AS_BEFORE = (ChangeState.UNDONE, ChangeState.FAILED, ChangeState.ABANDONED)
"""The file is as it was before the change."""


def in_sql(states: Iterable[ChangeState]) -> str:
    """The states as SQL lists them."""
    return ", ".join(f"'{state}'" for state in states)


SCHEMA = f"""
CREATE TABLE runs (
    run_id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    note TEXT NOT NULL,
    started REAL NOT NULL,
    finished REAL,
    undone REAL
);
CREATE TABLE changes (
    change_id INTEGER PRIMARY KEY,
    run_id INTEGER NOT NULL REFERENCES runs,
    path BLOB NOT NULL,
    field TEXT NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL,
    native TEXT NOT NULL,
    old_mtime_ns INTEGER NOT NULL,
    temp BLOB NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    old_sha BLOB,
    new_sha BLOB,
    undo_sha BLOB,
    delta BLOB
);
CREATE INDEX changes_by_run ON changes (run_id, state);
CREATE INDEX changes_pending ON changes (state) WHERE state IN ({in_sql(PENDING)});
"""


@dataclass(frozen=True, slots=True)
class Run:
    """One call of the program that wrote tags.

    Attributes
    ----------
    run_id : int
    kind, note : str
        As given to `Journal.new_run`.
    started : float
        Seconds since 1970, as are the other times; 0 where the record is damaged.
    finished, undone : float or None
        None where it was interrupted, or has not been undone to the last file.
    counts : dict of ChangeState to int
        Number of its changes in each state.
    """

    run_id: int
    kind: str
    note: str
    started: float
    finished: float | None
    undone: float | None
    counts: dict[ChangeState, int]

    @property
    def can_undo(self) -> bool:
        """Whether anything of it is in force, or may be."""
        return any(state in self.counts for state in IN_FORCE)


@dataclass(frozen=True, slots=True)
class Change:
    """One file's change as the journal has it.

    `before` and `after` are the field's values, `native` its former form in the file's own terms.
    `reason` says why the change failed, or could not be undone, or what went wrong after it was
    made. `damaged` names what could not be read, and is empty therefore; the path of such a record
    is a word for it.
    """

    change_id: int
    run_id: int
    path: str
    field: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    native: Native
    old_mtime_ns: int
    temp: str
    state: ChangeState
    reason: str
    old_sha: bytes | None
    new_sha: bytes | None
    undo_sha: bytes | None
    damaged: tuple[str, ...] = ()


def read_run(row: tuple[Any, ...], counts: Mapping[ChangeState, int]) -> Run:
    run_id, kind, note, started, finished, undone = row
    times = (_moment(started) or 0.0, _moment(finished), _moment(undone))
    return Run(int(run_id), _text(kind), _text(note), *times, dict(counts))


def read_change(row: tuple[Any, ...]) -> Change:
    """The change in a row of `COLUMNS`."""
    values: dict[str, Any] = {}
    damaged = []
    for (name, (read, empty)), raw in zip(_COLUMNS.items(), row, strict=True):
        try:
            values[name] = read(raw)
        except (ValueError, TypeError, RecursionError):
            values[name] = empty
            damaged.append(name)
    if "path" in damaged:
        values["path"] = f"(change {values['change_id']} of the journal)"
    return Change(**values, damaged=tuple(damaged))


def read_state(raw: Any) -> ChangeState:
    """The state that a cell holds; *unknown*, by which undo looks at the file, where it is none."""
    try:
        return ChangeState(_text(raw))
    except ValueError:
        return ChangeState.UNKNOWN


def read_bytes(raw: Any) -> bytes:
    """Bytes, also where they came as text; empty where the cell holds neither."""
    if isinstance(raw, str):
        return raw.encode("utf-8", "surrogateescape")
    return raw if isinstance(raw, bytes) else b""


def text_of(cell: bytes) -> str:
    """For SQLite, which would refuse a row whose text is none."""
    return cell.decode("utf-8", "surrogateescape")


def dump_native(native: Native) -> str:
    return json.dumps(
        {place: [base64.b64encode(v).decode() for v in found] for place, found in native.items()}
    )


# --- reading cells --------------------------------------------------------------------------------


def _text(raw: Any) -> str:
    return read_bytes(raw).decode("utf-8", "replace")


def _path(raw: Any) -> str:
    path = os.fsdecode(raw)
    if "\0" in path or not Path(path).is_absolute():
        raise ValueError("not a path")
    return path


def _texts(raw: Any) -> tuple[str, ...]:
    values = json.loads(raw)
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError("not a list of texts")
    return tuple(values)


def _native(raw: Any) -> Native:
    places = json.loads(raw)
    if not isinstance(places, dict):
        raise TypeError("not places and their values")
    return {
        place: [base64.b64decode(value, validate=True) for value in found]
        for place, found in places.items()
    }


def _digest(raw: Any) -> bytes | None:
    if raw is None:
        return None
    digest = read_bytes(raw)
    if len(digest) != 32:
        raise ValueError("not a SHA-256")
    return digest


def _moment(raw: Any) -> float | None:
    """A time that a calendar has; None for what is none."""
    return float(raw) if isinstance(raw, int | float) and 0 <= raw < _END_OF_CALENDARS else None


_END_OF_CALENDARS = 1e11  # seconds since 1970: some years before 9999, where Python's ends

# Each with what reads it, and with what stands for one that cannot be read.
_COLUMNS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "change_id": (int, 0),
    "run_id": (int, 0),
    "path": (_path, ""),
    "field": (_text, ""),
    "before": (_texts, ()),
    "after": (_texts, ()),
    "native": (_native, {}),
    "old_mtime_ns": (from_column, 0),
    "temp": (_path, ""),
    "state": (read_state, ChangeState.UNKNOWN),
    "reason": (_text, ""),
    "old_sha": (_digest, None),
    "new_sha": (_digest, None),
    "undo_sha": (_digest, None),
}
COLUMNS = ", ".join(_COLUMNS)

"""What the journal's tables hold, and how a row becomes an object."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass
from typing import Any

from earmark.moments import from_column
from earmark.tags.fields import Native

SCHEMA = """
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
CREATE INDEX changes_pending ON changes (state) WHERE state IN ('writing', 'ready', 'undoing');
"""
COLUMNS = (
    "change_id, run_id, path, field, before, after, native, old_mtime_ns, temp, state, reason, "
    "old_sha, new_sha, undo_sha"
)


@dataclass(frozen=True, slots=True)
class Run:
    """One call of the program that wrote tags.

    Attributes
    ----------
    run_id : int
    kind, note : str
        As given to `Journal.new_run`.
    started : float
        Seconds since 1970, as are the other times.
    finished, undone : float or None
        None where it was interrupted, or has not been undone to the last file.
    counts : dict of str to int
        Number of its changes in each state.
    """

    run_id: int
    kind: str
    note: str
    started: float
    finished: float | None
    undone: float | None
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class Change:
    """One file's change as the journal has it; `state` as in the module's description.

    `before` and `after` are the field's values, `native` its former form in the file's own terms.
    `reason` says why the change failed, or could not be undone.
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
    state: str
    reason: str
    old_sha: bytes | None
    new_sha: bytes | None
    undo_sha: bytes | None


def read_change(row: tuple[Any, ...]) -> Change:
    change_id, run_id, path, field, before, after, native, mtime_ns, temp, *rest = row
    return Change(
        change_id,
        run_id,
        os.fsdecode(path),
        field,
        tuple(json.loads(before)),
        tuple(json.loads(after)),
        _load_native(native),
        from_column(mtime_ns),
        os.fsdecode(temp),
        *rest,
    )


def dump_native(native: Native) -> str:
    return json.dumps(
        {place: [base64.b64encode(v).decode() for v in found] for place, found in native.items()}
    )


def _load_native(text: str) -> Native:
    return {
        place: [base64.b64decode(v) for v in found] for place, found in json.loads(text).items()
    }

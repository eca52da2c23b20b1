"""Write a genre into a music file so that neither a crash nor a mistake can hurt, and take it back.

A change is made in a temporary copy beside the file, checked there, recorded in the journal, and
put in place by a rename. A kill at any instant leaves the old or the new file, whole, and what the
journal needs to tell which.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from earmark.errors import FileChangedError, FileError, TagError
from earmark.tags.delta import apply_delta, make_delta
from earmark.tags.fields import clean
from earmark.tags.files import (
    check_replaceable,
    create,
    finish,
    open_regular,
    os_errors,
    remove_temp,
    sha256,
    swap,
    temp_name,
)
from earmark.tags.formats import read_tags, tag_errors, tags_of
from earmark.tags.journal import Journal
from earmark.tags.records import Change
from earmark.tags.rewrite import family_of, rewrite
from earmark.types import TagChange, Tags

FIELD = "genre"


@dataclass(frozen=True, slots=True)
class Written:
    """A file after a change or its undoing, as a catalogue wants to know it.

    Attributes
    ----------
    path : str
        With symbolic links resolved.
    tags : Tags
    size, mtime_ns : int
    changed : bool
        False where the file was already as it should be.
    """

    path: str
    tags: Tags
    size: int
    mtime_ns: int
    changed: bool


def apply_change(
    journal: Journal,
    run_id: int,
    change: TagChange,
    *,
    keep_mtime: bool = False,
) -> Written:
    """Write one change of a plan.

    A symbolic link stays one; the file that it leads to is changed.

    Parameters
    ----------
    journal : Journal
    run_id : int
        From `Journal.new_run`.
    change : TagChange
        Its `after` may be empty: the genre is removed.
    keep_mtime : bool
        Leave the modification time as it was.

    Returns
    -------
    Written

    Raises
    ------
    FileChangedError
        The file is no longer what it was when the plan was made.
    TagError
        It cannot be written; it is as it was.
    LibraryError
        The journal cannot be written; no further file should be tried.
    """
    path = os.path.realpath(change.path)
    values = _values(change)
    st = check_replaceable(path)
    with open_regular(path) as f, tag_errors(path):
        tags = tags_of(f, path)
        native = family_of(f, path).get(f)
    if tags.genres == values:
        return Written(path, tags, st.st_size, st.st_mtime_ns, changed=False)
    planned = (change.size, change.mtime_ns, change.before)
    if (st.st_size, st.st_mtime_ns, tags.genres) != planned:
        raise FileChangedError(path, "it has changed since the plan was made", "plan again")

    temp = temp_name(path)
    change_id = journal.begin(
        run_id, path, change.field, tags.genres, values, native, st.st_mtime_ns, temp
    )
    try:
        with os_errors(path), _removing(temp):
            mtime_ns = st.st_mtime_ns if keep_mtime else None
            edited = rewrite(
                path, temp, lambda family, f: family.write(f, values), values, mtime_ns
            )
            delta = make_delta(path, temp)
            journal.ready(change_id, edited.old_sha, edited.new_sha, delta)
            swap(temp, path, st)
    except FileError as e:
        journal.failed(change_id, e.reason)
        raise
    journal.done(change_id)
    return _written(path, edited.tags)


def check_writable(path: str) -> None:
    """Refuse what `apply_change` would refuse for being the file that it is, whatever the genre.

    Raises
    ------
    TagError
    """
    path = os.path.realpath(path)
    check_replaceable(path)
    with open_regular(path) as f, tag_errors(path):
        family_of(f, path)


def undo_change(journal: Journal, change: Change) -> Written:
    """Take back one change: the file gets its old bytes and modification time.

    Where another program has changed the file since and left the genre alone, the genre goes back
    to its old form and the other program's work stays.

    Parameters
    ----------
    journal : Journal
    change : Change
        In state *done* or *unknown*, from `Journal.changes`.

    Returns
    -------
    Written

    Raises
    ------
    FileChangedError
        Another program has changed the genre since.
    TagError
        The file is gone or cannot be written; it is as it was.
    LibraryError
        The journal cannot be written.
    """
    path = change.path
    try:
        if not Path(path).is_symlink() and not Path(path).exists():
            raise TagError(path, "it is no longer there", "it may have been moved or deleted")
        st = check_replaceable(path)
        with open_regular(path) as f, os_errors(path):
            found = sha256(f)
        if found == change.old_sha:
            journal.undone(change.change_id)
            return _written(path, read_tags(path), changed=False)
        delta = journal.delta(change.change_id) if found == change.new_sha else None
        temp = temp_name(path)
        with os_errors(path), _removing(temp):
            if delta is not None and change.old_sha is not None:
                journal.undoing(change.change_id, temp, change.old_sha)
                _rebuild(change, delta, temp)
            else:
                _restore_genre(journal, change, temp)
            swap(temp, path, st)
    except FileError as e:
        journal.not_undone(change, e.reason)
        raise
    journal.undone(change.change_id)
    return _written(path, read_tags(path))


def _values(change: TagChange) -> tuple[str, ...]:
    """The values to write."""
    if change.field != FIELD:
        raise TagError(change.path, f"the field {change.field!r} cannot be written")
    values = change.after
    if any(not value.strip() or clean(value) != value for value in values):
        raise TagError(change.path, f"{values} holds an empty genre, or one that is no text")
    return values


def _rebuild(change: Change, delta: bytes, temp: str) -> None:
    """The old file, to the byte, with its attributes and modification time."""
    with open_regular(change.path) as new, create(temp) as out:
        apply_delta(new, delta, out)
        if sha256(out) != change.old_sha:
            raise TagError(change.path, "the old file could not be rebuilt; it stays as it is")
        finish(new, change.path, out, temp, change.old_mtime_ns)


def _restore_genre(journal: Journal, change: Change, temp: str) -> None:
    """The file as it is now, with its old genre."""
    if read_tags(change.path).genres != change.after:
        raise FileChangedError(change.path, "another program has changed its genre since")
    journal.undoing(change.change_id, temp, None)
    edited = rewrite(
        change.path,
        temp,
        lambda family, f: family.put(f, change.native),
        change.before,
        None,
    )
    journal.undoing(change.change_id, temp, edited.new_sha)


@contextmanager
def _removing(temp: str) -> Iterator[None]:
    """Leave no temporary copy behind, whatever happens inside."""
    try:
        yield
    finally:
        remove_temp(temp)


def _written(path: str, tags: Tags, changed: bool = True) -> Written:
    st = Path(path).stat()
    return Written(path, tags, st.st_size, st.st_mtime_ns, changed)

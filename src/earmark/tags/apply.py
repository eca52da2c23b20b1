"""Write a genre into a music file so that neither a crash nor a mistake can hurt, and take it back.

A change is made in a temporary copy beside the file, checked there, recorded in the journal, and
put in place by a rename. A kill at any instant leaves the old or the new file, whole, and what the
journal needs to tell which.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from earmark.errors import FileChangedError, FileError, LibraryError, TagError
from earmark.tags.delta import DeltaError, apply_delta, make_delta
from earmark.tags.fields import clean
from earmark.tags.files import (
    UnclearError,
    check_replaceable,
    create,
    finish,
    open_regular,
    os_errors,
    removed_on_error,
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
    tags : Tags or None
        None where they could not be read after an undoing.
    size, mtime_ns : int
    changed : bool
        False where the file was already as it should be.
    remark : str
        What went wrong once the file was in place; empty where nothing did.
    """

    path: str
    tags: Tags | None
    size: int
    mtime_ns: int
    changed: bool
    remark: str = ""


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
        The journal cannot be written; the file is as it was, and no further one should be tried.
    """
    path = os.path.realpath(change.path)
    values = _values(change)
    st = check_replaceable(path)
    with os_errors(path), open_regular(path) as f, tag_errors(path):
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
        with removed_on_error(temp), os_errors(path):
            mtime_ns = st.st_mtime_ns if keep_mtime else None
            edited = rewrite(
                path, temp, lambda family, f: family.write(f, values), values, mtime_ns
            )
            delta = make_delta(path, temp)
            journal.ready(change_id, edited.old_sha, edited.new_sha, delta)
            now, remark = swap(temp, path, st)
    except UnclearError:
        raise  # `recover` settles it
    except FileError as e:
        journal.failed(change_id, e.reason)
        raise
    remark = _noted(lambda: journal.done(change_id, remark), remark)
    return Written(path, edited.tags, now.st_size, now.st_mtime_ns, changed=True, remark=remark)


def check_writable(path: str) -> None:
    """Refuse what `apply_change` would refuse for being the file that it is, whatever the genre.

    Raises
    ------
    TagError
    """
    path = os.path.realpath(path)
    check_replaceable(path)
    with os_errors(path), open_regular(path) as f, tag_errors(path):
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
    path, remark = change.path, ""
    try:
        if "path" in change.damaged:
            raise _damaged(change)
        st = _check_there(path)
        with os_errors(path), open_regular(path) as f:
            found = sha256(f)
        if found != change.old_sha:
            delta = journal.delta(change.change_id) if found == change.new_sha else None
            temp = temp_name(path)
            with removed_on_error(temp), os_errors(path):
                if delta is not None and change.old_sha is not None:
                    journal.undoing(change.change_id, temp, change.old_sha)
                    _rebuild(change, delta, temp)
                else:
                    _restore_genre(journal, change, temp)
                st, remark = swap(temp, path, st)
    except UnclearError:
        raise  # `recover` settles it
    except FileError as e:
        journal.not_undone(change, e.reason)
        raise
    remark = _noted(lambda: journal.undone(change.change_id, remark), remark)
    tags = _tags_now(path)
    changed = found != change.old_sha
    return Written(path, tags, st.st_size, st.st_mtime_ns, changed=changed, remark=remark)


def _values(change: TagChange) -> tuple[str, ...]:
    """The values to write."""
    if change.field != FIELD:
        raise TagError(change.path, f"the field {change.field!r} cannot be written")
    values = change.after
    if any(not value.strip() or clean(value) != value for value in values):
        raise TagError(change.path, f"{values} holds an empty genre, or one that is no text")
    return values


def _check_there(path: str) -> os.stat_result:
    with os_errors(path):
        if not Path(path).is_symlink() and not Path(path).exists():
            raise TagError(path, "it is no longer there", "it may have been moved or deleted")
    return check_replaceable(path)


def _damaged(change: Change) -> TagError:
    what = ", ".join(change.damaged)
    return TagError(
        change.path,
        f"its record in the journal is damaged ({what})",
        "what it held before is not known any more",
    )


def _rebuild(change: Change, delta: bytes, temp: str) -> None:
    """The old file, to the byte, with its attributes and modification time."""
    with open_regular(change.path) as new, create(temp) as out:
        try:
            apply_delta(new, delta, out)
            rebuilt = sha256(out) == change.old_sha
        except DeltaError:
            rebuilt = False
        if not rebuilt:
            raise TagError(change.path, "the old file could not be rebuilt; it stays as it is")
        known = "old_mtime_ns" not in change.damaged
        finish(new, change.path, out, temp, change.old_mtime_ns if known else None)


def _restore_genre(journal: Journal, change: Change, temp: str) -> None:
    """The file as it is now, with its old genre."""
    if not {"before", "after", "native"}.isdisjoint(change.damaged):
        raise _damaged(change)
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


def _noted(note: Callable[[], None], remark: str) -> str:
    """Tell the journal of a file in place; `remark`, with what went wrong with that, too.

    Whatever goes wrong, the file is in place, and `Journal.recover` finds that out.
    """
    try:
        note()
    except LibraryError as e:
        return "; ".join(filter(None, (remark, str(e))))
    return remark


def _tags_now(path: str) -> Tags | None:
    try:
        return read_tags(path)
    except (FileError, OSError):
        return None

"""``earmark scan``: bring the catalogue up to date with a folder, and count what is there."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from earmark.errors import TagError
from earmark.events import FileSkipped, Note, Progress, Workflow
from earmark.genres import one_spelling, parse
from earmark.library import Catalogue, Found, WalkProblem, told, walk
from earmark.library.passed_over import Kind
from earmark.tags import read_tags
from earmark.types import Tags, Track

_BATCH = 200
_OUTSIDE = "leads out of the library"
# Size and time that no file has, so that a scan which may look at it does.
_NOT_READ = (-1, 0)


@dataclass(frozen=True, slots=True)
class ScanReport:
    """What a folder holds, and what has changed there since it was last scanned.

    Attributes
    ----------
    n_tracks : int
        Music files, the unreadable among them.
    duration_s : float
        Of all together, as the files claim.
    formats : dict of str to int
        Readable files of each container, most frequent first.
    genres : dict of str to int
        Readable files of each canonical genre, most frequent first. A file may have several.
    n_missing_genre : int
        Readable files whose tags name no genre.
    unreadable : tuple of (str, str)
        Path and reason: files whose tags cannot be read, what could not even be looked at.
    n_new, n_changed, n_removed, n_unchanged : int
    passed_over : dict of str to int
        Folders and files that are not meant for people, of each kind; see
        `earmark.library.passed_over`.
    """

    n_tracks: int
    duration_s: float
    formats: dict[str, int]
    genres: dict[str, int]
    n_missing_genre: int
    unreadable: tuple[tuple[str, str], ...]
    n_new: int
    n_changed: int
    n_removed: int
    n_unchanged: int
    passed_over: dict[Kind, int] = field(default_factory=dict)


def scan(
    root: str | os.PathLike[str],
    catalogue: Catalogue,
    may_touch: Callable[[str], bool] = lambda _: True,
) -> Workflow[ScanReport]:
    """Read the tags of files that are new or have changed, and forget those that are gone.

    A file whose size and modification time are the catalogue's is not opened. One whose tags cannot
    be read stays in the catalogue with the reason: its audio may be sound. What was read is
    stored every few hundred files, so that an interrupted scan goes on where it was.

    Parameters
    ----------
    root : path-like
    catalogue : Catalogue
    may_touch : callable
        Told the path of each file behind a link. One that it refuses is not opened, and nothing
        that was known of its tags is kept; it is listed as unreadable.

    Raises
    ------
    LibraryError
        `root` cannot be read, or the catalogue not be used.
    """
    known = catalogue.stats(root)
    missing = set(known)
    to_read: list[Found] = []
    problems: list[WalkProblem] = []
    outside: list[str] = []
    passed_over: Counter[Kind] = Counter()
    n_done = 0
    for n_done, found in enumerate(walk(root, passed_over), start=1):
        if isinstance(found, WalkProblem):
            problems.append(found)
            yield FileSkipped(found.path, found.reason)
            continue
        missing.discard(found.path)
        if found.linked and not may_touch(found.path):
            outside.append(found.path)
        elif known.get(found.path) != (found.size, found.mtime_ns):
            to_read.append(found)
        if n_done % _BATCH == 0:
            yield Progress("looking", n_done, None, found.path)
    yield Progress("looking", n_done, n_done)
    # A folder that is closed to us for the moment says nothing of what is in it.
    closed = tuple(problem.path + os.sep for problem in problems if problem.is_dir)
    missing = {path for path in missing if not path.startswith(closed)}

    catalogue.upsert_many(
        Track(path, *_NOT_READ, Tags(), error=_OUTSIDE)
        for path in outside
        if known.get(path) != _NOT_READ
    )
    vanished = yield from _read_all(to_read, catalogue)
    read = {found.path for found in to_read} - vanished
    gone = missing | (vanished & known.keys())
    catalogue.remove(sorted(gone))
    n_changed = len(read & known.keys())

    summary = catalogue.summary(root)
    for path, reason in summary.unreadable:
        yield FileSkipped(path, reason)
    unreadable = [*summary.unreadable, *((problem.path, problem.reason) for problem in problems)]
    genres, n_missing = _count_genres(summary.genres)
    return ScanReport(
        n_tracks=summary.n_tracks,
        duration_s=summary.duration_s,
        formats=_ranked(summary.containers),
        genres=genres,
        n_missing_genre=n_missing,
        unreadable=tuple(sorted(unreadable)),
        n_new=len(read) - n_changed,
        n_changed=n_changed,
        n_removed=len(gone),
        n_unchanged=summary.n_tracks - len(read),
        passed_over=dict(passed_over),
    )


def scanned(
    root: str | os.PathLike[str],
    catalogue: Catalogue,
    may_touch: Callable[[str], bool] = lambda _: True,
) -> Workflow[ScanReport]:
    """`scan` on the way to something else, which says what was passed over on its own."""
    report = yield from scan(root, catalogue, may_touch)
    yield from say_passed_over(report.passed_over)
    return report


def say_passed_over(counts: Mapping[Kind, int]) -> Workflow[None]:
    """Say what a walk has passed over, if anything."""
    if counts:
        yield Note(f"passed over: {told(counts)}")


def _read_all(files: Sequence[Found], catalogue: Catalogue) -> Workflow[set[str]]:
    """Bring the tags of `files` into the catalogue; the paths that have vanished meanwhile."""
    vanished: set[str] = set()
    batch: list[Track] = []
    for n_done, found in enumerate(files, start=1):
        try:
            tags, error = read_tags(found.path), ""
        except TagError as e:
            tags, error = Tags(), e.reason
        if error and not os.path.lexists(found.path):
            vanished.add(found.path)
            yield FileSkipped(found.path, "vanished while it was looked at")
        else:
            batch.append(Track(found.path, found.size, found.mtime_ns, tags, error=error))
        if len(batch) == _BATCH:
            catalogue.upsert_many(batch)
            batch.clear()
        yield Progress("reading tags", n_done, len(files), found.path)
    catalogue.upsert_many(batch)
    return vanished


def _count_genres(raw: Mapping[tuple[str, ...], int]) -> tuple[dict[str, int], int]:
    """Files of each canonical genre, and those without one."""
    counts: Counter[str] = Counter()
    n_missing = 0
    for values, n in raw.items():
        genres = parse(values)
        counts.update(dict.fromkeys(genres, n))
        n_missing += 0 if genres else n
    total: Counter[str] = Counter()
    for name, spelling in one_spelling(counts).items():
        total[spelling] += counts[name]
    return _ranked(total), n_missing


def _ranked(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

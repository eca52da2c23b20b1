"""``earmark tag``, first half: what would be written, for a person to look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from earmark.audio import audio_id
from earmark.decision.voting import decide
from earmark.errors import AudioError, FileError, TagError
from earmark.events import FileSkipped, Progress, Workflow
from earmark.inference.batch import predict_files
from earmark.library import Catalogue, Plan, PlanItem, TagMode, is_wanted, make_plan, read_sheet
from earmark.library.scan import scanned
from earmark.models.bundle import Bundle
from earmark.session import Resources
from earmark.tags import check_could_write
from earmark.types import Decision, Track, VoteConfig


def plan_tags(
    root: str,
    bundle: Bundle,
    vote: VoteConfig,
    resources: Resources,
    mode: TagMode,
    *,
    join: str | None = None,
    may_touch: Callable[[str], bool] = lambda _: True,
) -> Workflow[Plan]:
    """Scan a library, listen to the tracks that `mode` concerns, and plan. Writes no music file.

    Parameters
    ----------
    may_touch : callable
        Told each path behind a link; those that it refuses, as they lead elsewhere, are left
        alone, and nothing is told of what their tags say.

    Returns
    -------
    Plan
        An item for every track of the library, those that stay as they are among them.
    """
    yield from scanned(root, resources.catalogue, may_touch)
    tracks = list(resources.catalogue.tracks(root))
    wanted: list[Track] = []
    decisions: dict[str, Decision | str] = {}
    for track in tracks:
        if is_wanted(track, mode):
            try:
                check_could_write(track.path)
            except TagError as e:  # spares the listening, and a person false hopes
                decisions[track.path] = e.explanation
                yield FileSkipped(track.path, e.explanation)
            else:
                wanted.append(track)
    judged = yield from predict_files(
        [track.path for track in wanted],
        bundle,
        resources,
        audio_ids={track.path: track.audio_id for track in wanted},
    )
    heard: dict[str, str] = {}
    for path, outcome in judged.items():
        if isinstance(outcome, FileError):
            decisions[path] = outcome.reason
        else:
            decisions[path] = decide(outcome.probs.proba, bundle.meta.labels, vote)
            heard[path] = outcome.audio_id
    known = (replace(track, audio_id=heard.get(track.path, track.audio_id)) for track in tracks)
    return make_plan(known, decisions, mode, join)


def import_plan(
    root: str, path: Path, catalogue: Catalogue, *, join: str | None = None
) -> Workflow[Plan]:
    """Read a plan that a person has edited, scan the library, and plan that. Writes no music file.

    Parameters
    ----------
    path : Path
        See `earmark.library.read_sheet`.

    Returns
    -------
    Plan
        See `earmark.library.Sheet.plan`. Rows are errors whose files cannot be written, or hold
        another recording by now than they were made for; rows that do not tell the recording are
        taken as they are.

    Raises
    ------
    ConfigError
        The table cannot be read, or is none; nothing was scanned.
    """
    sheet = read_sheet(path)
    yield from scanned(root, catalogue)
    plan = sheet.plan(catalogue.tracks(root), join)
    items = []
    for n_done, item in enumerate(plan.items, start=1):
        items.append(_compared(item, catalogue))
        yield Progress("comparing", n_done, len(plan.items), item.path)
    return Plan(tuple(items))


def _compared(item: PlanItem, catalogue: Catalogue) -> PlanItem:
    """The item, or an error if its file cannot be written, or holds another recording by now."""
    if item.after == item.before:
        return item
    try:
        check_could_write(item.path)
        if not item.audio_id:
            return item
        known = catalogue.audio_id(item.path, item.size, item.mtime_ns)
        if (known or audio_id(item.path)) == item.audio_id:
            return item
        reason = "it has changed since the plan was made (plan again)"
    except (AudioError, TagError) as e:
        reason = e.explanation
    return replace(item, action="error", reason=reason, genres=(), confidence=0.0, agreement=0.0)

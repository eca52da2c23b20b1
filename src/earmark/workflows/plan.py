"""``earmark tag``, first half: what would be written, for a person to look at."""

from __future__ import annotations

from earmark.errors import FileError
from earmark.library import Catalogue, Plan, TagMode, is_wanted, make_plan
from earmark.models.bundle import Bundle
from earmark.types import Decision, VoteConfig
from earmark.voting import decide
from earmark.workflows.events import Workflow
from earmark.workflows.judging import judge_all
from earmark.workflows.scan import scan


def plan_tags(
    root: str,
    bundle: Bundle,
    vote: VoteConfig,
    catalogue: Catalogue,
    mode: TagMode,
    *,
    join: str | None = None,
    n_workers: int,
    time_limit_s: float,
) -> Workflow[Plan]:
    """Scan a library, listen to the tracks that `mode` concerns, and plan. Writes no music file.

    Returns
    -------
    Plan
        An item for every track of the library, those that stay as they are among them.
    """
    yield from scan(root, catalogue)
    tracks = list(catalogue.tracks(root))
    wanted = [track for track in tracks if is_wanted(track, mode)]
    judged = yield from judge_all(
        [track.path for track in wanted],
        bundle,
        catalogue,
        n_workers=n_workers,
        time_limit_s=time_limit_s,
        audio_ids={track.path: track.audio_id for track in wanted},
    )
    decisions: dict[str, Decision | str] = {
        path: outcome.reason
        if isinstance(outcome, FileError)
        else decide(outcome.probs.proba, bundle.meta.labels, vote)
        for path, outcome in judged.items()
    }
    return make_plan(tracks, decisions, mode, join)

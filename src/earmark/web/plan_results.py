"""What a plan's model has said of its files, as the catalogue remembers it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from earmark.decision.result import Result
from earmark.decision.voting import decide
from earmark.library import Catalogue, PlanItem
from earmark.types import VoteConfig
from earmark.web.faults import readable
from earmark.web.plans import PlanRow
from earmark.web.presenting import track_result
from earmark.web.schemas.listening import TrackResult
from earmark.web.store import Store

ResultOf = Callable[[PlanItem, str], TrackResult | None]


@contextmanager
def results(catalogue_path: Path, store: Store, plan: PlanRow) -> Iterator[ResultOf]:
    """Give what says of an item, by its path as it is shown, how the model has decided.

    That is None where the file was not listened to. What a person has changed since does not
    change it.
    """
    job = store.job(plan.job_id)
    vote = VoteConfig.from_dict(job.request["vote"]) if job else None
    if vote is not None and vote.mode == "network":
        vote = None  # it is the model's, which may be gone by now
    with Catalogue.open(catalogue_path, read_only=True) as catalogue:

        def result_of(item: PlanItem, shown: str) -> TrackResult | None:
            if item.action == "error":
                return track_result(Result(shown, error=readable(item.reason)))
            if vote is None or not item.audio_id:
                return None
            probs = catalogue.slice_probs(item.audio_id, plan.model_id)
            if probs is None:
                return None
            return track_result(Result.of(shown, decide(probs.proba, plan.labels, vote)))

        yield result_of

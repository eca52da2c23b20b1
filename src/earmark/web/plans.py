"""Plans that people review: kept, changed item by item, and told apart from what was written."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from earmark import jsontext
from earmark.genres import is_missing, parse
from earmark.library import Plan, PlanItem
from earmark.library.plan import WRITING, Action
from earmark.models.bundle import Bundle
from earmark.tags import ChangeState, Journal, Run
from earmark.types import TagChange
from earmark.web.faults import Refused, not_found, readable
from earmark.web.schemas.plans import Choosing, ItemChange, PlanCounts, Show
from earmark.web.store import ACTIVE, JobRow, Store

_WRITES = f"action IN ({', '.join(repr(action) for action in sorted(WRITING))})"
# Of a library; what was written is in the journal, which keeps all.
_MOST_KEPT = 10
_SHOWN: dict[Show, str] = {
    "proposed": _WRITES,
    "unknown": "action = 'unknown'",
    "error": "action = 'error'",
    "keep": "action = 'keep'",
    "all": "1",
}


@dataclasses.dataclass(frozen=True, slots=True)
class PlanRow:
    """A plan as it is stored; `root` is its library's folder."""

    plan_id: int
    job_id: int
    root: str
    mode: str
    join_with: str | None
    model_id: str
    model_name: str
    labels: tuple[str, ...]
    created_at: float


@dataclasses.dataclass(frozen=True, slots=True)
class ItemRow:
    """An item with what a person has made of it."""

    item_id: int
    album_id: int
    item: PlanItem
    edited: bool
    choice: str
    written: bool


_PLAN = ", ".join(PlanRow.__slots__)
_ITEM = ", ".join(ItemRow.__slots__)


def add(store: Store, job: JobRow, plan: Plan, bundle: Bundle) -> int:
    """Store what a job has planned; its number.

    A job that runs again replaces its plan. The library's oldest plans make room.
    """
    rows: list[tuple[Any, ...]] = []
    for album_id, (_, items) in enumerate(plan.albums()):
        rows += [(len(rows) + i, album_id, *_columns(item)) for i, item in enumerate(items)]
    with store.transaction():
        store.change("DELETE FROM plans WHERE job_id = ?", job.job_id)
        sql = (
            "INSERT INTO plans (job_id, root, mode, join_with, model_id, model_name, labels,"
            " created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING plan_id"
        )
        ((plan_id,),) = store.query(
            sql,
            job.job_id,
            json.dumps(job.root),
            job.request["mode"],
            job.request["join"],
            bundle.model_id,
            bundle.meta.name,
            json.dumps(bundle.meta.labels),
            time.time(),
        )
        columns = "item_id, album_id, path, action, confidence, genres, item"
        store.add_rows(
            f"INSERT INTO plan_items (plan_id, {columns}) VALUES ({plan_id}, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )
        store.change(
            "DELETE FROM plans WHERE root = ?1 AND plan_id NOT IN"
            " (SELECT plan_id FROM plans WHERE root = ?1 ORDER BY plan_id DESC LIMIT ?2)",
            json.dumps(job.root),
            _MOST_KEPT,
        )
    return int(plan_id)


def get(store: Store, plan_id: int) -> PlanRow:
    rows = store.query(f"SELECT {_PLAN} FROM plans WHERE plan_id = ?", plan_id)
    if not rows:
        raise not_found("such plan")
    return _plan(rows[0])


def latest(store: Store, roots: Sequence[str], limit: int = 100) -> list[PlanRow]:
    """Plans of libraries, latest first."""
    marks = ", ".join("?" * len(roots))
    sql = f"SELECT {_PLAN} FROM plans WHERE root IN ({marks}) ORDER BY plan_id DESC LIMIT ?"
    return [_plan(row) for row in store.query(sql, *map(json.dumps, roots), limit)]


def counts(store: Store, plan_id: int) -> PlanCounts:
    sql = (
        f"SELECT count(*), count(DISTINCT album_id), sum({_WRITES}), sum(action = 'unknown'),"
        " sum(action = 'error'), sum(action = 'keep'),"
        f" sum({_WRITES} AND choice = 'accepted' AND NOT written), sum(choice = 'rejected'),"
        " sum(written)"
        " FROM plan_items WHERE plan_id = ?"
    )
    row = [n or 0 for n in store.query(sql, plan_id)[0]]
    names = (
        *("n_items", "n_albums", "proposed", "unknown", "error", "keep"),
        *("accepted", "rejected", "written"),
    )
    return PlanCounts(**dict(zip(names, row, strict=True)))


def confidences(store: Store, plan_id: int, n_bins: int = 20) -> list[int]:
    """Proposed items by confidence, in bins of the same width."""
    sql = (
        f"SELECT min(cast(confidence * {n_bins} AS INTEGER), {n_bins - 1}), count(*)"
        f" FROM plan_items WHERE plan_id = ? AND {_WRITES} GROUP BY 1"
    )
    found = dict(store.query(sql, plan_id))
    return [found.get(i, 0) for i in range(n_bins)]


def genres(store: Store, plan: PlanRow) -> list[str]:
    """The model's, and those in the files and proposals of the plan."""
    names = dict.fromkeys(plan.labels)
    sql = "SELECT DISTINCT genres FROM plan_items WHERE plan_id = ?"
    for (values,) in store.query(sql, plan.plan_id):
        names |= dict.fromkeys(json.loads(values))
    sql = "SELECT DISTINCT json_extract(item, '$.before') FROM plan_items WHERE plan_id = ?"
    for (values,) in store.query(sql, plan.plan_id):
        names |= dict.fromkeys(parse(json.loads(values)))
    return sorted({readable(name) for name in names}, key=str.casefold)


def albums(
    store: Store,
    plan_id: int,
    show: Show,
    low: float,
    high: float,
    offset: int,
    limit: int,
) -> tuple[int, list[tuple[int, str, list[ItemRow]]]]:
    """How many albums have items that are shown, and some: number, heading, these items."""
    where = f"plan_id = ? AND {_SHOWN[show]} AND confidence BETWEEN ? AND ?"
    chosen = (plan_id, low, high)
    ((n_albums,),) = store.query(
        f"SELECT count(DISTINCT album_id) FROM plan_items WHERE {where}", *chosen
    )
    sql = (
        f"SELECT {_ITEM} FROM plan_items WHERE {where} AND album_id IN (SELECT DISTINCT album_id"
        f" FROM plan_items WHERE {where} ORDER BY album_id LIMIT ? OFFSET ?) ORDER BY item_id"
    )
    groups: dict[int, list[ItemRow]] = {}
    for row in store.query(sql, *chosen, *chosen, limit, offset):
        groups.setdefault(row[1], []).append(_item(row))
    return n_albums, [
        (album_id, heading, rows)
        for album_id, rows in groups.items()
        for heading, _ in Plan(tuple(row.item for row in rows)).albums()
    ]


def require_idle(store: Store, plan_id: int) -> None:
    """Refuse (409) to change a plan that is being written."""
    for job in store.jobs(f"kind = 'apply' AND state IN {ACTIVE}"):
        if job.request["plan_id"] == plan_id:
            raise Refused(409, "the plan is being written", f"wait for job {job.job_id}")


def change_item(store: Store, plan: PlanRow, item_id: int, change: ItemChange) -> ItemRow:
    """Do what a person decided about one item.

    Raises
    ------
    Refused
        There is no such item (404), or the plan is being written (409).
    """
    require_idle(store, plan.plan_id)
    with store.transaction():
        row = item(store, plan.plan_id, item_id)
        choice = change.choice or row.choice
        if change.genres is not None:
            edited = _with_genres(plan, row.item, tuple(dict.fromkeys(change.genres)))
            choice = change.choice or ("accepted" if edited.action in WRITING else "rejected")
            columns = "path = ?, action = ?, confidence = ?, genres = ?, item = ?"
            store.change(
                f"UPDATE plan_items SET {columns}, edited = 1, written = 0"
                " WHERE plan_id = ? AND item_id = ?",
                *_columns(edited),
                plan.plan_id,
                item_id,
            )
        store.change(
            "UPDATE plan_items SET choice = ? WHERE plan_id = ? AND item_id = ?",
            choice,
            plan.plan_id,
            item_id,
        )
        return item(store, plan.plan_id, item_id)


def choose(store: Store, plan_id: int, wanted: Choosing) -> int:
    """Choose for many proposed items at once; how many were changed. Raises as `change_item`."""
    require_idle(store, plan_id)
    where = [f"plan_id = ? AND {_WRITES} AND choice != ?"]
    values: list[Any] = [plan_id, wanted.choice]
    for column, ids in (("album_id", wanted.album_ids), ("item_id", wanted.item_ids)):
        if ids is not None:
            where.append(f"{column} IN (SELECT value FROM json_each(?))")
            values.append(json.dumps(ids))
    if wanted.min_confidence is not None:
        where.append("confidence >= ?")
        values.append(wanted.min_confidence)
    if wanted.max_confidence is not None:
        where.append("confidence <= ?")
        values.append(wanted.max_confidence)
    if wanted.genre is not None:
        where.append("EXISTS (SELECT 1 FROM json_each(genres) WHERE value = ?)")
        values.append(wanted.genre)
    sql = f"UPDATE plan_items SET choice = ? WHERE {' AND '.join(where)}"
    return store.change(sql, wanted.choice, *values)


def item(store: Store, plan_id: int, item_id: int) -> ItemRow:
    sql = f"SELECT {_ITEM} FROM plan_items WHERE plan_id = ? AND item_id = ?"
    rows = store.query(sql, plan_id, item_id)
    if not rows:
        raise not_found("such item")
    return _item(rows[0])


# --- writing ------------------------------------------------------------------------------------


def note(plan: PlanRow) -> str:
    """What the journal is told of a run, and by which it is found again.

    The journal outlives the store, and another store counts its plans from one again; the time
    at which a plan was made tells them apart.
    """
    made = datetime.fromtimestamp(plan.created_at, UTC).isoformat(" ", "microseconds")
    return f"{readable(plan.root)} (plan {plan.plan_id} of {made.removesuffix('+00:00')} UTC)"


def _has_written(plan: PlanRow, run: Run) -> bool:
    """Whether a run wrote that plan. Version 0.1.0 has noted no more than the plan's number."""
    if run.note == note(plan):
        return True
    old_note = f"{readable(plan.root)} (plan {plan.plan_id})"
    return run.note == old_note and run.started >= plan.created_at


def accepted_changes(store: Store, plan_id: int) -> list[TagChange]:
    """The writes that a person has agreed to and that have not been made."""
    sql = (
        f"SELECT {_ITEM} FROM plan_items WHERE plan_id = ? AND {_WRITES}"
        " AND choice = 'accepted' AND NOT written ORDER BY item_id"
    )
    items = (_item(row).item for row in store.query(sql, plan_id))
    return [TagChange(i.path, "genre", i.before, i.after, i.size, i.mtime_ns) for i in items]


def mark_written(store: Store, plan: PlanRow, journal: Journal) -> int:
    """Take over from the journal which files were written; how many are by now."""
    done: dict[str, tuple[str, ...]] = {}
    for run in reversed(journal.runs()):
        if _has_written(plan, run):
            for change in journal.changes(run.run_id):
                done.pop(change.path, None)
                if change.state is ChangeState.DONE:
                    done[change.path] = change.after
    sql = f"SELECT {_ITEM} FROM plan_items WHERE plan_id = ? AND choice = 'accepted'"
    rows = [_item(row) for row in store.query(sql, plan.plan_id)]
    written = [r for r in rows if done.get(os.path.realpath(r.item.path)) == r.item.after]
    with store.transaction():
        store.add_rows(
            "UPDATE plan_items SET written = 1 WHERE plan_id = ? AND item_id = ?",
            [(plan.plan_id, row.item_id) for row in written],
        )
    return len(written)


def mark_undone(store: Store, journal: Journal, run: Run) -> None:
    """Take over from the journal which files hold again what they held before."""
    undone = {c.path for c in journal.changes(run.run_id) if c.state is ChangeState.UNDONE}
    for row in store.query(f"SELECT {_PLAN} FROM plans"):
        plan = _plan(row)
        if _has_written(plan, run):
            with store.transaction():
                for found in _written(store, plan.plan_id):
                    if os.path.realpath(found.item.path) in undone:
                        store.change(
                            "UPDATE plan_items SET written = 0, choice = 'open'"
                            " WHERE plan_id = ? AND item_id = ?",
                            plan.plan_id,
                            found.item_id,
                        )


def _written(store: Store, plan_id: int) -> Iterator[ItemRow]:
    sql = f"SELECT {_ITEM} FROM plan_items WHERE plan_id = ? AND written"
    return map(_item, store.query(sql, plan_id))


# --- within -------------------------------------------------------------------------------------


def _with_genres(plan: PlanRow, old: PlanItem, names: tuple[str, ...]) -> PlanItem:
    """An item with what a person proposes; the numbers were the model's, and go."""
    bare = dataclasses.replace(old, genres=names, confidence=0.0, agreement=0.0)
    if not names:
        return dataclasses.replace(bare, action="keep", reason="no genre is to be written")
    action: Action = "append" if plan.mode == "append" else "overwrite"
    if is_missing(old.before):
        action = "fill"
    edited = dataclasses.replace(bare, action=action, reason="", join=plan.join_with)
    if edited.after == edited.before:
        return dataclasses.replace(edited, action="keep", reason="has just this genre")
    return edited


def _columns(planned: PlanItem) -> tuple[Any, ...]:
    # JSON in ASCII keeps undecodable bytes of names.
    return (
        json.dumps(planned.path),
        planned.action,
        planned.confidence,
        json.dumps(planned.genres, ensure_ascii=False),
        jsontext.dumps(dataclasses.asdict(planned)),
    )


def _plan(row: tuple[Any, ...]) -> PlanRow:
    values = dict(zip(PlanRow.__slots__, row, strict=True))
    values["root"] = json.loads(values["root"])
    values["labels"] = tuple(json.loads(values["labels"]))
    return PlanRow(**values)


def _item(row: tuple[Any, ...]) -> ItemRow:
    item_id, album_id, text, edited, choice, written = row
    values = json.loads(text)
    for name in ("before", "genres"):
        values[name] = tuple(values[name])
    values["runners_up"] = tuple((genre, p) for genre, p in values["runners_up"])
    return ItemRow(item_id, album_id, PlanItem(**values), bool(edited), choice, bool(written))

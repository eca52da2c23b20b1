"""What the server keeps is JSON that every program reads, whoever wrote it."""

from __future__ import annotations

import json
import math
from pathlib import Path

from earmark.jsontext import finite
from earmark.web.store import Store

NUMBERS = {"loss": math.nan, "all": [1.5, math.inf, {"least": -math.inf}], "n": 3}
AS_JSON = {"loss": None, "all": [1.5, None, {"least": None}], "n": 3}


def test_what_is_no_number_becomes_null(tmp_path: Path) -> None:
    assert finite(NUMBERS) == AS_JSON
    assert finite({"pair": (math.nan, 1)}) == {"pair": [None, 1]}
    with Store.open(tmp_path / "web.sqlite") as store:
        job_id = store.add_job("train", "/music", "Train", {"at_least": math.nan})
        store.set_job(job_id, result=NUMBERS)
        store.add_event(job_id, "epoch", NUMBERS)
        job = store.job(job_id)
        assert job is not None
        assert (job.result, job.request) == (AS_JSON, {"at_least": None})
        for column in ("result", "request"):
            ((text,),) = store.query(f"SELECT {column} FROM jobs")
            json.loads(text, parse_constant=forbidden)
        (event,) = store.events(job_id, 0)
        assert json.loads(event.data, parse_constant=forbidden) == AS_JSON


def test_so_does_what_an_earlier_version_has_written(tmp_path: Path) -> None:
    with Store.open(tmp_path / "web.sqlite") as store:
        job_id = store.add_job("train", "/music", "Train", {})
        store.change("UPDATE jobs SET result = ?", json.dumps(NUMBERS))
        store.change(
            "INSERT INTO events (job_id, kind, data) VALUES (?, 'epoch', ?)",
            job_id,
            json.dumps(NUMBERS),
        )
        job = store.job(job_id)
        assert job is not None
        assert job.result == AS_JSON
        (event,) = store.events(job_id, 0)
        assert json.loads(event.data, parse_constant=forbidden) == AS_JSON


def forbidden(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")

"""Homes as released versions have left them, to prove that later ones read them on.

`unpack` puts one where a test wants it, `make_home` has made it and says what is in it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sqlite3
import tarfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.web.servers import Server

ARCHIVES = Path(__file__).parent
VERSIONS = sorted(path.name.removesuffix(".tar.gz") for path in ARCHIVES.glob("*.tar.gz"))

SCRATCH = Path("/tmp/earmark-home")
"""Where homes are made, always the same: paths in them begin so."""

BANDS = "Music/Bands"
"""The labelled part of the library, which no run has changed."""

HEAD = (
    *("train", BANDS, "--recipe", "head", "--backbone", "bins", "--min-tracks", "3"),
    *("--out", "home/models/parlour", "--run-dir", "home/runs/parlour"),
)
NETWORK = (
    *("train", BANDS, "--recipe", "tiny.toml", "--min-tracks", "3", "--out", "tiny"),
    *("--accelerator", "cpu"),
)
"""How the two models in a home were learned, from its folder."""

# Where version 0.1.0 keeps absolute paths: columns as bytes or text, columns and files of JSON.
_COLUMNS = {
    "home/catalogue.sqlite": {"tracks": ["path"]},
    "home/journal.sqlite": {"runs": ["note"], "changes": ["path", "temp"]},
}
_JSON_COLUMNS = {
    "home/web/web.sqlite": {
        "jobs": ["root", "request", "progress", "result"],
        "events": ["data"],
        "plans": ["root"],
        "plan_items": ["path", "item"],
    },
}
_FILES = ("plan.csv", "home/runs/parlour/split.csv", "tiny-run/split.csv")
_JSON_FILES = ("home/runs/parlour/settings.json", "tiny-run/settings.json", "facts.json")


@dataclass(frozen=True, slots=True)
class Home:
    """An unpacked archive: its folder, and what is known of it (see `make_home.facts`)."""

    folder: Path
    facts: dict[str, Any]

    def states(self) -> dict[str, dict[str, Any]]:
        """Path in the folder -> hash and modification time of each file of the library."""
        return {
            os.path.relpath(path, self.folder): {
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                "mtime_ns": path.stat().st_mtime_ns,
            }
            for path in sorted((self.folder / "Music").rglob("*.*"))
            if path.is_file()
        }

    def query(self, database: str, sql: str) -> list[tuple[Any, ...]]:
        """Run a statement on a database of the home, as its version has left it."""
        with closing(sqlite3.connect(self.folder / database)) as db, db:
            return db.execute(sql).fetchall()


def unpack(version: str, folder: Path) -> Home:
    """The home of that version in `folder`, as if its disk were mounted there now.

    All paths that it holds lead there, and the music has its modification times.
    """
    folder.mkdir(parents=True)
    with tarfile.open(ARCHIVES / f"{version}.tar.gz") as tar:
        tar.extractall(folder, filter="data")
    old, new = os.fsencode(SCRATCH), os.fsencode(folder)
    old_json, new_json = (json.dumps(os.fsdecode(path))[1:-1].encode() for path in (old, new))
    _move(folder, _COLUMNS, _FILES, old, new)
    _move(folder, _JSON_COLUMNS, _JSON_FILES, old_json, new_json)
    for file in filter(Path.is_file, folder.rglob("*")):
        assert old not in file.read_bytes(), f"{file} still holds paths of {SCRATCH}"
    facts = json.loads((folder / "facts.json").read_text())
    for path, state in facts["files"].items():
        os.utime(folder / path, ns=(state["mtime_ns"],) * 2)
    return Home(folder, facts)


def _move(
    folder: Path,
    columns: dict[str, dict[str, list[str]]],
    files: tuple[str, ...],
    old: bytes,
    new: bytes,
) -> None:
    def moved(value: bytes | str | None) -> bytes | str | None:
        if isinstance(value, str):
            return value.replace(os.fsdecode(old), os.fsdecode(new))
        return value and value.replace(old, new)

    for database, tables in columns.items():
        with closing(sqlite3.connect(folder / database)) as db:
            db.create_function("moved", 1, moved)
            for table, names in tables.items():
                db.execute(f"UPDATE {table} SET {', '.join(f'{n} = moved({n})' for n in names)}")
            db.commit()
            db.execute("VACUUM")  # or the old paths would stay in unused pages
    for name in files:
        (folder / name).write_bytes((folder / name).read_bytes().replace(old, new))


# --- what the API tells --------------------------------------------------------------------------


def api_facts(server: Server) -> dict[str, Any]:
    """What the API answers about plans, jobs and their events, runs, and models of one's own."""
    get = server.client.get
    plans, jobs = get("/plans").json()["plans"], get("/jobs").json()["jobs"]
    models = [m for m in get("/models").json()["models"] if m["source"] != "shipped"]
    return {
        "plans": plans,
        "albums": {str(plan["plan_id"]): albums(server, plan["plan_id"]) for plan in plans},
        "jobs": jobs,
        "events": {str(job["job_id"]): event_numbers(server, job["job_id"]) for job in jobs},
        "runs": get("/journal/runs").json()["runs"],
        "models": [get(f"/models/{model['model_id']}").json() for model in models],
    }


def albums(server: Server, plan_id: int) -> list[dict[str, Any]]:
    """All of a plan."""
    answer = server.client.get(f"/plans/{plan_id}/albums", params={"show": "all", "limit": 100})
    return list(answer.json()["albums"])


def event_numbers(server: Server, job_id: int) -> list[str]:
    return re.findall(r"^id: (\d+)$", server.client.get(f"/jobs/{job_id}/events").text, re.M)

"""A plan is reviewed, changed, applied and undone; the files are what they were."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from earmark.tags import read_tags
from tests.web.pagetypes import interfaces
from tests.web.servers import Server, serving


@pytest.fixture(scope="module")
def plan_id(server: Server) -> int:
    """A plan for the tracks without a genre, with a proposal for each."""
    wanted = {"kind": "plan", "library_id": "my-music", "min_confidence": 0}
    return int(server.job(wanted)["result"]["plan_id"])


def items(server: Server, plan_id: int, **params: Any) -> dict[str, dict[str, Any]]:
    page = server.client.get(f"/plans/{plan_id}/albums", params=params)
    assert page.status_code == 200, page.text
    return {item["path"]: item for album in page.json()["albums"] for item in album["items"]}


def test_a_plan_tells_album_by_album(server: Server, plan_id: int) -> None:
    plan = server.client.get(f"/plans/{plan_id}").json()
    assert plan["counts"]["n_items"] == 6
    assert plan["counts"]["n_albums"] == 3
    assert (plan["counts"]["proposed"], plan["counts"]["keep"]) == (4, 2)
    assert sum(plan["confidences"]) == 4
    assert "Jazz" in plan["genres"]
    assert server.client.get("/plans").json()["plans"][0]["plan_id"] == plan_id
    page = server.client.get(f"/plans/{plan_id}/albums", params={"show": "all"}).json()
    assert [album["heading"] for album in page["albums"]] == [
        f"{artist} – First" for artist in ("Ann", "Bob", "Cee")
    ]
    first = page["albums"][0]["items"][0]
    # Markup in a title is text, and stays what it is.
    assert first["title"] == "<script>alert(1)</script>"
    assert (first["before"], first["choice"], first["written"]) == ([], "open", False)
    assert first["proposed"] == first["after"]
    kept = page["albums"][1]["items"][0]
    assert (kept["action"], kept["before"]) == ("keep", ["Jazz"])

    proposed = server.client.get(f"/plans/{plan_id}/albums").json()
    assert proposed["n_albums"] == 2
    second = server.client.get(f"/plans/{plan_id}/albums", params={"offset": 1, "limit": 1}).json()
    assert [album["artist"] for album in second["albums"]] == ["Cee"]
    assert items(server, plan_id, min_confidence=1.0) == {}
    assert server.client.get("/plans/99").status_code == 404
    assert server.client.get("/plans/99/albums").status_code == 404


def test_review_apply_undo(server: Server, plan_id: int, music: Path) -> None:
    before = {path: path.read_bytes() for path in music.rglob("0*")}
    client = server.client
    assert client.post(f"/plans/{plan_id}/apply", json={}).status_code == 409  # nothing accepted

    found = items(server, plan_id, show="all")
    ann1, ann2 = found["Ann/First/01.mp3"], found["Ann/First/02.flac"]
    cee1, cee2 = found["Cee/First/01.mp3"], found["Cee/First/02.flac"]
    bob1 = found["Bob/First/01.mp3"]

    def change(item: dict[str, Any], **values: Any) -> dict[str, Any]:
        answer = client.patch(f"/plans/{plan_id}/items/{item['item_id']}", json=values)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    assert change(ann1, genres=["Polka", "Waltz"])["choice"] == "accepted"
    assert change(ann2, choice="rejected")["choice"] == "rejected"
    assert change(cee1, choice="accepted")["edited"] is False
    changed = change(bob1, genres=["Free Jazz"])
    assert (changed["action"], changed["after"]) == ("overwrite", ["Free Jazz"])
    nothing = change(cee2, genres=[])
    assert (nothing["action"], nothing["choice"], nothing["after"]) == ("keep", "rejected", [])
    answer = client.patch(f"/plans/{plan_id}/items/99", json={"choice": "accepted"})
    assert answer.status_code == 404
    for wrong in ({"genres": [""]}, {"choice": "maybe"}, {"genres": ["a"] * 99}, {"x": 1}):
        answer = client.patch(f"/plans/{plan_id}/items/0", json=wrong)
        assert answer.status_code == 422

    job = client.post(f"/plans/{plan_id}/apply", json={}).json()
    # While it is written, it is not changed, nor written twice.
    busy = client.post(f"/plans/{plan_id}/choose", json={"choice": "open"})
    twice = client.post(f"/plans/{plan_id}/apply", json={})
    assert {busy.status_code, twice.status_code} == {409}
    result = server.wait(job["job_id"])["result"]
    assert (result["n_written"], result["n_skipped"]) == (3, 0)
    assert interfaces()["WriteResult"] <= set(result)
    assert read_tags(str(music / "Ann/First/01.mp3")).genres == ("Polka", "Waltz")
    assert read_tags(str(music / "Ann/First/02.flac")).genres == ()
    assert read_tags(str(music / "Bob/First/01.mp3")).genres == ("Free Jazz",)
    assert list(read_tags(str(music / "Cee/First/01.mp3")).genres) == cee1["proposed"]
    assert (music / "Cee/First/02.flac").read_bytes() == before[music / "Cee/First/02.flac"]
    found = items(server, plan_id, show="all")
    assert [i["path"] for i in found.values() if i["written"]] == [
        "Ann/First/01.mp3", "Bob/First/01.mp3", "Cee/First/01.mp3"
    ]  # fmt: skip
    # What is written is not due again.
    assert client.post(f"/plans/{plan_id}/apply", json={}).status_code == 409

    (run,) = client.get("/journal/runs").json()["runs"]
    assert (run["library_id"], run["counts"], run["can_undo"]) == ("my-music", {"done": 3}, True)
    server.job({}, f"/journal/runs/{run['run_id']}/undo")
    assert {path: path.read_bytes() for path in music.rglob("0*")} == before
    (run,) = client.get("/journal/runs").json()["runs"]
    assert not run["can_undo"]
    assert client.post(f"/journal/runs/{run['run_id']}/undo").status_code == 409
    assert client.post("/journal/runs/99/undo").status_code == 404
    assert client.get(f"/plans/{plan_id}").json()["counts"]["written"] == 0


def test_a_new_store_is_not_taken_for_the_old_one(music: Path, tmp_path: Path) -> None:
    # The journal outlives the page's store, in which plans are then counted from one again.
    songs = Path(shutil.copytree(music, tmp_path / "songs"))
    before = {path: path.read_bytes() for path in songs.rglob("0*")}
    wanted = {"kind": "plan", "library_id": "songs", "mode": "overwrite", "min_confidence": 0}
    for earlier_note in (None, f"{songs} (plan 1)"):  # the second is how 0.1.0 has put it
        if earlier_note:
            with closing(sqlite3.connect(tmp_path / "home/journal.sqlite")) as db, db:
                db.execute("UPDATE runs SET note = ?", (earlier_note,))
        with serving(tmp_path / "home", libraries=[str(songs)], allow_write=True) as server:
            plan_id = server.job(wanted)["result"]["plan_id"]
            assert plan_id == 1
            server.client.post(f"/plans/{plan_id}/choose", json={"choice": "accepted"})
            due = server.client.get(f"/plans/{plan_id}").json()["counts"]["accepted"]
            assert due > 0
            result = server.job({}, f"/plans/{plan_id}/apply")["result"]
            assert (result["n_written"], result["n_already"]) == (due, 0)
            assert server.client.get(f"/plans/{plan_id}").json()["counts"]["written"] == due
            (run, *_) = server.client.get("/journal/runs").json()["runs"]
            # Given back behind the journal's back, as from a backup.
            for path, data in before.items():
                path.write_bytes(data)
        shutil.rmtree(tmp_path / "home" / "web")
    assert "(plan 1 of " in run["note"]


def test_choosing_many(server: Server) -> None:
    wanted = {"kind": "plan", "library_id": "my-music", "mode": "overwrite", "min_confidence": 0}
    plan_id = server.job(wanted)["result"]["plan_id"]

    def choose(choice: str, **conditions: Any) -> int:
        answer = server.client.post(
            f"/plans/{plan_id}/choose", json={"choice": choice, **conditions}
        )
        assert answer.status_code == 200, answer.text
        return int(answer.json()["n_changed"])

    found = list(items(server, plan_id).values())
    middle = sorted(item["confidence"] for item in found)[len(found) // 2]
    n_above = sum(item["confidence"] >= middle for item in found)
    assert choose("accepted", min_confidence=middle) == n_above
    assert choose("accepted", min_confidence=middle) == 0
    assert choose("open") == n_above
    genre = found[0]["proposed"][0]
    n_of_genre = sum(item["proposed"] == [genre] for item in found)
    assert choose("rejected", genre=genre) == n_of_genre
    assert choose("open", max_confidence=1) == n_of_genre
    assert choose("accepted", item_ids=[found[0]["item_id"], 999]) == 1
    assert choose("accepted", item_ids=[]) == 0
    album = server.client.get(f"/plans/{plan_id}/albums").json()["albums"][-1]
    assert choose("rejected", album_ids=[album["album_id"]]) == len(album["items"])
    assert choose("rejected", genre="'; DROP TABLE plans; --") == 0


def test_a_file_that_has_changed_since_is_left_alone(server: Server, music: Path) -> None:
    wanted = {"kind": "plan", "library_id": "my-music", "min_confidence": 0}
    plan_id = server.job(wanted)["result"]["plan_id"]
    path = music / "Cee" / "First" / "02.flac"
    path.write_bytes(path.read_bytes() + b"\0")
    changed = path.read_bytes()
    server.client.post(f"/plans/{plan_id}/choose", json={"choice": "accepted", "album_ids": [2]})
    job = server.client.post(f"/plans/{plan_id}/apply", json={}).json()
    result = server.wait(job["job_id"])["result"]
    assert result["n_skipped"] == 1
    assert result["skipped"][0]["path"] == "Cee/First/02.flac"
    assert path.read_bytes() == changed
    (run, *_) = server.client.get("/journal/runs").json()["runs"]
    server.job({}, f"/journal/runs/{run['run_id']}/undo")


def test_without_leave_nothing_is_written(music: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in music.rglob("0*")}
    with serving(tmp_path / "home", libraries=[str(music)]) as server:
        wanted = {"kind": "plan", "library_id": "my-music", "min_confidence": 0}
        plan_id = server.job(wanted)["result"]["plan_id"]
        server.client.post(f"/plans/{plan_id}/choose", json={"choice": "accepted"})
        for path in (f"/plans/{plan_id}/apply", "/journal/runs/1/undo"):
            answer = server.client.post(path, json={})
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "read_only")
        # Nor by the back door.
        answer = server.client.post("/jobs", json={"kind": "apply", "plan_id": plan_id})
        assert answer.status_code == 422
        assert not server.client.get("/info").json()["allow_write"]
    assert {path: path.read_bytes() for path in music.rglob("0*")} == before

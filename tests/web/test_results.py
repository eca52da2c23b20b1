"""What the API answers about a track has the one shape, that of `earmark classify --json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from earmark.decision.result import Result
from tests.audiofiles import synth, write
from tests.cli import earmark
from tests.web.servers import Server

KEYS = list(Result("").to_dict())
DEPRECATED = {"name", "genre", "reason", "error", "confidence", "agreement", "proba"}


def check(answer: dict[str, Any]) -> dict[str, Any]:
    """The result in an answer, which what the first version had agrees with."""
    result: dict[str, Any] = answer["result"]
    assert list(result) == KEYS
    assert sum(result[key] is not None for key in ("genre", "rejected", "error")) == 1
    assert answer["name"] == result["path"]
    assert answer["reason"] == result["rejected"]
    for key in ("genre", "confidence", "agreement"):
        assert answer[key] == result[key]
    assert {row["genre"]: row["p"] for row in answer["proba"]} == result["proba"]
    assert len(answer["slices"]) == result["slices"]
    assert (answer["error"] or {"message": None})["message"] == result["error"]
    assert (answer["error"] or {"hint": ""})["hint"] == answer["hint"]
    shares = list(result["proba"].values())
    assert shares == sorted(shares, reverse=True)
    return result


def test_uploads(server: Server, tmp_path: Path, music: Path) -> None:
    good = music / "Ann" / "First" / "02.flac"
    silent = write(tmp_path / "silent.wav", synth("silence"))
    noise = write(tmp_path / "noise.wav", synth("noise", 6.0))
    files = {"good.flac": good, "silent.wav": silent, "noise.wav": noise}
    form = [("files", (name, path.read_bytes())) for name, path in files.items()]
    form.append(("files", ("broken.mp3", b"no music" * 99)))
    answers = server.client.post("/classify", files=form).json()["results"]
    results = {result["path"]: result for result in map(check, answers)}
    assert list(results) == [*files, "broken.mp3"]
    expected = json.loads(earmark("classify", "--json", "--no-cache", good).out)["tracks"][0]
    assert list(expected) == KEYS
    for key in ("genre", "slices", "rejected", "error"):
        assert results["good.flac"][key] == expected[key]
    for key in ("confidence", "agreement", "proba"):
        assert results["good.flac"][key] == pytest.approx(expected[key], abs=1e-5)
    assert [bool(answer["hint"]) for answer in answers] == [False, False, False, True]
    for name in ("silent.wav", "broken.mp3"):
        assert results[name]["error"]
        assert results[name] == Result(name, error=results[name]["error"]).to_dict()
    assert results["noise.wav"]["rejected"]  # as no music


def test_files_of_a_library(server: Server) -> None:
    paths = ["Bob/First/01.mp3", "Bob/First/none.mp3", "../elsewhere.mp3"]
    answer = server.client.post("/libraries/my-music/classify", json={"paths": paths}).json()
    results = [check(result) for result in answer["results"]]
    assert [result["path"] for result in results] == paths
    assert results[0]["slices"] > 0
    assert all(result["error"] and not result["slices"] for result in results[1:])
    nothing = server.client.post("/libraries/my-music/classify", json={"paths": paths[1:]})
    assert nothing.status_code == 422
    assert [check(result)["path"] for result in nothing.json()["results"]] == paths[1:]


def test_items_of_a_plan(server: Server, music: Path) -> None:
    broken = music / "Cee" / "First" / "03.mp3"
    broken.write_bytes(b"no music" * 99)
    wanted = {"kind": "plan", "library_id": "my-music"}
    plan_id = server.job(wanted)["result"]["plan_id"]
    broken.unlink()
    page = server.client.get(f"/plans/{plan_id}/albums", params={"show": "all"}).json()
    items = {item["path"]: item for album in page["albums"] for item in album["items"]}
    assert len(items) == 7
    for path, item in items.items():
        result = item["result"]
        if item["action"] == "error":
            assert result == Result(path, error=item["reason"]).to_dict()
        elif path.startswith("Bob"):  # has its genre, so that nobody has listened
            assert result is None or result["path"] == path
        else:
            (answer,) = server.client.post(
                "/libraries/my-music/classify", json={"paths": [path]}
            ).json()["results"]
            assert result == answer["result"]
            assert list(result) == KEYS
            assert result["confidence"] == pytest.approx(item["confidence"], abs=1e-6)
            assert item["writes"] == (result["genre"] is not None)
    path, item = next((p, i) for p, i in items.items() if p.startswith("Ann"))
    changed = server.client.patch(
        f"/plans/{plan_id}/items/{item['item_id']}", json={"genres": ["Polka"]}
    ).json()
    assert (changed["proposed"], changed["writes"]) == (["Polka"], True)
    assert changed["result"] == item["result"]


def test_what_has_a_successor_is_marked_as_deprecated(server: Server) -> None:
    schemas = server.client.get("/openapi.json").json()["components"]["schemas"]
    assert list(schemas["TrackResult"]["properties"]) == KEYS
    marked = {
        (name, key)
        for name, schema in schemas.items()
        for key, about in schema.get("properties", {}).items()
        if about.get("deprecated")
    }
    assert marked == {("TrackAnswer", key) for key in DEPRECATED} | {("Info", "can_train")}
    text = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
    _, _, told = text.partition("**Deprecated**")
    assert told
    assert all(f"`{key}`" in told for _, key in marked)

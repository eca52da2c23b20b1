"""Genres are merged, learned, measured, and the model answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.audiofiles import synth, write
from tests.web.pagetypes import interfaces
from tests.web.servers import Server, serving

pytest.importorskip("sklearn", reason="needs earmark[head]")
pytest.importorskip("onnx", reason="needs earmark[head]")

GENRES = {"Hum": "tone", "Hiss": "noise", "Whoosh": "chirp"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a library of three easy genres, by six artists each."""
    root = tmp_path_factory.mktemp("labelled") / "labelled"
    root.mkdir()
    for genre, kind in GENRES.items():
        for i in range(6):
            tags = {"artist": f"{genre} artist {i}", "genre": genre, "title": str(i)}
            y = synth(kind, 4.0, seed=i)  # type: ignore[arg-type]
            write(root / f"{genre}{i}.flac", y, 44100, "flac", tags)
    with serving(tmp_path_factory.mktemp("home"), libraries=[str(root)], n_workers=1) as server:
        yield server


def test_labels_are_previewed_as_they_would_be_learned(trained: Server) -> None:
    trained.job({"kind": "scan", "library_id": "labelled"})
    library = trained.client.get("/libraries/labelled").json()
    assert library["genres"] == [{"genre": g, "n": 6} for g in sorted(GENRES)]
    assert library["n_missing_genre"] == 0

    def preview(**wanted: object) -> dict[str, object]:
        answer = trained.client.post("/libraries/labelled/labels", json=wanted)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    merged = preview(min_tracks=3, merges={"Whoosh": "Hiss"})
    assert merged["genres"] == [{"genre": "Hiss", "n": 12}, {"genre": "Hum", "n": 6}]
    assert merged["enough"]
    rare = preview(min_tracks=7)
    assert rare["genres"] == []
    assert not rare["enough"]
    assert preview(min_tracks=3, only=["Hum"])["genres"] == [{"genre": "Hum", "n": 6}]
    circle = trained.client.post(
        "/libraries/labelled/labels", json={"merges": {"A": "B", "B": "A"}}
    )
    assert circle.status_code == 422
    assert "circle" in circle.json()["error"]["message"]


def test_train_look_use(trained: Server, tmp_path: Path) -> None:
    client = trained.client
    shipped = client.get("/models").json()["models"][0]["model_id"]
    wanted = {
        "kind": "train", "library_id": "labelled", "name": "noises", "min_tracks": 3,
        "merges": {"Whoosh": "Hum"}, "fingerprints": False,
    }  # fmt: skip
    job = trained.job(wanted)
    result = job["result"]
    assert interfaces()["TrainResult"] <= set(result)
    assert result["labels"] == ["Hiss", "Hum"]
    assert 0 <= result["scores"]["accuracy"] <= 1
    n_test = result["scores"]["n_tracks"]
    assert sum(map(sum, result["confusion"])) == n_test
    assert [len(row) for row in result["confusion"]] == [3, 3]
    again = client.post("/jobs", json=wanted)
    assert (again.status_code, again.json()["error"]["code"]) == (409, "conflict")

    model_id = result["model_id"]
    card = client.get(f"/models/{model_id}").json()
    assert (card["name"], card["source"], card["in_use"]) == ("noises", "trained", False)
    assert card["confusion"] == result["confusion"]
    assert card["scores"]["accuracy"] == result["scores"]["accuracy"]

    hiss = write(tmp_path / "hiss.wav", synth("noise", 4.0, seed=77)).read_bytes()
    by_name = client.post("/classify", files={"files": hiss}, params={"model_id": model_id}).json()
    assert by_name["model"]["name"] == "noises"
    assert by_name["results"][0]["proba"][0]["genre"] == "Hiss"
    assert client.post("/classify", files={"files": hiss}).json()["model"]["model_id"] == shipped
    assert client.put("/models/in-use", json={"model_id": model_id}).json()["in_use"]
    assert client.post("/classify", files={"files": hiss}).json()["model"]["model_id"] == model_id
    client.put("/models/in-use", json={"model_id": shipped})


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "-x", "x" * 99, "a\n", "é"])
def test_names_of_models_are_no_paths(trained: Server, name: str) -> None:
    wanted = {"kind": "train", "library_id": "labelled", "name": name}
    assert trained.client.post("/jobs", json=wanted).status_code == 422


def test_a_training_that_cannot_be_says_why(trained: Server) -> None:
    wanted = {"kind": "train", "library_id": "labelled", "name": "none", "min_tracks": 7}
    job = trained.client.post("/jobs", json=wanted).json()
    failed = trained.wait(job["job_id"], ("failed",))
    assert "fewer than two" in failed["error"]
    assert "none" not in [m["name"] for m in trained.client.get("/models").json()["models"]]


def test_a_model_is_measured(trained: Server) -> None:
    model = next(
        (m for m in trained.client.get("/models").json()["models"] if m["source"] == "trained"),
        None,
    )
    if model is None:
        pytest.skip("no model was trained")
    wanted = {"kind": "evaluate", "library_id": "labelled", "model_id": model["model_id"]}
    job = trained.client.post("/jobs", json=wanted).json()
    ended = trained.wait(job["job_id"], ("done", "failed"))
    if ended["state"] == "failed":
        # All of the library's tracks of its genres were learned from.
        assert "not learned" in ended["error"]
    else:
        assert ended["result"]["labels"] == model["labels"]
        assert ended["result"]["scores"]["n_tracks"] >= 1

"""The recipes that the page offers are those that `earmark.training` has."""

from __future__ import annotations

import pytest

from earmark.errors import ConfigError, MissingExtraError
from earmark.training import learners, recipes
from earmark.web import recipes as offered
from tests.web.servers import Server


def test_all_are_listed_with_what_they_need(server: Server) -> None:
    listed = server.client.get("/recipes").json()["recipes"]
    assert sorted(recipe["name"] for recipe in listed) == recipes.names()
    assert [recipe["name"] for recipe in listed if recipe["default"]] == [recipes.DEFAULT]
    assert listed[0]["name"] == recipes.DEFAULT == "head"
    for recipe in listed:
        own = recipes.load(recipe["name"])
        assert (recipe["kind"], recipe["description"]) == (own.kind, own.description)
        assert recipe["takes"] == learners.find(own.kind).takes
        assert recipe["epochs"] == (own.schedule.epochs if own.kind == "network" else None)
    usable = [recipe["name"] for recipe in listed if recipe["missing_extra"] is None]
    assert server.client.get("/info").json()["can_train"] == usable


@pytest.mark.parametrize("more", [
    {"recipe": "none"}, {"recipe": "../cnn"}, {"recipe": "/etc/x.toml"}, {"recipe": "cnn.toml"},
    {"recipe": "head", "epochs": 3}, {"recipe": "cnn", "epochs": 0},
])  # fmt: skip
def test_others_are_refused_before_a_job_is_queued(server: Server, more: dict[str, object]) -> None:
    wanted = {"kind": "train", "library_id": "my-music", "name": "x", **more}
    answer = server.client.post("/jobs", json=wanted)
    assert answer.status_code == 422, answer.text
    assert server.client.get("/jobs", params={"kind": "train"}).json() == {"jobs": []}


@pytest.mark.parametrize(("missing", "name", "extra"), [
    ("torch", "head", None), ("torch", "cnn", "train"), ("torch", "ear", "train"),
    ("sklearn", "head", "head"), ("sklearn", "cnn", "train"), ("librosa", "cnn", None),
    ("librosa", "summary-sklearn", "analysis"),
])  # fmt: skip
def test_what_is_not_installed_is_named(
    monkeypatch: pytest.MonkeyPatch, missing: str, name: str, extra: str | None
) -> None:
    monkeypatch.setattr(learners, "find_spec", lambda library: None if library == missing else 1)
    (summary,) = [recipe for recipe in offered.summaries() if recipe.name == name]
    assert summary.missing_extra == extra
    if extra is None:
        offered.check(name, None)
        return
    with pytest.raises(MissingExtraError) as refused:
        offered.check(name, None)
    assert (refused.value.module, refused.value.extra) == (missing, extra)


def test_a_number_of_epochs_is_taken_over() -> None:
    assert offered.with_epochs("cnn", 3).schedule.epochs == 3
    assert offered.with_epochs("cnn", None) == recipes.load("cnn")
    with pytest.raises(ConfigError):
        offered.with_epochs("head", 3)

"""The page's sources: they know the API's shapes as the server has them, and go in no circles."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from earmark.models import bundle
from earmark.models.catalog import shipped_model
from earmark.web.app import create_app
from earmark.web.settings import WebSettings
from tests.web.pagetypes import TYPES, WEB, interfaces

# What the API describes as any object: it depends on the kind of a job, or on the model.
OF_THE_PAGE_ALONE = {"Skipped", "Epoch", "Counts", "ScoreSummary", "TrainResult", "WriteResult"}


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The API's description."""
    model = bundle.load(shipped_model())
    settings = WebSettings(tmp_path_factory.mktemp("home"), model, model.meta.vote)
    return create_app(settings).openapi()


def test_all_interfaces_are_found() -> None:
    assert set(interfaces()) == set(re.findall(r"export interface (\w+)", TYPES))
    assert interfaces()["ModelCard"] > interfaces()["ModelSummary"] > {"model_id", "in_use"}


@pytest.mark.parametrize("name", sorted(set(interfaces()) - OF_THE_PAGE_ALONE))
def test_what_the_page_expects_is_sent(document: dict[str, Any], name: str) -> None:
    properties = document["components"]["schemas"][name]["properties"]
    assert interfaces()[name] <= set(properties)
    outdated = {key for key in interfaces()[name] if properties[key].get("deprecated")}
    # In an answer about a track, the page uses the new keys only.
    assert outdated == set()


@pytest.mark.parametrize(("name", "schema", "key"), [
    ("JobKind", "Job", "kind"), ("JobState", "Job", "state"), ("Choice", "PlanItem", "choice"),
    ("Action", "PlanItem", "action"), ("TagMode", "PlanSummary", "mode"),
    ("ModelSource", "ModelSummary", "source"),
])  # fmt: skip
def test_the_same_words_are_used(
    document: dict[str, Any], name: str, schema: str, key: str
) -> None:
    assert words(name) == set(document["components"]["schemas"][schema]["properties"][key]["enum"])


def test_the_same_parts_of_a_plan_are_shown(document: dict[str, Any]) -> None:
    parameters = document["paths"]["/api/v1/plans/{plan_id}/albums"]["get"]["parameters"]
    (show,) = [parameter["schema"] for parameter in parameters if parameter["name"] == "show"]
    assert words("Show") == set(show["enum"])


def words(name: str) -> set[str]:
    """The texts that a type of the page allows."""
    definition = re.search(rf"export type {name} = ([^;]+);", TYPES)
    assert definition
    found = set(re.findall(r'"(\w+)"', definition[1]))
    for other in re.findall(r"\b[A-Z]\w+\b", re.sub(r'"\w+"', "", definition[1])):
        found |= words(other)
    return found


def test_circles_are_found(tmp_path: Path) -> None:
    if not (WEB / "node_modules" / "dpdm").is_dir() or shutil.which("npm") is None:
        pytest.skip("needs Node, and npm ci in web/")
    for name in ("package.json", "tsconfig.json"):
        shutil.copy(WEB / name, tmp_path)
    shutil.copytree(WEB / "src", tmp_path / "src")
    (tmp_path / "node_modules").symlink_to(WEB / "node_modules")
    good = circles(tmp_path)
    assert good.returncode == 0, good.stdout + good.stderr
    # A type alone is enough for one.
    text = tmp_path / "src" / "text.ts"
    added = 'import type { Upload } from "./api";\nexport type Sent = Upload<string>;\n'
    text.write_text(added + text.read_text(encoding="utf-8"), encoding="utf-8")
    types = tmp_path / "src" / "types.ts"
    added = 'import type { Sent } from "./text";\nexport type Told = Sent;\n'
    types.write_text(added + types.read_text(encoding="utf-8"), encoding="utf-8")
    bad = circles(tmp_path)
    assert bad.returncode == 1
    assert "src/text.ts" in bad.stdout


def circles(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["npm", "run", "circles"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )

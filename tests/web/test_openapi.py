"""Whatever the description of the API allows is answered as it says, and never with a crash."""

from __future__ import annotations

from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.web.servers import Server

_EXAMPLES = 25
_CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def document(server: Server) -> dict[str, Any]:
    answer = server.client.get("/openapi.json")
    assert answer.status_code == 200
    return dict(answer.json())


def test_the_description_is_whole(document: dict[str, Any], server: Server) -> None:
    wanted = {
        "/classify", "/health", "/info", "/jobs", "/jobs/{job_id}/events", "/journal/runs",
        "/journal/runs/{run_id}/undo", "/libraries", "/metrics", "/models",
        "/plans/{plan_id}/apply", "/plans/{plan_id}/choose", "/plans/{plan_id}/items/{item_id}",
    }  # fmt: skip
    assert {f"/api/v1{path}" for path in wanted} <= set(document["paths"])
    assert all(path.startswith("/api/v1/") for path in document["paths"])
    page = server.client.get("/docs")
    assert page.status_code == 200
    for path in document["paths"]:
        assert path in page.text
    assert "<script" not in page.text


def test_what_is_described_is_what_happens(server: Server, document: dict[str, Any]) -> None:
    url = f"http://{server.host}:{server.port}"
    schema = schemathesis.openapi.from_dict(document)
    schema.config.base_url = url
    # What is there to be found, beside the names and numbers that are made up.
    plan = server.job({"kind": "plan", "library_id": "my-music"})
    known = {
        "library_id": "my-music",
        "plan_id": plan["result"]["plan_id"],
        "item_id": 0,
        "job_id": plan["job_id"],
        "model_id": plan["request"]["model_id"],
        "run_id": 1,
    }
    operations = [result.ok() for result in schema.get_all_operations()]  # type: ignore[union-attr]
    assert len(operations) >= 25

    @hypothesis.settings(
        max_examples=_EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(data=hypothesis.strategies.data())
    def ask(data: Any, operation: Any) -> None:
        case: Case[Any] = data.draw(operation.as_strategy())
        if data.draw(hypothesis.strategies.booleans()):
            case.path_parameters.update(
                {name: known[name] for name in case.path_parameters if name in known}
            )
        response = case.call(base_url=url, timeout=20, stream=False)
        case.validate_response(response, checks=_CHECKS)

    for operation in operations:
        if not operation.path.endswith("/events"):  # these last as long as their job
            ask(operation=operation)
    assert server.client.get("/health").json()["status"] == "ok"

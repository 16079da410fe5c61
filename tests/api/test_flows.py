"""Flows over HTTP: checked and previewed, nothing stored, nothing sent."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.api.conftest import KeyFactory

DEFINITION = """
name: dunning
steps:
  - wait: { until: due_at, offset: -7d, at: 09:00 }
    past: skip
  - send: invoice_soon
  - wait_for: reply
    timeout: 5d
    then: [{ send: thanks }]
    on_timeout: [{ send: overdue }]
stop_if: has(data.paid) && data.paid >= 1.5
"""
SERIES = {
    "start": "2026-06-01T10:00:00+05:30",
    "zone": "Asia/Kolkata",
    "anchors": {"due_at": "2026-06-20T12:00:00Z"},
}


async def preview(client: httpx.AsyncClient, **fields: Any) -> Any:
    answer = await client.post("/v1/flows/preview", json={"definition": DEFINITION, **SERIES, **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()["entries"]


async def test_a_good_definition_is_valid(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/flows/check", json={"definition": DEFINITION})
    assert (answer.status_code, answer.json()) == (200, {"valid": True, "faults": [], "warnings": []})


async def test_what_is_wrong_is_an_answer(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/flows/check", json={"definition": DEFINITION.replace("5d", "5 days")})
    (fault,) = answer.json()["faults"]
    assert (fault["line"], fault["pointer"], answer.json()["valid"]) == (8, "/steps/2/timeout", False)


async def test_a_definition_may_be_an_object(client: httpx.AsyncClient) -> None:
    definition = {"name": "hello", "steps": [{"send": "hello"}]}
    answer = await client.post("/v1/flows/check", json={"definition": definition})
    assert answer.json() == {"valid": True, "faults": [], "warnings": []}


async def test_a_preview_tells_what_would_be_sent_and_when(client: httpx.AsyncClient) -> None:
    heard = [{"at": "2026-06-14T10:00:00+05:30", "kind": "reply"}]
    entries = await preview(client, heard=heard)
    assert [(one["at"], one["kind"], one["step"]) for one in entries if one["kind"] in {"do", "done"}] == [
        ("2026-06-13T03:30:00Z", "do", "send_1"),
        ("2026-06-14T04:30:00Z", "do", "send_2"),
        ("2026-06-14T04:30:00Z", "done", None),
    ]


async def test_a_preview_judges_conditions_by_the_data(client: httpx.AsyncClient) -> None:
    (entry,) = await preview(client, data={"paid": 1.75})
    assert (entry["kind"], entry["detail"]["reason"]) == ("done", "stop_condition")


async def test_a_preview_without_its_date_says_where_it_is_stuck(client: httpx.AsyncClient) -> None:
    (entry,) = await preview(client, anchors={})
    assert (entry["kind"], entry["step"], entry["detail"]["reason"]) == ("stuck", "wait_1", "anchor_missing")


async def test_a_preview_of_a_wrong_definition_points_into_it(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/flows/preview", json={"definition": "name: a\nsteps:\n - sendd: x"})
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["pointer"] == "/definition/steps/0"
    assert "(line 3, column 4)" in error["detail"]


async def test_a_preview_does_not_judge_for_ever(client: httpx.AsyncClient) -> None:
    empty = {"branch": [{"when": "false", "steps": []}] * 50}
    definition = {"name": "busy", "steps": [{"repeat": [empty] * 20, "every": "1m", "most": 10_000}]}
    entries = await preview(client, definition=definition)
    assert "at most 5,000 conditions" in entries[-1]["detail"]["detail"]


@pytest.mark.parametrize("path", ["check", "preview"])
async def test_flows_ask_for_their_scope(
    client: httpx.AsyncClient, make_key: KeyFactory, tenant_id: UUID, path: str
) -> None:
    key = await make_key(tenant_id, scopes=["templates:read"])
    answer = await client.post(
        f"/v1/flows/{path}", json={"definition": DEFINITION}, headers={"Authorization": f"Bearer {key}"}
    )
    assert (answer.status_code, answer.json()["required_scope"]) == (403, "flows:read")

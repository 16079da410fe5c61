"""Warnings of pushed and checked flows: what expressions name and no event has that starts them."""

from typing import Any

import httpx
import pytest

from tests.api import flowing, sending

CLOSED = {
    "type": "object",
    "properties": {"order": {"type": "string"}, "phone": {"type": "string"}, "amount": {"type": "number"}},
    "additionalProperties": False,
}
FLOW = """name: reminder
on: order.placed
to: {phone: event.data.phone}
key: event.data.ordr
steps:
- send: hello
  data: {sum: data.amonut, name: event.data.phone}
- branch:
  - when: event.data.amount > 5.0 && event.data.colour == 'red'
    steps: [{send: hello}]
stop_if: has(event.data.note)
"""


async def describe(client: httpx.AsyncClient, type_: str = "order.placed", **changes: Any) -> None:
    answer = await client.put(f"/v1/event-types/{type_}", json={"schema": CLOSED, **changes})
    assert answer.is_success, answer.text


async def warnings(client: httpx.AsyncClient, text: str) -> list[dict[str, Any]]:
    answer = await client.post("/v1/flows/check", json={"definition": text})
    assert answer.json()["valid"], answer.text
    found: list[dict[str, Any]] = answer.json()["warnings"]
    return found


async def test_a_push_is_taken_and_warns_with_the_place_and_the_near_name(client: httpx.AsyncClient) -> None:
    await describe(client)
    pushed = await flowing.push(client, FLOW)
    assert (pushed["version"], pushed["created"]) == (1, True)
    assert pushed["warnings"][0] == {
        "line": 4,
        "column": 1,
        "pointer": "/key",
        "message": "by the schema of order.placed: event.data has no member 'ordr'; did you mean 'order'?",
        "path": "event.data.ordr",
        "near": "event.data.order",
    }
    assert [(one["line"], one["column"], one["path"]) for one in pushed["warnings"]] == [
        (4, 1, "event.data.ordr"),
        (7, 10, "data.amonut"),
        (9, 5, "event.data.colour"),
        (11, 1, "event.data.note"),
    ]
    assert (await flowing.push(client, FLOW))["warnings"] == pushed["warnings"], "also where it is no new version"


async def test_checking_warns_of_the_same(client: httpx.AsyncClient) -> None:
    await describe(client)
    assert await warnings(client, FLOW) == (await flowing.push(client, FLOW))["warnings"]


@pytest.mark.parametrize(
    ("on", "warned"),
    [
        ("order.placed", True),
        ("order.*", True),
        ("[order.placed, order.changed]", False),
        ("[order.placed, order.changed.*]", True),
        ("shop.*", False),
        ("invoice.created", False),
        ("event.unknown", False),
    ],
)
async def test_what_a_type_may_have_that_nobody_described_is_not_warned_of(
    client: httpx.AsyncClient, on: str, *, warned: bool
) -> None:
    await describe(client)
    await describe(client, "shop.opened")
    assert (await client.put("/v1/event-types/invoice.created", json={"mode": "warn"})).is_success
    await flowing.tell(client, flowing.event("shop.closed"))  # it was met, and nobody described it
    assert bool(await warnings(client, FLOW.replace("order.placed", on))) == warned


async def test_a_flow_that_no_event_starts_and_a_wrong_one_have_no_warnings(client: httpx.AsyncClient) -> None:
    await describe(client)
    by_hand = FLOW.replace("on: order.placed\n", "").replace("to: {phone: event.data.phone}\n", "")
    assert await warnings(client, by_hand) == []
    wrong = await client.post("/v1/flows/check", json={"definition": FLOW.replace("hello", "no template!")})
    assert (wrong.json()["valid"], wrong.json()["warnings"]) == (False, [])


async def test_a_schema_of_another_tenant_counts_for_nothing(
    client: httpx.AsyncClient, other_client: httpx.AsyncClient
) -> None:
    await describe(client)
    assert await warnings(other_client, FLOW) == []


async def test_a_flow_with_warnings_is_published_and_runs(client: httpx.AsyncClient) -> None:
    await describe(client)
    await sending.publish(client)
    await flowing.publish(client, FLOW)
    assert (await client.get("/v1/flows/reminder")).json()["status"] == "active"

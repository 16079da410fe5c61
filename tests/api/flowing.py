"""What tests of flows and series need: a flow that is published, a series of it, events."""

import itertools
from typing import Any

import httpx

REMINDER = """
name: reminder
on: [order.placed, order.paid]
to: {phone: event.data.phone}
key: event.data.order
match: event.type == "order.placed"
stop_when: event:order.paid
steps:
- {send: hello, id: first}
- {wait: P1D, id: a_day}
- {send: hello, id: second}
"""
BODY: dict[str, Any] = {
    "flow": "reminder",
    "to": {"phone": "+919876543210"},
    "data": {"name": "Asha"},
    "key": "order-1",
}

_numbers = itertools.count(1)


async def push(client: httpx.AsyncClient, text: str = REMINDER, name: str = "reminder") -> dict[str, Any]:
    """Pushes a definition that must be taken, and returns which version it is."""
    answer = await client.put(f"/v1/flows/{name}", json={"definition": text})
    assert answer.is_success, answer.text
    pushed: dict[str, Any] = answer.json()
    return pushed


async def publish(
    client: httpx.AsyncClient, text: str = REMINDER, name: str = "reminder", **asked: Any
) -> dict[str, Any]:
    """Pushes and publishes a definition, and returns what that did to running series."""
    pushed = await push(client, text, name)
    answer = await client.post(f"/v1/flows/{name}/publish", json={"version": pushed["version"], **asked})
    assert answer.is_success, answer.text
    published: dict[str, Any] = answer.json()
    return published


async def start(client: httpx.AsyncClient, **changes: Any) -> str:
    """Starts a series that must begin, and returns its id."""
    answer = await client.post("/v1/series", json=BODY | changes)
    assert answer.status_code == 201, answer.text
    series_id: str = answer.json()["id"]
    return series_id


def event(type_: str = "order.placed", **changes: Any) -> dict[str, Any]:
    """Returns a CloudEvent of an id of its own."""
    number = next(_numbers)
    body = {
        "specversion": "1.0",
        "id": f"event-{number}",
        "source": "/shop",
        "type": type_,
        "data": {"order": "order-1", "phone": "+919876543210", "name": "Asha"},
    }
    return body | changes


async def tell(client: httpx.AsyncClient, *events: dict[str, Any]) -> list[dict[str, Any]]:
    """Sends events in as a batch, and returns what became of each."""
    answer = await client.post(
        "/v1/events", json=list(events), headers={"Content-Type": "application/cloudevents-batch+json"}
    )
    assert answer.status_code == 202, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    return results

"""Events over HTTP: each counts once, starts series of the flows that are on for it, and feeds those that run."""

import asyncio
import base64
import json
from collections import Counter
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, select

from db.series_tables import series_hearing
from db.session import Database
from tests.api import flowing

ONE = {"Content-Type": "application/cloudevents+json"}


async def _series(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = (await client.get("/v1/series")).json()["data"]
    return rows


async def test_an_event_starts_a_series_once(client: httpx.AsyncClient) -> None:
    await flowing.publish(client)
    event = flowing.event(subject="1042")
    first, again = await flowing.tell(client, event, event)
    assert (first["result"], again["result"]) == ("accepted", "repeated")
    assert [effect["result"] for effect in first["effects"]] == ["started"]
    (series,) = await _series(client)
    assert (series["key"], series["to"], series["resource_type"], series["resource_id"]) == (
        "order-1", "+919876543210", "order", "1042",
    )  # fmt: skip
    detail = (await client.get(f"/v1/series/{series['id']}")).json()
    assert detail["data"] == event["data"]
    assert detail["event"]["type"] == "order.placed"


async def test_an_event_of_its_key_is_heard_by_the_running_series(client: httpx.AsyncClient) -> None:
    await flowing.publish(client)
    await flowing.tell(client, flowing.event())
    paid, other = await flowing.tell(
        client, flowing.event("order.paid"), flowing.event("order.paid", data={"order": "order-2"})
    )
    assert [effect["result"] for effect in paid["effects"]] == ["not_meant", "fed"]
    assert "`match` does not hold" in paid["effects"][0]["detail"]
    assert [effect["result"] for effect in other["effects"]] == ["not_meant", "waits"]


async def test_an_event_that_comes_before_its_series_is_not_lost(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await flowing.publish(client)
    paid, placed = await flowing.tell(client, flowing.event("order.paid"), flowing.event())
    assert [effect["result"] for effect in paid["effects"]] == ["not_meant", "waits"]
    assert [effect["result"] for effect in placed["effects"]] == ["started"]
    async with database.tenant(tenant_id) as connection:
        heard = (await connection.execute(select(series_hearing.c.kind, series_hearing.c.name))).all()
    assert [tuple(row) for row in heard] == [("event", "order.paid")]


async def test_a_stop_that_came_first_counts_for_events_too(client: httpx.AsyncClient) -> None:
    await flowing.publish(client)
    await client.post("/v1/series/stop", json={"flow": "reminder", "key": "order-1"})
    (taken,) = await flowing.tell(client, flowing.event())
    assert [effect["result"] for effect in taken["effects"]] == ["stopped_before_start"]
    assert await _series(client) == []


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"order": "1", "phone": "12"}, "`to` gives no phone"),
        ({"order": "1"}, "`to` (event.data.phone)"),
        ({"phone": "+919876543210"}, "`key` (event.data.order)"),
    ],
    ids=["a phone that is none", "no phone", "no key"],
)
async def test_an_event_that_cannot_start_one_says_why(
    client: httpx.AsyncClient, data: dict[str, str], expected: str
) -> None:
    await flowing.publish(client)
    (taken,) = await flowing.tell(client, flowing.event(data=data))
    assert taken["result"] == "accepted"
    assert expected in taken["effects"][0]["detail"]
    assert await _series(client) == []


async def test_an_event_that_no_flow_knows_is_kept_and_found(client: httpx.AsyncClient) -> None:
    (taken,) = await flowing.tell(client, flowing.event("machine.stopped", data=[1, 2]))
    assert (taken["result"], taken["effects"]) == ("accepted", [])
    await flowing.publish(client)
    await flowing.tell(client, flowing.event())
    unknown = (await client.get("/v1/events", params={"matched": "false"})).json()["data"]
    assert [(one["type"], one["data"], one["started"], one["fed"]) for one in unknown] == [
        ("machine.stopped", [1, 2], 0, 0)
    ]
    known = (await client.get("/v1/events", params={"matched": "true", "type": "order.placed"})).json()["data"]
    assert [one["started"] for one in known] == [1]


async def test_a_paused_flow_starts_nothing_and_its_series_still_hear(client: httpx.AsyncClient) -> None:
    await flowing.publish(client)
    await flowing.tell(client, flowing.event())
    await client.patch("/v1/flows/reminder", json={"status": "paused"})
    placed, paid = await flowing.tell(
        client, flowing.event(data={"order": "2", "phone": "+919876543210"}), flowing.event("order.paid")
    )
    assert placed["effects"] == []
    assert [effect["result"] for effect in paid["effects"]] == ["fed"]


async def test_one_event_as_json_and_one_in_headers(client: httpx.AsyncClient) -> None:
    await flowing.publish(client)
    structured = await client.post("/v1/events", json=flowing.event(), headers=ONE)
    assert structured.json()["accepted"] == 1
    headers = {
        "ce-specversion": "1.0", "ce-id": "binary-1", "ce-source": "/shop", "ce-type": "order.paid",
        "ce-subject": "caf%C3%A9", "Content-Type": "application/json",
    }  # fmt: skip
    binary = await client.post("/v1/events", content=json.dumps({"order": "order-1"}), headers=headers)
    assert [effect["result"] for effect in binary.json()["results"][0]["effects"]] == ["not_meant", "fed"]
    assert (await client.get("/v1/events", params={"type": "order.paid"})).json()["data"][0]["subject"] == "café"


async def test_plain_json_is_one_event_or_many(client: httpx.AsyncClient) -> None:
    one = await client.post("/v1/events", json=flowing.event())
    many = await client.post("/v1/events", json=[flowing.event(), flowing.event()])
    assert (one.json()["accepted"], many.json()["accepted"]) == (1, 2)


async def test_what_is_tried_says_why_it_would_not_start(client: httpx.AsyncClient) -> None:
    await flowing.publish(client)

    async def tried(**changes: Any) -> tuple[bool, str | None]:
        answer = await client.post("/v1/events/test", json=flowing.event(**changes))
        (found,) = answer.json()["flows"]
        return found["starts"], found["detail"]

    assert await tried() == (True, None)
    starts, detail = await tried(data={"order": "order-1"})
    assert (starts, "`to`" in (detail or "")) == (False, True)
    await flowing.tell(client, flowing.event())
    assert await tried() == (False, "reused")


async def test_data_in_base64_is_read(client: httpx.AsyncClient) -> None:
    event = flowing.event("a.b")
    del event["data"]
    await flowing.tell(client, event | {"data_base64": base64.b64encode(b'{"x": 1}').decode()})
    assert (await client.get("/v1/events")).json()["data"][0]["data"] == {"x": 1}


@pytest.mark.parametrize(
    "changes",
    [
        {"specversion": "0.3"},
        {"id": ""},
        {"type": "no good"},
        {"time": "yesterday"},
        {"BAD": "x"},
        {"data_base64": "eA=="},
        {"data": None, "data_base64": "no base64"},
    ],
    ids=[
        "another version",
        "no id",
        "a type that is none",
        "a time that is none",
        "an extension",
        "both data",
        "base64",
    ],
)
async def test_a_wrong_event_is_refused_and_the_others_are_taken(
    client: httpx.AsyncClient, changes: dict[str, Any]
) -> None:
    wrong, right = await flowing.tell(client, flowing.event() | changes, flowing.event())
    assert (wrong["result"], right["result"]) == ("refused", "accepted")
    assert wrong["problem"]["status"] == 422


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/cloudevents-batch+json", 422),
        (b"[{}]", "application/cloudevents+json", 422),
        (b"x", "text/plain", 415),
    ],
    ids=["no JSON", "an empty batch", "a list as one event", "a text"],
)
async def test_a_body_that_is_none_is_refused(
    client: httpx.AsyncClient, body: bytes, media_type: str, status: int
) -> None:
    answer = await client.post("/v1/events", content=body, headers={"Content-Type": media_type})
    assert answer.status_code == status


async def test_one_can_ask_which_flows_an_event_would_concern(client: httpx.AsyncClient) -> None:
    await flowing.publish(client)
    await flowing.publish(
        client, 'name: other\non: "order.*"\nto: {recipient: event.data.who}\nsteps: [{send: hello}]', "other"
    )
    answer = await client.post("/v1/events/test", json=flowing.event("order.paid"), headers=ONE)
    assert [
        (one["flow"], one["pattern"], one["starts"], one["hears"], one["key"]) for one in answer.json()["flows"]
    ] == [
        ("other", "order.*", False, False, None),
        ("reminder", "order.paid", False, True, "order-1"),
    ]
    assert (await client.get("/v1/events")).json()["data"] == []
    assert await _series(client) == []
    two = await client.post("/v1/events/test", json=[flowing.event(), flowing.event()])
    assert two.status_code == 422


async def test_dates_of_a_flow_come_from_the_event(client: httpx.AsyncClient) -> None:
    text = """
name: due
on: invoice.sent
to: {phone: event.data.phone}
steps: [{wait: {until: due_at, offset: -P1D}}, {send: hello}]
"""
    await flowing.publish(client, text, "due")
    good, bad = await flowing.tell(
        client,
        flowing.event("invoice.sent", data={"phone": "+919876543210", "due_at": "2027-06-20T09:00:00Z"}),
        flowing.event("invoice.sent", data={"phone": "+919876543210", "due_at": "soon"}),
    )
    assert [good["effects"][0]["result"], bad["effects"][0]["result"]] == ["started", "refused"]
    (series,) = await _series(client)
    assert series["anchors"] == {"due_at": "2027-06-20T09:00:00Z"}


async def test_many_events_at_once_are_each_heard_once(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    text = """
name: digest
on: comment.created
to: {phone: event.data.phone}
key: event.data.thread
steps:
- {digest: comment.created, window: PT10M, id: comments}
- send: hello
"""
    await flowing.publish(client, text, "digest")
    data = {"phone": "+919876543210", "thread": "t"}
    batches = [[flowing.event("comment.created", data=data) for _ in range(20)] for _ in range(5)]
    told = await asyncio.gather(*(flowing.tell(client, *batch) for batch in batches))
    results = Counter(effect["result"] for batch in told for one in batch for effect in one["effects"])
    assert results == {"started": 1, "reused": 99, "fed": 100}
    async with database.tenant(tenant_id) as connection:
        count = (await connection.execute(select(func.count()).select_from(series_hearing))).scalar_one()
    assert count == 100


@pytest.mark.parametrize("data", [[1, 2], "text", 5, None], ids=repr)
async def test_an_early_event_is_heard_by_one_series_whatever_its_data(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID, data: object
) -> None:
    text = "name: any\nkey: event.subject\nsteps: [{wait_for: event:order.paid, timeout: P1D}]"
    await flowing.publish(client, text, "any")
    await flowing.tell(client, flowing.event("order.paid", subject="1042", data=data))
    for number in range(2):
        answer = await client.post("/v1/series", json=flowing.BODY | {"flow": "any", "key": "1042", "again": "replace"})
        assert answer.status_code == 201, number
    async with database.tenant(tenant_id) as connection:
        assert (await connection.execute(select(func.count()).select_from(series_hearing))).scalar_one() == 1


async def test_what_cannot_be_stored_is_replaced_in_headers(client: httpx.AsyncClient) -> None:
    headers = {
        "ce-specversion": "1.0", "ce-id": "1", "ce-source": "/shop", "ce-type": "a.b", "ce-subject": "a%00b",
        "Content-Type": "application/json",
    }  # fmt: skip
    answer = await client.post("/v1/events", content=b"{}", headers=headers)
    assert answer.json()["accepted"] == 1


async def test_a_moment_outside_of_all_years_refuses_one_event(client: httpx.AsyncClient) -> None:
    wrong, right = await flowing.tell(client, flowing.event(time="0001-01-01T00:00:00+05:00"), flowing.event())
    assert (wrong["result"], right["result"]) == ("refused", "accepted")

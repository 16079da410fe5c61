"""Event types over HTTP: schemas that refuse or warn, counts of what came, and who listens."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from activities.event_type_counts import EventTypeCounts
from activities.sweeping import Sweep
from db import event_types, events
from db.event_types import TypeSettings
from db.events import NewEvent
from db.session import Database
from tests.api import flowing
from tests.locks import waits_for_a_lock

ORDER = {
    "type": "object",
    "required": ["order", "phone"],
    "properties": {"order": {"type": "string"}, "phone": {"$ref": "#/$defs/phone"}, "amount": {"multipleOf": 0.01}},
    "$defs": {"phone": {"type": "string", "pattern": "^[+][0-9]+$"}},
}
PATH = "/v1/event-types/order.placed"


async def describe(client: httpx.AsyncClient, **changes: Any) -> dict[str, Any]:
    answer = await client.put(PATH, json={"schema": ORDER, **changes})
    assert answer.is_success, answer.text
    described: dict[str, Any] = answer.json()
    return described


async def test_an_event_that_does_not_fit_is_refused_alone_and_counted(client: httpx.AsyncClient) -> None:
    await flowing.publish(client)
    await describe(client)
    wrong = flowing.event(data={"order": 7})
    refused, taken = await flowing.tell(client, wrong, flowing.event())
    assert (refused["result"], taken["result"]) == ("refused", "accepted")
    assert refused["problem"]["type"] == "urn:carillon:problem:invalid-event"
    assert {one["pointer"] for one in refused["problem"]["errors"]} == {"/data/order", "/data/phone"}
    assert [effect["result"] for effect in taken["effects"]] == ["started"]
    found = (await client.get(PATH)).json()
    assert (found["came"], found["refused"], found["warned"], found["flows"]) == (1, 1, 0, ["reminder"])
    assert (found["last_refusal"]["id"], found["last_refusal"]["version"]) == (wrong["id"], 1)
    assert len((await client.get("/v1/events")).json()["data"]) == 1


async def test_refused_events_are_measured_by_reason_and_asking_is_not(client: httpx.AsyncClient) -> None:
    await describe(client)
    before = await measured(client)
    unfit = flowing.event(data={"order": 7})
    await flowing.tell(client, unfit, unfit, flowing.event(), {**flowing.event(), "specversion": "0.3"}, {})
    await client.post("/v1/events/test", json=unfit)
    after = await measured(client)
    assert {reason: count - before[reason] for reason, count in after.items()} == {"schema": 2, "malformed": 2}


async def measured(client: httpx.AsyncClient) -> dict[str, float]:
    families = text_string_to_metric_families((await client.get("/metrics")).text)
    samples = [sample for family in families for sample in family.samples]
    return {one.labels["reason"]: one.value for one in samples if one.name == "carillon_events_refused_total"}


async def test_what_was_taken_before_the_schema_is_repeated_not_refused(client: httpx.AsyncClient) -> None:
    event = flowing.event(data={"order": 7})
    await flowing.tell(client, event)
    await describe(client)
    (again,) = await flowing.tell(client, event)
    assert again["result"] == "repeated"
    assert (await client.get(PATH)).json()["refused"] == 0


async def test_a_type_that_warns_takes_the_event_with_its_faults(client: httpx.AsyncClient) -> None:
    await describe(client, mode="warn")
    wrong, right = await flowing.tell(client, flowing.event(data={"order": "7"}), flowing.event())
    assert (wrong["result"], [one["pointer"] for one in wrong["faults"]]) == ("accepted", ["/data/phone"])
    assert right["faults"] == []
    listed = (await client.get("/v1/events", params={"fits": "false"})).json()["data"]
    assert [(one["event_id"], len(one["faults"])) for one in listed] == [(wrong["id"], 1)]
    assert len((await client.get("/v1/events", params={"fits": "true"})).json()["data"]) == 1
    found = (await client.get(PATH)).json()
    assert (found["came"], found["warned"], found["refused"]) == (2, 1, 0)


async def test_a_change_holds_for_the_next_event(client: httpx.AsyncClient) -> None:
    wrong = {"order": "7"}
    assert (await describe(client))["version"] == 1
    results = await flowing.tell(client, flowing.event(data=wrong))
    assert (await describe(client, mode="warn"))["version"] == 2
    results += await flowing.tell(client, flowing.event(data=wrong))
    await describe(client, schema={"required": ["amount"]})
    results += await flowing.tell(client, flowing.event(data=wrong), flowing.event(data={"amount": 1.5}))
    await client.delete(PATH)
    results += await flowing.tell(client, flowing.event(data=wrong))
    assert [one["result"] for one in results] == ["refused", "accepted", "refused", "accepted", "accepted"]


async def test_types_that_nobody_described_are_listed_and_counted(client: httpx.AsyncClient) -> None:
    await flowing.tell(client, flowing.event("machine.stopped"), flowing.event("machine.stopped"))
    await describe(client)
    both = (await client.get("/v1/event-types")).json()["data"]
    assert [(one["type"], one["known"], one["came"]) for one in both] == [
        ("order.placed", True, 0), ("machine.stopped", False, 2),
    ]  # fmt: skip
    assert both[1]["last_at"] is not None
    for asked, expected in (
        ({"known": "false"}, "machine.stopped"), ({"prefix": "order."}, "order.placed"),
    ):  # fmt: skip
        rows = (await client.get("/v1/event-types", params=asked)).json()["data"]
        assert [one["type"] for one in rows] == [expected]
    assert (await client.get("/v1/event-types", params={"faulty": "true"})).json()["data"] == []
    first = (await client.get("/v1/event-types", params={"limit": 1})).json()
    assert first["next_cursor"]


async def test_what_is_described_again_alike_stays_its_version(client: httpx.AsyncClient) -> None:
    answer = await client.put(PATH, json={"schema": ORDER, "examples": [{"order": "1", "phone": "+1"}]})
    assert answer.status_code == 201
    again = await client.put(PATH, json={"schema": ORDER, "examples": [{"order": "1", "phone": "+1"}]})
    assert (again.status_code, again.json()["version"]) == (200, 1)
    stale = await client.put(PATH, json={}, headers={"If-Match": '"0"'})
    assert stale.status_code == 412
    actions = [one["action"] for one in (await client.get("/v1/audit")).json()["data"]]
    assert actions.count("event_type.created") == 1


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"schema": {"enum": [1, 0]}}, {"schema": {"enum": [True, False]}}),
        ({"schema": {"const": {"a": [1]}}}, {"schema": {"const": {"a": [True]}}}),
        ({"examples": [0]}, {"examples": [False]}),
        ({"examples": [1]}, {"examples": [1, 1]}),
        ({"schema": {"title": "a"}}, {"schema": {"description": "a"}}),
    ],
    ids=["values", "a value deep inside", "examples", "one example more", "another member"],
)
async def test_a_change_of_the_kind_of_a_value_is_a_change(
    client: httpx.AsyncClient, before: dict[str, Any], after: dict[str, Any]
) -> None:
    await client.put(PATH, json=before)
    changed = (await client.put(PATH, json=after)).json()
    again = (await client.put(PATH, json=after)).json()
    assert (changed["version"], again["version"]) == (2, 2)
    name = next(iter(after))
    assert str(again[name]) == str(after[name])


async def test_a_type_is_forgotten_unless_events_of_it_came(client: httpx.AsyncClient) -> None:
    await describe(client)
    assert (await client.delete(PATH)).status_code == 204
    assert (await client.get(PATH)).status_code == 404
    await describe(client)
    await flowing.tell(client, flowing.event())
    await client.delete(PATH)
    left = (await client.get(PATH)).json()
    assert (left["known"], left["schema"], left["came"]) == (False, None, 1)
    assert (await client.delete(PATH)).status_code == 404


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"schema": {"type": "objekt"}}, "/schema/type"),
        ({"schema": {"properties": {"a": {"$ref": "https://example.com/a"}}}}, "/schema/properties/a/$ref"),
        ({"schema": {"properties": {"a": {"$ref": "#"}}}}, "/schema/properties/a/$ref"),
        ({"schema": {"pattern": "(?=a)b"}}, "/schema/pattern"),
        ({"schema": {"description": "x" * 70_000}}, "/schema"),
        ({"schema": ORDER, "examples": [{"order": "1", "phone": "+1"}, {"order": "1"}]}, "/examples/1/phone"),
        ({"mode": "ignore"}, "/mode"),
    ],
    ids=["no schema", "another host", "a circle", "a pattern that looks ahead", "too large", "an example", "a mode"],
)
async def test_what_cannot_be_taken_is_refused_with_its_place(
    client: httpx.AsyncClient, body: dict[str, Any], pointer: str
) -> None:
    answer = await client.put(PATH, json=body)
    assert answer.status_code == 422, answer.text
    assert pointer in [one["pointer"] for one in answer.json()["errors"]]


async def test_the_tester_tells_of_the_schema_and_of_the_flows(client: httpx.AsyncClient) -> None:
    await flowing.publish(client)
    await describe(client)
    tested = (await client.post("/v1/events/test", json=flowing.event(data={"phone": "+91", "order": 7}))).json()
    assert (tested["type"]["fits"], tested["type"]["version"], tested["type"]["mode"]) == (False, 1, "enforce")
    assert [one["pointer"] for one in tested["type"]["faults"]] == ["/data/order"]
    assert [one["flow"] for one in tested["flows"]] == ["reminder"]
    other = (await client.post("/v1/events/test", json=flowing.event("machine.stopped"))).json()
    assert other["type"] == {"type": "machine.stopped", "version": None, "mode": None, "fits": True, "faults": []}
    assert (await client.get(PATH)).json()["refused"] == 0


async def test_counts_stay_when_housekeeping_has_counted(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await describe(client, mode="warn")
    await flowing.tell(client, flowing.event(data={}), flowing.event(), flowing.event())
    async with database.tenant(tenant_id) as connection:
        await connection.exec_driver_sql(
            "UPDATE event SET id = ('00000000-0000-7000-8000-' || right(id::text, 12))::uuid WHERE faults IS NOT NULL"
        )
    counts = EventTypeCounts(database, types=1, events=1)
    swept = [await counts.count(Sweep())]
    while swept[-1].more and len(swept) < 50:
        swept.append(await counts.count(Sweep(cursor=swept[-1].cursor)))
    assert sum(one.seen for one in swept) >= 1
    found = (await client.get(PATH)).json()
    assert (found["came"], found["warned"]) == (3, 1)
    await flowing.tell(client, flowing.event())
    assert (await client.get(PATH)).json()["came"] == 4


async def test_a_busy_type_keeps_no_other_from_being_counted(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    for name in ("busy", "calm"):
        await flowing.tell(client, flowing.event(name), flowing.event(name), flowing.event(name))
    async with database.tenant(tenant_id) as connection:
        await connection.exec_driver_sql(
            "UPDATE event SET id = ('00000000-0000-7000-8000-' || right(id::text, 12))::uuid"
        )
    counts = EventTypeCounts(database, types=1, events=1)
    first = await counts.count(Sweep())
    second = await counts.count(Sweep(cursor=first.cursor))
    assert [(one.seen, one.more) for one in (first, second)] == [(1, True), (1, True)]
    assert first.cursor is not None
    assert first.cursor != second.cursor
    assert [one["came"] for one in (await client.get("/v1/event-types")).json()["data"]] == [3, 3]


async def test_a_type_is_described_for_the_first_time_once(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    said = TypeSettings(description="the first", schema=None, mode="enforce", examples=[])
    async with database.tenant(tenant_id) as connection:  # as a request that has looked and not yet described it
        await event_types.lock(connection, tenant_id, "order.placed")
        assert await event_types.get(connection, tenant_id, "order.placed") is None
        second = asyncio.create_task(
            client.put(PATH, json={"description": "the second"}, headers={"If-None-Match": "*"})
        )
        await waits_for_a_lock(database, unless=second)
        assert not second.done()
        await event_types.put(connection, tenant_id, "order.placed", said)
    assert (await second).status_code == 412
    assert (await client.get(PATH)).json()["description"] == "the first"


async def test_an_event_that_is_taken_while_its_type_is_deleted_keeps_it_in_the_list(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await describe(client)
    async with database.tenant(tenant_id) as connection:
        await event_types.share(connection, tenant_id, "order.placed")
        assert (await client.delete(PATH)).status_code == 204
        assert (await client.get("/v1/event-types")).json()["data"] == []
        new = NewEvent(
            source="/test", event_id="1", type="order.placed", subject=None, data={},
            occurred_at=datetime(2026, 6, 1, tzinfo=UTC),
        )  # fmt: skip
        await events.keep(connection, tenant_id, new)
    (left,) = (await client.get("/v1/event-types")).json()["data"]
    assert (left["type"], left["known"], left["came"]) == ("order.placed", False, 1)

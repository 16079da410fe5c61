"""Schedules over HTTP: made, shown with what comes, replaced, paused, triggered, removed."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select

from db import schedules
from db.session import Database
from db.tables import outbox
from tests.api import flowing, scheduling


async def words(database: Database) -> list[str]:
    async with database.system() as connection:
        rows = await connection.execute(
            select(outbox.c.dedup_key).where(outbox.c.kind == "schedule").order_by(outbox.c.id)
        )
        return [key.split("/", 2)[2] for key in rows.scalars()]


async def test_it_is_made_with_word_for_its_clock_and_shown_with_what_comes(
    client: httpx.AsyncClient, database: Database
) -> None:
    made = await scheduling.make(client, note="each morning", catch_up="2h")
    assert (made["status"], made["runs"], made["catch_up"], made["note"]) == ("active", 0, "PT2H", "each morning")
    found = await client.get(f"/v1/schedules/{made['id']}")
    assert found.json() == made
    assert len(made["next"]) == 5
    assert all(due["local"].endswith("T09:00:00+05:30") for due in made["next"])
    assert made["next"][0]["at"] == made["next_at"]
    assert await words(database) == ["version/1"]


async def test_a_key_makes_one_and_a_name_is_taken_once(client: httpx.AsyncClient) -> None:
    await flowing.publish(client)
    key = {"Idempotency-Key": "k-1"}
    first = await client.post("/v1/schedules", json=scheduling.body(), headers=key)
    again = await client.post("/v1/schedules", json=scheduling.body(), headers=key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    other = await client.post("/v1/schedules", json=scheduling.body(note="x"), headers=key)
    assert other.json()["type"].endswith("idempotency-mismatch")
    taken = await client.post("/v1/schedules", json=scheduling.body())
    assert (taken.status_code, taken.json()["type"]) == (409, "urn:carillon:problem:already-exists")


def spec(**changes: Any) -> dict[str, Any]:
    return {"spec": {"cron": "0 9 * * *", **changes}}


def query(**changes: Any) -> dict[str, Any]:
    return {"action": {"query": changes, "start": {"flow": "reminder", "key": "item.id"}}}


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "an hour that no day has": (spec(cron="0 24 * * *"), "/spec/cron", "'24' is no hour; it goes from 0 to 23"),
    "four fields": (spec(cron="0 9 * *"), "/spec/cron", "write five"),
    "a zone that is none": (spec(zone="Mars/Olympus"), "/spec/zone", "no time zone"),
    "nothing to be due by": ({"spec": {}}, "/spec", "give exactly one of cron, at"),
    "an instant that is over": ({"spec": {"at": "2020-01-01T00:00:00Z"}}, "/spec/at", "lies in the past"),
    "parts of a second": ({"spec": {"at": "2199-01-01T00:00:00.5Z"}}, "/spec/at", "whole seconds"),
    "days that are all left out": (
        spec(cron="0 9 * * mon", **{"except": {"weekdays": ["mon"]}}), "/spec", "nothing is ever due",
    ),
    "a jitter of days": (spec(jitter="2d"), "/spec/jitter", "up to 24 hours"),
    "an end before its start": (
        spec(start_at="2199-01-02T00:00:00Z", end_at="2199-01-01T00:00:00Z"), "/spec", "end_at lies before",
    ),
    "a flow that is not there": (
        {"action": {"start": {"flow": "other", "to": {"phone": "+919876543210"}}}},
        "/action/start/flow", "push it first",
    ),
    "a key without quotes": (
        {"action": {"start": {"flow": "reminder", "to": {"phone": "+919876543210"}, "key": "order-1"}}},
        "/action/start/key", "nothing is called 'order'",
    ),
    "recipients with a step": (query(over="recipients", step="first"), "/action/query", "recipients have no step"),
    "a query without a key": (
        {"action": {"query": {}, "start": {"flow": "reminder"}}}, "/action/start/key", "Field required",
    ),
    "two rules for a date": (
        query(anchor={"name": "due_at", "passed": True, "within": "2d"}), "/action/query/anchor", "at most one",
    ),
    "an action that is none": ({"action": {}}, "/action/start", "Field required"),
    "a window of seconds": ({"catch_up": "5s"}, "/catch_up", "ten seconds to thirty days"),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "pointer", "detail"), REFUSED.values(), ids=REFUSED)
async def test_what_cannot_be_meant_is_refused_where_it_stands(
    client: httpx.AsyncClient, changes: dict[str, Any], pointer: str, detail: str
) -> None:
    await flowing.publish(client)
    answer = await client.post("/v1/schedules", json=scheduling.body(**changes))
    assert answer.status_code == 422, answer.text
    [error] = answer.json()["errors"]
    assert error["pointer"] == pointer
    assert detail in error["detail"]


async def test_it_is_replaced_as_it_was_read(client: httpx.AsyncClient, database: Database) -> None:
    made = await scheduling.make(client)
    path = f"/v1/schedules/{made['id']}"
    tag = (await client.get(path)).headers["ETag"]
    same = await client.put(path, json=scheduling.body(), headers={"If-Match": tag})
    assert same.headers["ETag"] == tag
    changed = await client.put(path, json=scheduling.body(overlap="allow"), headers={"If-Match": tag})
    assert changed.json()["overlap"] == "allow"
    late = await client.put(path, json=scheduling.body(), headers={"If-Match": tag})
    assert late.status_code == 412
    assert await words(database) == ["version/1", "version/2"]


async def test_a_name_of_another_is_not_taken_over(client: httpx.AsyncClient) -> None:
    await scheduling.make(client, name="other")
    made = await scheduling.make(client)
    answer = await client.put(f"/v1/schedules/{made['id']}", json=scheduling.body(name="other"))
    assert answer.status_code == 409


async def test_it_is_paused_and_resumed(client: httpx.AsyncClient, database: Database) -> None:
    made = await scheduling.make(client)
    path = f"/v1/schedules/{made['id']}"
    for status, order in (("paused", "pause"), ("paused", "pause"), ("active", "resume")):
        found = (await client.post(f"{path}/{order}")).json()
        assert found["status"] == status
        assert (found["next_at"] is None) == (status == "paused")
    actions = [entry["action"] for entry in (await client.get("/v1/audit")).json()["data"]]
    assert actions[:3] == ["schedule.resumed", "schedule.paused", "schedule.created"]
    assert await words(database) == ["version/1", "version/2", "version/3"]


async def test_a_key_triggers_one_run(client: httpx.AsyncClient) -> None:
    made = await scheduling.make(client)
    path = f"/v1/schedules/{made['id']}"
    first = await client.post(f"{path}/trigger", headers={"Idempotency-Key": "now"})
    again = await client.post(f"{path}/trigger", headers={"Idempotency-Key": "now"})
    assert (first.status_code, again.status_code) == (202, 200)
    assert first.json() == again.json()
    await client.post(f"{path}/trigger")
    runs = (await client.get(f"{path}/runs", params={"status": "waiting"})).json()["data"]
    assert len(runs) == 2
    assert runs[-1]["id"] == first.json()["id"]
    page = (await client.get(f"{path}/runs", params={"limit": 1})).json()
    assert [run["id"] for run in page["data"]] == [runs[0]["id"]]
    following = await client.get(f"{path}/runs", params={"limit": 1, "cursor": page["next_cursor"]})
    assert [run["id"] for run in following.json()["data"]] == [runs[1]["id"]]


async def test_what_is_removed_is_gone_with_its_clock(client: httpx.AsyncClient, database: Database) -> None:
    made = await scheduling.make(client)
    path = f"/v1/schedules/{made['id']}"
    await client.post(f"{path}/trigger")
    assert (await client.delete(path)).status_code == 204
    assert (await client.get(path)).status_code == 404
    assert (await client.get(f"{path}/runs")).status_code == 404
    assert await words(database) == ["version/1", "removed"]


async def test_lists_are_filtered(client: httpx.AsyncClient) -> None:
    daily = await scheduling.make(client)
    events = await scheduling.make(client, name="events", action=scheduling.EVENT)
    await client.post(f"/v1/schedules/{events['id']}/pause")
    for params, expected in (
        ({}, [events, daily]),
        ({"flow": "reminder"}, [daily]),
        ({"status": "paused"}, [events]),
        ({"name": "daily"}, [daily]),
    ):
        listed = (await client.get("/v1/schedules", params=params)).json()["data"]
        assert [one["id"] for one in listed] == [one["id"] for one in expected], params


async def test_a_preview_says_when_and_what_it_would_select(client: httpx.AsyncClient) -> None:
    await flowing.publish(client)
    started = [await flowing.start(client, key=f"order-{number}") for number in range(3)]
    await client.post(f"/v1/series/{started[0]}/pause")
    answer = await client.post("/v1/schedules/preview", json={"spec": scheduling.DAILY, "action": scheduling.EACH})
    found = answer.json()
    assert len(found["next"]) == 10
    assert (found["selected"]["count"], found["selected"]["is_complete"]) == (2, True)
    today = (datetime.now(UTC) + timedelta(hours=5, minutes=30)).date()
    keys = [one["key"] for one in found["selected"]["first"]]
    assert keys in ([f"order-{number}/{day}" for number in (1, 2)] for day in (today, today - timedelta(days=1)))
    without = await client.post("/v1/schedules/preview", json={"spec": {"cron": "0 0 29 2 *"}})
    assert without.json()["selected"] is None
    assert [due["local"][5:10] for due in without.json()["next"]] == ["02-29"] * len(without.json()["next"])


async def test_a_preview_of_what_cannot_be_judged_says_why(client: httpx.AsyncClient) -> None:
    await flowing.publish(client)
    await flowing.start(client)
    action = {"query": {"where": "item.data.amount > 5"}, "start": {"flow": "reminder", "key": "item.key"}}
    answer = await client.post("/v1/schedules/preview", json={"spec": scheduling.DAILY, "action": action})
    [first] = answer.json()["selected"]["first"]
    assert "'amount' is not there" in first["detail"]


async def test_reading_needs_its_scope(
    open_client: Any, make_key: Any, tenant_id: UUID, client: httpx.AsyncClient
) -> None:
    made = await scheduling.make(client)
    reader = open_client(await make_key(tenant_id, scopes=["schedules:read"]))
    assert (await reader.get(f"/v1/schedules/{made['id']}")).status_code == 200
    refused = await reader.post(f"/v1/schedules/{made['id']}/pause")
    assert (refused.status_code, refused.json()["required_scope"]) == (403, "schedules:write")


async def test_one_that_ended_goes_on_with_another_spec(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    made = await scheduling.make(client)
    async with database.tenant(tenant_id) as connection:
        row = await schedules.get(connection, tenant_id, UUID(made["id"]), lock=True)
        assert row is not None
        await schedules.change(connection, row, status="ended")
    path = f"/v1/schedules/{made['id']}"
    for order in ("pause", "resume"):
        answer = await client.post(f"{path}/{order}")
        assert (answer.status_code, answer.json()["state"]) == (409, "ended")
    assert (await client.get(path)).json()["next"] == []
    again = await client.put(path, json=scheduling.body())
    assert (again.json()["status"], len(again.json()["next"])) == ("active", 5)


async def test_a_spec_that_differs_counts_from_now(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    made = await scheduling.make(client)
    path, counted = f"/v1/schedules/{made['id']}", []
    for body in (scheduling.body(note="x"), scheduling.body(note="x", spec={"cron": "0 10 * * *"})):
        assert (await client.put(path, json=body)).is_success
        async with database.tenant(tenant_id) as connection:
            row = await schedules.get(connection, tenant_id, UUID(made["id"]))
        assert row is not None
        counted.append(row.counts_from == row.created_at)
    assert counted == [True, False]

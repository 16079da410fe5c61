"""Flows over HTTP: pushed, published with a choice for what runs, paused."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest

from activities.series import SeriesSteps
from db.session import Database
from domain.series import SeriesInput
from tests.activities.series_clock import LINKS, Clock
from tests.api import flowing, sending

NEXT = flowing.REMINDER + "- {send: hello, id: third}\n"
RENAMED = flowing.REMINDER.replace("a_day", "one_day") + "- {send: hello, id: third}\n"


async def test_a_flow_is_pushed_as_a_version_and_read_as_it_was_pushed(client: httpx.AsyncClient) -> None:
    assert await flowing.push(client) == {"name": "reminder", "version": 1, "created": True, "warnings": []}
    assert await flowing.push(client) == {"name": "reminder", "version": 1, "created": False, "warnings": []}
    assert await flowing.push(client, NEXT) == {"name": "reminder", "version": 2, "created": True, "warnings": []}
    flow = (await client.get("/v1/flows/reminder")).json()
    assert (flow["status"], flow["published_version"], flow["newest_version"]) == ("draft", None, 2)
    assert (await client.get("/v1/flows/reminder/versions/2")).json()["source"] == NEXT
    versions = (await client.get("/v1/flows/reminder/versions")).json()["data"]
    assert [version["number"] for version in versions] == [2, 1]


async def test_a_definition_as_an_object_is_taken_too(client: httpx.AsyncClient) -> None:
    definition = {"name": "reminder", "steps": [{"send": "hello"}]}
    answer = await client.put("/v1/flows/reminder", json={"definition": definition})
    assert answer.json()["version"] == 1


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ("name: reminder\nsteps: []", "/definition/steps"),
        ("name: other\nsteps: [{send: hello}]", "/definition/name"),
        ("name: reminder\non: order.placed\nsteps: [{send: hello}]", "/definition/on"),
    ],
    ids=["without steps", "another name", "an event that says not whom it is for"],
)
async def test_a_wrong_definition_is_refused(client: httpx.AsyncClient, text: str, pointer: str) -> None:
    answer = await client.put("/v1/flows/reminder", json={"definition": text})
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_publishing_makes_it_active_and_a_switch_pauses_it(client: httpx.AsyncClient) -> None:
    await flowing.push(client)
    draft = await client.patch("/v1/flows/reminder", json={"status": "paused"})
    assert (draft.status_code, draft.json()["state"]) == (409, "draft")
    await flowing.publish(client)
    assert (await client.get("/v1/flows/reminder")).json()["status"] == "active"
    for status in ("paused", "paused", "active"):
        answer = await client.patch("/v1/flows/reminder", json={"status": status})
        assert answer.json()["status"] == status
    actions = [entry["action"] for entry in (await client.get("/v1/audit")).json()["data"]]
    assert actions == ["flow.activated", "flow.paused", "flow.published", "flow.pushed"]


async def test_flows_are_listed_by_their_state(client: httpx.AsyncClient) -> None:
    await flowing.publish(client)
    await flowing.push(client, flowing.REMINDER.replace("name: reminder", "name: other"), "other")
    listed = (await client.get("/v1/flows", params={"status": "draft"})).json()["data"]
    assert [flow["name"] for flow in listed] == ["other"]
    assert len((await client.get("/v1/flows", params={"limit": 1})).json()["data"]) == 1


async def test_a_version_that_is_not_there_is_not_published(client: httpx.AsyncClient) -> None:
    await flowing.push(client)
    answer = await client.post("/v1/flows/reminder/publish", json={"version": 2})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/version"


async def _publish(client: httpx.AsyncClient, query: str = "", **body: Any) -> httpx.Response:
    return await client.post(f"/v1/flows/reminder/publish{query}", json=body)


async def test_publishing_says_first_how_many_wait_where(client: httpx.AsyncClient) -> None:
    await flowing.publish(client)
    for number in range(3):
        await flowing.start(client, key=f"order-{number}")
    await flowing.push(client, NEXT)
    dry = (await _publish(client, "?dry_run=true", version=2, mode="stop")).json()
    assert dry["waiting"] == [{"version": 1, "step": None, "count": 3}]
    assert dry["changed"] == 3
    assert (await client.get("/v1/flows/reminder")).json()["published_version"] == 1


@pytest.mark.parametrize(
    ("mode", "versions", "status"),
    [("pin", {1}, "running"), ("migrate", {2}, "running"), ("stop", {1}, "stopped")],
)
async def test_what_runs_stays_goes_over_or_is_stopped(
    client: httpx.AsyncClient, mode: str, versions: set[int], status: str
) -> None:
    await flowing.publish(client)
    for number in range(3):
        await flowing.start(client, key=f"order-{number}")
    published = await flowing.publish(client, NEXT, mode=mode)
    assert published["changed"] == (0 if mode == "pin" else 3)
    rows = (await client.get("/v1/series")).json()["data"]
    assert {row["version"] for row in rows} == versions
    assert {row["status"] for row in rows} == {status}
    new = await flowing.start(client, key="new")
    assert (await client.get(f"/v1/series/{new}")).json()["version"] == 2


async def test_a_flow_that_is_not_there_is_not_found(client: httpx.AsyncClient) -> None:
    for path in ("/v1/flows/none", "/v1/flows/none/versions", "/v1/flows/none/versions/1"):
        assert (await client.get(path)).status_code == 404
    await flowing.push(client)
    assert (await client.get("/v1/flows/reminder/versions/9")).status_code == 404


async def test_the_title_of_the_newest_version_is_shown(client: httpx.AsyncClient) -> None:
    await flowing.push(client, "title: Reminders of orders\n" + flowing.REMINDER)
    assert (await client.get("/v1/flows/reminder")).json()["title"] == "Reminders of orders"


async def test_a_series_between_two_steps_goes_over_without_taking_one_twice(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await sending.publish(client)
    await flowing.publish(client)
    made = await flowing.start(client)
    order = SeriesInput(tenant_id=str(tenant_id), series_id=made)
    await SeriesSteps(database, LINKS)._look(order, datetime.now(UTC))  # as if the worker died after its first step
    assert (await client.get(f"/v1/series/{made}")).json()["step"] == "a_day"
    await flowing.publish(client, RENAMED, mode="migrate", steps={"a_day": "one_day"})
    clock = Clock(database, tenant_id, UUID(made), now=datetime.now(UTC))
    await clock.look()
    assert (await clock.row()).step == "one_day"
    assert len(await clock.sent()) == 1


async def test_a_step_that_is_missing_keeps_everything_as_it_is(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await sending.publish(client)
    await flowing.publish(client)
    made = await flowing.start(client)
    await Clock(database, tenant_id, UUID(made), now=datetime.now(UTC)).look()
    await flowing.push(client, RENAMED)
    answer = await _publish(client, version=2, mode="migrate")
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/steps/a_day"]
    assert (await client.get("/v1/flows/reminder")).json()["published_version"] == 1


async def test_a_series_that_has_taken_its_last_step_takes_no_other(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await sending.publish(client)
    await flowing.publish(client, "name: reminder\nsteps: [{send: hello, id: only}]")
    made = await flowing.start(client)
    order = SeriesInput(tenant_id=str(tenant_id), series_id=made)
    await SeriesSteps(database, LINKS)._look(order, datetime.now(UTC))
    await flowing.publish(client, mode="migrate")
    clock = Clock(database, tenant_id, UUID(made), now=datetime.now(UTC))
    assert (await clock.look()).ended == "completed"
    assert len(await clock.sent()) == 1


async def test_publishing_does_nothing_to_others_than_were_agreed_to(client: httpx.AsyncClient) -> None:
    await flowing.publish(client)
    made = await flowing.start(client)
    await flowing.push(client, NEXT)
    path, body = "/v1/flows/reminder/publish", {"version": 2, "mode": "stop"}
    refused = await client.post(path, json={**body, "expected": 0})
    assert (refused.status_code, refused.json()["type"].rpartition(":")[2]) == (409, "count-changed")
    assert refused.json()["count"] == 1
    assert (await client.get("/v1/flows/reminder")).json()["published_version"] == 1
    assert (await client.get(f"/v1/series/{made}")).json()["status"] == "running"
    assert (await client.post(path, json={**body, "expected": 1})).json()["changed"] == 1

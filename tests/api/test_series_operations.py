"""Many series at once: counted first, then paused, resumed or stopped, and each is told of it."""

from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select

from activities.operations import Operations
from db.care_tables import operation
from db.session import Database
from domain.operations import OperationInput
from tests.activities.series_clock import Clock
from tests.api import flowing, sending


@pytest.fixture
async def five(client: httpx.AsyncClient) -> list[str]:
    """Five series of two flows, in the order in which they began."""
    await sending.publish(client)
    await flowing.publish(client)
    await flowing.publish(client, flowing.REMINDER.replace("name: reminder", "name: other"), "other")
    made = [await flowing.start(client, key=f"order-{number}") for number in range(4)]
    return [*made, await flowing.start(client, flow="other", key="order-9")]


async def operate(client: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    """Counts what is meant, agrees to it, and returns the operation."""
    counted = await client.post("/v1/series/operations", params={"dry_run": "true"}, json=body)
    assert counted.status_code == 200, counted.text
    answer = await client.post("/v1/series/operations", json=body | {"expected": counted.json()["count"]})
    assert answer.status_code == 202, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def carry_out(database: Database, tenant_id: UUID, operation: dict[str, Any]) -> int:
    order = OperationInput(tenant_id=str(tenant_id), operation_id=operation["id"])
    while not (stepped := await Operations(database).step(order)).state.is_over:
        pass
    return stepped.done


async def statuses(client: httpx.AsyncClient, series: list[str]) -> list[str]:
    return [(await client.get(f"/v1/series/{one}")).json()["status"] for one in series]


async def test_a_selection_is_paused_and_resumed(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID, five: list[str]
) -> None:
    paused = await operate(client, kind="pause", filter={"flow": "reminder"}, rate=3)
    assert (paused["subject"], paused["total"], paused["filter"]) == ("series", 4, {"flow": "reminder"})
    assert await carry_out(database, tenant_id, paused) == 4
    assert await statuses(client, five) == ["paused"] * 4 + ["running"]
    resumed = await operate(client, kind="resume", filter={"status": "paused"}, reason="mended")
    assert await carry_out(database, tenant_id, resumed) == 4
    assert await statuses(client, five) == ["running"] * 5
    lines = (await client.get(f"/v1/series/{five[0]}/timeline")).json()["data"]
    assert [line["kind"] for line in lines] == ["resumed", "paused", "started"]
    assert lines[0]["detail"]["reason"] == "mended"
    shown = (await client.get(f"/v1/operations/{resumed['id']}")).json()
    assert (shown["state"], shown["done"]) == ("done", 4)


async def test_a_selection_is_stopped_for_good_and_sends_nothing(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID, five: list[str]
) -> None:
    stopped = await operate(client, kind="stop", filter={"key": "order-1"}, reason="the shop closed")
    assert await carry_out(database, tenant_id, stopped) == 1
    found = (await client.get(f"/v1/series/{five[1]}")).json()
    assert (found["status"], found["reason"], found["detail"]) == ("stopped", "stopped", "the shop closed")
    clock = Clock(database, tenant_id, UUID(five[1]))
    assert (await clock.look()).ended == "stopped"
    assert await clock.sent() == []
    actions = [row["action"] for row in (await client.get("/v1/audit")).json()["data"]]
    assert actions[0] == "operation.created"


async def test_what_began_afterwards_is_left_alone(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID, five: list[str]
) -> None:
    paused = await operate(client, kind="pause")
    later = await flowing.start(client, key="later")
    async with database.tenant(tenant_id) as connection:
        last = (
            await connection.execute(select(operation.c.until).where(operation.c.id == UUID(paused["id"])))
        ).scalar_one()
    assert last == max(map(UUID, five))  # by which a worker of the version before finds them
    assert await carry_out(database, tenant_id, paused) == len(five)
    assert await statuses(client, [later]) == ["running"]


async def test_who_agreed_to_another_number_is_asked_again(client: httpx.AsyncClient, five: list[str]) -> None:
    answer = await client.post("/v1/series/operations", json={"kind": "pause", "expected": 50})
    assert (answer.status_code, answer.json()["count"]) == (409, len(five))
    assert (await client.get("/v1/operations")).json()["data"] == []


async def test_stopping_needs_a_reason_and_everything_a_count(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/series/operations", json={"kind": "stop"})
    assert [one["pointer"] for one in answer.json()["errors"]] == ["/expected", "/reason"]


async def test_an_operation_is_stopped_half_way(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID, five: list[str]
) -> None:
    paused = await operate(client, kind="pause", rate=2)
    order = OperationInput(tenant_id=str(tenant_id), operation_id=paused["id"])
    await Operations(database).step(order)
    await client.post(f"/v1/operations/{paused['id']}/stop")
    assert (await Operations(database).step(order)).done == 2
    assert await statuses(client, five) == ["paused"] * 2 + ["running"] * 3

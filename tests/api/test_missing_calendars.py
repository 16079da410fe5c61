"""Series that are parked for want of a calendar, and the calendar that is put."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select, text

from db import calendars, series
from db.session import Database
from db.tables import outbox
from domain.holidays import missing
from tests import factories
from tests.activities.series_clock import START, Clock, started

MORNINGS = """
name: {name}
steps:
- {{wait: {{next: "09:00", holidays: {calendar}}}, id: morning}}
- {{send: hello, id: first}}
"""
SMS = {"channel": "sms", "locale": "default", "content": {"body": "Hello {{ name }}"}}


@pytest.fixture(autouse=True)
async def template(database: Database, tenant_id: UUID) -> UUID:
    return await factories.make_version(database, tenant_id, SMS)


async def begun(database: Database, tenant_id: UUID, calendar: str, name: str = "mornings") -> Clock:
    return await started(database, tenant_id, MORNINGS.format(name=name, calendar=calendar))


async def put(client: httpx.AsyncClient, *days: str) -> None:
    answer = await client.put("/v1/calendars/india", json={"days": days})
    assert answer.is_success, answer.text


async def signals(database: Database, clock: Clock) -> int:
    async with database.tenant(clock.tenant_id) as connection:
        left = select(outbox.c.id).where(outbox.c.workflow_id == f"series/{clock.series_id}", outbox.c.kind == "signal")
        return len((await connection.execute(left)).all())


async def audited(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await client.get("/v1/audit?action=series.resumed")).json()["data"]
    return found


async def test_what_waits_for_a_calendar_goes_on_when_it_is_put(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    clock = await begun(database, tenant_id, "india")
    assert (await clock.look()).shown == "parked: calendar_missing"
    await put(client, "06-02")
    row = await clock.row()
    assert (row.status, row.reason, row.detail) == ("running", None, None)
    assert await signals(database, clock) == 1
    (entry,) = await audited(client)
    told = {"from": "parked", "reason": "the calendar 'india' is there"}
    assert (entry["subject_id"], entry["detail"]) == (str(clock.series_id), told)
    line = (await client.get(f"/v1/series/{clock.series_id}/timeline")).json()["data"][0]
    assert (line["kind"], line["step"], line["detail"]) == ("resumed", "morning", {**told, "by": entry["actor"]})
    assert (await clock.until()).ended == "completed"
    assert clock.now == START + timedelta(days=1, hours=23), "not on the second, which is a day off"


async def test_what_waits_for_something_else_is_left_alone(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID, other_tenant_id: UUID
) -> None:
    another = await begun(database, tenant_id, "mars", "martian")
    elsewhere = await begun(database, other_tenant_id, "india")
    for clock in (another, elsewhere):
        await clock.look()
    await put(client)
    assert {(await clock.row()).status for clock in (another, elsewhere)} == {"parked"}
    assert await audited(client) == []


@pytest.mark.parametrize(
    "values",
    [{"status": "paused"}, {"reason": "date_missing"}, {"status": "stopped"}],
    ids=["paused", "parked for another cause", "over"],
)
async def test_what_is_not_parked_for_it_stays_as_it_is(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID, values: dict[str, Any]
) -> None:
    clock = await begun(database, tenant_id, "india")
    await clock.look()
    await clock.change(**values)
    before = await clock.row()
    await put(client)
    after = await clock.row()
    assert (after.status, after.reason, after.entries) == (before.status, before.reason, before.entries)


async def test_a_calendar_that_is_put_as_it_is_lets_go_what_was_left_behind(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    clock = await begun(database, tenant_id, "india")
    await clock.look()
    async with database.tenant(tenant_id) as connection:  # as a restored database may have it
        await calendars.put(connection, tenant_id, "india", description="", days=[])
    await put(client)
    assert (await clock.row()).status == "running"
    assert await signals(database, clock) == 1


async def test_a_series_that_looks_while_its_calendar_is_put_is_not_left_behind(
    database: Database, tenant_id: UUID
) -> None:
    clock = await begun(database, tenant_id, "india")
    async with database.tenant(tenant_id) as connection:
        await calendars.lock_name(connection, tenant_id, "india")
        await calendars.put(connection, tenant_id, "india", description="", days=[])
        pause = await clock.look()
    assert (pause.until, (await clock.row()).status) == (START + timedelta(seconds=1), "running")
    assert (await clock.until()).ended == "completed"


async def test_a_calendar_waits_for_a_series_that_is_just_being_parked(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    clock = await begun(database, tenant_id, "india")
    async with database.tenant(tenant_id) as connection:
        assert await calendars.stay_missing(connection, tenant_id, ["india"])
        parked = {"status": "parked", "reason": "calendar_missing", "detail": missing("india")}
        await series.change(connection, tenant_id, clock.series_id, **parked)
        putting = asyncio.create_task(put(client))
        async with asyncio.timeout(10):
            while not await _waits(database):
                await asyncio.sleep(0.01)
        assert not putting.done()
    await putting
    assert (await clock.row()).status == "running"


async def _waits(database: Database) -> bool:
    """Tells whether somebody waits for a lock on a name."""
    waiting = text("SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = "
                   "(SELECT oid FROM pg_database WHERE datname = current_database()))")  # fmt: skip
    async with database.system() as connection:
        return bool((await connection.execute(waiting)).scalar_one())

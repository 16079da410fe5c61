"""Calendars that are put while others publish, and while others lock the same series: nobody is left waiting."""

import asyncio
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from db import calendars, flows
from db.series_tables import series
from db.session import Database
from tests import factories
from tests.api import flowing
from tests.api.test_missing_calendars import MORNINGS, SMS, begun
from tests.locks import waits_for_a_lock

QUIET = MORNINGS.format(name="reminder", calendar="india")


@pytest.fixture(autouse=True)
async def template(database: Database, tenant_id: UUID) -> UUID:
    return await factories.make_version(database, tenant_id, SMS)


async def test_who_publishes_does_not_keep_its_flow_while_a_calendar_is_put(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    assert (await client.put("/v1/calendars/india", json={"days": []})).is_success
    pushed = await flowing.push(client, QUIET)
    async with database.tenant(tenant_id) as connection:
        await calendars.get(connection, tenant_id, "india", lock=True)
        asked = client.post("/v1/flows/reminder/publish", json={"version": pushed["version"]})
        publishing = asyncio.create_task(asked)
        await waits_for_a_lock(database)
        async with database.tenant(tenant_id) as running:  # the run of a schedule that whoever puts it may wait for
            await running.execute(text("SET LOCAL lock_timeout = '5s'"))
            await flows.share(running, tenant_id, name="reminder")
    assert (await publishing).is_success


async def test_a_calendar_is_put_although_somebody_locks_its_series_the_other_way(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    clocks = [await begun(database, tenant_id, "india", name) for name in ("first", "second")]
    for clock in clocks:
        await clock.look()
    lower, higher = sorted(clock.series_id for clock in clocks)
    async with database.tenant(tenant_id) as connection:
        await connection.execute(series.select().where(series.c.id == higher).with_for_update())
        putting = asyncio.create_task(client.put("/v1/calendars/india", json={"days": []}))
        await waits_for_a_lock(database)
        await connection.execute(series.select().where(series.c.id == lower).with_for_update())
    assert (await putting).status_code == 201
    assert [(await clock.row()).status for clock in clocks] == ["running", "running"]

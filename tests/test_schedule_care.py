"""What housekeeping does for schedules: clocks that are lost, set otherwise or forgotten, and runs without an owner."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import delete
from temporalio.client import Client

from activities.owners import restored_finding
from activities.schedule_care import ScheduleCare
from activities.sweeping import Sweep
from activities.workflow_facts import WorkflowFacts
from db import findings, schedule_runs
from db.findings import FindingFilter
from db.schedule_tables import schedule
from db.session import Database
from outbox import Dispatcher
from tests.test_schedules import YEARS, clock_of, ended, gone, handed_over, make, read
from tests.test_worker import bulkheads, dispatcher, sandbox, version_id

__all__ = ["bulkheads", "dispatcher", "sandbox", "version_id"]


@pytest.fixture(autouse=True)
def running(dispatcher: Dispatcher, version_id: UUID) -> None:
    """A worker, its dispatcher, a template and an account."""


async def kinds(database: Database, tenant_id: UUID) -> list[tuple[str, str | None, str]]:
    async with database.tenant(tenant_id) as connection:
        rows = await findings.page(connection, tenant_id, wanted=FindingFilter(), limit=20, before=None)
    return [(row.kind, row.repair, row.subject_id) for row in rows]


def care(database: Database, client: Client) -> ScheduleCare:
    return ScheduleCare(database, client, WorkflowFacts(client), quiet=timedelta(0))


async def test_a_lost_clock_is_found_and_made_again(database: Database, tenant_id: UUID, client: Client) -> None:
    row = await make(database, tenant_id, YEARS)
    await handed_over(database, row)
    clock = clock_of(client, row)
    assert (await care(database, client).look(Sweep())).found == 0
    await clock.delete()
    assert (await care(database, client).look(Sweep())).found == 1
    await handed_over(database, row)
    assert len((await clock.describe()).info.next_action_times) > 0
    assert await kinds(database, tenant_id) == [("clock_lost", "clock_set", str(row.id))]
    assert (await care(database, client).look(Sweep())).found == 0


async def test_a_clock_that_somebody_set_otherwise_is_set_as_its_row_says(
    database: Database, tenant_id: UUID, client: Client
) -> None:
    row = await make(database, tenant_id, YEARS)
    await handed_over(database, row)
    await clock_of(client, row).pause()
    assert (await care(database, client).look(Sweep())).found == 1
    await handed_over(database, row)
    assert not (await clock_of(client, row).describe()).schedule.state.paused
    assert await kinds(database, tenant_id) == [("clock_diverged", "clock_set", str(row.id))]


async def test_a_restored_database_has_no_clocks_of_schedules_that_it_forgot(
    database: Database, tenant_id: UUID, client: Client
) -> None:
    row = await make(database, tenant_id, YEARS)
    await handed_over(database, row)
    async with database.tenant(tenant_id) as connection:
        await connection.execute(delete(schedule).where(schedule.c.tenant_id == tenant_id))
    async with asyncio.timeout(30):  # what the server lists is a little old
        while not await kinds(database, tenant_id):
            await care(database, client).look(Sweep())
            await asyncio.sleep(0.1)
    assert await kinds(database, tenant_id) == [("clock_without_row", "removed", str(row.id))]
    assert await gone(clock_of(client, row))


async def test_a_run_whose_workflow_is_gone_goes_on(database: Database, tenant_id: UUID, client: Client) -> None:
    row = await make(database, tenant_id, YEARS)
    await handed_over(database, row)
    async with database.tenant(tenant_id) as connection:  # as a server leaves it that lost its last hour
        await schedule_runs.begin(connection, tenant_id, row.id, datetime.now(UTC), f"schedule_run/{row.id}-lost")
    assert (await care(database, client).look(Sweep())).found == 1
    run = await ended(database, row)
    assert (run.status, run.started) == ("done", 1)
    assert await kinds(database, tenant_id) == [("owner_lost", "started", str(run.id))]


async def test_a_schedule_that_is_over_by_its_dates_ends(database: Database, tenant_id: UUID, client: Client) -> None:
    row = await make(database, tenant_id, {**YEARS, "end_at": "2026-01-02T00:00:00+00:00"})
    await handed_over(database, row)
    await care(database, client).look(Sweep())
    after = await read(database, row)
    assert after is not None
    assert after.status == "ended"
    await handed_over(database, row)
    assert await gone(clock_of(client, row))


async def test_nothing_is_set_going_while_the_database_may_be_an_old_one(
    database: Database, tenant_id: UUID, client: Client
) -> None:
    row = await make(database, tenant_id, YEARS)
    await handed_over(database, row)
    await clock_of(client, row).delete()
    async with database.tenant(tenant_id) as connection:
        await findings.record(connection, tenant_id, [restored_finding({}, None)])
    for expected in (1, 0):
        assert (await care(database, client).look(Sweep())).found == expected
    await handed_over(database, row)
    assert await gone(clock_of(client, row))
    assert ("clock_lost", None, str(row.id)) in await kinds(database, tenant_id)

"""Schedules as the worker is composed: real Temporal keeps the time, real PostgreSQL what was done."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from temporalio.client import Client, ScheduleHandle
from temporalio.service import RPCError

from activities.schedule_calendars import turn
from db import calendars, outbox, schedule_runs, schedules
from db.schedule_runs import Run
from db.schedules import NewSchedule, StoredSchedule
from db.series_tables import series
from db.session import Database
from domain import keys
from domain.schedules import instants, spec_of
from outbox import Dispatcher
from tests.activities.series_clock import publish
from tests.test_worker import bulkheads, dispatcher, sandbox, version_id

__all__ = ["bulkheads", "dispatcher", "sandbox", "version_id"]

CALM = "name: calm\nsteps:\n- {wait: P1D}\n- {send: hello}\n"
START = {"start": {"flow": "calm", "to": {"email": "asha@example.com"}}}


@pytest.fixture(autouse=True)
def running(dispatcher: Dispatcher, version_id: UUID) -> None:
    """A worker, its dispatcher, a template and an account."""


async def make(database: Database, tenant_id: UUID, spec: dict[str, Any], **values: Any) -> StoredSchedule:
    await publish(database, tenant_id, CALM)
    fields = {
        "name": "daily", "note": "", "action": START, "flow": "calm", "overlap": "skip", "catch_up": 3600, **values,
    }  # fmt: skip
    async with database.tenant(tenant_id) as connection:
        made = await schedules.create(connection, tenant_id, NewSchedule(spec=spec, **fields))
    assert made is not None
    return made


async def runs(database: Database, row: StoredSchedule) -> list[Run]:
    async with database.tenant(row.tenant_id) as connection:
        return await schedule_runs.page(connection, row.tenant_id, row.id, status=None, limit=50, before=None)


async def read(database: Database, row: StoredSchedule) -> StoredSchedule | None:
    async with database.tenant(row.tenant_id) as connection:
        return await schedules.get(connection, row.tenant_id, row.id)


async def change(database: Database, row: StoredSchedule, **values: Any) -> None:
    async with database.tenant(row.tenant_id) as connection:
        locked = await schedules.get(connection, row.tenant_id, row.id, lock=True)
        assert locked is not None
        await schedules.change(connection, locked, **values)


async def handed_over(database: Database, row: StoredSchedule) -> None:
    """Waits until no word about the clock is on its way."""
    clock = keys.schedule_clock(str(row.tenant_id), str(row.id))
    async with asyncio.timeout(30):
        while True:
            async with database.system() as connection:
                if not await outbox.waits(connection, row.tenant_id, clock):
                    return
            await asyncio.sleep(0.02)


async def ended(database: Database, row: StoredSchedule) -> Run:
    async with asyncio.timeout(30):
        while not (found := [run for run in await runs(database, row) if run.ended_at]):
            await asyncio.sleep(0.05)
    return found[0]


def clock_of(client: Client, row: StoredSchedule) -> ScheduleHandle:
    return client.get_schedule_handle(keys.schedule_clock(str(row.tenant_id), str(row.id)))


async def gone(handle: ScheduleHandle) -> bool:
    try:
        await handle.describe()
    except RPCError:
        return True
    return False


def soon(seconds: int) -> str:
    return (datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=seconds)).isoformat()


async def test_one_off_runs_once_and_ends(database: Database, tenant_id: UUID, client: Client) -> None:
    row = await make(database, tenant_id, {"at": soon(2)})
    run = await ended(database, row)
    assert (run.status, run.started, run.error) == ("done", 1, None)
    assert run.scheduled_at == spec_of(row.spec).at
    after = await read(database, row)
    assert after is not None
    assert (after.status, after.runs) == ("ended", 1)
    await handed_over(database, row)
    assert await gone(clock_of(client, row))
    async with database.tenant(tenant_id) as connection:
        begun = (await connection.execute(select(series.c.key, series.c.event))).one()
    assert begun.key == f"daily/{run.scheduled_at.isoformat()}"
    assert begun.event["source"] == "schedule/daily"


async def test_one_off_whose_word_came_late_is_made_up_for(database: Database, tenant_id: UUID) -> None:
    row = await make(database, tenant_id, {"at": soon(-5)})
    async with database.tenant(tenant_id) as connection:
        locked = await schedules.get(connection, tenant_id, row.id, lock=True)
        assert locked is not None
        await schedules.change(connection, locked, counts_from=locked.counts_from - timedelta(minutes=1))
    run = await ended(database, row)
    assert (run.status, run.started) == ("done", 1)


ZONES = [
    ("30 2 * * *", "America/New_York", datetime(2027, 3, 12, tzinfo=UTC)),
    ("30 1 * * *", "America/New_York", datetime(2027, 11, 5, tzinfo=UTC)),
    ("*/30 * * * *", "Europe/London", datetime(2027, 10, 30, 23, tzinfo=UTC)),
    ("15 2 * * *", "Australia/Lord_Howe", datetime(2027, 10, 1, tzinfo=UTC)),
    ("0 0 * * *", "America/Santiago", datetime(2027, 9, 3, tzinfo=UTC)),
    ("0 9 * * mon-fri", "Asia/Kolkata", datetime(2027, 1, 1, tzinfo=UTC)),
]


@pytest.mark.parametrize(("cron", "zone", "start"), ZONES, ids=[f"{cron} {zone}" for cron, zone, _ in ZONES])
async def test_the_server_says_the_same_instants(
    database: Database, tenant_id: UUID, client: Client, cron: str, zone: str, start: datetime
) -> None:
    spec = {"cron": cron, "zone": zone, "start_at": start.isoformat()}
    row = await make(database, tenant_id, spec)
    await handed_over(database, row)
    said = (await clock_of(client, row).describe()).info.next_action_times
    assert list(said) == list(islice(instants(spec_of(spec), datetime.now(UTC)), len(said)))
    assert len(said) == 10


YEARS = {"cron": "0 0 1 1 *"}


async def test_a_calendar_that_changes_changes_what_the_clock_knows(
    database: Database, tenant_id: UUID, client: Client
) -> None:
    async def put(*days: str) -> None:
        async with database.tenant(tenant_id) as connection:
            before = await schedules.asking(connection, tenant_id, "off", lock=True)
            await calendars.put(connection, tenant_id, "off", description="", days=days)
            await turn(connection, before, datetime.now(UTC))

    await put()
    row = await make(database, tenant_id, {"cron": "0 9 * * *", "except": {"calendars": ["off"]}})
    await handed_over(database, row)
    first = (await clock_of(client, row).describe()).info.next_action_times
    await put(f"{first[0]:%m-%d}", f"{first[2]:%Y-%m-%d}")
    await handed_over(database, row)
    said = (await clock_of(client, row).describe()).info.next_action_times
    assert list(said[:3]) == [first[1], *first[3:5]]
    after = await read(database, row)
    assert after is not None
    assert list(said) == list(islice(instants(after.when(), datetime.now(UTC)), len(said)))


async def test_a_pause_holds_the_clock_and_a_removal_takes_it_away(
    database: Database, tenant_id: UUID, client: Client
) -> None:
    row = await make(database, tenant_id, YEARS)
    await handed_over(database, row)
    clock = clock_of(client, row)
    for status in ("paused", "active"):
        await change(database, row, status=status)
        await handed_over(database, row)
        assert (await clock.describe()).schedule.state.paused == (status == "paused")
    async with database.tenant(tenant_id) as connection:
        await schedules.remove(connection, row)
    await handed_over(database, row)
    assert await gone(clock)


async def test_a_paused_schedule_does_not_run(database: Database, tenant_id: UUID, client: Client) -> None:
    row = await make(database, tenant_id, {"at": soon(2)})
    await change(database, row, status="paused")
    await handed_over(database, row)
    await change(database, row, status="active", counts_from=datetime.now(UTC) + timedelta(seconds=5))
    await handed_over(database, row)
    other = await make(database, tenant_id, {"at": soon(3)}, name="other")
    await ended(database, other)
    assert await runs(database, row) == []


async def test_a_trigger_runs_it_at_once(database: Database, tenant_id: UUID) -> None:
    row = await make(database, tenant_id, YEARS)
    now = datetime.now(UTC)
    async with database.tenant(tenant_id) as connection:
        made, _ = await schedule_runs.trigger(connection, tenant_id, row.id, now, "k")
        order = {"tenant_id": str(tenant_id), "schedule_id": str(row.id), "run_id": str(made.id)}
        name = keys.schedule_run_workflow(str(made.id))
        await outbox.add_starts(connection, tenant_id, [(name, 1, {"workflow": "schedule", "input": order})])
    run = await ended(database, row)
    assert (run.id, run.cause, run.status, run.started) == (made.id, "trigger", "done", 1)
    after = await read(database, row)
    assert after is not None
    assert after.status == "active"


@pytest.mark.parametrize("lost", [True, False], ids=["the clock is lost", "the clock is there"])
async def test_what_passed_while_nobody_was_there_is_made_up_for(
    database: Database, tenant_id: UUID, client: Client, *, lost: bool
) -> None:
    row = await make(database, tenant_id, {"cron": "* * * * *"}, overlap="allow")
    await handed_over(database, row)
    if lost:
        await clock_of(client, row).delete()
    since = datetime.now(UTC) - timedelta(minutes=3)
    passed = list(takewhile(lambda one: one < datetime.now(UTC), instants(spec_of(row.spec), since)))
    await change(database, row, counts_from=since)
    async with asyncio.timeout(30):
        while not {run.scheduled_at for run in await runs(database, row) if run.status == "done"} >= set(passed):
            await asyncio.sleep(0.1)
    async with database.tenant(tenant_id) as connection:
        locked = await schedules.get(connection, tenant_id, row.id, lock=True)
        assert locked is not None
        told = await schedule_runs.page(connection, tenant_id, row.id, status=None, limit=50, before=None)
        assert [run.started for run in told] == [1] * len(told)
        await schedules.remove(connection, locked)
    await handed_over(database, row)

"""What becomes of the instants that pass while a run is under way, and of a schedule whose last one is made."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from activities.schedule_runs import ScheduleRuns
from db import schedules
from db.schedules import StoredSchedule
from db.session import Database
from db.tables import outbox
from domain import keys
from domain.schedules import ScheduleInput
from tests.activities.test_schedules import NINE, TO, make, told

DAY = timedelta(days=1)
ONE: dict[str, Any] = {"start": {"flow": "calm", "to": TO}}


async def run(database: Database, row: StoredSchedule, at: datetime, now: datetime) -> None:
    order = ScheduleInput(tenant_id=str(row.tenant_id), schedule_id=str(row.id), scheduled_at=at.isoformat())
    assert not (await ScheduleRuns(database, now=lambda: now).step(order, "a workflow")).more


async def read(database: Database, row: StoredSchedule) -> StoredSchedule:
    async with database.tenant(row.tenant_id) as connection:
        found = await schedules.get(connection, row.tenant_id, row.id)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("overlap", "missed"),
    [("skip", [DAY, 2 * DAY]), ("buffer_one", [2 * DAY]), ("allow", [])],
    ids=["left out", "one waits", "all run"],
)
async def test_instants_that_passed_during_a_run(
    database: Database, tenant_id: UUID, overlap: str, missed: list[timedelta]
) -> None:
    row = await make(database, tenant_id, ONE, overlap=overlap, catch_up=30 * 86_400)
    await run(database, row, NINE, NINE + 2.5 * DAY)
    found = sorted(one.scheduled_at - NINE for one in await told(database, row) if one.status == "missed")
    assert found == missed
    assert (await read(database, row)).status == "active"


async def test_what_was_left_out_may_still_be_made_by_a_clock_that_thinks_so(
    database: Database, tenant_id: UUID
) -> None:
    row = await make(database, tenant_id, ONE)
    await run(database, row, NINE, NINE + DAY + timedelta(minutes=1))
    await run(database, row, NINE + DAY, NINE + DAY + timedelta(minutes=2))
    assert [one.status for one in await told(database, row)] == ["done", "done"]


async def test_what_nobody_made_in_time_is_told_when_somebody_is_there_again(
    database: Database, tenant_id: UUID
) -> None:
    row = await make(database, tenant_id, ONE, overlap="allow")
    await run(database, row, NINE, NINE)
    await run(database, row, NINE + 2 * DAY, NINE + 2 * DAY)
    [_, away, _] = await told(database, row)
    assert (away.status, away.error) == ("missed", "nobody was there to make it in time")


async def test_a_schedule_ends_with_its_last_run(database: Database, tenant_id: UUID) -> None:
    spec = {"cron": "0 9 * * *", "zone": "Asia/Kolkata", "end_at": (NINE + DAY).isoformat()}
    row = await make(database, tenant_id, ONE, spec=spec)
    await run(database, row, NINE, NINE)
    assert (await read(database, row)).status == "active"
    await run(database, row, NINE + DAY, NINE + DAY)
    after = await read(database, row)
    assert (after.status, after.runs, after.last_run_at) == ("ended", 2, NINE + DAY)


async def test_one_that_waits_keeps_its_schedule_from_ending(database: Database, tenant_id: UUID) -> None:
    spec = {"cron": "0 9 * * *", "zone": "Asia/Kolkata", "end_at": (NINE + DAY).isoformat()}
    row = await make(database, tenant_id, ONE, spec=spec, overlap="buffer_one", catch_up=30 * 86_400)
    await run(database, row, NINE, NINE + 2 * DAY)
    assert (await read(database, row)).status == "active"


async def test_each_run_leaves_word_that_the_clock_needs_its_next_instants(database: Database, tenant_id: UUID) -> None:
    row = await make(database, tenant_id, ONE)
    await run(database, row, NINE, NINE)
    [one] = await told(database, row)
    async with database.system() as connection:
        words = (await connection.execute(select(outbox.c.dedup_key).where(outbox.c.kind == "schedule"))).scalars()
        assert keys.schedule_word(str(row.id), f"run/{one.id}") in set(words)

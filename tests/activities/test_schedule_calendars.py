"""Schedules whose calendars change: no run is lost for it, none is made twice, and no day off is made up for."""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from activities.schedule_calendars import turn
from activities.schedule_clocks import mark_of
from activities.unmade_runs import unmade_of
from db import calendars, schedule_runs, schedules
from db.schedules import StoredSchedule
from db.session import Database
from tests.activities.test_schedules import BEFORE, NINE, make, run, started, told

TO = {"email": "asha@example.com"}
SPEC = {"cron": "0 9 * * *", "zone": "Asia/Kolkata", "except": {"calendars": ["india"]}}
DAY = timedelta(days=1)
LATER = NINE + timedelta(minutes=30)


async def put(database: Database, row: StoredSchedule, *days: str, now: datetime = LATER) -> StoredSchedule:
    """Changes the calendar as the API does, and returns the schedule as it stands then."""
    async with database.tenant(row.tenant_id) as connection:
        before = await schedules.asking(connection, row.tenant_id, "india", lock=True)
        await calendars.put(connection, row.tenant_id, "india", description="", days=days)
        await turn(connection, before, now)
        found = await schedules.get(connection, row.tenant_id, row.id)
    assert found is not None
    return found


async def owed(database: Database, row: StoredSchedule, now: datetime = LATER) -> list[datetime]:
    async with database.tenant(row.tenant_id) as connection:
        return await unmade_of(connection, row, now)


@pytest.fixture
async def row(database: Database, tenant_id: UUID) -> StoredSchedule:
    """A schedule of each morning but those of a calendar, which has the day of `NINE`."""
    made = await make(database, tenant_id, {"start": {"flow": "calm", "to": TO}}, spec=SPEC)
    return await put(database, made, "2027-06-01", now=BEFORE)


async def test_a_day_off_has_no_run(database: Database, tenant_id: UUID, row: StoredSchedule) -> None:
    await run(database, row)
    assert await started(database, tenant_id) == []
    assert await owed(database, row) == []
    await run(database, row, NINE + DAY)
    assert len(await started(database, tenant_id)) == 1


async def test_what_was_a_day_off_when_it_was_due_is_not_made_up_for(database: Database, row: StoredSchedule) -> None:
    after = await put(database, row)
    assert (after.version, after.calendars) == (row.version + 1, {"india": []})
    assert await owed(database, after) == []
    await run(database, after)
    assert await told(database, after) == []


async def test_a_day_that_is_taken_back_before_it_is_due_has_its_run(database: Database, row: StoredSchedule) -> None:
    after = await put(database, row, now=BEFORE)
    assert await owed(database, after) == [NINE]
    await run(database, after)
    assert [(one.scheduled_at, one.status) for one in await told(database, after)] == [(NINE, "done")]


async def test_a_run_that_is_just_being_made_is_not_lost(database: Database, row: StoredSchedule) -> None:
    working = await put(database, row, now=BEFORE)
    after = await put(database, working, "12-25")
    assert await owed(database, after) == [NINE]
    await run(database, after)
    await put(database, after, "2027-06-01", "12-25")
    await run(database, after)
    assert [(one.scheduled_at, one.status) for one in await told(database, after)] == [(NINE, "done")]


async def test_a_run_that_has_not_begun_is_not_made_on_what_is_now_a_day_off(
    database: Database, row: StoredSchedule
) -> None:
    working = await put(database, row, now=BEFORE)
    after = await put(database, working, "06-01")
    assert await owed(database, after) == []
    await run(database, after)
    assert await told(database, after) == []


async def test_of_what_is_owed_and_what_was_off_only_the_first_is_made(database: Database, row: StoredSchedule) -> None:
    hourly = {**SPEC, "cron": ["0 9 * * *", "0 10 2 6 *"]}
    async with database.tenant(row.tenant_id) as connection:
        wide = await schedules.change(connection, row, spec=hourly, catch_up=7 * 86_400)
    apart = await put(database, wide, "2027-06-02", now=BEFORE)
    after = await put(database, apart, now=NINE + 2 * DAY + timedelta(minutes=30))
    assert await owed(database, after, NINE + 2 * DAY) == [NINE, NINE + 2 * DAY]
    told_of = [(one.scheduled_at, one.status, one.error) for one in await told(database, after)]
    why = "a calendar left it out when it was due"
    assert told_of == [
        (NINE + DAY + timedelta(hours=1), "missed", why),
        (NINE + DAY, "missed", why),
    ]
    await run(database, after, NINE)
    assert [one.status for one in await told(database, after)] == ["missed", "missed", "done"]


async def test_what_was_missed_before_is_still_told(database: Database, row: StoredSchedule) -> None:
    working = await put(database, row, now=BEFORE)
    after = await put(database, working, "12-25", now=NINE + 3 * DAY + timedelta(hours=2))
    await run(database, after, NINE + 4 * DAY)
    assert [one.status for one in await told(database, after)] == ["done", *["missed"] * 4]


@pytest.mark.parametrize("status", ["paused", "ended"])
async def test_one_that_does_not_run_stays_so(database: Database, row: StoredSchedule, status: str) -> None:
    ever = [f"{month:02}-{day:02}" for month in range(1, 13) for day in range(1, 32) if (month, day) < (2, 30)]
    async with database.tenant(row.tenant_id) as connection:
        await schedules.change(connection, row, status=status, spec={**SPEC, "cron": "0 9 1 1 *"})
    after = await put(database, row, *[day for day in ever if day.startswith("01")])
    assert after.status == status


async def test_one_that_its_calendar_ended_goes_on_with_it(database: Database, row: StoredSchedule) -> None:
    async with database.tenant(row.tenant_id) as connection:
        await schedules.change(connection, row, spec={**SPEC, "cron": "0 9 1 1 *"})
    never = await put(database, row, "01-01", now=BEFORE)
    async with database.tenant(row.tenant_id) as connection:
        await schedules.change(connection, never, status="ended")
    after = await put(database, row)
    assert (after.status, after.counts_from) == ("active", LATER)


async def test_one_stays_over_until_all_of_its_calendars_are_there(database: Database, row: StoredSchedule) -> None:
    spec = {**SPEC, "except": {"calendars": ["india", "works"]}}
    async with database.tenant(row.tenant_id) as connection:
        await schedules.change(connection, row, spec=spec, status="ended")
    assert (await put(database, row)).status == "ended", "nobody knows which days the other one leaves out"
    async with database.tenant(row.tenant_id) as connection:
        await calendars.put(connection, row.tenant_id, "works", description="", days=[])
    assert (await put(database, row, "12-25")).status == "active"


async def test_of_what_is_due_each_minute_nothing_owed_is_lost(database: Database, row: StoredSchedule) -> None:
    now = NINE + 5 * DAY
    minutes = [now - timedelta(minutes=back) for back in range(5 * 1440)]
    async with database.tenant(row.tenant_id) as connection:
        often = await schedules.change(connection, row, spec={**SPEC, "cron": "* * * * *"}, catch_up=5 * 86_400)
        await schedule_runs.miss(connection, row.tenant_id, row.id, minutes[60:], "they are over")
    before = await owed(database, often, now)
    assert before == sorted(minutes[:60])
    after = await put(database, often, "12-25", now=now)
    assert await owed(database, after, now) == before


async def test_of_many_minutes_off_all_are_told(database: Database, row: StoredSchedule) -> None:
    now = NINE + 2 * DAY
    async with database.tenant(row.tenant_id) as connection:
        often = await schedules.change(connection, row, spec={**SPEC, "cron": "* * * * *"}, catch_up=5 * 86_400)
    async with database.tenant(row.tenant_id) as connection:
        await calendars.put(connection, row.tenant_id, "india", description="", days=["2027-06-02"])
        found = await schedules.get(connection, row.tenant_id, row.id)
    assert found is not None
    before = await owed(database, found, now)
    assert (len(before), before[0]) == (1500, BEFORE + timedelta(minutes=1))
    assert await owed(database, await put(database, often, now=now), now) == before, "what was off stays off"


async def test_words_alone_change_no_schedule_and_the_clock_s_mark_knows_the_days(
    database: Database, row: StoredSchedule
) -> None:
    same = await put(database, row, "2027-06-01")
    assert same.version == row.version
    after = await put(database, row, "2027-06-01", "12-25")
    assert mark_of(after) != mark_of(row)


async def test_calendars_that_change_at_once_and_their_schedule_do_not_wait_for_each_other(
    database: Database, row: StoredSchedule
) -> None:
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        for number in range(1, 9):
            group.create_task(put(database, row, f"12-{number:02}"))
            group.create_task(run(database, row, NINE + number * DAY))
    async with database.tenant(row.tenant_id) as connection:
        (found,) = await schedules.asking(connection, row.tenant_id, "india")
    assert len(found.calendars["india"]) == 1
    assert found.version >= row.version + 1

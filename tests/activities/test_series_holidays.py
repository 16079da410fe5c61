"""Series that ask calendars: as these are when a series decides, not as they were when it began."""

from datetime import timedelta
from uuid import UUID

import pytest

from db import calendars
from db.session import Database
from tests import factories
from tests.activities.series_clock import START, Clock, started

SMS = {"channel": "sms", "locale": "default", "content": {"body": "Hello {{ name }}"}}
# It begins on Monday, the first of June, at 10:00 in Kolkata.
REMINDER = """
name: reminder
quiet_hours: {from: "21:00", to: "08:00", holidays: india, spread: 30m}
steps:
- {wait: 1d, id: a_day}
- {send: hello, id: first}
"""
MORNINGS = """
name: reminder
steps:
- {wait: {next: "09:00", holidays: india}, id: morning}
- {send: hello, id: first}
"""


@pytest.fixture(autouse=True)
async def template(database: Database, tenant_id: UUID) -> UUID:
    return await factories.make_version(database, tenant_id, SMS)


async def put(database: Database, tenant_id: UUID, *days: str) -> None:
    async with database.tenant(tenant_id) as connection:
        await calendars.put(connection, tenant_id, "india", description="", days=days)


async def begun(database: Database, tenant_id: UUID, text: str) -> Clock:
    clock = await started(database, tenant_id, text)
    assert (await clock.look()).until is not None
    return clock


async def test_a_holiday_that_is_added_later_holds_what_is_due_on_it(database: Database, tenant_id: UUID) -> None:
    await put(database, tenant_id)
    clock = await begun(database, tenant_id, REMINDER)
    await put(database, tenant_id, "06-02")
    assert (await clock.until()).ended == "completed"
    released = START + timedelta(days=1, hours=22)  # at 08:00 of the day after the holiday
    assert released < clock.now < released + timedelta(minutes=30)
    assert len(await clock.sent()) == 1


async def test_a_holiday_that_is_taken_back_holds_nothing(database: Database, tenant_id: UUID) -> None:
    await put(database, tenant_id, "2026-06-02")
    clock = await begun(database, tenant_id, MORNINGS)
    assert clock.pause.until == START + timedelta(days=1, hours=23)
    await put(database, tenant_id)
    assert (await clock.look()).until == START + timedelta(hours=23)


async def test_without_its_calendar_a_series_waits_for_somebody(database: Database, tenant_id: UUID) -> None:
    clock = await started(database, tenant_id, MORNINGS)
    assert (await clock.look()).shown == "parked: calendar_missing"
    row = await clock.row()
    assert (row.reason, row.detail) == (
        "calendar_missing", "there is no calendar 'india'; put one, or correct the name",
    )  # fmt: skip
    await put(database, tenant_id)
    await clock.change(status="running", reason=None, detail=None)
    assert (await clock.until()).ended == "completed"

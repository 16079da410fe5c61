"""Quiet hours and calendars of series: as these are when a series decides, and what of them goes with a message."""

from datetime import timedelta
from uuid import UUID

import pytest

from db import calendars
from db.consent_tables import topic
from db.flow_json import rest_of
from db.session import Database
from db.tables import recipient
from domain.quiet_hours import InQuiet
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


NOON = """
name: noon
quiet_hours: {from: "21:00", to: "08:00", mode: skip}
steps:
- {send: hello, id: usual}
- {send: hello, id: urgent, critical: true}
- {send: hello, id: other, to: "'ravi'"}
- {confirm: hello, topic: news, id: asked, channel: email}
"""


async def test_its_quiet_hours_go_with_a_message_unless_it_is_critical(database: Database, tenant_id: UUID) -> None:
    owner = await factories.insert(database, tenant_id, recipient, external_id="asha")
    await factories.insert(database, tenant_id, recipient, external_id="ravi")
    await factories.insert(database, tenant_id, topic, name="news")
    clock = await started(database, tenant_id, NOON, receiver_id=owner)
    await clock.look()
    usual, urgent, other, asked = (rest_of(row["quiet"]) if row["quiet"] else None for row in await clock.sent())
    assert usual is not None and other is not None and asked is not None and urgent is None  # noqa: PT018 - one table
    assert (usual.quiet.mode, usual.zone, usual.one) == (InQuiet.SKIP, "Asia/Kolkata", str(clock.series_id))
    assert other.zone is None
    assert asked.quiet.mode is InQuiet.HOLD
    assert [row["expires_at"] is not None for row in await clock.sent()] == [False, False, False, True]


async def test_a_receiver_whom_two_people_share_is_left_alone_by_the_clock_of_the_series(
    database: Database, tenant_id: UUID
) -> None:
    owner = await factories.insert(database, tenant_id, recipient, external_id="asha", zone="Asia/Tokyo")
    clock = await started(database, tenant_id, REMINDER.replace("holidays: india, ", ""), zone=None, receiver_id=owner)
    await clock.until()
    ((row),) = await clock.sent()
    assert (row["receiver_id"], rest_of(row["quiet"]).zone) == (None, "Asia/Tokyo")

"""Quiet hours at the moment of sending: whatever held a message until now, the clock is looked at once more."""

from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from activities import clock
from db import calendars
from db.consent_tables import frequency_entry
from db.delivery_tables import notification
from db.flow_json import rest_document
from db.tables import outbox, recipient
from domain.notifications import Delivered, Outcome
from domain.quiet_hours import InQuiet, Quiet, QuietHours, Rest
from domain.reasons import Reason
from tests import factories
from tests.activities.test_delivery import OK, Bench
from tests.activities.test_delivery import bench as bench  # noqa: PLC0414 - the fixture
from tests.activities.test_frequency import cap, change, rows

NIGHT = Quiet(hours=QuietHours(start=time(21), end=time(8)))
INDIA = Quiet(hours=QuietHours(start=time(0), end=time(0), weekdays=frozenset()), holidays="india")
EVENING, MORNING = datetime(2026, 6, 1, 22, tzinfo=UTC), datetime(2026, 6, 2, 8, tzinfo=UTC)


async def keep(place: Bench, quiet: Quiet, zone: str | None = None) -> None:
    await change(place, notification, quiet=rest_document(Rest(quiet=quiet, one="the series", zone=zone)))


async def deliver_at(place: Bench, instant: datetime, **changes: Any) -> Delivered:
    with clock.standing_at(instant):
        return await place.deliver(**changes)


async def put(place: Bench, *days: str) -> None:
    async with place.database.tenant(place.tenant_id) as connection:
        await calendars.put(connection, place.tenant_id, "india", description="", days=days)


async def lives_in(place: Bench, zone: str) -> None:
    if await rows(place, recipient):
        await change(place, recipient, zone=zone)
    else:
        made = await factories.insert(place.database, place.tenant_id, recipient, external_id="asha", zone=zone)
        await change(place, notification, receiver_id=made)


async def test_what_comes_to_be_sent_in_quiet_hours_waits_until_they_are_over(bench: Bench) -> None:
    await keep(bench, NIGHT)
    held = await deliver_at(bench, EVENING)
    assert (held.outcome, held.reason, held.until) == (Outcome.HELD, Reason.QUIET_HOURS, MORNING)
    row = await bench.row(notification)
    assert (row["held_until"], row["held_reason"]) == (MORNING, "quiet_hours")
    assert await bench.attempts() == []
    bench.transport.script = [OK]
    assert (await deliver_at(bench, MORNING)).outcome is Outcome.ACCEPTED


async def test_without_quiet_hours_a_message_goes_out_at_night(bench: Bench) -> None:
    bench.transport.script = [OK]
    assert (await deliver_at(bench, EVENING)).outcome is Outcome.ACCEPTED


async def test_what_is_left_out_in_quiet_hours_is_not_sent_at_all(bench: Bench) -> None:
    await keep(bench, Quiet(hours=NIGHT.hours, mode=InQuiet.SKIP))
    left_out = await deliver_at(bench, EVENING)
    assert (left_out.outcome, left_out.reason, bench.transport.requests) == (Outcome.STOPPED, Reason.QUIET_HOURS, [])


@pytest.mark.parametrize(
    ("zone", "at", "outcome"),
    [("America/New_York", EVENING, Outcome.ACCEPTED), ("Asia/Kolkata", EVENING - timedelta(hours=3), Outcome.HELD)],
    ids=["moved to where it is afternoon", "moved to where it is night"],
)
async def test_the_recipients_clock_counts_as_it_is_then(
    bench: Bench, zone: str, at: datetime, outcome: Outcome
) -> None:
    await keep(bench, NIGHT)
    await lives_in(bench, "UTC")
    await lives_in(bench, zone)
    bench.transport.script = [OK]
    assert (await deliver_at(bench, at)).outcome is outcome


async def test_the_clock_that_a_series_keeps_to_counts_before_the_recipients(bench: Bench) -> None:
    await keep(bench, NIGHT, zone="Asia/Kolkata")
    await lives_in(bench, "America/New_York")
    told = await deliver_at(bench, EVENING)
    assert told.until == datetime(2026, 6, 2, 2, 30, tzinfo=UTC)


async def test_holidays_count_as_the_calendar_says_then(bench: Bench) -> None:
    await keep(bench, INDIA)
    await put(bench, "06-01")
    assert (await deliver_at(bench, EVENING)).until == datetime(2026, 6, 2, tzinfo=UTC)
    await put(bench, "06-01", "06-02")
    assert (await deliver_at(bench, EVENING)).until == datetime(2026, 6, 3, tzinfo=UTC)
    await put(bench)
    bench.transport.script = [OK]
    assert (await deliver_at(bench, EVENING)).outcome is Outcome.ACCEPTED


async def test_a_calendar_that_is_gone_holds_nothing(bench: Bench) -> None:
    await keep(bench, INDIA)
    bench.transport.script = [OK]
    assert (await deliver_at(bench, EVENING)).outcome is Outcome.ACCEPTED


async def test_an_image_follows_its_message_into_the_night(bench: Bench) -> None:
    bench.transport.script = [OK]
    await deliver_at(bench, EVENING - timedelta(hours=2))
    await keep(bench, NIGHT)
    await change(bench, notification, ended_at=None, status="queued")
    assert (await deliver_at(bench, EVENING, number=2)).reason is Reason.QUIET_HOURS
    tried = await deliver_at(bench, EVENING, part=1)
    assert tried.outcome is Outcome.REFUSED  # a mail has none, but it was not quiet for it


async def test_an_end_that_the_workflow_waited_for_has_come_also_where_a_clock_is_behind(bench: Bench) -> None:
    await keep(bench, NIGHT)
    bench.transport.script = [OK]
    told = await deliver_at(bench, MORNING - timedelta(seconds=30), at=MORNING)
    assert told.outcome is Outcome.ACCEPTED


async def test_what_is_held_takes_no_turn_and_counts_for_no_cap(bench: Bench) -> None:
    await keep(bench, NIGHT)
    async with bench.database.tenant(bench.tenant_id) as connection:
        await connection.execute(text('UPDATE account SET limits = \'{"rate": 1, "burst": 1}\''))
    await cap(bench, {"most": 1, "per": "1d"})
    await deliver_at(bench, EVENING)
    async with bench.database.tenant(bench.tenant_id) as connection:
        assert (await connection.execute(text("SELECT count(*) FROM rate_bucket"))).scalar_one() == 0
    assert await rows(bench, frequency_entry) == []


async def test_doubt_from_before_the_quiet_is_told_and_not_held_back(bench: Bench) -> None:
    bench.transport.script = [OK]
    await deliver_at(bench, EVENING - timedelta(hours=2))
    async with bench.database.tenant(bench.tenant_id) as connection:
        await connection.execute(text("UPDATE attempt SET state = 'sending', finished_at = NULL"))
        await connection.execute(text("UPDATE message SET status = 'queued', provider_message_id = NULL"))
        await connection.execute(text("UPDATE notification SET status = 'queued', ended_at = NULL"))
    await keep(bench, NIGHT)
    assert (await deliver_at(bench, EVENING)).outcome is Outcome.UNKNOWN
    assert (await bench.row(notification))["held_until"] is None


async def test_a_member_of_a_page_that_is_held_gets_a_workflow_of_its_own(bench: Bench, tenant_id: UUID) -> None:
    page_id = UUID(int=1)
    await keep(bench, NIGHT)
    await change(bench, notification, page_id=page_id)
    assert (await deliver_at(bench, EVENING, page_id=str(page_id))).reason is Reason.QUIET_HOURS
    assert (await bench.row(notification))["page_id"] is None
    async with bench.database.system() as connection:
        found = (await connection.execute(outbox.select().where(outbox.c.tenant_id == tenant_id))).mappings().all()
    assert [row["payload"]["workflow"] for row in found] == ["notification"]

"""Caps that delay: what is one too many waits until there is room, exact however many ask, and takes no turn."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, text

from activities import clock
from db.consent_tables import frequency_entry, topic
from db.delivery_tables import notification
from db.tables import outbox, template
from domain.notifications import Delivered, Outcome
from domain.reasons import Reason
from tests import factories
from tests.activities.test_delivery import OK, Bench, bench
from tests.activities.test_frequency import cap, change, deliver, more, rows, told

__all__ = ["bench"]

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@pytest.fixture
async def patient(bench: Bench) -> Bench:
    """A tenant whose people get two messages a day, and what is more on another day."""
    await cap(bench, {"most": 2, "per": "1d", "then": "delay"})
    return bench


async def deliver_at(place: Bench, instant: datetime, *names: UUID) -> list[Delivered]:
    with clock.standing_at(instant):
        return await deliver(place, *names)


def untils(made: Sequence[Delivered]) -> list[datetime | None]:
    return [one.until for one in made]


async def test_one_too_many_waits_until_the_oldest_is_old_enough(patient: Bench) -> None:
    first, second, third = await more(patient, 3)
    await deliver_at(patient, NOON, first)
    await deliver_at(patient, NOON + HOUR, second)
    (held,) = await deliver_at(patient, NOON + 2 * HOUR, third)
    assert (held.outcome, held.reason, held.until) == (Outcome.HELD, Reason.FREQUENCY_CAP, NOON + DAY)
    assert (await notified(patient, third)) == (NOON + DAY, "frequency_cap", None)
    assert len(patient.transport.requests) == 2
    (went,) = await deliver_at(patient, NOON + DAY, third)
    assert went.outcome is Outcome.ACCEPTED


async def notified(place: Bench, name: UUID) -> tuple[datetime | None, str | None, UUID | None]:
    row = next(row for row in await rows(place, notification) if row["id"] == name)
    return row["held_until"], row["held_reason"], row["page_id"]


async def test_many_that_wait_for_one_instant_go_out_as_there_is_room(patient: Bench) -> None:
    """Six messages, two a day: each asks again at its instant only, and all are out on the third day."""
    first, second, *others = await more(patient, 6)
    await deliver_at(patient, NOON, first)
    await deliver_at(patient, NOON + HOUR, second)
    waiting = dict.fromkeys(others, NOON + 2 * HOUR)
    went: Counter[datetime] = Counter()
    asked = 0
    while waiting:
        instant = min(waiting.values())
        due = [name for name, until in waiting.items() if until == instant]
        with clock.standing_at(instant):
            answers = [one for (one,) in await asyncio.gather(*(deliver(patient, name) for name in due))]
        asked += len(due)
        for name, answer in zip(due, answers, strict=True):
            if answer.outcome is Outcome.ACCEPTED:
                went[instant] += 1
                del waiting[name]
            else:
                assert answer.until is not None
                assert answer.until > instant
                waiting[name] = answer.until
    assert went == {NOON + DAY: 1, NOON + DAY + HOUR: 1, NOON + 2 * DAY: 1, NOON + 2 * DAY + HOUR: 1}
    assert asked == 4 + 4 + 3 + 2 + 1


async def test_an_instant_that_the_workflow_waited_for_has_come_also_where_a_clock_is_behind(patient: Bench) -> None:
    *sent, late = await more(patient, 3)
    await deliver_at(patient, NOON, *sent)
    patient.transport.script = [OK]
    with clock.standing_at(NOON + DAY - timedelta(seconds=30)):
        told = await patient.deliver(notification_id=str(late), at=NOON + DAY)
    assert told.outcome is Outcome.ACCEPTED


async def test_who_asks_by_a_clock_that_is_behind_is_told_to_come_a_little_later(patient: Bench) -> None:
    *sent, late = await more(patient, 3)
    await deliver_at(patient, NOON, *sent)
    (held,) = await deliver_at(patient, NOON + DAY - timedelta(milliseconds=20), late)
    assert held.until == NOON + DAY + timedelta(seconds=5)


async def test_what_leaves_out_counts_before_what_delays(patient: Bench) -> None:
    await factories.insert(patient.database, patient.tenant_id, topic, name="news", caps=[{"most": 1, "per": "7d"}])
    await change(patient, template, topic="news")
    first, second = await more(patient, 2)
    await deliver_at(patient, NOON, first)
    (left_out,) = await deliver_at(patient, NOON + HOUR, second)
    assert (left_out.outcome, left_out.reason) == (Outcome.STOPPED, Reason.FREQUENCY_CAP)


async def test_of_caps_that_delay_the_last_instant_counts(patient: Bench) -> None:
    caps = [{"most": 1, "per": "7d", "then": "delay"}]
    await factories.insert(patient.database, patient.tenant_id, topic, name="news", caps=caps)
    await change(patient, template, topic="news")
    made = [await deliver_at(patient, NOON + number * HOUR, name) for number, name in enumerate(await more(patient, 2))]
    assert untils(made[1]) == [NOON + 7 * DAY]


async def test_what_is_delayed_takes_no_turn(patient: Bench) -> None:
    async with patient.database.tenant(patient.tenant_id) as connection:
        await connection.execute(text('UPDATE account SET limits = \'{"rate": 1, "burst": 3}\''))
    *sent, late = await more(patient, 3)
    assert told(await deliver_at(patient, NOON, *sent)) == {Outcome.ACCEPTED: 2}
    before = await buckets(patient)
    assert told(await deliver_at(patient, NOON, late)) == {Reason.FREQUENCY_CAP: 1}
    assert (await buckets(patient), bool(before)) == (before, True)


async def buckets(place: Bench) -> list[object]:
    async with place.database.tenant(place.tenant_id) as connection:
        return list((await connection.execute(text("SELECT * FROM rate_bucket ORDER BY key"))).all())


async def test_many_who_claim_at_once_take_no_more_than_there_is(patient: Bench) -> None:
    names = await more(patient, 10)
    with clock.standing_at(NOON):
        made = await asyncio.gather(*(deliver(patient, name) for name in names))
    held = [one for (one,) in made if one.outcome is Outcome.HELD]
    assert (len(held), set(untils(held)), len(await rows(patient, frequency_entry))) == (8, {NOON + DAY}, 2)


async def test_members_of_a_page_that_are_delayed_get_workflows_of_their_own(patient: Bench) -> None:
    page_id = UUID(int=1)
    names = await more(patient, 4, page_id=page_id)
    with clock.standing_at(NOON):
        made = await deliver(patient, *names, page_id=str(page_id))
    assert untils(made) == [None, None, NOON + DAY, NOON + DAY]
    assert [(await notified(patient, name))[2] for name in names] == [page_id, page_id, None, None]
    async with patient.database.system() as connection:
        found = await connection.execute(select(outbox).where(outbox.c.tenant_id == patient.tenant_id))
        assert [row["payload"]["workflow"] for row in found.mappings()] == ["notification"] * 2


async def test_an_image_goes_with_its_message_although_a_cap_was_set_since(bench: Bench) -> None:
    first, second = await more(bench, 2)
    await deliver_at(bench, NOON, first)
    await cap(bench, {"most": 1, "per": "1d", "then": "delay"})
    await deliver_at(bench, NOON, second)
    assert untils(await deliver_at(bench, NOON, *await more(bench, 1))) == [NOON + DAY]
    with clock.standing_at(NOON):
        (image,) = await deliver(bench, first, part=1)
    assert image.reason is not Reason.FREQUENCY_CAP

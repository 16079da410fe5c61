"""Looks at series on a real database, on a clock that jumps: what they do, once, and what they write down."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select

from db.session import Database
from db.tables import outbox, recipient
from tests import factories
from tests.activities.series_clock import START, after, started

SMS = {"channel": "sms", "locale": "default", "content": {"body": "Hello {{ name }}"}}
REMINDERS = """
name: reminder
stop_when: reply
steps:
- {send: hello, id: first}
- {wait: P1D, id: a_day}
- {send: hello, id: second}
- {wait: P2D, id: two_days}
- {send: hello, id: third}
"""


@pytest.fixture(autouse=True)
async def template(database: Database, tenant_id: UUID) -> UUID:
    return await factories.make_version(database, tenant_id, SMS)


async def test_messages_go_out_one_after_the_other_and_it_ends(database: Database, tenant_id: UUID) -> None:
    clock = await started(database, tenant_id, REMINDERS)
    assert (await clock.until()).ended == "completed"
    assert await clock.transcript("sent", "ended") == [
        ("0:00:00", "sent", "first"),
        ("1 day, 0:00:00", "sent", "second"),
        ("3 days, 0:00:00", "sent", "third"),
        ("3 days, 0:00:00", "ended", None),
    ]
    row = await clock.row()
    assert (row.status, row.reason, row.next_at, row.step) == ("completed", "completed", None, None)
    made = await clock.sent()
    assert [one["series_step"] for one in made] == ["first", "second", "third"]
    assert {one["series_id"] for one in made} == {clock.series_id}
    assert made[0]["data"]["name"] == "Asha"
    assert made[0]["data"]["series"]["step"] == "first"
    assert made[0]["metadata"] == {"flow": "reminder", "series_id": str(clock.series_id), "step": "first"}


async def test_it_says_where_it_stands_and_when_it_goes_on(database: Database, tenant_id: UUID) -> None:
    clock = await started(database, tenant_id, REMINDERS)
    pause = await clock.look()
    assert pause.until == after("P1D")
    row = await clock.row()
    assert (row.status, row.step, row.next_at) == ("running", "a_day", after("P1D"))
    assert row.wakes == [{"kind": "reply", "name": None}]


async def test_a_look_whose_answer_was_lost_does_nothing_twice(database: Database, tenant_id: UUID) -> None:
    clock = await started(database, tenant_id, REMINDERS)
    for _ in range(5):
        await clock.look()
    assert len(await clock.sent()) == 1
    assert await clock.transcript() == [
        ("0:00:00", "started", None),
        ("0:00:00", "sent", "first"),
        ("0:00:00", "waiting", "a_day"),
    ]


async def test_each_message_has_its_start_in_the_same_commit(database: Database, tenant_id: UUID) -> None:
    clock = await started(database, tenant_id, REMINDERS)
    await clock.until()
    async with database.tenant(tenant_id) as connection:
        rows = await connection.execute(select(outbox.c.workflow_id).where(outbox.c.kind == "start"))
        found = sorted(rows.scalars())
    expected = [f"notification/{one['id']}" for one in await clock.sent()]
    assert found == sorted([*expected, f"series/{clock.series_id}"])


async def test_a_reply_ends_it(database: Database, tenant_id: UUID) -> None:
    clock = await started(database, tenant_id, REMINDERS)
    await clock.until(after("PT5H"))
    await clock.hears("reply")
    assert (await clock.look()).ended == "stopped_by"
    assert (await clock.row()).status == "stopped"
    assert len(await clock.sent()) == 1


async def test_one_that_is_over_hears_and_does_nothing(database: Database, tenant_id: UUID) -> None:
    clock = await started(database, tenant_id, REMINDERS)
    await clock.until()
    await clock.hears("reply")
    assert (await clock.row()).heard == 0
    assert (await clock.look()).ended == "completed"


async def test_a_reply_wakes_it_once_and_only_where_it_matters(database: Database, tenant_id: UUID) -> None:
    clock = await started(database, tenant_id, REMINDERS)
    await clock.look()
    await clock.hears("delivered")
    await clock.hears("reply")
    await clock.hears("reply")  # the same cause
    async with database.tenant(tenant_id) as connection:
        asked = select(func.count()).select_from(outbox).where(outbox.c.kind == "signal")
        assert (await connection.execute(asked)).scalar_one() == 1
    assert (await clock.row()).heard == 2


ASKING = """
name: asking
steps:
- send: hello
- wait_for: [reply, event:order.paid]
  id: answer
  timeout: P2D
  then:
  - branch:
    - when: outcomes.answer.data.total > 100
      steps: [{send: hello, id: large, data: {name: string(outcomes.answer.data.total)}}]
    otherwise: [{send: hello, id: small}]
  on_timeout: [{send: hello, id: nobody}]
"""


@pytest.mark.parametrize(
    ("data", "expected"),
    [({"total": 150}, "large"), ({"total": 99.5}, "small"), (None, "nobody")],
    ids=["a large answer", "a small answer", "no answer"],
)
async def test_an_answer_decides_what_follows(
    database: Database, tenant_id: UUID, data: dict[str, float] | None, expected: str
) -> None:
    clock = await started(database, tenant_id, ASKING)
    await clock.until(after("PT5H"))
    if data is not None:
        await clock.hears("event", "order.paid", **data)
    assert (await clock.until()).ended == "completed"
    assert [one["series_step"] for one in await clock.sent()] == ["send_1", expected]
    if expected == "large":
        assert (await clock.sent())[1]["data"]["name"] == "150"


async def test_a_moved_date_moves_every_wait_that_is_still_to_come(database: Database, tenant_id: UUID) -> None:
    text = """
name: invoice
steps:
- wait: {until: due_at, offset: -P7D}
  id: week_before
- {send: hello, id: soon}
- wait: {until: due_at}
  id: due
- {send: hello, id: today}
"""
    clock = await started(database, tenant_id, text, anchors={"due_at": after("P10D").isoformat()})
    assert (await clock.look()).until == after("P3D")
    await clock.change(anchors={"due_at": after("P20D").isoformat()})
    assert (await clock.look()).until == after("P13D")
    await clock.until()
    assert await clock.transcript("sent") == [
        ("13 days, 0:00:00", "sent", "soon"),
        ("20 days, 0:00:00", "sent", "today"),
    ]


async def test_events_are_collected_into_one_message(database: Database, tenant_id: UUID) -> None:
    text = """
name: digest
steps:
- digest: comment.*
  id: comments
  window: PT10M
- send: hello
  data: {name: "string(size(outcomes.comments.events)) + ' comments'"}
"""
    clock = await started(database, tenant_id, text)
    await clock.look()
    for number in range(3):
        clock.now += timedelta(minutes=1)
        await clock.hears("event", "comment.created", number=number, weight=1.5)
    await clock.until()
    assert [one["data"]["name"] for one in await clock.sent()] == ["3 comments"]


async def test_the_recipient_is_changed_and_counts_as_it_is_now(database: Database, tenant_id: UUID) -> None:
    person = await factories.insert(
        database, tenant_id, recipient, external_id="asha", name="Asha", zone="Europe/Berlin", attributes={"seen": 1}
    )
    text = """
name: change
steps:
- update: {seen: recipient.attributes.seen + 1, last: "'hello'"}
- send: hello
  data: {name: string(recipient.attributes.seen)}
- {wait: {next: "09:00"}, id: morning}
"""
    clock = await started(database, tenant_id, text, to="asha", to_kind="recipient", receiver_id=person, zone=None)
    pause = await clock.look()
    assert (await clock.sent())[0]["data"]["name"] == "2"
    assert (await clock.sent())[0]["receiver_id"] == person
    assert pause.until is not None
    assert pause.until.isoformat() == "2026-06-01T07:00:00+00:00"  # nine o'clock in Berlin
    async with database.tenant(tenant_id) as connection:
        row = (await connection.execute(select(recipient.c.attributes))).scalar_one()
    assert row == {"seen": 2, "last": "hello"}


async def test_too_much_ends_the_next_series_of_the_flow(database: Database, tenant_id: UUID) -> None:
    text = "name: offer\nsteps:\n- {throttle: 2, per: P1D}\n- send: hello\n- send: hello"
    first = await started(database, tenant_id, text)
    assert (await first.until()).ended == "completed"
    second = await started(database, tenant_id, text)
    assert (await second.until()).ended == "throttled"
    third = await started(database, tenant_id, text)
    third.now = after("P2D")
    assert (await third.until()).ended == "completed"


async def test_series_that_come_to_it_at_once_do_not_pass_it_together(database: Database, tenant_id: UUID) -> None:
    text = "name: offer\nsteps:\n- {throttle: 2, per: P1D}\n- send: hello"
    clocks = [await started(database, tenant_id, text) for _ in range(8)]
    await asyncio.gather(*(clock.look() for clock in clocks))
    assert sorted(str(clock.pause.ended) for clock in clocks) == ["completed"] * 2 + ["throttled"] * 6


async def test_a_series_that_waits_after_two_throttles_counts_once(database: Database, tenant_id: UUID) -> None:
    text = """
name: offer
quiet_hours: {from: "09:00", to: "12:00"}
steps:
- {throttle: 3, per: P1D}
- {throttle: 3, per: P7D}
- send: hello
"""
    clocks = [await started(database, tenant_id, text) for _ in range(4)]
    for clock in clocks:
        await clock.look()
    assert [clock.pause.ended for clock in clocks] == [None, None, None, "throttled"]


async def test_what_was_left_out_leaves_room_for_others(database: Database, tenant_id: UUID) -> None:
    text = """
name: offer
quiet_hours: {from: "09:00", to: "12:00", mode: skip}
steps:
- {throttle: 1, per: P1D}
- send: hello
- {wait_for: reply, timeout: P30D}
"""
    early, late = [await started(database, tenant_id, text) for _ in range(2)]
    await early.look()
    late.now = after("PT4H")
    await late.look()
    assert ([len(await one.transcript("sent")) for one in (early, late)], late.pause.ended) == ([0, 1], None)


async def test_quiet_hours_hold_a_message_in_its_notification(database: Database, tenant_id: UUID) -> None:
    text = 'name: quiet\nquiet_hours: {from: "09:00", to: "12:00", mode: hold}\nsteps:\n- send: hello'
    clock = await started(database, tenant_id, text)
    await clock.until()
    assert [one["send_at"] for one in await clock.sent()] == [after("PT2H")]


async def test_ninety_days_are_played_in_one_go(database: Database, tenant_id: UUID) -> None:
    text = """
name: long
steps:
- repeat: [{send: hello, id: again}]
  every: P1W
  at: "09:00"
  most: 12
- {wait: P6D, id: rest}
- {send: hello, id: last}
"""
    clock = await started(database, tenant_id, text)
    assert (await clock.until()).ended == "completed"
    assert len(await clock.sent()) == 13
    assert clock.now - START > timedelta(days=80)

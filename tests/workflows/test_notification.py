"""The workflow of a notification on a real Temporal server, with scripted activities under the real wire names."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import Client

from domain.notifications import AttemptRecord, Outcome, Plan, SkippedHop
from domain.reasons import Reason
from domain.recipients import Channel
from domain.status import Status
from tests.workflows.scripts import (
    ACCEPTED,
    AWAITED,
    EMAIL,
    HASTY,
    REFUSED,
    THROTTLED,
    UNKNOWN,
    WHATSAPP,
    Script,
    ordered,
    running,
)  # fmt: skip


@pytest.mark.parametrize("cache", [100, 0], ids=["cached", "replayed at every task"])
async def test_one_accepted_attempt_ends_a_notification(client: Client, cache: int) -> None:
    script = Script(Plan(hops=(WHATSAPP,)), [ACCEPTED])
    async with running(client, script, cache=cache) as handle:
        assert await handle.result() == "accepted"
    assert [order.number for order in script.orders] == [1]
    assert script.orders[0].closes
    assert script.endings == []


async def test_a_one_shot_costs_at_most_nine_events(client: Client) -> None:
    script = Script(Plan(hops=(WHATSAPP,)), [ACCEPTED])
    async with running(client, script) as handle:
        await handle.result()
        history = await handle.fetch_history()
    assert len(history.events) <= 9


async def test_a_refusal_falls_back_to_the_next_channel(client: Client) -> None:
    script = Script(Plan(hops=(WHATSAPP, EMAIL)), [REFUSED, ACCEPTED])
    async with running(client, script) as handle:
        assert await handle.result() == "accepted"
    assert [order.hop.channel for order in script.orders] == [Channel.WHATSAPP, Channel.EMAIL]
    fallback = script.orders[1].decisions
    assert [(note.kind, note.reason, note.channel) for note in fallback] == [
        ("fallback", Reason.INVALID_ADDRESS, "email")
    ]


async def test_no_delivery_in_time_falls_back_and_reads_the_database_first(client: Client) -> None:
    script = Script(Plan(hops=(HASTY, EMAIL)), [ACCEPTED, ACCEPTED], read=[Status.SENT])
    async with running(client, script, cache=0) as handle:
        assert await handle.result() == "sent"
    assert [order.hop.channel for order in script.orders] == [Channel.WHATSAPP, Channel.EMAIL]


async def test_a_lost_signal_costs_time_but_never_truth(client: Client) -> None:
    script = Script(Plan(hops=(HASTY, EMAIL)), [ACCEPTED], read=[Status.DELIVERED])
    async with running(client, script) as handle:
        assert await handle.result() == "delivered"
    assert len(script.orders) == 1
    assert [ending.status for ending in script.endings] == [Status.DELIVERED]


async def test_a_receipt_ends_the_wait(client: Client) -> None:
    script = Script(Plan(hops=(AWAITED, EMAIL)), [ACCEPTED])
    async with running(client, script) as handle:
        await ordered(script, 1)
        await handle.signal("receipt", args=[0, "delivered"])
        assert await handle.result() == "delivered"


async def test_a_receipt_that_comes_before_the_answer_counts(client: Client) -> None:
    early = replace(ACCEPTED, status=Status.DELIVERED)
    script = Script(Plan(hops=(AWAITED, EMAIL)), [early])
    async with running(client, script) as handle:
        assert await handle.result() == "delivered"


async def test_a_failure_receipt_falls_back_at_once(client: Client) -> None:
    script = Script(Plan(hops=(AWAITED, EMAIL)), [ACCEPTED, ACCEPTED])
    async with running(client, script) as handle:
        await ordered(script, 1)
        await handle.signal("receipt", args=[0, "failed"])
        assert await handle.result() == "accepted"
    assert [note.reason for note in script.orders[1].decisions] == [Reason.DELIVERY_FAILED]


async def test_a_throttled_attempt_is_made_again_later(client: Client) -> None:
    script = Script(Plan(hops=(WHATSAPP,)), [THROTTLED, ACCEPTED])
    async with running(client, script, cache=0) as handle:
        assert await handle.result() == "accepted"
    assert [order.number for order in script.orders] == [1, 2]
    assert [note.reason for note in script.orders[1].decisions] == [Reason.RETRY_LATER]


async def test_doubt_ends_as_unknown_and_is_never_sent_again(client: Client) -> None:
    script = Script(Plan(hops=(replace(WHATSAPP, quarantine=0.2), EMAIL)), [UNKNOWN])
    async with running(client, script) as handle:
        assert await handle.result() == "unknown"
    assert [(ending.status, ending.reason) for ending in script.endings] == [(Status.UNKNOWN, Reason.OUTCOME_UNKNOWN)]


async def test_cancelling_while_it_waits_for_its_time_ends_it(client: Client) -> None:
    script = Script(Plan(hops=(WHATSAPP,)), [])
    async with running(client, script, send_at=datetime.now(UTC) + timedelta(days=30)) as handle:
        await handle.signal("cancel")
        assert await handle.result() == "cancelled"
    assert [note.reason for note in script.endings[0].decisions] == [Reason.SCHEDULED]


async def test_it_expires_before_its_time_without_sending(client: Client) -> None:
    now = datetime.now(UTC)
    script = Script(Plan(hops=(WHATSAPP,)), [])
    tomorrow, soon = now + timedelta(days=1), now + timedelta(seconds=0.2)
    async with running(client, script, send_at=tomorrow, expires_at=soon) as handle:
        assert await handle.result() == "expired"
    assert script.orders == []


async def test_nothing_to_try_ends_as_rejected_with_the_reason(client: Client) -> None:
    plan = Plan(hops=(), skipped=(SkippedHop(channel=Channel.SMS, reason=Reason.NO_ADDRESS),))
    script = Script(plan, [])
    async with running(client, script) as handle:
        assert await handle.result() == "rejected"
    assert script.endings[0].reason is Reason.NO_ADDRESS
    assert [(note.kind, note.channel) for note in script.endings[0].decisions] == [("skipped", "sms")]


async def test_an_outcome_that_the_database_could_not_take_is_recorded_later(client: Client) -> None:
    record = AttemptRecord(
        tenant_id="t",
        notification_id="n",
        message_id="m",
        attempt_id="a",
        outcome=Outcome.ACCEPTED,
        at=datetime.now(UTC),
    )
    script = Script(Plan(hops=(WHATSAPP,)), [replace(ACCEPTED, unrecorded=record)])
    async with running(client, script) as handle:
        assert await handle.result() == "accepted"
    assert script.recorded == [record]


async def test_the_image_that_follows_is_a_message_of_its_own(client: Client) -> None:
    script = Script(Plan(hops=(WHATSAPP,)), [replace(ACCEPTED, follow_up=True), ACCEPTED])
    async with running(client, script) as handle:
        assert await handle.result() == "accepted"
    assert [(order.part, order.closes) for order in script.orders] == [(0, True), (1, True)]

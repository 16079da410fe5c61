"""Rows that contradict each other are found, whoever left them so, and mended by the rules that made them."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import uuid_utils.compat
from temporalio.client import Client

from activities.ledger import Ledger
from activities.sweeping import Sweep
from db.delivery_tables import attempt, message, receipt
from db.session import Database
from sealing import KeyRing
from tests import factories
from tests.stalled import Yard

AT = datetime(2026, 1, 1, tzinfo=UTC)
ENDED: dict[str, Any] = {"status": "accepted", "ended_at": AT, "accepted_at": AT}


@pytest.fixture
async def yard(database: Database, client: Client, tenant_id: UUID, key_ring: KeyRing) -> Yard:
    return await Yard.make(database, client, tenant_id, key_ring)


@pytest.fixture
def ledger(database: Database) -> Ledger:
    return Ledger(database, batch=3)


async def told(yard: Yard, message_id: UUID, status: str, *, number: int = 1) -> None:
    """Stores a receipt for an attempt, and nothing of what it does."""
    attempts = [row["id"] for row in await yard.rows(attempt, attempt.c.message_id == message_id)]
    body = uuid_utils.compat.uuid7().bytes
    async with yard.database.tenant(yard.tenant_id) as connection:
        callback_id = await factories.keep_callback(connection, yard.tenant_id, provider="smtp", body=body)
    await factories.insert(
        yard.database,
        yard.tenant_id,
        receipt,
        provider="smtp",
        event_key=body.hex(),
        callback_id=callback_id,
        message_id=message_id,
        attempt_id=attempts[number - 1],
        provider_message_id="<1@example.com>",
        status=status,
        raw_status=status,
        occurred_at=AT,
    )


async def test_a_receipt_that_came_after_the_end_and_was_not_applied_is_applied(yard: Yard, ledger: Ledger) -> None:
    made = await yard.notification(**ENDED)
    sent = await yard.message(made, "accepted", status="accepted", accepted_at=AT)
    await told(yard, sent, "delivered")
    swept = await ledger.check(Sweep())
    row, (changed,) = await yard.row(made), await yard.rows(message)
    assert (row["status"], changed["status"]) == ("delivered", "delivered")
    assert row["delivered_at"] == AT
    (found,) = await yard.findings()
    assert (found.kind, found.repair, found.subject_id) == ("receipt_not_applied", "merged", str(made))
    assert swept.found == 1
    await ledger.check(Sweep())
    assert [found.times for found in await yard.findings()] == [1]


async def test_a_receipt_settles_an_attempt_that_is_still_called_unknown(yard: Yard, ledger: Ledger) -> None:
    made = await yard.notification(status="unknown", ended_at=AT)
    sent = await yard.message(made, "unknown", status="delivered")
    await told(yard, sent, "delivered")
    await ledger.check(Sweep())
    assert [row["state"] for row in await yard.rows(attempt)] == ["accepted"]
    assert (await yard.row(made))["status"] == "delivered"
    assert "receipt_not_applied" in {found.kind for found in await yard.findings()}


async def test_a_failure_of_one_attempt_beside_another_is_no_contradiction(yard: Yard, ledger: Ledger) -> None:
    made = await yard.notification(**ENDED)
    sent = await yard.message(made, "accepted", "accepted", status="accepted", accepted_at=AT)
    await told(yard, sent, "bounced")
    swept = await ledger.check(Sweep())
    assert swept.found == 0
    assert (await yard.row(made))["status"] == "accepted"
    assert await yard.findings() == []


async def test_a_message_that_waits_after_the_end_does_not_wait_any_more(yard: Yard, ledger: Ledger) -> None:
    made = await yard.notification(**ENDED)
    await yard.message(made, "accepted", status="accepted", awaited=True)
    await ledger.check(Sweep())
    assert [row["awaited"] for row in await yard.rows(message)] == [False]
    assert [(found.kind, found.repair) for found in await yard.findings()] == [("wait_after_end", "wait_closed")]


async def test_a_message_of_an_open_notification_waits_on(yard: Yard, ledger: Ledger) -> None:
    made = await yard.notification()
    await yard.message(made, "accepted", status="accepted", awaited=True)
    await ledger.check(Sweep())
    assert [row["awaited"] for row in await yard.rows(message)] == [True]
    assert await yard.findings() == []


@pytest.mark.parametrize(
    ("wrong", "statuses", "right"),
    [
        pytest.param("failed", ["delivered"], "delivered", id="delivered, called failed"),
        pytest.param("cancelled", ["unknown"], "unknown", id="in doubt, called cancelled"),
        pytest.param("failed", ["rejected", "unknown"], "unknown", id="one hop in doubt, called failed"),
        pytest.param("accepted", ["bounced"], "bounced", id="bounced, called accepted"),
        pytest.param("unknown", ["unknown", "sent"], "sent", id="the second hop went out, called unknown"),
    ],
)
async def test_a_status_that_is_not_what_the_messages_say_is_brought_up(
    yard: Yard, ledger: Ledger, wrong: str, statuses: list[str], right: str
) -> None:
    made = await yard.notification(**{**ENDED, "status": wrong})
    for hop, status in enumerate(statuses):
        await yard.message(made, "accepted", hop=hop, status=status, accepted_at=AT)
    await ledger.check(Sweep())
    assert (await yard.row(made))["status"] == right
    (found,) = await yard.findings()
    assert (found.kind, found.repair, found.detail) == ("status_diverged", "summarised", {"was": wrong, "is": right})


@pytest.mark.parametrize(
    ("status", "statuses"),
    [
        pytest.param("failed", ["rejected"], id="failed after a refusal"),
        pytest.param("cancelled", ["rejected"], id="cancelled after a refusal"),
        pytest.param("expired", ["queued"], id="expired before anything was taken"),
        pytest.param("unknown", [], id="ended without its rows"),
        pytest.param("delivered", ["rejected", "delivered"], id="the second hop arrived"),
    ],
)
async def test_an_honest_end_is_left_alone(yard: Yard, ledger: Ledger, status: str, statuses: list[str]) -> None:
    made = await yard.notification(**{**ENDED, "status": status})
    for hop, of_message in enumerate(statuses):
        await yard.message(made, hop=hop, status=of_message)
    await ledger.check(Sweep())
    assert (await yard.row(made))["status"] == status
    assert await yard.findings() == []


async def test_an_end_that_a_workflow_told_is_not_taken_back_for_what_rows_lack(yard: Yard, ledger: Ledger) -> None:
    made = await yard.notification()
    await yard.message(made, "accepted", status="bounced", accepted_at=AT)
    await yard.run(made, "accepted")
    await yard.sweep_until_found()
    await yard.execute("UPDATE notification SET status = 'accepted'")
    await ledger.check(Sweep())
    assert (await yard.row(made))["status"] == "accepted"


async def test_every_notification_is_reached_in_bounded_steps(
    yard: Yard, ledger: Ledger, database: Database, client: Client, other_tenant_id: UUID, key_ring: KeyRing
) -> None:
    other = await Yard.make(database, client, other_tenant_id, key_ring)
    for one in (yard, other):
        for _ in range(4):
            await one.message(await one.notification(**ENDED), "accepted", status="accepted", awaited=True)
    cursor, steps = None, 0
    while True:
        swept = await ledger.check(Sweep(cursor=cursor))
        assert swept.seen <= 3
        cursor, steps = swept.cursor, steps + 1
        if cursor is None:
            break
    assert steps == 3
    assert [len(await one.findings()) for one in (yard, other)] == [4, 4]

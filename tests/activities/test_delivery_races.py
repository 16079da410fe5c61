"""What happens beside an attempt: processes die, people cancel, receipts come first. Doubt is never forgotten."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from activities.records import Records
from db.delivery_tables import attempt, message, notification
from db.tables import account
from domain.errors import Uncertain
from domain.notifications import Ending, Outcome
from domain.reasons import Reason
from domain.status import Status
from tests import factories
from tests.activities.test_delivery import NO_SUCH_USER, OK, Bench, bench

__all__ = ["bench"]


async def change(place: Bench, table: Any, **values: Any) -> None:
    async with place.database.tenant(place.tenant_id) as connection:
        await connection.execute(update(table).values(values))


async def end(place: Bench, status: Status, reason: Reason | None = None) -> Status:
    ending = Ending(
        tenant_id=str(place.tenant_id), notification_id=str(place.notification_id), status=status, reason=reason
    )
    return await Records(place.database).end(ending)


@pytest.mark.parametrize(
    ("table", "values"),
    [
        pytest.param(account, {"state": "suspended"}, id="the account was suspended"),
        pytest.param(notification, {"expires_at": datetime.now(UTC) - timedelta(hours=1)}, id="it expired"),
        pytest.param(notification, {"cancel_requested_at": datetime.now(UTC)}, id="it was cancelled too late"),
    ],
)
async def test_doubt_about_a_dead_attempt_outlives_whatever_changed_since(
    bench: Bench, table: Any, values: dict[str, Any]
) -> None:
    bench.transport.script = [asyncio.CancelledError()]
    with pytest.raises(asyncio.CancelledError):
        await bench.deliver()
    await change(bench, table, **values)
    assert (await bench.deliver()).outcome is Outcome.UNKNOWN
    assert len(bench.transport.requests) == 1


async def test_a_failure_receipt_before_our_answer_is_left_to_the_workflow(bench: Bench) -> None:
    async def receipt_arrives() -> None:
        await change(bench, attempt, state="accepted", settled_by="receipt")
        await change(bench, message, status="failed", reason="invalid_address")

    bench.transport.script, bench.transport.before = [OK], receipt_arrives
    delivered = await bench.deliver()
    assert (delivered.outcome, delivered.status, delivered.closed) == (Outcome.ACCEPTED, Status.FAILED, False)
    whole = await bench.row(notification)
    assert (whole["status"], whole["ended_at"]) == ("queued", None)
    assert (await bench.row(message))["reason"] == "invalid_address"


async def test_an_acceptance_that_only_a_receipt_proved_leaves_the_ending_to_the_workflow(bench: Bench) -> None:
    async def receipt_arrives() -> None:
        await change(bench, attempt, state="accepted", settled_by="receipt")
        await change(bench, message, status="sent")

    bench.transport.script, bench.transport.before = [Uncertain("cut")], receipt_arrives
    delivered = await bench.deliver()
    assert (delivered.outcome, delivered.closed) == (Outcome.ACCEPTED, False)
    assert (await bench.row(attempt))["error_code"] is None
    assert await end(bench, Status.SENT) is Status.SENT
    assert (await bench.row(notification))["ended_at"] is not None


async def test_nothing_more_is_sent_once_a_receipt_proved_the_former_attempt(bench: Bench) -> None:
    bench.transport.script = [Uncertain("cut"), OK]
    await bench.deliver()
    await change(bench, message, status="delivered")
    delivered = await bench.deliver(number=2, possible_duplicate=True)
    assert (delivered.outcome, delivered.status) == (Outcome.ACCEPTED, Status.DELIVERED)
    assert len(bench.transport.requests) == 1
    assert await bench.attempts() == ["unknown"]


async def test_an_opt_out_after_the_plan_stops_an_address_that_was_given_directly(bench: Bench) -> None:
    from db.tables import address, recipient  # noqa: PLC0415 - used here alone

    someone = await factories.insert(bench.database, bench.tenant_id, recipient, external_id="asha")
    fields = {"recipient_id": someone, "kind": "email", "value": "asha@example.com", "status": "suppressed"}
    await factories.insert(bench.database, bench.tenant_id, address, **fields)
    assert (await bench.deliver()).reason is Reason.ADDRESS_SUPPRESSED


@pytest.mark.parametrize("decided", [Status.REJECTED, Status.FAILED, Status.EXPIRED])
async def test_a_cancellation_that_was_answered_stays(bench: Bench, decided: Status) -> None:
    await change(bench, notification, status="cancelled", reason="cancelled")
    assert await end(bench, decided, Reason.NO_ADDRESS) is Status.CANCELLED
    assert (await bench.row(notification))["reason"] == "cancelled"


async def test_what_the_provider_took_back_does_not_count_as_accepted(bench: Bench) -> None:
    bench.transport.script = [OK]
    await bench.deliver(closes=False)
    await change(bench, message, status="failed")
    assert await end(bench, Status.EXPIRED, Reason.EXPIRED) is Status.EXPIRED


async def test_an_attempt_that_nobody_finished_ends_in_doubt(bench: Bench) -> None:
    bench.transport.script = [asyncio.CancelledError()]
    with pytest.raises(asyncio.CancelledError):
        await bench.deliver()
    assert await end(bench, Status.CANCELLED, Reason.CANCELLED) is Status.UNKNOWN
    assert (await bench.row(message))["status"] == "unknown"
    assert (await bench.row(notification))["reason"] == "outcome_unknown"


async def test_a_refused_message_ends_as_decided(bench: Bench) -> None:
    bench.transport.script = [NO_SUCH_USER]
    await bench.deliver()
    assert await end(bench, Status.FAILED, Reason.INVALID_ADDRESS) is Status.FAILED
    assert (await bench.row(notification))["reason"] == "invalid_address"

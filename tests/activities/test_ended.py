"""What has ended is ended for good, whoever still works at it: nothing more is attempted, and the first end stands."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import update

from activities.records import Records
from db.delivery_tables import attempt, message, notification
from domain.notifications import Ending, Outcome
from domain.reasons import Reason
from domain.status import Status
from tests.activities.test_delivery import OK, Bench, bench

__all__ = ["bench"]

AT = datetime(2026, 1, 1, tzinfo=UTC)


async def change(place: Bench, table: Any, **values: Any) -> None:
    async with place.database.tenant(place.tenant_id) as connection:
        await connection.execute(update(table).values(values))


async def end(place: Bench, status: Status, reason: Reason | None = None) -> Status:
    ending = Ending(
        tenant_id=str(place.tenant_id), notification_id=str(place.notification_id), status=status, reason=reason
    )
    return await Records(place.database).end(ending)


@pytest.mark.parametrize("status", ["unknown", "failed", "expired"])
async def test_nothing_is_attempted_for_a_notification_that_has_ended(bench: Bench, status: str) -> None:
    await change(bench, notification, status=status, ended_at=AT, reason="outcome_unknown")
    bench.transport.script = [OK]
    assert (await bench.deliver()).outcome is Outcome.STOPPED
    assert bench.transport.requests == []
    assert await end(bench, Status.CANCELLED, Reason.CANCELLED) == status
    row = await bench.row(notification)
    assert (row["status"], row["reason"], row["ended_at"]) == (status, "outcome_unknown", AT)


async def test_an_attempt_that_was_made_before_the_end_is_still_returned(bench: Bench) -> None:
    bench.transport.script = [OK]
    first = await bench.deliver()
    assert (await bench.row(notification))["ended_at"] is not None
    again = await bench.deliver()
    assert (first.outcome, again.outcome) == (Outcome.ACCEPTED, Outcome.ACCEPTED)
    assert len(bench.transport.requests) == 1


async def test_a_second_end_learns_from_messages_alone(bench: Bench) -> None:
    bench.transport.script = [OK]
    await bench.deliver()
    await change(bench, message, status="delivered")
    await change(bench, notification, status="unknown", ended_at=AT)
    assert await end(bench, Status.FAILED, Reason.NOT_SENT) is Status.DELIVERED
    assert (await bench.row(notification))["ended_at"] == AT
    assert (await bench.row(attempt))["state"] == "accepted"

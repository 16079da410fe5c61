"""Parking on a real database: written once, kept with its first moment, gone with the end."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from activities.parking import Parking
from activities.records import Records
from db import cancellations
from db.delivery_tables import decision, notification
from domain.notifications import Decision, Ending, ParkOrder
from domain.reasons import Reason
from domain.status import Status
from tests.activities.test_delivery import OK, Bench, bench

__all__ = ["bench"]

LONG_AGO = datetime(2026, 1, 31, 8, tzinfo=UTC)
NOT_PARKED = (None, None, None)


def order(place: Bench, cause: Reason = Reason.MISCONFIGURED, **values: Any) -> ParkOrder:
    return ParkOrder(
        tenant_id=str(place.tenant_id),
        notification_id=str(place.notification_id),
        cause=cause,
        account_id=str(place.account_id),
        decisions=(
            Decision(sequence=1, kind="delayed", reason=Reason.SCHEDULED),
            Decision(sequence=2, kind="parked", reason=cause, hop=0),
        ),
        **values,
    )


async def park(place: Bench, cause: Reason = Reason.MISCONFIGURED) -> bool:
    return await Parking(place.database).park(order(place, cause))


async def change(place: Bench, **values: Any) -> None:
    async with place.database.tenant(place.tenant_id) as connection:
        await connection.execute(update(notification).values(**values))


async def standing(place: Bench) -> tuple[datetime | None, str | None, UUID | None]:
    row = await place.row(notification)
    return row["parked_at"], row["parked_cause"], row["parked_account_id"]


async def decided(place: Bench) -> list[tuple[str, str]]:
    async with place.database.tenant(place.tenant_id) as connection:
        rows = await connection.execute(select(decision.c.kind, decision.c.reason).order_by(decision.c.sequence))
        return [(row.kind, row.reason) for row in rows]


async def test_a_parked_notification_stays_queued_and_says_since_when_and_why(bench: Bench) -> None:
    assert await park(bench)
    row = await bench.row(notification)
    assert (row["status"], row["parked_cause"], row["parked_account_id"]) == (
        "queued",
        "misconfigured",
        bench.account_id,
    )
    assert row["parked_at"] == row["updated_at"]
    assert await decided(bench) == [("delayed", "scheduled"), ("parked", "misconfigured")]


async def test_parking_again_for_the_same_cause_keeps_the_first_moment(bench: Bench) -> None:
    await park(bench)
    await change(bench, parked_at=LONG_AGO)
    assert await park(bench)
    assert (await standing(bench))[0] == LONG_AGO
    assert len(await decided(bench)) == 2


async def test_another_cause_counts_from_now(bench: Bench) -> None:
    await park(bench)
    await change(bench, parked_at=LONG_AGO)
    assert await park(bench, Reason.TEMPLATE_UNAVAILABLE)
    parked_at, cause, _ = await standing(bench)
    assert parked_at is not None
    assert (parked_at > LONG_AGO, cause) == (True, "template_unavailable")


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"status": "expired", "ended_at": LONG_AGO}, id="it has ended"),
        pytest.param({"cancel_requested_at": LONG_AGO}, id="it is cancelled"),
    ],
)
async def test_what_is_over_is_not_parked_and_nothing_says_it_was(bench: Bench, values: dict[str, Any]) -> None:
    await change(bench, **values)
    assert not await park(bench)
    assert await standing(bench) == NOT_PARKED
    assert await decided(bench) == [("delayed", "scheduled")]


async def test_going_on_leaves_no_trace_but_the_decision(bench: Bench) -> None:
    await park(bench)
    resumed = (Decision(sequence=3, kind="resumed", reason=Reason.RESUMED),)
    for _ in range(2):
        await Parking(bench.database).unpark(str(bench.tenant_id), str(bench.notification_id), resumed)
    assert await standing(bench) == NOT_PARKED
    assert (await decided(bench))[-1] == ("resumed", "resumed")


async def test_the_end_is_the_end_of_parking(bench: Bench) -> None:
    await park(bench)
    ending = Ending(tenant_id=str(bench.tenant_id), notification_id=str(bench.notification_id), status=Status.EXPIRED)
    assert await Records(bench.database).end(ending) is Status.EXPIRED
    assert await standing(bench) == NOT_PARKED


async def test_an_acceptance_that_closes_is_the_end_of_parking(bench: Bench) -> None:
    await park(bench)
    bench.transport.script = [OK]
    assert (await bench.deliver()).closed
    assert await standing(bench) == NOT_PARKED


async def test_an_attempt_that_does_not_close_leaves_it_parked(bench: Bench) -> None:
    await park(bench)
    bench.transport.script = [OK]
    await bench.deliver(closes=False)
    assert (await standing(bench))[1] == "misconfigured"


async def test_cancelling_is_the_end_of_parking(bench: Bench) -> None:
    await park(bench)
    async with bench.database.tenant(bench.tenant_id) as connection:
        await cancellations.lock(connection, bench.tenant_id, bench.notification_id)
        await cancellations.stop(connection, bench.tenant_id, bench.notification_id)
    assert await standing(bench) == NOT_PARKED

"""The operation that a new day begins with: once for each tenant, for what yesterday's cap kept."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from activities.operations import Operations
from activities.sweeping import Sweep
from db import operations
from db.operations import Operation
from db.session import Database
from domain.operations import OperationInput, OperationKind, OperationState, ParkedFilter
from domain.reasons import Reason
from tests import factories

MIDNIGHT = datetime(2026, 2, 1, tzinfo=UTC)
LAST_EVENING = MIDNIGHT - timedelta(hours=2)


async def park(database: Database, tenant_id: UUID, **values: Any) -> UUID:
    version_id = await factories.make_version(database, tenant_id, name=f"t{values}")
    parked = {"parked_at": LAST_EVENING, "parked_cause": "daily_cap", **values}
    return await factories.make_notification(
        database, tenant_id, version_id, to="asha@example.com", to_kind="email", **parked
    )


async def look(database: Database, at: datetime) -> int:
    return (await Operations(database, now=lambda: at).resume_capped(Sweep())).seen


async def made(database: Database, tenant_id: UUID) -> list[Operation]:
    async with database.tenant(tenant_id) as connection:
        return await operations.page(connection, tenant_id, limit=10, before=None)


async def test_a_new_day_resumes_what_the_cap_of_the_last_one_kept(database: Database, tenant_id: UUID) -> None:
    await park(database, tenant_id)
    name = await park(database, tenant_id, parked_at=MIDNIGHT + timedelta(milliseconds=300))
    assert await look(database, MIDNIGHT + timedelta(minutes=2)) == 1
    (begun,) = await made(database, tenant_id)
    assert (begun.kind, begun.actor, begun.reason) == (OperationKind.RESUME, "day", "2026-02-01 began")
    assert begun.filter == ParkedFilter(cause=Reason.DAILY_CAP, parked_before=MIDNIGHT + timedelta(minutes=2))
    assert (begun.total, begun.until) == (2, name)


async def test_what_was_decided_before_midnight_and_parked_after_it_is_resumed(
    database: Database, tenant_id: UUID
) -> None:
    await park(database, tenant_id, parked_at=MIDNIGHT + timedelta(milliseconds=300))
    assert await look(database, MIDNIGHT + timedelta(minutes=2)) == 1
    assert [one.total for one in await made(database, tenant_id)] == [1]


async def test_it_is_created_once_in_a_day_even_when_somebody_stopped_it(database: Database, tenant_id: UUID) -> None:
    await park(database, tenant_id)
    await look(database, MIDNIGHT + timedelta(minutes=2))
    (begun,) = await made(database, tenant_id)
    async with database.tenant(tenant_id) as connection:
        await operations.stop(connection, tenant_id, begun.id)
    await look(database, MIDNIGHT + timedelta(hours=5))
    assert [one.state for one in await made(database, tenant_id)] == [OperationState.STOPPED]
    await look(database, MIDNIGHT + timedelta(days=1, hours=5))
    assert [one.reason for one in await made(database, tenant_id)] == ["2026-02-02 began", "2026-02-01 began"]


@pytest.mark.parametrize(
    ("at", "values"),
    [
        pytest.param(MIDNIGHT - timedelta(seconds=1), {}, id="the day is not over"),
        pytest.param(MIDNIGHT + timedelta(seconds=30), {}, id="some clock may still be before midnight"),
        pytest.param(
            MIDNIGHT + timedelta(hours=1), {"parked_at": MIDNIGHT + timedelta(minutes=5)}, id="it is today's cap"
        ),
        pytest.param(MIDNIGHT + timedelta(hours=1), {"parked_cause": "misconfigured"}, id="it is no cap"),
    ],
)
async def test_what_the_day_does_not_mend_stays_parked(
    database: Database, tenant_id: UUID, at: datetime, values: dict[str, Any]
) -> None:
    await park(database, tenant_id, **values)
    assert await look(database, at) == 0
    assert await made(database, tenant_id) == []


async def test_every_tenant_has_a_day_of_its_own(database: Database, tenant_id: UUID, other_tenant_id: UUID) -> None:
    for one in (tenant_id, other_tenant_id):
        await park(database, one)
    assert await look(database, MIDNIGHT + timedelta(minutes=2)) == 2
    for one in (tenant_id, other_tenant_id):
        (begun,) = await made(database, one)
        order = OperationInput(tenant_id=str(one), operation_id=str(begun.id))
        stepped = await Operations(database).step(order)
        assert (stepped.state, stepped.done) == (OperationState.DONE, 1)

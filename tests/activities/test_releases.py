"""What a circuit that closed lets go on: once, in one operation at a time, and only while it is closed."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, update

from db import operations
from db.care_tables import operation
from db.session import Database
from db.tables import account
from domain.circuits import template_subject
from domain.operations import OperationState
from domain.reasons import Reason
from sealing import KeyRing
from tests.activities.outage_ground import DUE, NOW, Ground, opened
from tests.factories import make_version


@pytest.fixture
async def ground(database: Database, tenant_id: UUID, key_ring: KeyRing) -> Ground:
    return await opened(database, tenant_id, key_ring)


async def test_closing_lets_go_on_what_is_parked_once(ground: Ground) -> None:
    other = await ground.another_account()
    await ground.parked()
    await ground.parked(Reason.MISCONFIGURED, parked_account_id=other)
    await ground.parked(Reason.DAILY_CAP)
    await ground.parked(Reason.TEMPLATE_UNAVAILABLE)
    async with ground.database.tenant(ground.tenant_id) as connection:
        await connection.execute(update(account).values(limits={"rate": 80}))
    await ground.note(None, at=DUE)
    assert await ground.release() == 2
    assert await ground.release() == 0
    assert await ground.operations() == [
        ("resume", {"cause": "misconfigured", "account_id": str(other)}, 80, "circuit"),
        ("resume", {"cause": "provider_unavailable", "account_id": str(ground.account_id)}, 80, "circuit"),
    ]


async def test_a_template_s_closing_lets_go_on_what_is_of_that_template_alone(ground: Ground) -> None:
    other = await make_version(ground.database, ground.tenant_id, name="other")
    await ground.parked()
    await ground.parked(Reason.TEMPLATE_UNAVAILABLE)
    await ground.parked(Reason.TEMPLATE_UNAVAILABLE, version_id=other, template="other")
    subject = template_subject(ground.account_id, ground.version_id, "en")
    await ground.note(Reason.TEMPLATE_UNAVAILABLE, subject=subject)
    await ground.note(None, subject=subject, at=DUE)
    assert await ground.release() == 1
    [(_, wanted, rate, _)] = await ground.operations()
    assert (wanted["cause"], wanted["template"], rate) == ("template_unavailable", "hello", 50)


async def test_what_is_parked_later_is_let_go_on_in_a_second_pass(ground: Ground) -> None:
    await ground.parked()
    await ground.note(None, at=DUE)
    await ground.release()
    assert await ground.release(parked_after=NOW + timedelta(seconds=1)) == 0
    await ground.parked(parked_at=NOW + timedelta(seconds=2))
    assert await ground.release(parked_after=NOW + timedelta(seconds=1)) == 1


async def test_nothing_is_let_go_into_a_circuit_that_opened_anew(ground: Ground) -> None:
    await ground.parked()
    await ground.note(None, at=DUE)
    await ground.note(*[Reason.UNAVAILABLE] * 5, at=DUE)
    assert await ground.release() == 0
    assert await ground.operations() == []


async def closed_with(ground: Ground, count: int) -> None:
    for _ in range(count):
        await ground.parked()
    async with ground.database.tenant(ground.tenant_id) as connection:
        await connection.execute(update(account).values(limits={"rate": 1}))
    await ground.note(None, at=DUE)
    assert await ground.release() == 1


async def step_of(ground: Ground) -> list[tuple[OperationState, int]]:
    """Makes one step of every operation."""
    async with ground.database.tenant(ground.tenant_id) as connection:
        names = list((await connection.execute(select(operation.c.id).order_by(operation.c.id))).scalars())
        found = [await operations.lock(connection, ground.tenant_id, name) for name in names]
        stepped = [await operations.step(connection, ground.tenant_id, one) for one in found if one is not None]
    return [(one.state, one.done) for one in stepped]


async def test_what_goes_on_stops_once_the_circuit_is_open_again(ground: Ground) -> None:
    await closed_with(ground, 3)
    assert await step_of(ground) == [(OperationState.RUNNING, 1)]
    await ground.note(*[Reason.UNAVAILABLE] * 5, at=DUE)
    assert await step_of(ground) == [(OperationState.STOPPED, 1)]
    assert len(await ground.resumed()) == 1
    async with ground.database.tenant(ground.tenant_id) as connection:
        reason = (await connection.execute(select(operation.c.reason))).scalar_one()
    assert reason == f"opened again: outage/{ground.circuit_id}/1"


async def test_the_next_closing_takes_over_from_the_operation_of_the_former_one(ground: Ground) -> None:
    await closed_with(ground, 3)
    await step_of(ground)
    await ground.note(*[Reason.UNAVAILABLE] * 5, at=DUE)
    await ground.note(None, at=DUE)
    assert await ground.release(episode=2) == 1
    assert await ground.release() == 0  # the first outage's own order, repeated
    assert [state for state, _ in await step_of(ground)] == [OperationState.STOPPED, OperationState.RUNNING]

"""The outbox hands every row out once at a time, urgent ones first, and no tenant waits behind another's flood."""

import asyncio
from uuid import UUID

import pytest
from sqlalchemy import text

from db import outbox
from db.outbox import Entry
from db.session import Database
from tests.conftest import make_tenant


async def add(database: Database, tenant_id: UUID, count: int, *, lane: int = 1, name: str = "w") -> None:
    starts: list[tuple[str, int, dict[str, str]]] = [
        (f"{name}/{tenant_id}/{lane}/{number}", lane, {}) for number in range(count)
    ]
    async with database.tenant(tenant_id) as connection:
        await outbox.add_starts(connection, tenant_id, starts)


async def lease(database: Database, count: int, *, seconds: float = 10.0) -> list[Entry]:
    async with database.system() as connection:
        return await outbox.lease(connection, count=count, seconds=seconds)


async def test_tenants_take_turns_within_a_lane(database: Database, tenant_id: UUID, other_tenant_id: UUID) -> None:
    await add(database, tenant_id, 500)
    await add(database, other_tenant_id, 3)
    taken = await lease(database, 6)
    assert [entry.tenant_id for entry in taken].count(other_tenant_id) == 3


async def test_an_urgent_lane_goes_first(database: Database, tenant_id: UUID, other_tenant_id: UUID) -> None:
    await add(database, tenant_id, 50, lane=2)
    await add(database, other_tenant_id, 2, lane=0)
    taken = await lease(database, 4)
    assert [entry.lane for entry in taken] == [0, 0, 2, 2]


async def test_a_leased_row_is_nobody_else_s_until_the_lease_runs_out(database: Database, tenant_id: UUID) -> None:
    await add(database, tenant_id, 1)
    first = await lease(database, 5)
    assert await lease(database, 5) == []
    async with database.system() as connection:
        await connection.execute(text("UPDATE outbox SET leased_until = now() - interval '1 second'"))
    again = await lease(database, 5)
    assert [entry.id for entry in again] == [entry.id for entry in first]
    assert again[0].leases == 2


async def test_leases_at_once_never_share_a_row(database: Database, tenant_id: UUID) -> None:
    await add(database, tenant_id, 200)
    taken = await asyncio.gather(*(lease(database, 20) for _ in range(10)))
    ids = [entry.id for entries in taken for entry in entries]
    assert len(ids) == len(set(ids))


async def test_the_same_start_twice_is_one_row(database: Database, tenant_id: UUID) -> None:
    await add(database, tenant_id, 1)
    await add(database, tenant_id, 1)
    assert len(await lease(database, 5)) == 1


async def test_what_was_handed_over_is_gone(database: Database, tenant_id: UUID) -> None:
    await add(database, tenant_id, 3)
    taken = await lease(database, 5)
    async with database.system() as connection:
        await outbox.done(connection, taken[:2])
        await connection.execute(text("UPDATE outbox SET leased_until = NULL"))
    assert [entry.id for entry in await lease(database, 5)] == [taken[2].id]


@pytest.mark.parametrize(("waiting", "bound", "counted"), [(3, 10, 3), (12, 10, 10)])
async def test_a_line_is_counted_up_to_its_bound(
    database: Database, tenant_id: UUID, waiting: int, bound: int, counted: int
) -> None:
    await add(database, tenant_id, waiting)
    async with database.tenant(tenant_id) as connection:
        assert await outbox.line_length(connection, tenant_id, bound=bound) == counted


async def test_many_tenants_all_get_their_turn(database: Database) -> None:
    tenants = [await make_tenant(database, f"tenant {number}") for number in range(30)]
    for tenant_id in tenants:
        await add(database, tenant_id, 5)
    taken = await lease(database, 30)
    assert {entry.tenant_id for entry in taken} == set(tenants)

"""The outbox hands every row out once at a time, urgent ones first, and no tenant waits behind another's flood."""

import asyncio
from typing import Any
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


async def lease(database: Database, count: int, *, seconds: float = 10.0, **how: Any) -> list[Entry]:
    async with database.system() as connection:
        return await outbox.lease(connection, count=count, seconds=seconds, **how)


async def test_tenants_take_turns_within_a_lane(database: Database, tenant_id: UUID, other_tenant_id: UUID) -> None:
    await add(database, tenant_id, 500)
    await add(database, other_tenant_id, 3)
    taken = await lease(database, 6)
    assert [entry.tenant_id for entry in taken].count(other_tenant_id) == 3


@pytest.mark.parametrize("flooding", [0, 1], ids=["flood first in the index", "flood last in the index"])
async def test_a_flood_delays_another_tenant_s_single_row_by_one_lease_at_most(
    database: Database, tenant_id: UUID, other_tenant_id: UUID, flooding: int
) -> None:
    tenants = sorted([tenant_id, other_tenant_id])
    await add(database, tenants[flooding], 5000)
    await add(database, tenants[1 - flooding], 1)
    served = outbox.turns({}, [])
    taken: list[UUID] = []
    for _ in range(2):  # one by one is how rows are taken while everything is busy
        entries = await lease(database, 1, served=served)
        served = outbox.turns(served, entries)
        taken += [entry.tenant_id for entry in entries]
    assert sorted(taken) == tenants


@pytest.mark.parametrize("count", [1, 2, 3, 5])
async def test_rows_taken_a_few_at_a_time_still_go_round_all_tenants(database: Database, count: int) -> None:
    tenants = [await make_tenant(database, f"tenant {number}") for number in range(7)]
    for tenant_id in tenants:
        await add(database, tenant_id, 20)
    served = outbox.turns({}, [])
    taken: list[UUID] = []
    while len(taken) < 35:
        entries = await lease(database, count, served=served)
        served = outbox.turns(served, entries)
        taken += [entry.tenant_id for entry in entries]
        shares = [taken.count(tenant_id) for tenant_id in tenants]
        assert max(shares) - min(shares) <= 1


async def test_every_lane_has_turns_of_its_own(database: Database, tenant_id: UUID, other_tenant_id: UUID) -> None:
    first, second = sorted([tenant_id, other_tenant_id])
    for lane in (1, 2):
        await add(database, first, 5, lane=lane)
        await add(database, second, 5, lane=lane)
    served = {1: first, 2: second}
    assert [entry.tenant_id for entry in await lease(database, 1, served=served)] == [second]
    async with database.system() as connection:
        await connection.execute(text("DELETE FROM outbox WHERE lane = 1"))
    assert [entry.tenant_id for entry in await lease(database, 1, served=served)] == [first]


async def test_critical_starts_overtake_a_flood_of_bulk(
    database: Database, tenant_id: UUID, other_tenant_id: UUID
) -> None:
    await add(database, tenant_id, 5000, lane=2)
    await lease(database, 20)
    await add(database, tenant_id, 1, lane=0)
    await add(database, other_tenant_id, 1, lane=1)
    assert [(entry.tenant_id, entry.lane) for entry in await lease(database, 3)] == [
        (tenant_id, 0),
        (other_tenant_id, 1),
        (tenant_id, 2),
    ]


async def test_signals_go_before_everything_and_alone_when_asked(
    database: Database, tenant_id: UUID, other_tenant_id: UUID
) -> None:
    await add(database, tenant_id, 30, lane=0)
    async with database.tenant(other_tenant_id) as connection:
        await outbox.add_signal(connection, other_tenant_id, "w/1", signal="cancel", cause="c", arguments=[])
    [signal] = await lease(database, 20, highest=-1)
    assert (signal.kind, signal.tenant_id) == ("signal", other_tenant_id)
    async with database.system() as connection:
        await outbox.release(connection, [signal], seconds=-1)
    assert [entry.kind for entry in await lease(database, 2)] == ["signal", "start"]


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

"""How long a tenant's line may become, as one process of several knows it."""

from uuid import UUID

import pytest

from api.line_bounds import LineBounds
from db import outbox
from db.session import Database


async def add(database: Database, tenant_id: UUID, count: int, *, name: str = "w") -> None:
    async with database.tenant(tenant_id) as connection:
        await outbox.add_starts(connection, tenant_id, [(f"{name}/{number}", 1, {}) for number in range(count)])


async def is_full(lines: LineBounds, database: Database, tenant_id: UUID, *, count: int = 1) -> bool:
    async with database.tenant(tenant_id) as connection:
        return await lines.is_full(connection, tenant_id, count=count)


@pytest.mark.parametrize(("waiting", "full"), [(1, False), (4, False), (5, True), (50, True)])
async def test_a_line_is_full_at_its_bound(database: Database, tenant_id: UUID, waiting: int, full: bool) -> None:  # noqa: FBT001 - a table's column
    await add(database, tenant_id, waiting)
    assert await is_full(LineBounds(bound=5), database, tenant_id) is full


async def test_what_a_process_accepted_counts_before_it_reads_again(database: Database, tenant_id: UUID) -> None:
    lines = LineBounds(bound=5)
    assert [await is_full(lines, database, tenant_id, count=2) for _ in range(4)] == [False, False, False, True]


async def test_one_request_of_many_items_is_never_too_large(database: Database, tenant_id: UUID) -> None:
    lines = LineBounds(bound=5)
    assert not await is_full(lines, database, tenant_id, count=500)
    assert await is_full(lines, database, tenant_id)


async def test_a_line_that_was_worked_off_takes_more(database: Database, tenant_id: UUID) -> None:
    await add(database, tenant_id, 5)
    assert await is_full(LineBounds(bound=5), database, tenant_id)
    async with database.system() as connection:
        await outbox.done(connection, await outbox.lease(connection, count=1))
    assert not await is_full(LineBounds(bound=5), database, tenant_id)


async def test_one_tenant_s_full_line_is_nobody_else_s(
    database: Database, tenant_id: UUID, other_tenant_id: UUID
) -> None:
    lines = LineBounds(bound=5)
    await add(database, tenant_id, 5)
    assert await is_full(lines, database, tenant_id)
    assert not await is_full(lines, database, other_tenant_id)

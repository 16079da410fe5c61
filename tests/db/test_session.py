"""What the kinds of transactions see."""

from uuid import UUID

import uuid_utils.compat
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from db.session import Database
from db.tables import recipient


async def add(database: Database, tenant_id: UUID) -> None:
    async with database.tenant(tenant_id) as connection:
        row = {"tenant_id": tenant_id, "id": uuid_utils.compat.uuid7(), "external_id": str(uuid_utils.compat.uuid7())}
        await connection.execute(recipient.insert().values(row))


async def count(connection: AsyncConnection) -> int:
    return (await connection.execute(select(func.count()).select_from(recipient))).scalar_one()


async def test_a_snapshot_does_not_see_what_was_committed_meanwhile(database: Database, tenant_id: UUID) -> None:
    async with database.snapshot(tenant_id) as snapshot, database.tenant(tenant_id) as connection:
        before = await count(snapshot)
        await count(connection)
        await add(database, tenant_id)
        assert await count(connection) == before + 1
        assert await count(snapshot) == before
    async with database.tenant(tenant_id) as connection:
        assert await count(connection) == before + 1


async def test_a_snapshot_sees_one_tenant_only(database: Database, tenant_id: UUID, other_tenant_id: UUID) -> None:
    await add(database, tenant_id)
    async with database.snapshot(other_tenant_id) as snapshot:
        assert await snapshot.scalar(select(func.count()).where(recipient.c.tenant_id == tenant_id)) == 0


async def test_connections_come_back_as_they_were(database: Database, tenant_id: UUID) -> None:
    for _ in range(3):
        async with database.snapshot(tenant_id) as snapshot:
            assert await snapshot.scalar(select(func.current_setting("transaction_isolation"))) == "repeatable read"
        async with database.tenant(tenant_id) as connection:
            assert await connection.scalar(select(func.current_setting("transaction_isolation"))) == "read committed"

"""The rows of series under their locks."""

import asyncio
from uuid import UUID

from sqlalchemy import text, update

from db import series, series_fleet
from db.series_tables import series as series_table
from db.session import Database
from tests.activities.series_clock import publish, started

TEXT = "name: hello\nsteps: [{wait: P1D}]"


async def test_whoever_waits_for_a_series_that_goes_over_gets_it_as_it_is_then(
    database: Database, tenant_id: UUID
) -> None:
    clock = await started(database, tenant_id, TEXT)
    _, following = await publish(database, tenant_id, TEXT + "\n")

    async def wait() -> series.Series | None:
        async with database.tenant(tenant_id) as connection:
            return await series.get(connection, tenant_id, clock.series_id, lock=True)

    async with database.tenant(tenant_id) as connection:
        await connection.execute(update(series_table).values(flow_version_id=following))
        waiting = asyncio.create_task(wait())
        await asyncio.sleep(0.3)
        assert not waiting.done()
    found = await waiting
    assert found is not None
    assert found.version == 2


async def test_who_waits_where_is_counted_along_the_index_of_those_that_are_not_over(
    database: Database, tenant_id: UUID
) -> None:
    asked = {"tenant": tenant_id, "flow": tenant_id}
    async with database.tenant(tenant_id) as connection:
        for other in ("enable_seqscan", "enable_bitmapscan"):
            await connection.execute(text(f"SET LOCAL {other} = off"))
        plan = await connection.execute(text(f"EXPLAIN {series_fleet._WAITING.text}"), asked)
        assert "Index Only Scan using series_version_idx" in "\n".join(plan.scalars())

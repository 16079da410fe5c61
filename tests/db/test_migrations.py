"""The migrations lead to the tables of the code, down and up again."""

import uuid_utils.compat
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from db.session import async_dsn
from migrations import apply

_EVENT = text("""
    INSERT INTO event (tenant_id, id, source, event_id, type, occurred_at, data)
    SELECT id, CAST(:id AS uuid), '/s', :id, 'paid', now(), '{}' FROM tenant
""")


async def test_the_migrated_schema_is_the_schema_of_the_code(own_dsn: str) -> None:
    await apply.check_async(own_dsn)
    assert await apply.current_async(own_dsn) == apply.newest()


async def test_every_migration_goes_down_and_up_again(own_dsn: str) -> None:
    await apply.downgrade_async(own_dsn, "base")
    assert await apply.current_async(own_dsn) is None
    await apply.upgrade_async(own_dsn)
    await apply.check_async(own_dsn)


async def test_types_of_events_that_came_before_are_met_with_the_first_and_counted(own_dsn: str) -> None:
    await apply.downgrade_async(own_dsn, "0029")
    old = [f"00000000-0000-7000-8000-00000000000{n}" for n in range(1, 4)]
    engine = create_async_engine(async_dsn(own_dsn))
    try:
        async with engine.begin() as connection:
            await connection.execute(text("INSERT INTO tenant (id, name) VALUES (gen_random_uuid(), 'one')"))
            for name in (*old, str(uuid_utils.compat.uuid7())):
                await connection.execute(_EVENT, {"id": name})
        await apply.upgrade_async(own_dsn)
        async with engine.begin() as connection:
            asked = text("SELECT id::text, type, came, counted_to::text FROM event_type")
            assert [tuple(row) for row in await connection.execute(asked)] == [(old[0], "paid", 3, old[2])]
    finally:
        await engine.dispose()

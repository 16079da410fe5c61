"""The migrations lead to the tables of the code, down and up again."""

import uuid

import uuid_utils.compat
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from db.session import async_dsn
from migrations import apply

_EVENT = text("""
    INSERT INTO event (tenant_id, id, source, event_id, type, occurred_at, data)
    SELECT id, CAST(:id AS uuid), '/s', :id, 'paid', now(), '{}' FROM tenant
""")


_TENANT = "00000000-0000-7000-8000-000000000001"
_FILL = (
    "SET LOCAL session_replication_role = replica",  # what these rows belong to does not matter
    "INSERT INTO tenant (id, name) VALUES ('00000000-0000-7000-8000-000000000001', 'one')",
    "INSERT INTO operation (tenant_id, id, kind, rate, total, actor) SELECT id, id, 'stop', 1, 1, 'x' FROM tenant",
    """INSERT INTO operation_batch (tenant_id, operation_id, number, first, last, ids)
       SELECT id, id, 0, id, id, ARRAY[id] FROM tenant""",
    """INSERT INTO held_reply (tenant_id, id, inbound_message_id, reason)
       SELECT id, gen_random_uuid(), gen_random_uuid(), unnest(ARRAY['full', 'several']) FROM tenant""",
)
_GIVE = """
DO $$ DECLARE one record; BEGIN
    CREATE ROLE {owner} NOLOGIN NOINHERIT NOSUPERUSER NOBYPASSRLS;
    ALTER SCHEMA public OWNER TO {owner};
    FOR one IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
        EXECUTE format('ALTER TABLE %I OWNER TO {owner}', one.tablename);
    END LOOP;
    EXECUTE format('ALTER DATABASE %I SET role = {owner}', current_database());
END $$
"""
_TAKE = """
DO $$ BEGIN
    EXECUTE format('ALTER DATABASE %I RESET role', current_database());
    REASSIGN OWNED BY {owner} TO CURRENT_USER;
    DROP ROLE {owner};
END $$
"""


async def test_the_migrated_schema_is_the_schema_of_the_code(own_dsn: str) -> None:
    await apply.check_async(own_dsn)
    assert await apply.current_async(own_dsn) == apply.newest()


async def test_every_migration_goes_down_and_up_again(own_dsn: str) -> None:
    await apply.downgrade_async(own_dsn, "base")
    assert await apply.current_async(own_dsn) is None
    await apply.upgrade_async(own_dsn)
    await apply.check_async(own_dsn)


async def test_an_owner_held_by_row_security_takes_back_what_the_version_before_does_not_know(own_dsn: str) -> None:
    owner = f"owner_{uuid.uuid4().hex}"
    engine = create_async_engine(async_dsn(own_dsn))
    try:
        async with engine.begin() as connection:
            for statement in (*_FILL, _GIVE.format(owner=owner)):
                await connection.execute(text(statement))
        await apply.downgrade_async(own_dsn, "0034")
        async with engine.begin() as connection:
            kept = text("SELECT series_id::text, state FROM operation_series")
            assert [tuple(row) for row in await connection.execute(kept)] == [(_TENANT, "open")]
            assert list((await connection.execute(text("SELECT reason FROM held_reply"))).scalars()) == ["several"]
            loose = text("SELECT relname FROM pg_class WHERE relrowsecurity AND NOT relforcerowsecurity")
            assert list((await connection.execute(loose)).scalars()) == []
    finally:
        async with engine.begin() as connection:
            await connection.execute(text(_TAKE.format(owner=owner)))
        await engine.dispose()


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

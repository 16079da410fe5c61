"""What the kinds of transactions see."""

import math
from collections.abc import AsyncIterator
from types import SimpleNamespace
from uuid import UUID

import pytest
import uuid_utils.compat
from sqlalchemy import event, func, select, text
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


ASKED = text("SELECT id FROM recipient WHERE external_id = :name")
PLANS = text("SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE 'SELECT id FROM r%'")


@pytest.fixture
async def single(dsn: str) -> AsyncIterator[Database]:
    """Returns a database of one connection."""
    database = Database.connect(dsn, pool_size=1)
    yield database
    await database.close()


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the tables count as large."""
    monkeypatch.setattr("db.session._ENOUGH_ROWS", -1)


async def plans_of(database: Database, tenant_id: UUID, *, kept: bool) -> tuple[int, int]:
    """Asks the same thing three times and returns how often a plan was kept, and how often one was made anew."""
    for _ in range(3):
        async with database.tenant(tenant_id, kept=kept) as connection:
            await connection.execute(ASKED, {"name": "asha"})
    async with database.tenant(tenant_id) as connection:
        generic, custom = (await connection.execute(PLANS)).one()
    return generic, custom


@pytest.mark.usefixtures("large")
async def test_plans_are_kept_for_those_who_ask_for_it(single: Database, tenant_id: UUID) -> None:
    assert await plans_of(single, tenant_id, kept=True) == (3, 0)


@pytest.mark.usefixtures("large")
async def test_others_have_their_plans_made_anew(single: Database, tenant_id: UUID) -> None:
    assert await plans_of(single, tenant_id, kept=False) == (0, 3)


async def test_plans_are_not_kept_while_nothing_is_known_of_the_tables(
    single: Database, tenant_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.session._ENOUGH_ROWS", math.inf)
    assert await plans_of(single, tenant_id, kept=True) == (0, 3)


@pytest.mark.usefixtures("large")
async def test_plans_are_forgotten_while_the_tables_may_outgrow_them(
    single: Database, tenant_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, forgotten = 1000.0, []
    event.listen(
        single._engine.sync_engine,
        "before_cursor_execute",
        lambda _connection, _cursor, statement, *_rest: forgotten.append(now) if "DISCARD" in statement else None,
    )
    monkeypatch.setattr("db.session.time", SimpleNamespace(monotonic=lambda: now))
    for second in range(300):
        now = 1000.0 + second
        async with single.tenant(tenant_id, kept=True):
            pass
    assert [int(moment - 1000) for moment in forgotten] == [1, 2, 4, 8, 16, 32, 64, 124, 184, 244]

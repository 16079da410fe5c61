"""Fixtures that everybody needs: a real PostgreSQL, migrated once per worker and cloned for each test."""

import os
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import uuid_utils.compat
from hypothesis import HealthCheck, settings
from sqlalchemy import make_url
from temporalio.client import Client

from db.schedule_tables import metadata
from db.session import Database
from db.tables import tenant
from garbage import collect_less_often
from migrations import apply
from sealing import KeyRing
from stack.postgres import throwaway_postgres
from stack.temporal import TemporalServer
from workflows.client import connect

# No test judges by the clock: machines are slow at times. The everyday run looks at fewer made-up examples.
settings.register_profile("whole", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("fast", settings.get_profile("whole"), max_examples=10)
settings.load_profile("whole")
collect_less_often()  # as the processes of the product do

pytest_plugins = ["tests.everyday", "tests.decisions", "testing.plugin", "pytester"]


def _named(dsn: str, database: str) -> str:
    return make_url(dsn).set(database=database).render_as_string(hide_password=False)


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
async def postgres() -> AsyncIterator[str]:
    """A PostgreSQL server of this test process; `CARILLON_TEST_POSTGRES` names one that runs already."""
    if given := os.environ.get("CARILLON_TEST_POSTGRES"):
        yield given
        return
    async with throwaway_postgres() as server:
        yield server.superuser_dsn


@pytest.fixture(scope="session")
async def temporal(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The address of a Temporal server of this test process; `CARILLON_TEST_TEMPORAL` names one that runs already."""
    if given := os.environ.get("CARILLON_TEST_TEMPORAL"):
        yield given
        return
    server = TemporalServer(tmp_path_factory.mktemp("temporal"))
    yield await server.start()
    await server.stop()


@pytest.fixture(scope="session")
async def client(temporal: str, key_ring: KeyRing) -> Client:
    """A Temporal client that seals its payloads as the product does."""
    return await connect(temporal, namespace="default", key_ring=key_ring, identity="test")


@pytest.fixture(scope="session")
async def migrated(postgres: str) -> AsyncIterator[str]:
    """A migrated database of this test process, which its tests use one after the other."""
    async with _new_database(postgres) as made:
        await apply.upgrade_async(made)
        yield made


@pytest.fixture
async def own_dsn(postgres: str) -> AsyncIterator[str]:
    """A migrated database that this test may change as it likes."""
    async with _new_database(postgres) as made:
        await apply.upgrade_async(made)
        yield made


@pytest.fixture(scope="session")
async def shared(migrated: str) -> AsyncIterator[Database]:
    """The pool on the database of this test process."""
    connected = Database.connect(migrated, pool_size=20)
    yield connected
    await connected.close()


@pytest.fixture(scope="session")
async def sweep(migrated: str) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Removes every row."""
    connection = await asyncpg.connect(migrated)
    await connection.execute("SET lock_timeout = '5s'")  # a test that left a transaction open is told so
    occupied = await connection.prepare(_OCCUPIED)

    async def sweep_out() -> None:
        found = await occupied.fetchrow()
        assert found is not None
        names = [name for name, has_rows in found.items() if has_rows]
        if names:
            await connection.execute("; ".join(f"DELETE FROM {name}" for name in names))  # noqa: S608 - our own names

    yield sweep_out
    await connection.close()


@pytest.fixture
async def dsn(migrated: str, sweep: Callable[[], Awaitable[None]]) -> str:
    """An empty, migrated database."""
    await sweep()
    return migrated


@pytest.fixture
async def database(dsn: str, shared: Database) -> Database:
    """The pool on this test's empty database."""
    return shared


@asynccontextmanager
async def _new_database(server: str) -> AsyncIterator[str]:
    name = f"test_{uuid.uuid4().hex}"
    await _execute(server, f"CREATE DATABASE {name}")
    try:
        yield _named(server, name)
    finally:
        await _execute(server, f"DROP DATABASE {name} WITH (FORCE)")


# A test leaves rows in a few tables; deleting these takes a fraction of what truncating or deleting them all does.
_LOOKS = [f"EXISTS (SELECT FROM {table.name}) AS {table.name}" for table in reversed(metadata.sorted_tables)]
_OCCUPIED = f"SELECT {', '.join(_LOOKS)}"


@pytest.fixture
async def tenant_id(database: Database) -> UUID:
    """A tenant."""
    return await make_tenant(database, "acme")


@pytest.fixture
async def other_tenant_id(database: Database) -> UUID:
    """Another tenant, who must see nothing of the first."""
    return await make_tenant(database, "globex")


@pytest.fixture(scope="session")
def key_ring() -> KeyRing:
    """A key ring for tests."""
    return KeyRing({"test": b"k" * 32})


async def make_tenant(database: Database, name: str, **values: Any) -> UUID:
    """Creates a tenant and returns its id."""
    new_id = uuid_utils.compat.uuid7()
    async with database.system() as connection:
        await connection.execute(tenant.insert().values(id=new_id, name=name, **values))
    return new_id

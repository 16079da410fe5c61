"""Fixtures that everybody needs: a real PostgreSQL, migrated once per worker and cloned for each test."""

import os
import uuid
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import uuid_utils.compat
from sqlalchemy import make_url
from temporalio.client import Client

from db.session import Database
from db.tables import tenant
from migrations import apply
from sealing import KeyRing
from stack.postgres import throwaway_postgres
from stack.temporal import TemporalServer
from workflows.client import connect


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
async def template_dsn(postgres: str) -> AsyncIterator[str]:
    """A migrated database that tests clone."""
    name = f"template_{uuid.uuid4().hex}"
    await _execute(postgres, f"CREATE DATABASE {name}")
    await apply.upgrade_async(_named(postgres, name))
    yield _named(postgres, name)
    await _execute(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def dsn(postgres: str, template_dsn: str) -> AsyncIterator[str]:
    """An empty, migrated database of this test's own."""
    name = f"test_{uuid.uuid4().hex}"
    await _execute(postgres, f"CREATE DATABASE {name} TEMPLATE {make_url(template_dsn).database}")
    yield _named(postgres, name)
    await _execute(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def database(dsn: str) -> AsyncIterator[Database]:
    """The pool on this test's database."""
    connected = Database.connect(dsn, pool_size=20)
    yield connected
    await connected.close()


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

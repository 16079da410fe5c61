"""What all plays of one test process share: PostgreSQL with a migrated database, and the sandbox of the providers."""

import os
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Self

import asyncpg
from sqlalchemy import make_url

from migrations import apply
from sandbox.behaviour import Behaviour, Effect, Rule
from sandbox.serve import Sandbox, SandboxSettings
from stack.postgres import throwaway_postgres
from stack.temporal import TemporalServer

# Receipts and replies come when the script of a play says so, not when a machine has time for them.
_SILENT = Behaviour(rules=[Rule(name="silent", effect=Effect(until="nothing"))])


class Servers:
    """Servers that are started when they are first needed, and stopped together."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._started = AsyncExitStack()
        self._postgres: str | None = None
        self._migrated = ""
        self._sandbox: Sandbox | None = None
        self._temporal: str | None = None

    async def close(self) -> None:
        """Stops what was started."""
        await self._started.aclose()

    async def temporal(self) -> str:
        """Returns the address of Temporal's dev server; `CARILLON_TEST_TEMPORAL` names one that runs already."""
        if self._temporal is None:
            self._temporal = os.environ.get("CARILLON_TEST_TEMPORAL")
        if self._temporal is None:
            home = self._directory / "temporal"
            home.mkdir()
            server = TemporalServer(home)
            self._temporal = await server.start()
            self._started.push_async_callback(server.stop)
        return self._temporal

    async def sandbox(self) -> Sandbox:
        """Returns the stand-in of the providers; it takes everything and tells nothing by itself."""
        if self._sandbox is None:
            settings = SandboxSettings(port=0, smtp_port=0, journal=self._directory / "journal.jsonl")
            self._sandbox = await self._started.enter_async_context(Sandbox(settings, _SILENT))
        return self._sandbox

    @asynccontextmanager
    async def database(self) -> AsyncIterator[str]:
        """Yields the address of a migrated database that is removed afterwards."""
        server = await self._server()
        name = f"play_{uuid.uuid4().hex}"
        await _execute(server, f"CREATE DATABASE {name} TEMPLATE {self._migrated}")
        try:
            yield _named(server, name)
        finally:
            await _execute(server, f"DROP DATABASE {name} WITH (FORCE)")

    async def _server(self) -> str:
        """Returns the address of PostgreSQL; `CARILLON_TEST_POSTGRES` names a superuser of one that runs already."""
        if self._postgres is None:
            given = os.environ.get("CARILLON_TEST_POSTGRES")
            server = given or (await self._started.enter_async_context(throwaway_postgres())).superuser_dsn
            self._migrated = f"plays_{uuid.uuid4().hex}"
            await _execute(server, f"CREATE DATABASE {self._migrated}")
            self._started.push_async_callback(_execute, server, f"DROP DATABASE {self._migrated} WITH (FORCE)")
            await apply.upgrade_async(_named(server, self._migrated))
            self._postgres = server
        return self._postgres

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _named(dsn: str, database: str) -> str:
    return make_url(dsn).set(database=database).render_as_string(hide_password=False)


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()

"""Transactions: every one is opened for a tenant or for the system, and row level security holds it to that.

Statements are planned for the values at hand, each time anew: right for lists with their filters, dear for the few that
every notification makes, and for the checks of foreign keys below them. Those transactions ask for kept plans, which
are made once for whatever comes, by index: as soon as there are statistics to make them from, and anew while tables may
have outgrown them.
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self
from uuid import UUID

import asyncpg
from sqlalchemy import URL, make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from db.json import decode, encode

_AS_TENANT = text("SELECT set_config('role', 'carillon_app', true), set_config('carillon.tenant_id', :tenant_id, true)")
# Plans are made for the values at hand: one that was kept from an empty table would scan a full one.
_SERVER_SETTINGS = {
    "application_name": "carillon",
    "timezone": "UTC",
    "jit": "off",
    "plan_cache_mode": "force_custom_plan",
    "statement_timeout": "20000",
}
_AS_SYSTEM = text("SELECT set_config('role', 'carillon_system', true)")
_KEPT = "set_config('plan_cache_mode', 'force_generic_plan', true), set_config('enable_seqscan', 'off', true)"
_KEPT_AS_TENANT = text(f"{_AS_TENANT.text}, {_KEPT}")
_KEPT_AS_SYSTEM = text(f"{_AS_SYSTEM.text}, {_KEPT}")
_DISCARD = text("DISCARD PLANS")
_SMALLEST = text("""
SELECT min(reltuples) FROM pg_class WHERE oid IN ('notification'::regclass, 'message'::regclass, 'attempt'::regclass)
""")
# Without statistics of tables of some size a plan for whatever comes is a guess, and can be quadratic.
_ENOUGH_ROWS = 100
# Seconds. A plan made for tables of some size serves until the connection is twice as old, a minute at most: in a new
# database, where they grow fastest, it is a second at first.
_YOUNGEST, _OLDEST = 1.0, 60.0


def async_dsn(dsn: str) -> str:
    """Returns `dsn` for SQLAlchemy's asyncpg driver; `sslmode` keeps its meaning."""
    url = make_url(dsn).set(drivername="postgresql+asyncpg")
    return _renamed(url, "sslmode", "ssl").render_as_string(hide_password=False)


def _renamed(url: URL, name: str, wanted: str) -> URL:
    """SQLAlchemy hands the query to the driver as arguments, where libpq's `sslmode` is called `ssl`."""
    if name not in url.query:
        return url
    return url.difference_update_query([name]).update_query_dict({wanted: url.query[name]})


class Database:
    """The pool of connections and the ways to open a transaction on it."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @classmethod
    def connect(cls, dsn: str, *, pool_size: int = 10) -> Self:
        """Returns a database for `dsn`; connections are opened when first needed."""
        engine = create_async_engine(
            async_dsn(dsn),
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=5,
            pool_pre_ping=False,
            hide_parameters=True,  # an error must not carry what people wrote, or a secret, into a log
            json_serializer=encode,
            json_deserializer=decode,
            connect_args={
                "timeout": 5,
                "command_timeout": 30,
                "server_settings": _SERVER_SETTINGS,
            },
        )
        return cls(engine)

    @asynccontextmanager
    async def tenant(self, tenant_id: UUID, *, kept: bool = False) -> AsyncIterator[AsyncConnection]:
        """Opens a transaction that sees one tenant only; it commits at the end of the block, or not at all.

        With `kept` its statements, and the checks of foreign keys, use plans that serve many executions.
        """
        async with self._engine.begin() as connection:
            keeps = kept and await _may_keep_plans(connection)
            await connection.execute(_KEPT_AS_TENANT if keeps else _AS_TENANT, {"tenant_id": str(tenant_id)})
            yield connection

    @asynccontextmanager
    async def snapshot(self, tenant_id: UUID) -> AsyncIterator[AsyncConnection]:
        """Opens a transaction whose statements all see one instant of one tenant, for answers of several of them."""
        async with self._engine.connect() as connection:
            await connection.execution_options(isolation_level="REPEATABLE READ")
            async with connection.begin():
                await connection.execute(_AS_TENANT, {"tenant_id": str(tenant_id)})
                yield connection

    @asynccontextmanager
    async def system(self, *, kept: bool = False) -> AsyncIterator[AsyncConnection]:
        """Opens a transaction over tenants, for what stands above them: keys, tenants and the outbox."""
        async with self._engine.begin() as connection:
            keeps = kept and await _may_keep_plans(connection)
            await connection.execute(_KEPT_AS_SYSTEM if keeps else _AS_SYSTEM)
            yield connection

    async def listener(self) -> asyncpg.Connection:
        """Returns a connection of its own, outside the pool, for LISTEN and NOTIFY."""
        url = _renamed(self._engine.url.set(drivername="postgresql"), "ssl", "sslmode")
        return await asyncpg.connect(url.render_as_string(hide_password=False))

    async def ping(self) -> None:
        """Raises unless the database answers."""
        async with self._engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Closes every connection of the pool."""
        await self._engine.dispose()


async def _may_keep_plans(connection: AsyncConnection) -> bool:
    """Tells whether a connection's plans may be kept, and has those made anew that may come from smaller tables."""
    now, info = time.monotonic(), connection.info
    born = info.setdefault("born", now)
    if now >= info.get("plans_until", now):
        if info.get("keeps_plans"):
            await connection.execute(_DISCARD)
        info["keeps_plans"] = await connection.scalar(_SMALLEST) >= _ENOUGH_ROWS
        info["plans_until"] = now + min(max(now - born, _YOUNGEST), _OLDEST)
    return bool(info["keeps_plans"])

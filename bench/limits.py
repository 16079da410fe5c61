"""What does a slot cost beside a bare committed update? Run `python -m bench.limits`.

A durable PostgreSQL of its own, as many connections as a worker has. Each round runs the same number of transactions of
every kind, one kind after the other: a bare update of one row that all want, of a row of one's own, and reservations.
Only the ratios count; the machine and its disk make the rest.
"""

import asyncio
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import text

from db import limits
from db.limits import Asked
from db.session import Database
from db.tables import tenant
from domain.limits import Limits, limits_for
from domain.recipients import AddressKind, Channel
from migrations.apply import upgrade_async
from providers import PROVIDERS
from stack.postgres import PostgresServer
from stack.postgres_cluster import SERVICE_USER, Cluster

CONNECTIONS = 10
TRANSACTIONS = int(os.environ.get("LIMITS_COUNT", "400"))
ROUNDS = 3
PAGE = 50
FAST = {"rate": 100_000, "burst": 100_000, "pair_seconds": 0.001}
TENANT: Mapping[str, Any] = {"limits": {"rate": 100_000, "burst": 100_000, "per_day": 100_000_000}}
_BARE = text("UPDATE rate_bucket SET next_at = next_at + interval '1 second' WHERE tenant_id = :tenant AND key = :key")
_ROW = text("INSERT INTO rate_bucket (tenant_id, key, next_at) VALUES (:tenant, :key, now())")


@asynccontextmanager
async def ground() -> AsyncIterator[Database]:
    """Yields a migrated database on a server that loses nothing."""
    home = _public_directory()
    user = SERVICE_USER if os.geteuid() == 0 else None
    server = PostgresServer(home, cluster=Cluster(directory=home / "cluster", user=user))
    try:
        dsn = await server.start()
        await upgrade_async(dsn)
        database = Database.connect(dsn, pool_size=CONNECTIONS)
        yield database
        await database.close()
    finally:
        await server.stop()
        await asyncio.to_thread(shutil.rmtree, home, ignore_errors=True)


def _public_directory() -> Path:
    home = Path(tempfile.mkdtemp(prefix="carillon-bench-"))
    home.chmod(0o755)
    return home


class Kinds:
    """The transactions that are compared, all of one tenant."""

    def __init__(self, database: Database, tenant_id: UUID) -> None:
        self._database = database
        self._tenant_id = tenant_id

    async def prepare(self) -> None:
        """Makes the tenant and the rows that bare updates change."""
        async with self._database.system() as connection:
            await connection.execute(tenant.insert().values(id=self._tenant_id, name="bench"))
        async with self._database.tenant(self._tenant_id) as connection:
            rows = [{"tenant": self._tenant_id, "key": f"bare/{place}"} for place in range(CONNECTIONS)]
            await connection.execute(_ROW, rows)

    async def bare_shared(self, _: int) -> None:
        """Updates the one row that everybody wants."""
        await self._bare("bare/0")

    async def bare_own(self, place: int) -> None:
        """Updates a row that nobody else wants."""
        await self._bare(f"bare/{place}")

    async def one(self, place: int) -> None:
        """Reserves one slot of an account that everybody sends from."""
        await self._reserve("shared", [place])

    async def own(self, place: int) -> None:
        """Reserves one slot of an account of one's own, without anything shared."""
        await self._reserve(f"own/{place}", [place], {})

    async def page(self, place: int) -> None:
        """Reserves the slots of a page to as many recipients, from an account that everybody sends from."""
        await self._reserve("shared", range(place * PAGE, (place + 1) * PAGE))

    async def _bare(self, key: str) -> None:
        async with self._database.tenant(self._tenant_id) as connection:
            await connection.execute(_BARE, {"tenant": self._tenant_id, "key": key})

    async def _reserve(self, account: str, people: Sequence[int], settings: Mapping[str, Any] = TENANT) -> None:
        asked = [Asked(name=str(person), limits=_limits(account, person, settings)) for person in people]
        async with self._database.tenant(self._tenant_id) as connection:
            await limits.reserve(connection, self._tenant_id, asked, datetime.now(UTC))


def _limits(account: str, person: int, settings: Mapping[str, Any]) -> Limits:
    whom = (Channel.WHATSAPP, AddressKind.PHONE, f"+91{9_000_000_000 + person}")
    return limits_for(account, FAST, "", settings, *whom, PROVIDERS["meta"].limits)


async def rate(transaction: Callable[[int], Awaitable[None]]) -> float:
    """Returns how many transactions per second all connections together get through."""

    async def connection(place: int) -> None:
        for _ in range(TRANSACTIONS // CONNECTIONS):
            await transaction(place)

    began = time.perf_counter()
    await asyncio.gather(*(connection(place) for place in range(CONNECTIONS)))
    return TRANSACTIONS / (time.perf_counter() - began)


async def main() -> None:
    """Runs the rounds and prints the ratios."""
    async with ground() as database:
        kinds = Kinds(database, uuid_utils.compat.uuid7())
        await kinds.prepare()
        measured = (kinds.bare_shared, kinds.one, kinds.page, kinds.bare_own, kinds.own)
        rounds = [[await rate(kind) for kind in measured] for _ in range(ROUNDS + 1)][1:]
    print(f"\n{TRANSACTIONS} transactions over {CONNECTIONS} connections, median of {ROUNDS} rounds, per second")
    ratios = {
        "one account, tenant and caps that all share": [one / shared for shared, one, *_ in rounds],
        f"the same, slots in pages of {PAGE}": [page * PAGE / shared for shared, _, page, *_ in rounds],
        "an account and a recipient of one's own": [own / bare for *_, bare, own in rounds],
    }
    print(f"  {'bare committed update':46} 1.00")
    for name, found in ratios.items():
        print(f"  {name:46} {statistics.median(found):.2f}   ({min(found):.2f} to {max(found):.2f})")


if __name__ == "__main__":
    asyncio.run(main())

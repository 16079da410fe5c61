"""The worker of a bare outbox: `python -m bench.peers.outbox_worker DSN PROVIDER (singly|batches)`."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import uvloop

from bench.peers.sending import Sender, sender

BATCH = 50
# More are not claimed while so many are being sent.
AT_ONCE = 200
CONNECTIONS = 20
_CLAIM = """
    UPDATE message SET state = 'sending' WHERE id IN (
        SELECT id FROM message WHERE state = 'waiting' ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED
    ) RETURNING id, recipient, name
"""
_RECORD = "UPDATE message SET state = 'sent', provider_id = $2 WHERE id = $1"
_RECORD_MANY = """
    UPDATE message SET state = 'sent', provider_id = said.provider_id
    FROM unnest($1::bigint[], $2::text[]) AS said (id, provider_id) WHERE message.id = said.id
"""

Record = Callable[[int, str], Awaitable[None]]


class Batches:
    """Records what was sent, as many at once as have come together while the last ones were written."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._said: list[tuple[int, str]] = []
        self._some = asyncio.Event()

    async def record(self, number: int, provider_id: str) -> None:
        """Puts one with the next batch."""
        self._said.append((number, provider_id))
        self._some.set()

    async def run(self) -> None:
        """Writes batches until it is cancelled."""
        while await self._some.wait():
            said, self._said = self._said, []
            self._some.clear()
            await self._pool.execute(_RECORD_MANY, [number for number, _ in said], [told for _, told in said])


class Outbox:
    """Claims rows and has them sent."""

    def __init__(self, pool: Any, provider: Sender, record: Record) -> None:
        self._pool = pool
        self._provider = provider
        self._record = record
        self._room = asyncio.Semaphore(AT_ONCE)

    async def run(self) -> None:
        """Works until the process is ended."""
        async with asyncio.TaskGroup() as group:
            while True:
                for _ in range(BATCH):
                    await self._room.acquire()
                rows = await self._pool.fetch(_CLAIM, BATCH)
                for row in rows:
                    group.create_task(self._deliver(row))
                for _ in range(BATCH - len(rows)):
                    self._room.release()
                if not rows:
                    await asyncio.sleep(0.05)

    async def _deliver(self, row: Any) -> None:
        await self._record(row["id"], await self._provider.send(row["recipient"], row["name"]))
        self._room.release()


async def work(dsn: str, provider: str, recorded: str) -> None:
    """Works until the process is ended."""
    async with (
        asyncpg.create_pool(dsn, min_size=CONNECTIONS, max_size=CONNECTIONS) as pool,
        asyncio.TaskGroup() as group,
    ):

        async def singly(number: int, provider_id: str) -> None:
            await pool.execute(_RECORD, number, provider_id)

        batches = Batches(pool)
        if recorded == "batches":
            group.create_task(batches.run())
        async with sender(provider, connections=AT_ONCE) as provided:
            await Outbox(pool, provided, batches.record if recorded == "batches" else singly).run()


if __name__ == "__main__":
    uvloop.run(work(*sys.argv[1:]))

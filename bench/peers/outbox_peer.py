"""The least that a worker on PostgreSQL can be: it takes rows of an outbox, sends them, and says so in the row.

Whoever sends by hand writes this. It has no leases, retries, schedules or limits: a row that is "sending" when its
worker dies stays so.
"""

from asyncio.subprocess import Process
from contextlib import AbstractAsyncContextManager

from bench.peers.base import NAME, Place
from bench.peers.postgres import PostgresPeer
from bench.processes import running

_WAITING = "CREATE INDEX message_waiting ON message (id) WHERE state = 'waiting'"


class OutboxPeer(PostgresPeer):
    """A bare outbox; rows are claimed 50 at a time."""

    redelivers_within = 0.0

    def __init__(self, *, in_batches: bool) -> None:
        super().__init__()
        self.name = f"bare outbox, recorded {'in batches' if in_batches else 'one by one'}"
        self._recorded = "batches" if in_batches else "singly"

    async def prepare(self, place: Place) -> None:
        """Makes the table and the index by which the worker finds rows."""
        await super().prepare(place)
        await self.run(_WAITING)

    async def enqueue(self, first: int, count: int) -> None:
        """Inserts rows."""
        await self.run(
            f"""
                INSERT INTO message (id, recipient, name, state)
                SELECT number, '+1555' || lpad(number::text, 7, '0'), '{NAME}', 'waiting'
                FROM generate_series({first}, {first + count - 1}) AS number
            """,  # noqa: S608 - numbers and a constant of ours
            "VACUUM (ANALYZE) message",
        )

    def worker(self) -> AbstractAsyncContextManager[Process]:
        """Runs the worker."""
        return running("-m", "bench.peers.outbox_worker", self.dsn, self.provider, self._recorded)

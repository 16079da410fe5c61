"""procrastinate 3: a job queue in PostgreSQL, in Python.

Its jobs and the table of messages are in one database. A job whose worker died is found by that worker's missing
heartbeats (30 s, as it comes) and put back by a periodic task, as procrastinate's documentation says under "Retry
stalled jobs"; the documentation's task runs every ten minutes, ours every five seconds, so that there is something to
measure.
"""

from asyncio.subprocess import Process
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from bench.peers.base import NAME, Place, recipient
from bench.peers.postgres import PostgresPeer
from bench.peers.procrastinate_app import DELIVER, app_on
from bench.processes import running

if TYPE_CHECKING:
    from procrastinate.types import JSONValue


class ProcrastinatePeer(PostgresPeer):
    """procrastinate with one worker."""

    name = "procrastinate"
    # Heartbeats missing for 30 s, the periodic task every 5 s, and its own way through the queue.
    redelivers_within = 40.0

    async def prepare(self, place: Place) -> None:
        """Makes procrastinate's tables as well."""
        await super().prepare(place)
        async with app_on(self.dsn, connections=1).open_async() as app:
            await app.schema_manager.apply_schema_async()

    async def enqueue(self, first: int, count: int) -> None:
        """Defers jobs in batches of 500."""
        async with app_on(self.dsn, connections=1).open_async() as app:
            for start in range(first, first + count, 500):
                numbers = range(start, min(start + 500, first + count))
                jobs: list[dict[str, JSONValue]] = [
                    {"number": number, "to": recipient(number), "name": NAME} for number in numbers
                ]
                await app.configure_task(DELIVER).batch_defer_async(*jobs)
        await self.run("VACUUM (ANALYZE) procrastinate_jobs")

    def worker(self) -> AbstractAsyncContextManager[Process]:
        """Runs the worker."""
        return running("-m", "bench.peers.procrastinate_worker", self.dsn, self.provider)

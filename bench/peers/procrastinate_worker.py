"""A worker of procrastinate: `python -m bench.peers.procrastinate_worker DSN PROVIDER`."""

import asyncio
import sys

import asyncpg
import psycopg
import uvloop

from bench.peers.procrastinate_app import app_on
from bench.peers.sending import sender

CONCURRENCY = 100
# A worker fetches one job after the other. With psycopg in C one is fastest; in pure Python four that share the
# concurrency are, although they are in one process.
WORKERS = 4 if psycopg.pq.__impl__ == "python" else 1
# procrastinate's own connections, and as many for claims and records.
CONNECTIONS = 20


async def work(dsn: str, provider: str) -> None:
    """Works until the process is ended."""
    async with (
        asyncpg.create_pool(dsn, min_size=CONNECTIONS, max_size=CONNECTIONS) as pool,
        sender(provider, connections=CONCURRENCY) as provided,
        app_on(dsn, connections=CONNECTIONS).open_async() as app,
    ):
        shared = {"pool": pool, "provider": provided}
        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(
                    app.run_worker_async(
                        concurrency=CONCURRENCY // WORKERS,
                        additional_context=shared,
                        delete_jobs="successful",
                        install_signal_handlers=False,  # several in one process would take them from each other
                    )
                )


if __name__ == "__main__":
    uvloop.run(work(*sys.argv[1:]))

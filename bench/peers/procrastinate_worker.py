"""A worker of procrastinate: `python -m bench.peers.procrastinate_worker DSN PROVIDER`."""

import sys

import asyncpg
import uvloop

from bench.peers.procrastinate_app import app_on
from bench.peers.sending import sender

CONCURRENCY = 100
# procrastinate's own connections, and as many for claims and records.
CONNECTIONS = 20


async def work(dsn: str, provider: str) -> None:
    """Works until the process is ended."""
    async with (
        asyncpg.create_pool(dsn, min_size=CONNECTIONS, max_size=CONNECTIONS) as pool,
        sender(provider, connections=CONCURRENCY) as provided,
        app_on(dsn, connections=CONNECTIONS).open_async() as app,
    ):
        await app.run_worker_async(
            concurrency=CONCURRENCY,
            additional_context={"pool": pool, "provider": provided},
            delete_jobs="successful",
        )


if __name__ == "__main__":
    uvloop.run(work(*sys.argv[1:]))

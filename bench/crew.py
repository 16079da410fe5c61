"""The processes around a measurement: workers that come and go, and the servers that stay."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from bench.ground import Ground
from bench.processes import running
from stack.ports import any_free


@asynccontextmanager
async def workers(place: Ground, count: int, **settings: str) -> AsyncIterator[dict[str, int]]:
    """Runs worker processes of ours for the block; yields their process ids by name."""
    async with AsyncExitStack() as stack:
        pids = {}
        for number in range(1, count + 1):
            own = {**place.environment, **settings, "CARILLON_WORKER_METRICS_PORT": str(any_free())}
            process = await stack.enter_async_context(running("-m", "cli", "worker", **own))
            pids[f"worker {number}"] = process.pid
        yield pids


def servers(place: Ground) -> dict[str, int]:
    """Returns the process ids of the servers, by name."""
    found = {"PostgreSQL": place.postgres.child, "Temporal": place.temporal.child}
    return {name: child.pid for name, child in found.items() if child is not None}


async def rest(seconds: float) -> None:
    """Lets the machine write down what the last measurement left."""
    await asyncio.sleep(seconds)

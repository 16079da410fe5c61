"""A stack that has nothing to do: how soon it is there when everything is set up, and how much memory it holds."""

import asyncio
import os
import sys
import time
from pathlib import Path

import httpx

from bench.figures import Figure, median_of
from bench.processes import megabytes, stop
from stack.ports import any_free

GROUP = "the stack at rest"
_STARTS = 3
_REST = 15.0


async def measure(home: Path) -> list[Figure]:
    """Starts `carillon up` in a home of its own, four times; the first start makes everything and does not count."""
    starts: list[float] = []
    memory: dict[str, float] = {}
    for number in range(_STARTS + 1):
        port = any_free()
        environment = {**os.environ, "CARILLON_HOME": str(home), "CARILLON_API_PORT": str(port)}
        began = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "cli", "up", env=environment, stdout=asyncio.subprocess.DEVNULL
        )
        try:
            await _until_ready(port)
            if number:
                starts.append(time.perf_counter() - began)
            if number == _STARTS:
                await asyncio.sleep(_REST)
                memory = megabytes({"everything": process.pid})
        finally:
            await stop(process)
    return [
        median_of(GROUP, "warm start until ready", "s", starts, aim="≤ 5"),
        Figure(group=GROUP, name="memory of all processes", unit="MB", value=memory["everything"], aim="≤ 700"),
    ]


async def _until_ready(port: int) -> None:
    async with httpx.AsyncClient(timeout=5) as http, asyncio.timeout(180):
        while True:
            try:
                if (await http.get(f"http://127.0.0.1:{port}/readyz")).is_success:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)

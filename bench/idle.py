"""A stack that has nothing to do: how soon it is there when everything is set up, and how much memory it holds."""

import asyncio
import os
import sys
import time
from pathlib import Path

import psutil

from bench.figures import Figure, median_of
from bench.processes import megabytes

GROUP = "the stack at rest"
_STARTS = 3
_REST = 15.0


async def measure(home: Path) -> list[Figure]:
    """Starts `carillon up` in a home of its own, four times; the first start makes everything and does not count."""
    starts: list[float] = []
    memory = 0.0
    for number in range(_STARTS + 1):
        began = time.perf_counter()
        await _carillon(home, "up", "--detach")
        try:
            if number:
                starts.append(time.perf_counter() - began)
            if number == _STARTS:
                await asyncio.sleep(_REST)
                memory = sum(megabytes({str(pid): pid for pid in _roots(home)}).values())
        finally:
            await _carillon(home, "down")
    return [
        median_of(GROUP, "warm start until ready", "s", starts, aim="≤ 5"),
        Figure(group=GROUP, name="memory of all processes", unit="MB", value=memory, aim="≤ 700"),
    ]


async def _carillon(home: Path, *arguments: str) -> None:
    environment = {**os.environ, "CARILLON_HOME": str(home)}
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "cli", *arguments, env=environment)
    if await process.wait():
        raise SystemExit(f"'carillon {' '.join(arguments)}' failed.")


def _roots(home: Path) -> list[int]:
    """Returns the processes of a stack that are not children of others of it."""
    mine = {one.pid: one for one in psutil.process_iter() if _home_of(one) == str(home)}
    return [pid for pid, one in mine.items() if one.ppid() not in mine]


def _home_of(process: psutil.Process) -> str | None:
    try:
        return process.environ().get("CARILLON_HOME")
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None

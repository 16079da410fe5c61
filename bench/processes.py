"""Processes of a measurement: started, ended by their ids, and asked what they cost."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

import psutil


@asynccontextmanager
async def running(*arguments: str, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Runs `python` with arguments for the block, and stops it afterwards."""
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, env={**os.environ, **environment})
    try:
        yield process
    finally:
        await stop(process)


async def stop(process: asyncio.subprocess.Process) -> None:
    """Ends a process of ours, at the latest after ten seconds."""
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(10):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def cpu_seconds(pids: Mapping[str, int]) -> dict[str, float]:
    """Returns the processor time that each process and its living children have used so far, by name."""
    return {name: sum(_cpu(one) for one in _family(pid)) for name, pid in pids.items()}


def megabytes(pids: Mapping[str, int]) -> dict[str, float]:
    """Returns the memory of each process with its children: shared pages count once, divided among their users."""
    return {name: sum(_memory(one) for one in _family(pid)) / 1e6 for name, pid in pids.items()}


def _family(pid: int) -> list[psutil.Process]:
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _cpu(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    # The children that have ended count for their parent, as far as it waited for them.
    return float(times.user + times.system + times.children_user + times.children_system)


def _memory(process: psutil.Process) -> float:
    try:
        found = process.memory_full_info()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0.0
    return float(getattr(found, "pss", found.rss))

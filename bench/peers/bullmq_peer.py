"""BullMQ: a job queue in Redis, in JavaScript; its claims and records are in the same Redis.

Redis forces every write to the disk before it answers (`appendfsync always`), as PostgreSQL does here for the others.
BullMQ gives a dead worker's jobs to another one once their lock of 30 s has run out; that is looked at every 30 s. Both
are BullMQ's own values.
"""

import asyncio
import shutil
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from bench.peers.base import NAME, Peer, Place
from bench.processes import stop
from stack.home import cache_directory
from stack.ports import LOOPBACK, any_free

_SOURCES = Path(__file__).with_name("bullmq")
_PROGRAMS = {"redis-server": "Redis", "redis-cli": "Redis's client", "node": "Node.js", "npm": "npm"}
_SETTINGS = {
    "bind": LOOPBACK,
    "appendonly": "yes",
    "appendfsync": "always",
    "save": "",
    "maxmemory-policy": "noeviction",
}


class BullmqPeer(Peer):
    """BullMQ with one worker."""

    name = "BullMQ"
    # Two looks at locks, 30 s apart: the first one notes who is active, the second one whose lock has run out.
    redelivers_within = 65.0

    def __init__(self) -> None:
        self._home = cache_directory() / "bench-bullmq"
        self._redis: Process | None = None
        self._port = 0
        self._provider_port = 0

    async def available(self) -> str | None:
        """Returns which program is missing, or why npm cannot install BullMQ."""
        for program, title in _PROGRAMS.items():
            if shutil.which(program) is None:
                return f"{title} is not installed."
        return await self._install()

    async def prepare(self, place: Place) -> None:
        """Starts an empty Redis."""
        await self.close()
        self._port, self._provider_port = any_free(), place.provider_port
        directory = tempfile.mkdtemp(prefix="redis-", dir=place.directory)
        options = [part for name, value in _SETTINGS.items() for part in (f"--{name}", value)]
        self._redis = await asyncio.create_subprocess_exec(
            "redis-server", "--port", str(self._port), "--dir", directory, *options, stdout=DEVNULL
        )
        for _ in range(200):
            if await self._ask("PING") == ["PONG"]:
                return
            await asyncio.sleep(0.05)
        raise SystemExit("Redis does not come up.")

    async def enqueue(self, first: int, count: int) -> None:
        """Adds jobs in bulk."""
        arguments = ("enqueue.mjs", str(self._port), str(first), str(count), NAME)
        process = await asyncio.create_subprocess_exec("node", *arguments, cwd=self._home)
        if await process.wait():
            raise SystemExit("BullMQ did not take the jobs.")

    def worker(self) -> AbstractAsyncContextManager[Process]:
        """Runs the worker."""
        return self._worker()

    async def sent(self) -> int:
        """Returns how many messages have a key that says so."""
        return len(await self._ask("KEYS", "sent:*"))

    async def doubtful(self) -> list[str]:
        """Returns the recipients that have a key for a message being sent."""
        return [key.removeprefix("sending:") for key in await self._ask("KEYS", "sending:*")]

    async def close(self) -> None:
        """Stops Redis."""
        if self._redis is not None:
            await stop(self._redis)
            self._redis = None

    async def _install(self) -> str | None:
        """Has BullMQ in our cache, outside of the checkout."""
        wanted = (_SOURCES / "package.json").read_text("utf-8")
        installed = self._home / "installed.json"
        self._home.mkdir(parents=True, exist_ok=True)
        for source in _SOURCES.iterdir():
            shutil.copyfile(source, self._home / source.name)
        if installed.is_file() and installed.read_text("utf-8") == wanted:
            return None
        process = await asyncio.create_subprocess_exec(
            *("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund"),
            cwd=self._home,
            stdout=DEVNULL,
            stderr=PIPE,
        )
        complaint = (await process.communicate())[1]
        if process.returncode:
            print(complaint.decode(errors="replace"), file=sys.stderr)
            return "npm cannot install BullMQ."
        installed.write_text(wanted, "utf-8")
        return None

    @asynccontextmanager
    async def _worker(self) -> AsyncIterator[Process]:
        arguments = ("worker.mjs", str(self._port), str(self._provider_port))
        process = await asyncio.create_subprocess_exec("node", *arguments, cwd=self._home)
        try:
            yield process
        finally:
            await stop(process)

    async def _ask(self, *command: str) -> list[str]:
        process = await asyncio.create_subprocess_exec(
            "redis-cli", "-p", str(self._port), "--raw", *command, stdout=PIPE, stderr=DEVNULL
        )
        return (await process.communicate())[0].decode().split()

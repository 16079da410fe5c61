"""A Temporal server as in production, for load: the server itself over PostgreSQL instead of the development server.

The server and its schema tool are built with Go once and kept in our cache. PostgreSQL must be one that has the
extension `btree_gin` (Debian: `postgresql-contrib` is part of `postgresql-15`); the one from our wheel lacks it.
"""

import asyncio
import json
import os
import random
import shutil
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
from sqlalchemy import make_url

from stack import ports, temporal_binary
from stack.child import Child, Program
from stack.home import cache_directory
from stack.logs import PartLog, say
from stack.postgres import PostgresServer
from stack.search_attributes import SEARCH_ATTRIBUTES

VERSION = "1.31.2"
_PROGRAMS = {"server": "cmd/server", "sql": "cmd/tools/sql"}
_SCHEMAS = {"temporal": "postgresql/v12/temporal", "temporal_visibility": "postgresql/v12/visibility"}
# The server's usual caps are below what these measurements ask for; one partition has the best tail on a small box.
_DYNAMIC = {
    "frontend.rps": 100_000,
    "frontend.namespaceRPS": 100_000,
    "frontend.namespaceCount": 10_000,
    "history.rps": 100_000,
    "matching.rps": 100_000,
    "matching.numTaskqueueReadPartitions": 1,
    "matching.numTaskqueueWritePartitions": 1,
    "matching.useNewMatcher": True,
    "matching.enableFairness": True,
    "matching.enableMigration": True,
}
_START_WITHIN = 60.0


async def programs() -> dict[str, Path]:
    """Returns the server and its schema tool, built when they are not here yet (some minutes, once)."""
    directory = cache_directory() / "temporal-server" / VERSION
    directory.mkdir(parents=True, exist_ok=True)
    for name, package in _PROGRAMS.items():
        if os.access(directory / name, os.X_OK):
            continue
        go = shutil.which("go")
        if go is None:
            raise SystemExit("The production server is built with Go: install Go 1.25 or newer.")
        say(f"Building Temporal's {name} {VERSION}, once.")
        command = [go, "install", f"go.temporal.io/server/{package}@v{VERSION}"]
        process = await asyncio.create_subprocess_exec(*command, env={**os.environ, "GOBIN": str(directory)})
        if await process.wait():
            raise SystemExit(f"'{' '.join(command)}' failed.")
    return {name: directory / name for name in _PROGRAMS}


@asynccontextmanager
async def temporal_on(postgres: PostgresServer, home: Path, *, shards: int = 64) -> AsyncIterator["Production"]:
    """Runs a server over new databases of `postgres`, with namespace `default` and our search attributes."""
    found = await programs()
    server = Production(found["server"], home, postgres.superuser_dsn, shards=shards)
    await _make_databases(postgres.superuser_dsn, found["sql"])
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


class Production:
    """The server as a child of this process; `address` serves clients, `metrics_url` counts."""

    def __init__(self, program: Path, home: Path, dsn: str, *, shards: int) -> None:
        self._program, self._home, self._dsn, self._shards = program, home, dsn, shards
        names = ("FRONTEND", "MATCHING", "HISTORY", "WORKER")
        wanted = [*(f"{name}_{kind}_PORT" for name in names for kind in ("GRPC", "MEMBERSHIP")), "FRONTEND_HTTP_PORT"]
        self._ports = dict(zip(wanted, _low_ports(), strict=False))
        self._metrics = ports.any_free()
        self.log = PartLog(home / "temporal-server.log")
        self.child: Child | None = None

    @property
    def address(self) -> str:
        """Returns `host:port` of the service."""
        return f"{ports.LOOPBACK}:{self._ports['FRONTEND_GRPC_PORT']}"

    @property
    def metrics_url(self) -> str:
        """Returns where the server's own counters are."""
        return f"http://{ports.LOOPBACK}:{self._metrics}/metrics"

    async def start(self) -> None:
        """Starts the server and returns once its namespace takes our search attributes."""
        await asyncio.to_thread(self._configure)
        command = [str(self._program), "--allow-no-auth", "start"]
        program = Program(command=command, environment=self._environment(), directory=self._home)
        self.child = await Child.start(program, self.log.write)
        cli = await temporal_binary.locate(say)
        await self._until(cli, ["operator", "namespace", "create", "-n", "default", "--retention", "72h"], "already")
        attributes = [part for name, kind in SEARCH_ATTRIBUTES.items() for part in ("--name", name, "--type", kind)]
        await self._until(cli, ["operator", "search-attribute", "create", "-n", "default", *attributes], "already")

    async def stop(self) -> None:
        """Stops the server."""
        if self.child is not None:
            await self.child.stop(10.0)
            self.log.close()

    def _configure(self) -> None:
        # YAML is a superset of JSON, which needs no library.
        settings = {name: [{"value": value}] for name, value in _DYNAMIC.items()}
        (self._home / "dynamic.yaml").write_text(json.dumps(settings), encoding="utf-8")

    def _environment(self) -> dict[str, str]:
        url = make_url(self._dsn)
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self._home),
            "DB": "postgres12_pgx",
            "POSTGRES_SEEDS": str(url.host),
            "DB_PORT": str(url.port),
            "POSTGRES_USER": str(url.username),
            "POSTGRES_PWD": str(url.password),
            "SQL_MAX_CONNS": "40",
            "SQL_MAX_IDLE_CONNS": "40",
            "NUM_HISTORY_SHARDS": str(self._shards),
            "BIND_ON_IP": ports.LOOPBACK,
            "TEMPORAL_BROADCAST_ADDRESS": ports.LOOPBACK,
            "DYNAMIC_CONFIG_FILE_PATH": str(self._home / "dynamic.yaml"),
            "PROMETHEUS_ENDPOINT": f"{ports.LOOPBACK}:{self._metrics}",
            "LOG_LEVEL": "warn",
            **{name: str(port) for name, port in self._ports.items()},
        }

    async def _until(self, cli: Path, arguments: list[str], fine: str) -> None:
        deadline = time.monotonic() + _START_WITHIN
        while True:
            process = await asyncio.create_subprocess_exec(
                *[str(cli), *arguments, "--address", self.address, "--command-timeout", "5s"],
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
            )
            complaint = (await process.communicate())[1].decode(errors="replace")
            if process.returncode == 0 or fine in complaint:
                return
            if time.monotonic() > deadline or (self.child is not None and self.child.ended is not None):
                said = "\n".join(list(self.log.last)[-20:])
                raise SystemExit(f"The Temporal server did not come up: {complaint.strip()}; it said:\n{said}")
            await asyncio.sleep(0.2)


def _low_ports() -> Iterator[int]:
    """Yields free ports that fit into the 16 signed bits in which the server's own schema keeps them."""
    return (port for port in random.sample(range(10_000, 32_768), 2000) if ports.is_free(port))


async def _make_databases(dsn: str, tool: Path) -> None:
    url = make_url(dsn)
    connection = await asyncpg.connect(dsn)
    try:
        for database in _SCHEMAS:
            await connection.execute(f'CREATE DATABASE "{database}"')
    finally:
        await connection.close()
    access = ["--plugin", "postgres12_pgx", "--endpoint", str(url.host), "--port", str(url.port)]
    access += ["--user", str(url.username), "--password", str(url.password)]
    for database, schema in _SCHEMAS.items():
        for step in (["setup-schema", "-v", "0.0"], ["update-schema", "--schema-name", schema]):
            process = await asyncio.create_subprocess_exec(
                *[str(tool), *access, "--database", database, *step],
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
            )
            complaint = (await process.communicate())[1]
            if process.returncode:
                sys.exit(f"The schema of {database} could not be made: {complaint.decode(errors='replace')[-500:]}")

"""Runs PostgreSQL from its bare programs: starts it, tells when it is ready, stops it."""

import asyncio
import json
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from stack import ports
from stack.child import Child
from stack.home import write_private
from stack.logs import PartLog
from stack.postgres_binaries import Binaries
from stack.postgres_cluster import SERVICE_USER, Cluster, cluster_of
from stack.postgres_roles import DATABASE, ROLE, SUPERUSER, ensure_database
from stack.problems import NotReadyError
from stack.secret_file import Secrets, make

_START_WITHIN = 60.0
_STOP_WITHIN = 8.0
_POLL = 0.01
_SETTINGS = {
    "listen_addresses": ports.LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "300",
    "fsync": "on",
    "synchronous_commit": "on",
    "password_encryption": "scram-sha-256",  # pragma: allowlist secret
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "",
    "log_checkpoints": "off",
    "jit": "off",
    "autovacuum_naptime": "10s",  # plans that are kept want to know soon how large tables have become
}
_THROWAWAY_SETTINGS = {"fsync": "off", "full_page_writes": "off"}


class PostgresServer:
    """One PostgreSQL server on a random loopback port, as a child of this process.

    Args:
        home: the directory that holds the remembered port and the log (and, unless run by root, the files).
        secrets: the passwords and the name of the instance; made up when left out.
        cluster: where the files are, when that does not follow from `home`.
        durable: False trades safety for speed; for tests alone.
        log: where its lines go; `postgres.log` in `home` when left out.
    """

    name = "postgres"

    def __init__(
        self,
        home: Path,
        *,
        secrets: Secrets | None = None,
        cluster: Cluster | None = None,
        durable: bool = True,
        log: PartLog | None = None,
    ) -> None:
        self._secrets = secrets or make()
        self.cluster = cluster or cluster_of(home, self._secrets)
        self._remembered = home / "postgres.json"
        self._settings = _SETTINGS if durable else {**_SETTINGS, **_THROWAWAY_SETTINGS}
        self._durable = durable
        self.log = log or PartLog(home / "postgres.log")
        self._port = 0
        self.version = ""
        self.child: Child | None = None

    @property
    def address(self) -> str:
        """Returns `host:port`; the port stays the same as long as this object lives."""
        return f"{ports.LOOPBACK}:{self._port}"

    @property
    def dsn(self) -> str:
        """Returns the address of the application's database, for the role that owns it."""
        return f"postgresql://{ROLE}:{self._secrets.postgres_password}@{self.address}/{DATABASE}"

    @property
    def superuser_dsn(self) -> str:
        """Returns the address of the maintenance database, for the superuser."""
        return f"postgresql://{SUPERUSER}:{self._secrets.postgres_superuser_password}@{self.address}/postgres"

    async def start(self) -> str:
        """Starts the server and returns the address of the application's database once it answers.

        Raises:
            StackError: there are no programs; the message says how to get them.
            NotReadyError: the server does not come up.
        """
        binaries = await asyncio.to_thread(self.cluster.prepare)
        self.version = binaries.version
        if await asyncio.to_thread(self.cluster.end_predecessor):
            self.log.write("ended the server that a killed instance had left")
        password = self._secrets.postgres_superuser_password
        self.log.muted = True
        await self.cluster.make_files(binaries, password, self.log, durable=self._durable)
        self.log.muted = False
        self._port = self._port or self._choose_port()
        self.child = await Child.start(self.cluster.program(self._command(binaries)), self.log.write)
        try:
            await self._until_ready(self.child)
            await ensure_database(self.superuser_dsn, self._secrets.postgres_password, self.cluster.data)
        except BaseException:
            await self.stop()
            raise
        write_private(self._remembered, json.dumps({"port": self._port}))
        return self.dsn

    async def stop(self, within: float = _STOP_WITHIN) -> None:
        """Stops the server cleanly (its connections are closed), by force after `within` seconds."""
        if self.child is not None:
            await self.child.stop(within)
            self.log.close()

    def _command(self, binaries: Binaries) -> list[str]:
        options = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        return [binaries.program("postgres"), "-D", str(self.cluster.data), "-p", str(self._port), *options]

    def _choose_port(self) -> int:
        try:
            remembered = int(json.loads(self._remembered.read_text(encoding="utf-8"))["port"])
        except (OSError, ValueError, KeyError):
            return ports.any_free()
        return remembered if ports.is_free(remembered) else ports.any_free()

    async def _until_ready(self, child: Child) -> None:
        deadline = time.monotonic() + _START_WITHIN
        while not self.cluster.is_ready(child.pid):
            if child.ended is not None:
                await child.wait()
                reason = next((line for line in reversed(self.log.last) if "FATAL" in line), "no reason given")
                raise NotReadyError(f"PostgreSQL ended at once ({reason}); {self.log.file} says more.")
            if time.monotonic() > deadline:
                raise NotReadyError(f"PostgreSQL was not ready after {_START_WITHIN:.0f} s; {self.log.file} says more.")
            await asyncio.sleep(_POLL)


@asynccontextmanager
async def throwaway_postgres() -> AsyncIterator[PostgresServer]:
    """Runs a fast, unsafe server over a temporary directory and removes everything at the end; for tests."""
    directory = _public_temporary_directory()
    user = SERVICE_USER if os.geteuid() == 0 else None
    server = PostgresServer(directory, cluster=Cluster(directory=directory / "cluster", user=user), durable=False)
    try:
        await server.start()
        yield server
    finally:
        await server.stop()
        await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True)


def _public_temporary_directory() -> Path:
    directory = Path(tempfile.mkdtemp(prefix="carillon-postgres-"))
    directory.chmod(0o755)
    return directory

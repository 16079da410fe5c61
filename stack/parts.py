"""The parts of an instance and who needs whom."""

import os
import sys
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from urllib.parse import urlsplit

from stack import layout as layouts
from stack import probes
from stack.home import Home
from stack.layout import Layout
from stack.logs import LogBook
from stack.ports import LOOPBACK
from stack.postgres import PostgresServer
from stack.schema import is_newest
from stack.secret_file import Secrets
from stack.service import Elsewhere, OneOff, ProcessService
from stack.supervisor import Supervisor
from stack.temporal import TemporalServer

POSTGRES, TEMPORAL, MIGRATE, SANDBOX, API = "postgres", "temporal", "migrate", "sandbox", "api"

# Sends that are under way may finish; with the parts that stop afterwards everything stays below ten seconds.
_FINISH_SENDING = 6.5


class Parts:
    """Makes all services of an instance, each with its environment, from a layout."""

    def __init__(self, home: Home, layout: Layout, secrets: Secrets, logs: LogBook) -> None:
        self._home = home
        self._layout = layout
        self._secrets = secrets
        self._logs = logs
        self._version = version("carillon")
        self._postgres = PostgresServer(home.path, secrets=secrets, log=logs.of(POSTGRES))

    def add_to(self, supervisor: Supervisor) -> None:
        """Adds every part to the supervisor; together their time to stop stays below ten seconds."""
        supervisor.add(self._database(), stop_within=2.0)
        supervisor.add(self._temporal(), stop_within=1.5)
        supervisor.add(self._sandbox(), stop_within=1.0)
        supervisor.add(self._migrations(), needs=[POSTGRES])
        api = self._process(API, API, self._layout.api, "/readyz", self._environment)
        for service in [
            api,
            *(self._worker(number, port) for number, port in enumerate(self._layout.workers, start=1)),
        ]:
            needs = [POSTGRES, MIGRATE, TEMPORAL]
            supervisor.add(service, needs=needs, outlived_by=[SANDBOX], stop_within=_FINISH_SENDING)

    def _database(self) -> PostgresServer | Elsewhere:
        dsn = os.environ.get("CARILLON_DATABASE_URL")
        if not dsn:
            return self._postgres
        address = _host_and_port(dsn)
        return Elsewhere(
            POSTGRES,
            address=address,
            answers=lambda: probes.database_answers(dsn),
            otherwise=f"No database answers at {address}; start it, or unset CARILLON_DATABASE_URL to use our own.",
            log=self._logs.of(POSTGRES),
        )

    def _temporal(self) -> TemporalServer | Elsewhere:
        address = os.environ.get("TEMPORAL_ADDRESS")
        namespace = os.environ.get("TEMPORAL_NAMESPACE") or "default"
        if not address:
            return TemporalServer(
                self._home.temporal,
                port=self._layout.temporal,
                ui_port=self._layout.temporal_ui,
                namespace=namespace,
                codec=f"{self._layout.public_url}/codec",
                log=self._logs.of(TEMPORAL),
            )
        return Elsewhere(
            TEMPORAL,
            address=address,
            answers=_prepared(address, namespace),
            otherwise=f"No Temporal (namespace {namespace!r}) is at {address}; start it, or unset TEMPORAL_ADDRESS.",
            log=self._logs.of(TEMPORAL),
        )

    def _migrations(self) -> OneOff:
        return OneOff(
            MIGRATE,
            command=_command(MIGRATE),
            environment=self._environment,
            directory=self._home.path,
            log=self._logs.of(MIGRATE),
            done=lambda: is_newest(self._environment()["CARILLON_DATABASE_URL"]),
        )

    def _sandbox(self) -> ProcessService:
        environment = layouts.sandbox_environment(self._home, self._layout)
        return self._process(SANDBOX, SANDBOX, self._layout.sandbox, "/healthz", lambda: environment)

    def _worker(self, number: int, port: int) -> ProcessService:
        def environment() -> dict[str, str]:
            return {**self._environment(), "CARILLON_WORKER_METRICS_PORT": str(port)}

        return self._process(f"worker-{number}", "worker", port, "/healthz", environment)

    def _process(
        self, name: str, role: str, port: int, probe: str, environment: Callable[[], dict[str, str]]
    ) -> ProcessService:
        address = f"{LOOPBACK}:{port}"
        return ProcessService(
            name,
            command=_command(role),
            environment=environment,
            directory=self._home.path,
            probe=f"http://{address}{probe}",
            address=address,
            version=self._version,
            log=self._logs.of(name),
        )

    def _environment(self) -> dict[str, str]:
        database = os.environ.get("CARILLON_DATABASE_URL") or self._postgres.dsn
        temporal = os.environ.get("TEMPORAL_ADDRESS") or f"{LOOPBACK}:{self._layout.temporal}"
        return layouts.environment(self._home, self._layout, self._secrets, database=database, temporal=temporal)


def _prepared(address: str, namespace: str) -> Callable[[], Awaitable[bool]]:
    async def answers() -> bool:
        from stack.temporal_client import prepare  # noqa: PLC0415 - the SDK is heavy

        return await prepare(address, namespace)

    return answers


def _command(role: str) -> list[str]:
    return [sys.executable, "-m", "cli", role]


def _host_and_port(dsn: str) -> str:
    parts = urlsplit(dsn)
    return f"{parts.hostname or 'localhost'}:{parts.port or 5432}"

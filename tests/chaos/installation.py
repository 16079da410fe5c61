"""One instance of the whole stack, kept running by the project's own supervisor, whose parts can be struck."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import crashpoints
from stack import layout as layouts
from stack import ports, probes, processes
from stack.home import Home, open_home
from stack.layout import Layout
from stack.logs import PartLog
from stack.postgres import PostgresServer
from stack.postgres_cluster import SERVICE_USER, Cluster
from stack.schema import is_newest
from stack.secret_file import load_or_make
from stack.service import OneOff, ProcessService, Service
from stack.supervisor import Supervisor
from stack.temporal import TemporalServer
from tests.chaos.plan import Plan
from tests.chaos.proxy import PostgresProxy

if TYPE_CHECKING:
    from stack.child import Child

API, POSTGRES, TEMPORAL, PROVIDER, PROXY, MIGRATE = "api", "postgres", "temporal", "sandbox", "proxy", "migrate"
_STABLE_AFTER = 1.0
"""Seconds after which a part that is killed again starts at once: here nobody is at fault but us."""
_HOUSEKEEPING = "2"
_PAGE_SIZE = "8"  # small, so that there are many


class WatchedLog(PartLog):
    """The log of a part that also tells which crash points were reached."""

    def __init__(self, file: Path, reached: Callable[[str], None]) -> None:
        super().__init__(file)
        self._reached = reached

    def write(self, line: str) -> None:
        """Appends one line."""
        super().write(line)
        if line.startswith("crash point "):
            self._reached(line.split()[2])


class ProxyService:
    """The proxy in front of PostgreSQL, as a part that the supervisor starts after it."""

    def __init__(self, postgres: PostgresServer, log: PartLog) -> None:
        self.name, self.version, self.log = PROXY, "", log
        self.child: Child | None = None
        self._postgres = postgres
        self.proxy: PostgresProxy | None = None

    @property
    def address(self) -> str:
        """Returns where it serves."""
        return f"{ports.LOOPBACK}:{self.proxy.port}" if self.proxy else ""

    async def start(self) -> None:
        """Returns once it listens."""
        host, _, port = self._postgres.address.rpartition(":")
        self.proxy = PostgresProxy(host, int(port))
        await self.proxy.start()

    async def stop(self, within: float) -> None:
        """Cuts everything."""
        if self.proxy is not None:
            await self.proxy.stop()


class Installation:
    """The parts of one instance, in a directory of its own, on ports of its own."""

    def __init__(self, plan: Plan, directory: Path, disk: Path, *, bounce_relay: int) -> None:
        self._plan = plan
        self._bounce_relay = bounce_relay
        self.home: Home = open_home(directory / "home")
        self.secrets = load_or_make(self.home)
        self.layout = _layout(plan.workers)
        self.crash_points: list[str] = []
        self._armed: dict[str, str] = {}
        user = SERVICE_USER if os.geteuid() == 0 else None
        self.postgres = PostgresServer(
            self.home.path,
            secrets=self.secrets,
            cluster=Cluster(directory=disk / "postgres", user=user),
            log=self._log(POSTGRES),
        )
        self._proxy = ProxyService(self.postgres, self._log(PROXY))
        self._supervisor = Supervisor(lambda _: None, stable_after=_STABLE_AFTER)
        self._services: dict[str, Service] = {}
        self._add_all()

    @property
    def proxy(self) -> PostgresProxy:
        """Returns the proxy between PostgreSQL and everybody else; it must have been started."""
        if self._proxy.proxy is None:
            raise RuntimeError("the installation was not started")
        return self._proxy.proxy

    @property
    def workers(self) -> list[str]:
        """Returns the names of the workers."""
        return [f"worker-{number}" for number in range(1, self._plan.workers + 1)]

    @property
    def truth_dsn(self) -> str:
        """Returns the application's database, past the proxy and past row level security: for looking, not for use."""
        return self.postgres.superuser_dsn.removesuffix("/postgres") + "/carillon"

    async def start(self) -> None:
        """Returns once every part is ready."""
        await self._supervisor.start()

    async def stop(self) -> None:
        """Stops every part; paused ones go on first, so that they can end."""
        for name in self._services:
            self.go_on(name)
        await self._supervisor.stop()

    def kill(self, name: str) -> bool:
        """Kills all processes of a part and tells whether it ran; the supervisor starts it again."""
        return self._signal(name, signal.SIGKILL)

    def kill_backend(self, place: int) -> bool:
        """Kills one backend of PostgreSQL that serves a client, and tells whether there was one."""
        child = self._services[POSTGRES].child
        backends = [pid for pid in _children(child.pid) if _serves(pid)] if child is not None else []
        if not backends:
            return False
        processes.send_signal(backends[place % len(backends)], signal.SIGKILL)
        return True

    def pause(self, name: str) -> bool:
        """Stops all processes of a part in their tracks and tells whether it ran."""
        return self._signal(name, signal.SIGSTOP)

    def go_on(self, name: str) -> None:
        """Lets a paused part go on."""
        self._signal(name, signal.SIGCONT)

    def arm(self, name: str, crash_point: str) -> bool:
        """Starts a part again with a crash point armed, once, and tells whether it ran."""
        self._armed[name] = crash_point
        return self.kill(name)

    async def heal(self, within: float) -> bool:
        """Ends every fault, and tells whether all parts came back in time."""
        self._armed.clear()
        await self.proxy.let_pass()
        for name in self._services:
            self.go_on(name)
        deadline = asyncio.get_running_loop().time() + within
        while not await self._is_well():
            if asyncio.get_running_loop().time() > deadline:
                return False
            await asyncio.sleep(0.2)
        return True

    async def _is_well(self) -> bool:
        if any(part.state != "ready" for part in self._supervisor.parts()):
            return False
        pages = [getattr(service, "probe", None) for service in self._services.values()]
        answers = await asyncio.gather(*(probes.is_ok(page) for page in pages if page))
        return all(answers) and await probes.database_answers(self.truth_dsn)

    def _signal(self, name: str, number: int) -> bool:
        child = self._services[name].child
        if child is None or child.ended is not None:
            return False
        followers = _children(child.pid) if name == POSTGRES else []
        for pid in [child.pid, *followers]:  # the postmaster first, so that it starts no more of them
            processes.send_signal(pid, number)
        return True

    def _add_all(self) -> None:
        temporal = TemporalServer(self.home.temporal, port=self.layout.temporal, log=self._log(TEMPORAL))
        self._add(self.postgres, [])
        self._add(self._proxy, [POSTGRES])
        self._add(temporal, [])
        self._add(self._process(PROVIDER, PROVIDER, self.layout.sandbox, "/healthz", self._provider_environment), [])
        self._add(self._migrations(), [POSTGRES])
        needs = [MIGRATE, PROXY, TEMPORAL]
        self._add(self._process(API, API, self.layout.api, "/readyz", lambda: self._environment(API)), needs)
        for name, port in zip(self.workers, self.layout.workers, strict=True):
            self._add(self._process(name, "worker", port, "/healthz", self._worker_environment(name, port)), needs)

    def _add(self, service: Service, needs: list[str]) -> None:
        self._services[service.name] = service
        self._supervisor.add(service, needs=needs, stop_within=1.0)

    def _process(
        self, name: str, role: str, port: int, probe: str, environment: Callable[[], Mapping[str, str]]
    ) -> ProcessService:
        address = f"{ports.LOOPBACK}:{port}"
        return ProcessService(
            name,
            command=self._command(role),
            environment=environment,
            directory=self.home.path,
            probe=f"http://{address}{probe}",
            address=address,
            version=version("carillon"),
            log=self._log(name),
        )

    def _migrations(self) -> OneOff:
        return OneOff(
            MIGRATE,
            command=[sys.executable, "-m", "cli", MIGRATE],
            environment=lambda: self._environment(MIGRATE),
            directory=self.home.path,
            log=self._log(MIGRATE),
            done=lambda: is_newest(self.postgres.dsn),
        )

    def _command(self, role: str) -> list[str]:
        if self._plan.planted and role in {API, "worker"}:
            return [sys.executable, "-m", "tests.chaos.planted", self._plan.planted, role]
        return [sys.executable, "-m", "cli", role]

    def _environment(self, name: str) -> dict[str, str]:
        """Returns what a part is told; what the person's own shell says of Carillon stays out."""
        database = self.postgres.dsn
        if name != MIGRATE:
            database = database.replace(self.postgres.address, self._proxy.address)
        temporal = f"{ports.LOOPBACK}:{self.layout.temporal}"
        told = layouts.environment(self.home, self.layout, self.secrets, database=database, temporal=temporal)
        stand_ins = f"{ports.LOOPBACK}:{self.layout.sandbox},{ports.LOOPBACK}:{self.layout.smtp}"
        own = {
            "CARILLON_KEY_RING": self.secrets.key_ring,
            "CARILLON_OPERATOR_KEY": self.secrets.operator_key,
            "CARILLON_PUBLIC_URL": self.layout.api_url,
            "CARILLON_PROVIDER_HOSTS": stand_ins,
            "CARILLON_HOUSEKEEPING_SECONDS": _HOUSEKEEPING,
            "CARILLON_PAGE_SIZE": _PAGE_SIZE,
        }
        armed = {crashpoints.VARIABLE: self._armed.pop(name)} if name in self._armed else {}
        return {**told, **own, **armed}

    def _worker_environment(self, name: str, port: int) -> Callable[[], dict[str, str]]:
        return lambda: {**self._environment(name), "CARILLON_WORKER_METRICS_PORT": str(port)}

    def _provider_environment(self) -> dict[str, str]:
        told = layouts.sandbox_environment(self.home, self.layout)
        own = {"CARILLON_SANDBOX_JOURNAL": str(self.home.journal)}
        return {**told, **own, "CARILLON_SANDBOX_BOUNCE_RELAY": f"{ports.LOOPBACK}:{self._bounce_relay}"}

    def _log(self, name: str) -> PartLog:
        return WatchedLog(self.home.logs / f"{name}.log", self.crash_points.append)


def _layout(workers: int) -> Layout:
    free = [ports.any_free() for _ in range(5 + workers)]
    api, sandbox, smtp, temporal, pages = free[:5]
    return Layout(api=api, sandbox=sandbox, smtp=smtp, temporal=temporal, temporal_ui=pages, workers=tuple(free[5:]))


def _children(pid: int) -> list[int]:
    """Returns the processes that a process started; PostgreSQL's leave its group."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(stat.parent.name))
    return found


def _serves(pid: int) -> bool:
    return "127.0.0.1" in processes.command_line(pid)

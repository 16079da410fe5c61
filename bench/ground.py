"""What measurements stand on: PostgreSQL, Temporal, our API and workers as processes, and a stand-in provider."""

import asyncio
import base64
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from temporalio.client import Client

from bench.processes import stop
from bench.production import Production, temporal_on
from bench.provider import NUMBER_ID
from migrations.apply import upgrade_async
from sealing import KeyRing
from stack.ports import any_free
from stack.postgres import PostgresServer
from stack.postgres_binaries import locate
from stack.postgres_cluster import SERVICE_USER, Cluster
from workflows.client import connect

# Peers know no limits; ours are still asked for and counted, they only never make anybody wait.
UNLIMITED = {"rate": 100_000, "burst": 100_000, "pair_seconds": 0.001, "pair_burst": 1000}
APP_SECRET = "s" * 20


@dataclass
class Provider:
    """A stand-in for the Graph API as a process of its own (`bench.provider`); it can be switched off."""

    port: int
    _process: asyncio.subprocess.Process | None = None
    _asking: httpx.AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        self._asking = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=30)

    async def on(self) -> None:
        """Takes connections; nothing that came before it was switched off is known any more."""
        self._process = await asyncio.create_subprocess_exec(sys.executable, "-m", "bench.provider", str(self.port))
        await until(self._listens, within=30)

    async def off(self) -> None:
        """Refuses connections, as a provider that is down."""
        process, self._process = self._process, None
        if process is not None:
            await stop(process)

    async def seen(self) -> dict[str, Any]:
        """Returns how many messages came, how many of them more than once, and the first's and the last's instant."""
        found: dict[str, Any] = (await self._asking.get("/seen")).raise_for_status().json()
        return found

    async def times(self) -> dict[str, float]:
        """Returns when each recipient's message came: seconds of the monotonic clock, which processes share."""
        found: dict[str, float] = (await self._asking.get("/times")).raise_for_status().json()
        return found

    async def forget(self) -> None:
        """Lets the provider forget what came."""
        (await self._asking.post("/forget")).raise_for_status()

    async def wait(self, count: int, *, within: float) -> None:
        """Waits until so many messages arrived."""

        async def arrived() -> bool:
            return bool((await self.seen())["messages"] >= count)

        await until(arrived, within=within)

    async def close(self) -> None:
        """Ends the process and whatever is open to it."""
        await self.off()
        await self._asking.aclose()

    async def _listens(self) -> bool:
        try:
            return (await self._asking.get("/seen")).is_success
        except httpx.TransportError:
            return False


@dataclass
class Ground:
    """Everything that runs, and the API with the tenant's key."""

    client: Client
    api: httpx.AsyncClient
    provider: Provider
    postgres: PostgresServer
    temporal: Production
    processes: dict[str, asyncio.subprocess.Process]
    operator_key: str
    environment: dict[str, str]
    run: str = field(default_factory=lambda: f"{secrets.randbelow(900) + 100}")

    def body(self, number: int) -> dict[str, Any]:
        """Returns a notification to a recipient of its own."""
        return {"to": {"phone": f"+1555{number:07d}"}, "template": "hello", "data": {"name": "Asha"}}

    async def accept(self, first: int, count: int, **fields: Any) -> None:
        """Has notifications accepted in bulk, 500 a request."""
        for start in range(first, first + count, 500):
            many = range(start, min(start + 500, first + count))
            items = [{**self.body(one), "idempotency_key": f"{self.run}-{one}", **fields} for one in many]
            while True:
                answer = await self.api.post("/v1/notifications/bulk", json={"items": items})
                if answer.status_code != httpx.codes.TOO_MANY_REQUESTS:
                    break
                await asyncio.sleep(float(answer.headers["Retry-After"]))
            found = answer.raise_for_status().json()
            if found["rejected"]:
                raise SystemExit(f"notifications were rejected: {found['results'][0]}")


@asynccontextmanager
async def durable_postgres(directory: Path) -> AsyncIterator[PostgresServer]:
    """Runs a server that is as safe as in production, from the system's own PostgreSQL (it has every extension)."""
    _prefer_the_systems()
    user = SERVICE_USER if os.geteuid() == 0 else None
    server = PostgresServer(directory, cluster=Cluster(directory=directory / "cluster", user=user), durable=True)
    try:
        await server.start()
        yield server
    finally:
        await server.stop()


def _prefer_the_systems() -> None:
    system = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if system:
        os.environ.setdefault("CARILLON_POSTGRES_BIN", str(system[-1]))
    locate()


def _directory() -> Path:
    """Returns a new directory that the server's own user may enter."""
    made = Path(tempfile.mkdtemp(prefix="carillon-bench-"))
    made.chmod(0o755)
    return made


@asynccontextmanager
async def ground(*, workers: int = 1, **settings: str) -> AsyncIterator[Ground]:
    """Starts everything and stops it afterwards; `settings` are further environment variables of ours."""
    async with AsyncExitStack() as stack:
        directory = _directory()
        stack.push_async_callback(asyncio.to_thread, shutil.rmtree, directory, ignore_errors=True)
        postgres = await stack.enter_async_context(durable_postgres(directory))
        await upgrade_async(postgres.dsn)
        temporal = await stack.enter_async_context(temporal_on(postgres, directory))
        provider = Provider(any_free())
        stack.push_async_callback(provider.close)
        await provider.on()
        key, ring, port = secrets.token_urlsafe(32), f"k:{base64.b64encode(os.urandom(32)).decode()}", any_free()
        environment = {
            **os.environ,
            "CARILLON_DATABASE_URL": postgres.dsn,
            "TEMPORAL_ADDRESS": temporal.address,
            "CARILLON_KEY_RING": ring,
            "CARILLON_OPERATOR_KEY": key,
            "CARILLON_API_PORT": str(port),
            "CARILLON_PROVIDER_HOSTS": f"127.0.0.1:{provider.port}",
            "CARILLON_LOG_LEVEL": "WARNING",
            **settings,
        }
        processes = {}
        for name in ("api", *(f"worker {number}" for number in range(1, workers + 1))):
            own = {**environment, "CARILLON_WORKER_METRICS_PORT": str(any_free())}
            part = name.split()[0]
            process = await asyncio.create_subprocess_exec(sys.executable, "-m", "cli", part, env=own)
            stack.push_async_callback(stop, process)
            processes[name] = process
        api = await stack.enter_async_context(httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60))
        await _seed(api, key, provider)
        client = await connect(temporal.address, namespace="default", key_ring=KeyRing.parse(ring))
        yield Ground(client, api, provider, postgres, temporal, processes, key, environment)


async def until(fulfilled: Callable[[], Any], *, within: float, pause: float = 0.05) -> None:
    """Waits until an asynchronous question is answered with yes."""
    async with asyncio.timeout(within):
        while not await fulfilled():
            await asyncio.sleep(pause)


async def _until_ready(api: httpx.AsyncClient) -> None:
    answer: httpx.Response | str = "nothing"
    for _ in range(1200):
        try:
            answer = await api.get("/readyz")
        except httpx.TransportError as error:
            answer = repr(error)
        else:
            if answer.is_success:
                return
        await asyncio.sleep(0.05)
    raise SystemExit(f"The API is not ready: {answer if isinstance(answer, str) else answer.text}")


async def _seed(api: httpx.AsyncClient, operator_key: str, provider: Provider) -> None:
    await _until_ready(api)
    made = await _post(api, "/v1/tenants", {"name": "bench"}, operator_key)
    key = made["key"]["secret"]
    api.headers["Authorization"] = f"Bearer {key}"
    config = {
        "phone_number_id": NUMBER_ID,
        "waba_id": "102290129340398",
        "access_token": "t" * 20,
        "app_secret": APP_SECRET,
        "verify_token": "v" * 20,
        "base_url": f"http://127.0.0.1:{provider.port}",
    }
    account = await _post(
        api, "/v1/accounts", {"name": "bench", "provider": "meta", "config": config, "limits": UNLIMITED}, key
    )
    await _post(api, f"/v1/accounts/{account['id']}/verify", None, key)
    content = {"kind": "template", "name": "hello_v1", "language": "en", "body": ["{{ name }}"]}
    await _post(api, "/v1/templates", {"name": "hello", "channels": ["whatsapp"]}, key)
    version = {
        "parts": [{"channel": "whatsapp", "locale": "default", "content": content}],
        "variables": [{"name": "name"}],
    }
    made = await _post(api, "/v1/templates/hello/versions", version, key)
    await _post(api, f"/v1/templates/hello/versions/{made['number']}/publish", None, key)


async def _post(api: httpx.AsyncClient, path: str, body: Any, key: str) -> Any:
    answer = await api.post(path, json=body, headers={"Authorization": f"Bearer {key}"})
    if answer.is_error:
        raise SystemExit(f"{path} answered {answer.status_code}: {answer.text}")
    return answer.json()

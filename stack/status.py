"""`carillon status`: looks at every part of the running instance, now, not at what was once noted."""

import asyncio
import json
import os
import time
from dataclasses import asdict, dataclass

from stack import probes, processes
from stack.home import Home
from stack.parts import POSTGRES, TEMPORAL
from stack.postgres_roles import DATABASE, ROLE
from stack.secret_file import load_or_make
from stack.state import InstanceState, PartState, read_state


@dataclass(frozen=True, slots=True, kw_only=True)
class PartStatus:
    """One part as it is now; `health` is `healthy`, `unhealthy`, or what the supervisor is doing about it."""

    name: str
    address: str
    health: str
    pid: int | None
    version: str
    restarts: int
    uptime_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The whole instance; `healthy` only when it runs and every part is healthy."""

    running: bool
    healthy: bool
    home: str
    supervisor_pid: int | None
    urls: dict[str, str]
    parts: list[PartStatus]

    def as_json(self) -> str:
        """Returns it for scripts."""
        return json.dumps(asdict(self), indent=2)


async def look(home: Home) -> Status:
    """Returns how the instance of a data directory is now."""
    state = read_state(home)
    if state is None or not state.is_running():
        return Status(running=False, healthy=False, home=str(home.path), supervisor_pid=None, urls={}, parts=[])
    parts = await asyncio.gather(*(_look_at(home, state, part) for part in state.parts))
    return Status(
        running=True,
        healthy=state.ready and all(part.health == "healthy" for part in parts),
        home=str(home.path),
        supervisor_pid=state.pid,
        urls=state.urls,
        parts=list(parts),
    )


def database_url(home: Home, state: InstanceState) -> str | None:
    """Returns the address of the instance's database with its password, None when it cannot be known here."""
    configured = os.environ.get("CARILLON_DATABASE_URL")
    part = state.part(POSTGRES)
    if configured or part is None or part.pid is None:
        return configured
    return f"postgresql://{ROLE}:{load_or_make(home).postgres_password}@{part.address}/{DATABASE}"


async def is_healthy(home: Home, state: InstanceState, part: PartState) -> bool:
    """Tells whether a part does its work at this moment."""
    if part.pid is not None and processes.identity(part.pid) != part.known_as:
        return False
    if part.probe is not None:
        return await probes.is_ok(part.probe)
    if part.name == POSTGRES and (dsn := database_url(home, state)) is not None:
        return await probes.database_answers(dsn)
    if part.name == TEMPORAL:
        from stack.temporal_client import answers  # noqa: PLC0415 - the SDK is heavy

        return await answers(part.address)
    return await probes.listens(part.address)


async def _look_at(home: Home, state: InstanceState, part: PartState) -> PartStatus:
    healthy = await is_healthy(home, state, part)
    troubled = part.state if part.state != "ready" else "unhealthy"
    return PartStatus(
        name=part.name,
        address=part.address,
        health="healthy" if healthy else troubled,
        pid=part.pid,
        version=part.version,
        restarts=part.restarts,
        uptime_seconds=round(time.time() - part.started_at, 1) if part.started_at and part.state == "ready" else None,
    )

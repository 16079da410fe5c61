"""`carillon doctor`: examines the machine and every part, and says what to do about what is wrong."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict

from stack import machine, status
from stack.finding import Finding
from stack.home import Home
from stack.parts import MIGRATE, TEMPORAL
from stack.problems import StackError
from stack.state import InstanceState, read_state

_LARGEST_SKEW = 2.0  # seconds between this machine and the database


async def examine(home: Home) -> list[Finding]:
    """Returns what was found, the machine first; parts only when the instance runs."""
    findings = await asyncio.to_thread(machine.examine, home)
    state = read_state(home)
    if state is None or not state.is_running():
        return [*findings, _wrong("instance", f"not running in {home.path}", "run 'carillon up'")]
    findings.append(Finding(name="instance", ok=True, found=f"running as process {state.pid}"))
    findings += await _parts(home, state)
    for name, look in (("migrations", _migrations), ("clock", _clock), ("task queue", _task_queue)):
        findings.append(await _guarded(name, look, home, state))
    return findings


def as_json(findings: list[Finding]) -> str:
    """Returns the findings for scripts."""
    return json.dumps(
        {"ok": all(finding.ok for finding in findings), "findings": [asdict(f) for f in findings]}, indent=2
    )


async def _parts(home: Home, state: InstanceState) -> list[Finding]:
    looked = await status.look(home)
    findings = []
    for part in looked.parts:
        found = f"{part.health} at {part.address}, version {part.version or 'unknown'}, restarts {part.restarts}"
        remedy = f"read {home.logs / part.name}.log; 'carillon down' and 'carillon up' start it afresh"
        findings.append(Finding(name=part.name, ok=part.health == "healthy", found=found, remedy=remedy))
    if not state.ready:
        findings.append(_wrong("start", "not finished", "wait a moment and look again with 'carillon status'"))
    return findings


async def _migrations(home: Home, state: InstanceState) -> Finding:
    from migrations.apply import current_async, newest  # noqa: PLC0415 - the database libraries load slowly

    dsn = status.database_url(home, state)
    if dsn is None:
        return _wrong(
            "migrations", "the database's address is unknown here", "set CARILLON_DATABASE_URL as 'up' has it"
        )
    at, wanted = await current_async(dsn), newest()
    if at == wanted:
        return Finding(name="migrations", ok=True, found=f"at {at}, the newest")
    return _wrong(
        "migrations", f"at {at}, newest is {wanted}", f"read {home.logs / MIGRATE}.log, then run 'carillon up' again"
    )


async def _clock(home: Home, state: InstanceState) -> Finding:
    skew = await machine.skew(status.database_url(home, state))
    found = f"{skew:.3f} s from the database's"
    return Finding(
        name="clock", ok=abs(skew) < _LARGEST_SKEW, found=found, remedy="synchronise both clocks, e.g. with chrony"
    )


async def _task_queue(home: Home, state: InstanceState) -> Finding:
    from settings import Settings  # noqa: PLC0415 - both load slowly
    from stack.temporal_client import ask  # noqa: PLC0415 - both load slowly

    part, chosen = state.part(TEMPORAL), Settings()
    facts = None if part is None else await ask(part.address, chosen.temporal_namespace, chosen.task_queue)
    if facts is None:
        remedy = f"read {home.logs / TEMPORAL}.log"
        return _wrong("task queue", f"Temporal or its namespace {chosen.temporal_namespace!r} does not answer", remedy)
    if facts.missing_search_attributes:
        missing = ", ".join(facts.missing_search_attributes)
        return _wrong("task queue", f"search attributes missing: {missing}", "run 'carillon down' and 'carillon up'")
    if not facts.pollers:
        return _wrong("task queue", f"no worker polls {chosen.task_queue!r}", f"read {home.logs}/worker-1.log")
    found = f"{len(facts.pollers)} polling {chosen.task_queue!r}, server {facts.version}, search attributes complete"
    return Finding(name="task queue", ok=True, found=found)


async def _guarded(
    name: str, look: Callable[[Home, InstanceState], Awaitable[Finding]], home: Home, state: InstanceState
) -> Finding:
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - loads slowly

    try:
        async with asyncio.timeout(10):
            return await look(home, state)
    except (StackError, OSError, TimeoutError, SQLAlchemyError) as problem:
        return _wrong(name, f"{type(problem).__name__}: {problem}", "mend the parts above first, then look again")


def _wrong(name: str, found: str, remedy: str) -> Finding:
    return Finding(name=name, ok=False, found=found, remedy=remedy)

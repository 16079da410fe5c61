"""Plays scenarios in a workshop, each with tenants of its own, and judges each as a campaign is judged."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from tests.chaos import reading, tenants
from tests.chaos.checker import check
from tests.chaos.evidence import Evidence
from tests.chaos.planted import BUGS
from tests.chaos.recorder import Entry, Recorder, read
from tests.chaos.report import Kind, Report
from tests.chaos.scenarios import Scenario, asks_of, behaviour
from tests.chaos.schedule import Ask
from tests.chaos.tenants import Tenant
from tests.chaos.traffic import Traffic
from tests.chaos.workshop import Workshop

_LAST_TRIES = 120.0
_LONGEST = 120.0
_QUIET_WITHIN = 15.0
_GRACE = 1.0
_LOOKS = 3
_BETWEEN_LOOKS = 0.3
_BETWEEN_READS = 0.15
# Whatever comes later, these stay true.
_LASTING = {Kind.DUPLICATED, Kind.UNEXPECTED, Kind.SENT_AFTER_STOPPED, Kind.CROSS_TENANT, Kind.REGRESSED}
_QUARANTINE = "UPDATE account SET public_config = public_config || '{\"quarantine_seconds\": 1}'"
_MOVING = """
SELECT (SELECT count(*) FROM notification WHERE ended_at IS NULL AND tenant_id = ANY($1::uuid[]))
     + (SELECT count(*) FROM attempt WHERE state = 'sending' AND tenant_id = ANY($1::uuid[]))
     + (SELECT count(*) FROM outbox WHERE tenant_id = ANY($1::uuid[]))
     + (SELECT count(*) FROM receipt AS r WHERE r.message_id IS NULL AND tenant_id = ANY($1::uuid[]) AND EXISTS (
           SELECT 1 FROM attempt AS a WHERE a.tenant_id = r.tenant_id
              AND (a.provider_message_id = r.provider_message_id OR a.reference = r.reference)))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One scenario as it is played: whose it is, what was asked, where it is recorded, what was there before.

    Attributes:
        deaths: How many crash points will have been reached in all.
    """

    scenario: Scenario
    tenants: tuple[Tenant, ...]
    asks: tuple[Ask, ...]
    calls: Path
    oddities_before: frozenset[str]
    deaths: int

    @property
    def names(self) -> dict[str, str]:
        """Returns the tenants' ids with the names that their messages carry."""
        return {tenant.id: tenant.name for tenant in self.tenants}


class Stage:
    """Plays scenarios in a workshop."""

    def __init__(self, workshop: Workshop, http: httpx.AsyncClient) -> None:
        self._workshop = workshop
        self._http = http
        self._places = 0

    async def prepare(self) -> None:
        """Tells the stand-ins how to treat each message."""
        url = f"{self._workshop.layout.sandbox_url}/_sandbox/behaviour"
        (await self._http.put(url, json=behaviour())).raise_for_status()

    async def play(self, scenario: Scenario, bug: str | None = None) -> Report:
        """Plays one scenario, with a bug or without any, and returns what is found afterwards."""
        run = await self._set_up(scenario)
        await self._workshop.become(bug, scenario.armed, stops=scenario.stops)
        recorder = Recorder(run.calls)
        traffic = Traffic(self._http, run.tenants, recorder)
        watching = asyncio.create_task(traffic.watch(_BETWEEN_READS))
        try:
            await self._act(run, traffic)
            await self._rest(run, BUGS[bug].expected if bug is not None else frozenset())
            await traffic.pry()
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            recorder.close()
        evidence = await self._evidence(run)
        await self._workshop.mend()
        await self._forget(run)
        return Report(seed=0, violations=tuple(check(evidence)), doubts=tuple(self._doubts(run, evidence)))

    async def _set_up(self, scenario: Scenario) -> Run:
        await self._workshop.whole()
        await self._workshop.become(None, {})
        await self._quiet()
        first = self._places
        self._places += 2
        mine = await tenants.make(self._workshop, self._http, 2, first=first)
        await self._workshop.execute(_QUARANTINE)
        asks = tuple(asks_of(scenario, first))
        await tenants.bring_recipients(self._http, mine, asks)
        rows = await reading.rows_of(self._workshop.truth_dsn)
        return Run(
            scenario=scenario,
            tenants=tuple(mine),
            asks=asks,
            calls=self._workshop.directory / f"calls-{first}.jsonl",
            oddities_before=frozenset([*rows["strayed"], *rows["repeated"]]),
            deaths=len(self._workshop.crash_points) + len(scenario.armed),
        )

    async def _forget(self, run: Run) -> None:
        """Takes the numbers from the provider: callbacks that go astray go to everybody who has one."""
        for tenant in run.tenants:
            url = f"{self._workshop.layout.sandbox_url}/_sandbox/numbers/{tenant.number}"
            (await self._http.delete(url)).raise_for_status()

    async def _quiet(self) -> None:
        """Waits, but not for ever, until the provider has told everything of earlier scenarios."""
        deadline = asyncio.get_running_loop().time() + _QUIET_WITHIN
        while asyncio.get_running_loop().time() < deadline:
            health = await self._http.get(f"{self._workshop.layout.sandbox_url}/healthz")
            if not health.json()["pending"]:
                return
            await asyncio.sleep(_BETWEEN_LOOKS)

    async def _act(self, run: Run, traffic: Traffic) -> None:
        """Asks for everything, and lets go wrong what goes wrong."""
        traffic.give_up_after(_LAST_TRIES)
        if run.scenario.loses_memory:
            async with self._workshop.lazy_database():
                await traffic.run(run.asks)
                await self._workshop.forget()
            return
        if run.scenario.stops:
            await traffic.run([replace(ask, cancel_after=None) for ask in run.asks])
            await self._workshop.reached(run.deaths)
            await self._cancel_meanwhile(run, traffic)
            return
        await traffic.run(run.asks)

    async def _cancel_meanwhile(self, run: Run, traffic: Traffic) -> None:
        """Cancels while a process stands still, which goes on when the answer is there or has to wait for it."""
        cancelling = [asyncio.create_task(traffic.cancel(ask)) for ask in run.asks if ask.cancel_after is not None]
        while not all(task.done() for task in cancelling) and not await self._workshop.locked():
            await asyncio.sleep(_BETWEEN_LOOKS / 3)
        await self._workshop.whole()
        await asyncio.gather(*cancelling)

    async def _rest(self, run: Run, wanted: frozenset[Kind]) -> None:
        """Returns once nothing moves, or nothing will, or what is looked for is found and will stay."""
        await self._workshop.reached(run.deaths)
        await self._workshop.whole()
        patience = run.scenario.patience if wanted and not wanted & _LASTING else _LONGEST
        deadline = asyncio.get_running_loop().time() + patience
        still = 0
        while still < _LOOKS and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(_BETWEEN_LOOKS)
            if wanted & _LASTING and {one.kind for one in check(await self._evidence(run))} & wanted & _LASTING:
                return
            still = 0 if await self._moves(run) else still + 1

    async def _moves(self, run: Run) -> bool:
        connection = await asyncpg.connect(self._workshop.truth_dsn, timeout=10)
        try:
            rows: int = await connection.fetchval(_MOVING, list(run.names))
        finally:
            await connection.close()
        return bool(rows) or any(self._untold(run))

    def _untold(self, run: Run) -> Iterator[str]:
        """Yields the ids of messages of which the provider has not told everything yet."""
        journal, _ = reading.journal_of(self._workshop.home.journal)
        taken = {
            (entry["id"], entry["status"])
            for entry in journal
            if entry["kind"] == "callback" and entry["update"] == "status" and entry.get("outcome") == "taken"
        }
        senders = {tenant.number for tenant in run.tenants}
        for entry in journal:
            if entry["kind"] == "accepted" and entry["from"] in senders and not _is_silent(entry):
                yield from (entry["id"] for one in entry["plan"] if (entry["id"], one["status"]) not in taken)

    async def _evidence(self, run: Run) -> Evidence:
        calls = read(run.calls)
        journal, doubts = reading.journal_of(self._workshop.home.journal)
        rows = _of_tenants(await reading.rows_of(self._workshop.truth_dsn), run)
        seen, pried = reading.seen_of(calls)
        return Evidence(
            tenants=run.names,
            asked=reading.asked_of(run.asks, run.tenants, calls),
            acceptances=tuple(one for one in reading.acceptances_of(journal, run.tenants) if one.tenant),
            told=tuple(one for one in reading.told_of(journal, calls, run.tenants) if one.tenant),
            seen=seen,
            pried=pried,
            grace=_GRACE,
            doubts=tuple(doubts),
            **rows,
        )

    def _doubts(self, run: Run, evidence: Evidence) -> Iterator[str]:
        yield from evidence.doubts
        yield from (asked.refused for asked in evidence.asked if asked.refused)
        if not any(asked.ids for asked in evidence.asked):
            yield "nothing was accepted"


def _is_silent(accepted: Entry) -> bool:
    return bool(accepted.get("effects", {}).get("drop_callbacks"))


def _of_tenants(rows: dict[str, Any], run: Run) -> dict[str, Any]:
    notifications = tuple(row for row in rows["notifications"] if row.tenant in run.names)
    names = {row.id for row in notifications}
    return {
        "notifications": notifications,
        "attempts": tuple(row for row in rows["attempts"] if row.tenant in run.names),
        "unhanded": tuple(row for row in rows["unhanded"] if row.rpartition("/")[2] in names),
        "strayed": tuple(event for event in rows["strayed"] if event not in run.oddities_before),
        "repeated": tuple(event for event in rows["repeated"] if event not in run.oddities_before),
    }

"""One campaign: start everything, load it, strike it, heal it, wait until nothing moves, and judge what is there."""

import asyncio
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from httpx_aiohttp import HttpxAiohttpClient

from tests.chaos import faults, reading, tenants
from tests.chaos.case import figures
from tests.chaos.checker import check
from tests.chaos.disk import Disk, small_disk
from tests.chaos.evidence import Evidence
from tests.chaos.installation import Installation
from tests.chaos.mail_relay import MailRelay
from tests.chaos.plan import Plan
from tests.chaos.recorder import Recorder, read
from tests.chaos.report import Kind, Report, Verdict, Violation
from tests.chaos.schedule import draw
from tests.chaos.stillness import until_nothing_moves
from tests.chaos.striker import Striker
from tests.chaos.tenants import Tenant
from tests.chaos.traffic import Traffic

__all__ = ["Kind", "Plan", "Report", "Verdict", "Violation", "run"]

_HEALED_WITHIN = 60.0
_LAST_TRIES = 20.0
_CONNECTIONS = 40


def run(plan: Plan) -> Report:
    """Runs a campaign and returns its report; what it recorded stays where the report says unless it is valid."""
    with tempfile.TemporaryDirectory(prefix="carillon-chaos-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        directory.chmod(0o755)  # the database's user has to pass
        with small_disk(directory / "disk") as disk:
            report = asyncio.run(_Campaign(plan, directory, disk).run())
        return _kept(plan, directory, report)


class _Campaign:
    def __init__(self, plan: Plan, directory: Path, disk: Disk) -> None:
        self._plan = plan
        self._directory = directory
        self._disk = disk
        self._schedule = draw(plan)
        self._not_run = {name: why for name, why in _unavailable(disk).items() if name in faults.chosen(plan.faults)}
        self._happened: dict[str, int] = {}
        self._doubts: list[str] = []

    async def run(self) -> Report:
        """Runs the campaign and returns what came of it."""
        async with AsyncExitStack() as stack:
            recorder = Recorder(self._directory / "calls.jsonl")
            stack.callback(recorder.close)
            relay = MailRelay(recorder)
            stack.push_async_callback(relay.stop)
            await relay.start()
            installation = Installation(self._plan, self._directory, self._disk.path, bounce_relay=relay.port)
            stack.push_async_callback(installation.stop)
            await installation.start()
            http = await stack.enter_async_context(_client(installation))
            made = await tenants.make(installation, http, self._plan.tenants)
            relay.serve(installation.layout.api_url, {tenant.domain: tenant.id for tenant in made})
            await tenants.bring_recipients(http, made, self._schedule.asks)
            await tenants.direct(installation, http, self._plan.seed)
            await self._storm(installation, http, made, recorder)
            self._doubts += await until_nothing_moves(installation, http, relay, recorder, self._plan.settle)
            recorder.note("phase", name="nothing moves")
            evidence = await self._evidence(installation, made)
        return judged(self._plan, evidence, happened=self._happened, not_run=self._not_run, doubts=self._doubts)

    async def _storm(
        self, installation: Installation, http: httpx.AsyncClient, made: Sequence[Tenant], recorder: Recorder
    ) -> None:
        """Loads and strikes, then heals."""
        traffic = Traffic(http, made, recorder)
        striker = Striker(installation, self._disk, made, recorder)
        strikes = [strike for strike in self._schedule.strikes if strike.name not in self._not_run]
        asking = asyncio.create_task(traffic.run(self._schedule.asks))
        watching = asyncio.create_task(traffic.watch())
        recorder.note("phase", name="load and strikes")
        try:
            await asyncio.gather(striker.run(strikes), asyncio.sleep(self._plan.seconds))
            recorder.note("phase", name="healing")
            if not await installation.heal(_HEALED_WITHIN):
                self._doubts.append(f"not every part came back within {_HEALED_WITHIN:.0f} s; see the logs")
            traffic.give_up_after(_LAST_TRIES)
            recorder.note("phase", name="healed")
            await asking
            recorder.note("phase", name="everything is answered")
            await traffic.pry()
        finally:
            for task in (asking, watching):
                task.cancel()
            await asyncio.gather(asking, watching, return_exceptions=True)
        self._happened = dict(striker.happened)
        if installation.crash_points:
            self._happened["crash-point"] = len(installation.crash_points)

    async def _evidence(self, installation: Installation, made: Sequence[Tenant]) -> Evidence:
        """Reads everything that the campaign is judged by, and keeps the rows with the other records."""
        calls = read(self._directory / "calls.jsonl")
        journal, doubts = reading.journal_of(installation.home.journal)
        try:
            rows: dict[str, Any] = await reading.rows_of(installation.truth_dsn)
        except (OSError, TimeoutError, asyncpg.PostgresError) as problem:
            rows, doubts = {}, [*doubts, f"the database cannot be read ({problem!r})"]
        self._happened |= {name: count for name, count in reading.fates_met(journal).items() if self._wants(name)}
        seen, pried = reading.seen_of(calls)
        evidence = Evidence(
            tenants={tenant.id: tenant.name for tenant in made},
            asked=reading.asked_of(self._schedule.asks, made, calls),
            acceptances=reading.acceptances_of(journal, made),
            told=reading.told_of(journal, calls, made),
            seen=seen,
            pried=pried,
            doubts=tuple(doubts),
            **rows,
        )
        shown = json.dumps(asdict(evidence), default=str, indent=1)
        await asyncio.to_thread((self._directory / "evidence.json").write_text, shown, "utf-8")
        return evidence

    def _wants(self, name: str) -> bool:
        return name in faults.chosen(self._plan.faults)


def judged(
    plan: Plan, evidence: Evidence, *, happened: Mapping[str, int], not_run: Mapping[str, str], doubts: Sequence[str]
) -> Report:
    """Returns the report over some evidence: what is violated, and why it may prove nothing."""
    found = [*doubts, *evidence.doubts]
    # One that was to expire soon, and whose first request was lost, may come too late.
    refused = [asked.refused for asked in evidence.asked if asked.refused and not asked.may_expire]
    if refused:
        found.append(f"{len(refused)} requests were refused, the first with {refused[0]}")
    if not any(asked.ids for asked in evidence.asked) or not evidence.acceptances:
        found.append("there was no traffic")
    if not any(happened.values()):
        found.append("no fault happened")
    unreadable = any("database" in doubt for doubt in evidence.doubts)
    return Report(
        seed=plan.seed,
        violations=() if unreadable else tuple(check(evidence)),
        counts=figures(evidence, plan.late),
        faults=happened,
        not_run=not_run,
        doubts=tuple(found),
        again=plan.command,
    )


def _unavailable(disk: Disk) -> dict[str, str]:
    return {} if disk.small else {"disk-full": disk.why_not}


@asynccontextmanager
async def _client(installation: Installation) -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS)
    async with HttpxAiohttpClient(
        base_url=installation.layout.api_url, timeout=httpx.Timeout(10, pool=60), limits=limits, trust_env=False
    ) as http:
        yield http


def _kept(plan: Plan, directory: Path, report: Report) -> Report:
    """Keeps the records of a campaign that was asked for them, or that needs to be looked at."""
    if plan.records is None and report.verdict is Verdict.VALID:
        return report
    target = plan.records or Path(tempfile.mkdtemp(prefix=f"chaos-{plan.seed}-"))
    target.mkdir(parents=True, exist_ok=True)
    for name in ("calls.jsonl", "evidence.json", "home/sandbox/journal.jsonl"):
        if (directory / name).is_file():
            shutil.copy(directory / name, target)
    if (directory / "home" / "logs").is_dir():
        shutil.copytree(directory / "home" / "logs", target / "logs", dirs_exist_ok=True)
    (target / "schedule.json").write_text(json.dumps(asdict(draw(plan)), indent=1), encoding="utf-8")
    return replace(report, records=target)

"""Schedules compared completely: each with its clock, each clock with its schedule, each open run with its workflow."""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func
from temporalio.client import Client

from activities.repairs import count
from activities.schedule_care import ScheduleCare, about_run, about_schedule
from activities.unmade_runs import unmade_of
from activities.workflow_facts import WorkflowFacts
from db import findings, outbox, schedule_runs, schedules
from db.findings import NewFinding
from db.schedule_runs import OpenRun
from db.schedules import StoredSchedule
from db.session import Database
from domain import keys
from domain.findings import Kind, Repair
from domain.recovery import Ground, Restored
from domain.schedules import ScheduleStatus, instants

_MOST = 10_000
_BATCH = 500
_FORGOTTEN = "the database was restored; whether this ran before, nobody knows"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What both sides say differently about a schedule, and whose it is; None where nobody knows."""

    tenant_id: UUID | None
    found: NewFinding
    done: bool


class ScheduleComparison:
    """Compares, and mends what it was told to mend, as housekeeping does; the dispatcher sets clocks."""

    def __init__(self, database: Database, client: Client, facts: WorkflowFacts) -> None:
        self._database = database
        self._care = ScheduleCare(database, client, facts, quiet=timedelta(0), batch=_MOST)

    async def run(self, ground: Ground, *, repair: bool, held: Collection[UUID] = frozenset()) -> AsyncIterator[Found]:
        """Yields every divergence; runs that may have been made are passed over before a clock could make them.

        For tenants that are `held` nothing is mended: nobody said what was restored of what seems to be so.
        """
        forgot = ground.restored in {Restored.POSTGRES, Restored.BOTH} and not ground.resend
        async for row in self._schedules():
            mends = repair and row.tenant_id not in held
            if forgot and (told := await self._forgotten(row, ground.restored_at or ground.now, repair=mends)):
                yield Found(tenant_id=row.tenant_id, found=told, done=mends)
            if told := await self._clock(row, ground.now, repair=mends):
                yield Found(tenant_id=row.tenant_id, found=told, done=mends)
        for run in await self._care.lost_runs():
            mends = repair and run.tenant_id not in held
            yield Found(tenant_id=run.tenant_id, found=await self._run(run, forgot=forgot, repair=mends), done=mends)
        for tenant_id, schedule_id in await self._care.strays():
            stray = about_schedule(Kind.CLOCK_WITHOUT_ROW, schedule_id, Repair.REMOVED)
            mends = repair and tenant_id not in held
            removed = await self._care.remove(tenant_id, schedule_id) if mends else stray
            yield Found(tenant_id=tenant_id, found=removed, done=mends)
        for tenant_id, schedule_id in await self._care.strangers():
            if repair:
                await self._care.take_away(tenant_id, schedule_id)
            stranger = about_schedule(Kind.CLOCK_WITHOUT_ROW, schedule_id, Repair.REMOVED)
            yield Found(tenant_id=None, found=stranger, done=repair)

    async def _schedules(self) -> AsyncIterator[StoredSchedule]:
        after: UUID | None = None
        while True:
            async with self._database.system() as connection:
                rows = await schedules.following(connection, after=after, limit=_BATCH)
            for row in rows:
                yield row
            if len(rows) < _BATCH:
                return
            after = rows[-1].id

    async def _forgotten(self, row: StoredSchedule, until: datetime, *, repair: bool) -> NewFinding | None:
        """Tells runs as missed that came due before the restore and that the database knows nothing of."""
        if row.status != ScheduleStatus.ACTIVE:
            return None
        async with self._database.tenant(row.tenant_id) as connection:
            locked = await schedules.get(connection, row.tenant_id, row.id, lock=repair)
            unmade = await unmade_of(connection, locked, until, most=_MOST) if locked is not None else []
            if not unmade:
                return None
            detail = {"runs": len(unmade), "first": unmade[0].isoformat(), "last": unmade[-1].isoformat()}
            found = about_schedule(Kind.RUNS_FORGOTTEN, row.id, Repair.PASSED_OVER, **detail)
            if repair:
                await schedule_runs.miss(connection, row.tenant_id, row.id, unmade, _FORGOTTEN)
                await findings.record(connection, row.tenant_id, [found])
        if repair:
            count(found)
        return found

    async def _clock(self, row: StoredSchedule, now: datetime, *, repair: bool) -> NewFinding | None:
        """Returns what is wrong with a clock, unless word to set it is on its way or its schedule is about to end.

        The row was read a page ago: it is read again before its clock, and once more before anything is told, since
        what changed meanwhile left word in the same commit.
        """
        current = await self._current(row)
        if current is None:
            return None
        row = current
        if row.status == ScheduleStatus.ACTIVE and next(instants(row.when(), now), None) is None:
            return None
        if await self._word_waits(row):
            return None
        kind = await self._care.wrong_with(row)
        if kind is None or await self._current(row) != row or await self._word_waits(row):
            return None
        if repair:
            return await self._care.set_right(row, kind)
        return about_schedule(kind, row.id, Repair.CLOCK_SET)

    async def _current(self, row: StoredSchedule) -> StoredSchedule | None:
        """Returns a schedule as it is now; None where it is over or gone."""
        async with self._database.tenant(row.tenant_id) as connection:
            found = await schedules.get(connection, row.tenant_id, row.id)
        return None if found is None or found.status == ScheduleStatus.ENDED else found

    async def _word_waits(self, row: StoredSchedule) -> bool:
        clock_id = keys.schedule_clock(str(row.tenant_id), str(row.id))
        async with self._database.system() as connection:
            return await outbox.waits(connection, row.tenant_id, clock_id)

    async def _run(self, run: OpenRun, *, forgot: bool, repair: bool) -> NewFinding:
        """Lets a run go on that lost its workflow; one of which the database forgot how far it came ends as failed."""
        if not forgot:
            return await self._care.go_on(run) if repair else about_run(run, Repair.STARTED)
        found = about_run(run, Repair.ENDED)
        if repair:
            async with self._database.tenant(run.tenant_id) as connection:
                ended = {"status": "failed", "error": _FORGOTTEN, "ended_at": func.now()}
                await schedule_runs.change(connection, run.tenant_id, run.id, **ended)
                await findings.record(connection, run.tenant_id, [found])
            count(found)
        return found

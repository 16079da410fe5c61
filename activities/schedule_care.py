"""Clocks that are lost, set otherwise, or without a row, and runs whose workflow is gone: what housekeeping mends."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio import activity
from temporalio.client import Client, ScheduleDescription
from temporalio.service import RPCError, RPCStatusCode

from activities.open_operations import LIVING
from activities.repairs import count
from activities.schedule_clocks import fits, remove
from activities.schedule_runs import unmade_of
from activities.sweeping import Sweep, Swept, counted
from activities.workflow_facts import WorkflowFacts
from db import findings, outbox, schedule_runs, schedules
from db.errors import FAILURES
from db.findings import NewFinding
from db.schedule_runs import OpenRun
from db.schedules import StoredSchedule
from db.session import Database
from domain import keys
from domain.findings import Kind, Repair
from domain.notifications import LANES, Lane
from domain.schedules import ScheduleStatus, instants

log = structlog.get_logger(__name__)

_CLOCK = "schedule/"
_PARTS = 3


def _clock() -> datetime:
    return datetime.now(UTC)


class ScheduleCare:
    """Looks whether every schedule has its clock, and every run its workflow."""

    def __init__(
        self,
        database: Database,
        client: Client,
        facts: WorkflowFacts,
        *,
        quiet: timedelta = timedelta(minutes=2),
        batch: int = 200,
        now: Callable[[], datetime] = _clock,
    ) -> None:
        self._database = database
        self._client = client
        self._facts = facts
        self._quiet = quiet
        self._batch = batch
        self._now = now

    @activity.defn(name="housekeeping.schedules")
    @counted("housekeeping.schedules")
    async def look(self, sweep: Sweep) -> Swept:
        """Sets the clocks of the next schedules as their rows say; before the first, mends runs and removes clocks."""
        after = UUID(sweep.cursor) if sweep.cursor else None
        found = 0
        if after is None:
            found = await self._runs() + await self._without_rows()
        async with self._database.system() as connection:
            rows = await schedules.following(connection, after=after, limit=self._batch)
            held = await findings.held_tenants(connection)
        for row in rows:
            try:
                found += await self._mend(row, held=row.tenant_id in held)
            except FAILURES:  # one that cannot be mended must not keep the others from it
                log.exception("schedule.not_mended", schedule_id=str(row.id))
        cursor = str(rows[-1].id) if len(rows) >= self._batch else None
        return Swept(cursor=cursor, more=cursor is not None, seen=len(rows), found=found)

    async def _mend(self, row: StoredSchedule, *, held: bool) -> bool:
        """Looks at one schedule, and tells whether its clock was not as it should be."""
        now = self._now()
        if row.updated_at > now - self._quiet:
            return False
        if row.status == ScheduleStatus.ACTIVE and next(instants(row.when(), now), None) is None:
            return await self._end(row)
        clock = await self._describe(keys.schedule_clock(str(row.tenant_id), str(row.id)))
        if clock is not None and fits(row, clock, now):
            return False
        kind = Kind.CLOCK_LOST if clock is None else Kind.CLOCK_DIVERGED
        # While nobody knows whether this database is the newest, nothing is set going that sends.
        found = _about(kind, str(row.id), None if held else Repair.CLOCK_SET)
        async with self._database.tenant(row.tenant_id) as connection:
            if held and await findings.told_lately(connection, row.tenant_id, found):
                return False
            await findings.record(connection, row.tenant_id, [found])
            if not held:
                await schedules.leave_word(connection, row, f"care/{now.isoformat()}")
        count(found)
        return True

    async def _end(self, row: StoredSchedule) -> bool:
        """Ends a schedule that has no more runs, as soon as none may be made any more."""
        async with self._database.tenant(row.tenant_id) as connection:
            locked = await schedules.get(connection, row.tenant_id, row.id, lock=True)
            if locked is None or locked.version != row.version:
                return False
            if await unmade_of(connection, locked, self._now()):
                await schedules.leave_word(connection, locked, f"care/{self._now().isoformat()}")
            else:
                await schedules.change(connection, locked, status=ScheduleStatus.ENDED.value)
        return False

    async def _runs(self) -> int:
        """Starts the workflows of runs again that lost theirs; they go on where they were."""
        async with self._database.system() as connection:
            standing = await schedule_runs.standing(connection, age=self._quiet, limit=self._batch)
        facts = await self._facts.of_many([run.workflow_id for run in standing])
        lost = [run for run in standing if facts[run.workflow_id].life not in LIVING]
        for run in lost:
            found = _about(Kind.OWNER_LOST, str(run.id), Repair.STARTED, subject_type="schedule_run")
            async with self._database.tenant(run.tenant_id) as connection:
                await self._start_again(connection, run)
                await findings.record(connection, run.tenant_id, [found])
            count(found)
        return len(lost)

    async def _start_again(self, connection: AsyncConnection, run: OpenRun) -> None:
        workflow_id = keys.schedule_run_workflow(f"{run.id}/{int(self._now().timestamp())}")
        order = {"tenant_id": str(run.tenant_id), "schedule_id": str(run.schedule_id), "run_id": str(run.id)}
        payload = {"workflow": "schedule", "input": order, "summary": "goes on"}
        await schedule_runs.change(connection, run.tenant_id, run.id, workflow_id=workflow_id)
        await outbox.add_starts(connection, run.tenant_id, [(workflow_id, LANES[Lane.TRANSACTIONAL], payload)])

    async def _without_rows(self) -> int:
        """Removes clocks whose schedules are gone or over: all that they start finds nothing to do."""
        removed = 0
        for tenant_id, ids in (await self._listed()).items():
            async with self._database.system() as connection:
                stray = await schedules.unknown(connection, tenant_id, ids)
            for schedule_id in stray:
                removed += await self._remove(tenant_id, schedule_id)
        return removed

    async def _remove(self, tenant_id: UUID, schedule_id: UUID) -> bool:
        clock_id = keys.schedule_clock(str(tenant_id), str(schedule_id))
        async with self._database.system() as connection:
            is_on_its_way = await outbox.waits(connection, tenant_id, clock_id)
        # What the server lists is a little old; a clock that is being removed is no finding.
        if is_on_its_way or await self._describe(clock_id) is None:
            return False
        await remove(self._client.get_schedule_handle(clock_id))
        found = _about(Kind.CLOCK_WITHOUT_ROW, str(schedule_id), Repair.REMOVED)
        async with self._database.tenant(tenant_id) as connection:
            await findings.record(connection, tenant_id, [found])
        count(found)
        return True

    async def _listed(self) -> dict[UUID, list[UUID]]:
        """Returns the schedules for which Temporal lists clocks, by tenant."""
        found: dict[UUID, list[UUID]] = {}
        async for one in await self._client.list_schedules(page_size=1000):
            parts = one.id.split("/")
            if one.id.startswith(_CLOCK) and len(parts) == _PARTS:
                found.setdefault(UUID(parts[1]), []).append(UUID(parts[2]))
        return found

    async def _describe(self, clock_id: str) -> ScheduleDescription | None:
        try:
            return await self._client.get_schedule_handle(clock_id).describe()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return None


def _about(kind: Kind, subject_id: str, repair: Repair | None, *, subject_type: str = "schedule") -> NewFinding:
    return NewFinding(kind=kind, subject_type=subject_type, subject_id=subject_id, repair=repair, detail={})

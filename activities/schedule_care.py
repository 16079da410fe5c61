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
from activities.sweeping import Sweep, Swept, counted
from activities.unmade_runs import unmade_of
from activities.workflow_facts import WorkflowFacts
from db import findings, outbox, schedule_runs, schedules, sweeps
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
            found = await self._go_on_all() + await self._remove_strays()
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
        kind = await self.wrong_with(row)
        if kind is None:
            return False
        # While nobody knows whether this database is the newest, nothing is set going that sends.
        if not held:
            await self.set_right(row, kind)
            return True
        return await self._tell(row.tenant_id, about_schedule(kind, row.id, None))

    async def _tell(self, tenant_id: UUID, found: NewFinding) -> bool:
        """Records what stays open, and tells whether that was not done lately."""
        async with self._database.tenant(tenant_id) as connection:
            if await findings.told_lately(connection, tenant_id, found):
                return False
            await findings.record(connection, tenant_id, [found])
        count(found)
        return True

    async def wrong_with(self, row: StoredSchedule) -> Kind | None:
        """Returns what is wrong with the clock of a schedule that is not over."""
        clock = await self._describe(keys.schedule_clock(str(row.tenant_id), str(row.id)))
        if clock is None:
            return Kind.CLOCK_LOST
        return None if fits(row, clock, self._now()) else Kind.CLOCK_DIVERGED

    async def set_right(self, row: StoredSchedule, kind: Kind) -> NewFinding:
        """Leaves word to bring a clock up to its row, and tells what was found."""
        found = about_schedule(kind, row.id, Repair.CLOCK_SET)
        async with self._database.tenant(row.tenant_id) as connection:
            await findings.record(connection, row.tenant_id, [found])
            await schedules.leave_word(connection, row, f"care/{self._now().isoformat()}")
        count(found)
        return found

    async def _end(self, row: StoredSchedule) -> bool:
        """Ends a schedule that has no more runs, as soon as none may be made any more."""
        async with self._database.tenant(row.tenant_id) as connection:
            locked = await schedules.get(connection, row.tenant_id, row.id, lock=True)
            if locked is None or locked.version != row.version:
                return False
            if await unmade_of(connection, locked, self._now(), most=1):
                await schedules.leave_word(connection, locked, f"care/{self._now().isoformat()}")
            else:
                await schedules.change(connection, locked, status=ScheduleStatus.ENDED.value)
        return False

    async def _go_on_all(self) -> int:
        lost = await self.lost_runs()
        async with self._database.system() as connection:
            held = await findings.held_tenants(connection)
        return sum([await self._go_on_or_tell(run, held=run.tenant_id in held) for run in lost])

    async def _go_on_or_tell(self, run: OpenRun, *, held: bool) -> bool:
        if held:
            return await self._tell(run.tenant_id, about_run(run, None))
        await self.go_on(run)
        return True

    async def lost_runs(self) -> list[OpenRun]:
        """Returns open runs whose workflow is gone."""
        async with self._database.system() as connection:
            standing = await schedule_runs.standing(connection, age=self._quiet, limit=self._batch)
        facts = await self._facts.of_many([run.workflow_id for run in standing])
        return [run for run in standing if facts[run.workflow_id].life not in LIVING]

    async def go_on(self, run: OpenRun) -> NewFinding:
        """Starts the workflow of a run again that lost its own; it goes on where it was."""
        found = about_run(run, Repair.STARTED)
        async with self._database.tenant(run.tenant_id) as connection:
            await self._start_again(connection, run)
            await findings.record(connection, run.tenant_id, [found])
        count(found)
        return found

    async def _start_again(self, connection: AsyncConnection, run: OpenRun) -> None:
        workflow_id = keys.schedule_run_workflow(f"{run.id}/{int(self._now().timestamp())}")
        order = {"tenant_id": str(run.tenant_id), "schedule_id": str(run.schedule_id), "run_id": str(run.id)}
        payload = {"workflow": "schedule", "input": order, "summary": "goes on"}
        await schedule_runs.change(connection, run.tenant_id, run.id, workflow_id=workflow_id)
        await outbox.add_starts(connection, run.tenant_id, [(workflow_id, LANES[Lane.TRANSACTIONAL], payload)])

    async def _remove_strays(self) -> int:
        strays = await self.strays()
        for tenant_id, schedule_id in strays:
            await self.remove(tenant_id, schedule_id)
        return len(strays)

    async def strays(self) -> list[tuple[UUID, UUID]]:
        """Returns clocks whose schedules are gone or over, as tenant and id: what they start finds nothing to do."""
        found = []
        for tenant_id, ids in (await self._listed()).items():
            async with self._database.system() as connection:
                stray = await schedules.unknown(connection, tenant_id, ids)
            found += [(tenant_id, one) for one in stray if await self._stands(tenant_id, one)]
        return found

    async def strangers(self) -> list[tuple[UUID, UUID]]:
        """Returns clocks of tenants that the database does not have, as tenant and id."""
        async with self._database.system() as connection:
            known = frozenset(await sweeps.everybody(connection))
        listed = {tenant_id: ids for tenant_id, ids in (await self._listed()).items() if tenant_id not in known}
        return [
            (tenant_id, one) for tenant_id, ids in listed.items() for one in ids if await self._stands(tenant_id, one)
        ]

    async def _stands(self, tenant_id: UUID, schedule_id: UUID) -> bool:
        """Tells whether a clock is there, and not about to be removed: what the server lists is a little old."""
        clock_id = keys.schedule_clock(str(tenant_id), str(schedule_id))
        async with self._database.system() as connection:
            is_on_its_way = await outbox.waits(connection, tenant_id, clock_id)
        return not is_on_its_way and await self._describe(clock_id) is not None

    async def take_away(self, tenant_id: UUID, schedule_id: UUID) -> None:
        """Removes a clock."""
        await remove(self._client.get_schedule_handle(keys.schedule_clock(str(tenant_id), str(schedule_id))))

    async def remove(self, tenant_id: UUID, schedule_id: UUID) -> NewFinding:
        """Removes a clock that has no schedule, and tells its tenant."""
        await self.take_away(tenant_id, schedule_id)
        found = about_schedule(Kind.CLOCK_WITHOUT_ROW, schedule_id, Repair.REMOVED)
        async with self._database.tenant(tenant_id) as connection:
            await findings.record(connection, tenant_id, [found])
        count(found)
        return found

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


def about_schedule(kind: Kind, schedule_id: UUID, repair: Repair | None, **detail: object) -> NewFinding:
    """Returns a finding about a schedule or its clock."""
    return NewFinding(kind=kind, subject_type="schedule", subject_id=str(schedule_id), repair=repair, detail=detail)


def about_run(run: OpenRun, repair: Repair | None) -> NewFinding:
    """Returns the finding that a run lost its workflow."""
    return NewFinding(
        kind=Kind.OWNER_LOST, subject_type="schedule_run", subject_id=str(run.id), repair=repair, detail={}
    )

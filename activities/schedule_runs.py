"""The runs of schedules: each step is one transaction, so that a run that died goes on where it was."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import Any, assert_never
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio import activity

from activities.event_taking import DoesNotFit, NotMeant, Taking, text_of
from activities.programs import Programs
from activities.schedule_selecting import Picked, Selecting
from activities.scheduled_starts import Wanted, published, start
from activities.unmade_runs import unmade_of
from crashpoints import crash_here
from db import event_types, schedule_runs, schedules
from db.events import NewEvent
from db.schedule_runs import MOST_TOLD, Run
from db.schedules import StoredSchedule
from db.session import Database
from domain.calendar import zone_of
from domain.schedule_actions import StartEach, StartOne, TakeEvent, action_of
from domain.schedules import (
    Overlap,
    RunStatus,
    ScheduleInput,
    ScheduleStatus,
    Spec,
    Stepped,
    instants,
    left_out,
)

BATCH = 50
SCAN = 500
_MOST_MISSED = 1000
_OVERLAPPED = "a run before it was still under way, or was made up for first"
_AWAY = "nobody was there to make it in time"
_MOMENT = timedelta(microseconds=1)


def _clock() -> datetime:
    return datetime.now(UTC)


class ScheduleRuns:
    """Makes the steps of runs."""

    def __init__(
        self, database: Database, *, batch: int = BATCH, scan: int = SCAN, now: Callable[[], datetime] = _clock
    ) -> None:
        self._database = database
        self._batch = batch
        self._scan = scan
        self._now = now
        self._programs = Programs()

    @activity.defn(name="schedules.step")
    async def step(self, order: ScheduleInput, workflow_id: str) -> Stepped:
        """Takes up the next of what a run is for, in one transaction, and says whether there is more."""
        tenant_id = UUID(order.tenant_id)
        async with self._database.tenant(tenant_id) as connection:
            row = await schedules.get(connection, tenant_id, UUID(order.schedule_id), lock=True)
            run = await self._run(connection, row, order, workflow_id) if row is not None else None
            if row is None or run is None:
                return Stepped(more=False, shown="not due any more")
            if run.ended_at is not None:
                return Stepped(more=False, shown=run.status)
            limits = self._batch, self._scan
            stepped = await _Step(connection, row, run, self._programs, self._now(), limits).take()
            crash_here("before_schedule_commit")
        crash_here("after_schedule_commit")
        return stepped

    async def _run(
        self, connection: AsyncConnection, row: StoredSchedule, order: ScheduleInput, workflow_id: str
    ) -> Run | None:
        """Returns the run that is meant, begun if it was not; None where it is not due after all."""
        if order.run_id is not None:
            run = await schedule_runs.get(connection, row.tenant_id, UUID(order.run_id), lock=True)
            if run is not None and run.status == RunStatus.WAITING:
                begun = {"status": RunStatus.RUNNING.value, "started_at": func.now()}
                await schedule_runs.change(connection, row.tenant_id, run.id, **begun)
                await schedules.count_run(connection, row, run.scheduled_at)
                return await schedule_runs.get(connection, row.tenant_id, run.id)
            return run
        at = datetime.fromisoformat(order.scheduled_at or "")
        former = await schedule_runs.at_instant(connection, row.tenant_id, row.id, at)
        if (former is None or former.status == RunStatus.MISSED) and not _is_due(row, at):
            return None
        run, begins = await schedule_runs.begin(connection, row.tenant_id, row.id, at, workflow_id)
        if begins:
            await _tell_missed(connection, row, at, self._now())
            await schedules.count_run(connection, row, at)
        return run


def _is_due(row: StoredSchedule, at: datetime) -> bool:
    """Tells whether a schedule still has a run at an instant: it may be paused or say something else by now."""
    if row.status != ScheduleStatus.ACTIVE or at <= row.counts_from:
        return False
    return next(instants(row.when(), at - _MOMENT), None) == at


async def _tell_missed(connection: AsyncConnection, row: StoredSchedule, at: datetime, now: datetime) -> None:
    """Tells of the instants between the last run and this one whose runs will not come any more."""
    former = await schedule_runs.last_before(connection, row.tenant_id, row.id, at)
    since = max(row.counts_from, former or row.counts_from)
    passed = list(islice(takewhile(lambda one: one < at, instants(row.when(), since)), _MOST_MISSED))
    made = await schedule_runs.made(connection, row.tenant_id, row.id, passed)
    unmade = [one for one in passed if one not in made]
    late = [one for one in unmade if one < now - timedelta(seconds=row.catch_up)]
    await schedule_runs.miss(connection, row.tenant_id, row.id, late, _AWAY)
    if row.overlap == Overlap.SKIP:
        overlapped = [one for one in unmade if one not in late]
        await schedule_runs.miss(connection, row.tenant_id, row.id, overlapped, _OVERLAPPED)


class _Step:
    """One step of one run."""

    def __init__(
        self,
        connection: AsyncConnection,
        row: StoredSchedule,
        run: Run,
        programs: Programs,
        now: datetime,
        limits: tuple[int, int],
    ) -> None:
        self._connection, self._row, self._run = connection, row, run
        self._programs, self._now = programs, now
        self._batch, self._scan = limits
        self._spec: Spec = row.when()
        self._counts = {name: getattr(run, name) for name in ("seen", "started", "reused", "refused")}
        self._refusals = list(run.refusals)

    async def take(self) -> Stepped:
        """Does what the action says, and writes down how far the run is."""
        try:
            return await self._act()
        except NotMeant as error:
            return await self._end(RunStatus.FAILED, error=str(error))

    async def _act(self) -> Stepped:
        match action := action_of(self._row.action):
            case StartOne():
                await self._one(action)
            case StartEach():
                return await self._each(action)
            case TakeEvent():
                await self._event(action)
            case _ as never:
                assert_never(never)
        return await self._end(RunStatus.DONE)

    async def _one(self, action: StartOne) -> None:
        about = self._about()
        own = f"{self._row.name}/{about['scheduled_at']}"
        key = own if action.key is None else text_of(action.key, {"schedule": about}, "key")
        wanted = Wanted(
            item=self._row.name, key=key, to_kind=action.to[0], to=action.to[1], data=action.data,
            anchors=action.anchors, zone=action.zone, resource=action.resource,
        )  # fmt: skip
        self._counts["seen"] = 1
        await self._start(action.flow, [wanted])

    async def _each(self, action: StartEach) -> Stepped:
        """Starts for the next of what the query means; what is left is for the next step."""
        until = self._run.started_at or self._now
        chosen = Selecting(
            action=action, at=self._run.scheduled_at, zone=self._spec.zone, about=self._about(), until=until
        )
        rows = await chosen.rows(self._connection, self._row.tenant_id, after=self._run.cursor, limit=self._scan)
        wanted: list[Wanted] = []
        cursor, taken, is_cut = self._run.cursor, 0, False
        for picked in rows:
            is_counted = picked.is_meant or picked.error is not None
            if is_counted and self._counts["seen"] >= action.query.most:
                is_cut = True
                break
            if is_counted and taken >= self._batch:
                break
            cursor = picked.id
            if is_counted:
                taken += 1
                self._counts["seen"] += 1
                wanted += self._wanted(chosen, picked)
        await self._start(action.flow, wanted)
        examined_all = cursor == (rows[-1].id if rows else self._run.cursor)
        if is_cut or (examined_all and len(rows) < self._scan):
            return await self._end(RunStatus.DONE, cursor=cursor, is_cut=is_cut)
        return await self._go_on(cursor)

    def _wanted(self, chosen: Selecting, picked: Picked) -> list[Wanted]:
        refusal = picked.error
        if refusal is None:
            try:
                return [chosen.wanted(picked)]
            except NotMeant as error:
                refusal = str(error)
        self._refuse(picked.name, refusal)
        return []

    async def _start(self, flow: str, wanted: list[Wanted]) -> None:
        """Starts series in the order of their keys, so that no two transactions wait for each other."""
        connection, tenant_id = self._connection, self._row.tenant_id
        found = await published(connection, tenant_id, self._programs, flow)
        for one in sorted(wanted, key=lambda asked: asked.key):
            try:
                begun = await start(connection, tenant_id, found, one, event=self._cause(), now=self._now)
            except NotMeant as error:
                self._refuse(one.item, str(error))
                continue
            if begun.result == "stopped_before_start":
                self._refuse(one.item, "a stop of its key came before")
            else:
                self._counts["started" if begun.result == "started" else "reused"] += 1

    async def _event(self, action: TakeEvent) -> None:
        data = action.data if action.data is not None else {}
        new = NewEvent(
            source=f"schedule/{self._row.name}",
            event_id=self._run.scheduled_at.isoformat(),
            type=action.type,
            subject=action.subject,
            data=data,
            occurred_at=self._run.scheduled_at,
        )
        try:
            effects = await Taking(self._connection, self._row.tenant_id, self._programs, self._now).take(new)
        except DoesNotFit as error:
            refusal = error.judgement.refusal(new.source, new.event_id)
            await event_types.refuse(self._connection, self._row.tenant_id, new.type, refusal)
            raise
        self._counts["seen"] = 1
        for effect in effects or []:
            if effect.result in {"started", "reused"}:
                self._counts[effect.result] += 1
            elif effect.result == "refused":
                self._refuse(effect.flow, effect.detail or effect.result)

    def _refuse(self, item: str, why: str) -> None:
        self._counts["refused"] += 1
        if len(self._refusals) < MOST_TOLD:
            self._refusals.append({"item": item, "detail": why[:500]})

    def _about(self) -> Mapping[str, Any]:
        """Returns what expressions see as `schedule`."""
        local = self._run.scheduled_at.astimezone(zone_of(self._spec.zone))
        at = self._run.scheduled_at.astimezone(UTC)
        return {"name": self._row.name, "scheduled_at": at.isoformat(), "date": local.date().isoformat()}

    def _cause(self) -> Mapping[str, Any]:
        """Returns what series that it starts see as their event."""
        at = self._run.scheduled_at.isoformat()
        source = f"schedule/{self._row.name}"
        return {"id": at, "source": source, "type": "schedule", "subject": None, "time": at, "data": {}}

    async def _go_on(self, cursor: UUID | None) -> Stepped:
        values = {**self._counts, "refusals": self._refusals, "cursor": cursor}
        await schedule_runs.change(self._connection, self._row.tenant_id, self._run.id, **values)
        return Stepped(more=True, shown=f"{self._counts['seen']} so far")

    async def _end(self, status: RunStatus, **values: Any) -> Stepped:
        """Ends the run, tells of those that it kept from being made, and ends a schedule that has no more."""
        connection, row = self._connection, self._row
        told = {**self._counts, "refusals": self._refusals, "status": status.value, "ended_at": self._now, **values}
        await schedule_runs.change(connection, row.tenant_id, self._run.id, **told)
        unmade = await unmade_of(connection, row, self._now) if row.status == ScheduleStatus.ACTIVE else []
        over = left_out(Overlap(row.overlap), unmade)
        await schedule_runs.miss(connection, row.tenant_id, row.id, over, _OVERLAPPED)
        rest = len(unmade) > len(over) or next(instants(self._spec, self._now), None) is not None
        if row.status == ScheduleStatus.ACTIVE and not rest:
            await schedules.change(connection, row, status=ScheduleStatus.ENDED.value)
        else:
            await schedules.leave_word(connection, row, f"run/{self._run.id}")
        shown = values.get("error") or f"{self._counts['started']} started"
        return Stepped(more=False, shown=f"{status.value}: {shown}")

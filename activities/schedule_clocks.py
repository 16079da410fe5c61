"""The clocks of schedules: a Temporal Schedule for each row, which knows the next instants and nothing else.

The instants are computed here and handed over as they are, so that what people are shown is what comes, also where
a zone changes its offset. Each run lets the clock know the next ones. Whatever was due meanwhile and has no run is made
up for, as long as it is not too late; a run is made once for its instant, however often it is asked for.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from uuid import UUID

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleBackfill,
    ScheduleCalendarSpec,
    ScheduleDescription,
    ScheduleHandle,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleState,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.common import Priority, SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.service import RPCError, RPCStatusCode

from activities.unmade_runs import unmade_of
from db import schedules
from db.schedules import StoredSchedule
from db.session import Database
from domain import keys
from domain.notifications import LANES, Lane
from domain.schedules import Overlap, ScheduleInput, ScheduleStatus, instants

AHEAD = 30
"""Instants that a clock knows beforehand; it is told of more after each run."""
_MOST_MADE_UP = 60
_SECOND = timedelta(seconds=1)
_OVERLAPS = {
    Overlap.SKIP: ScheduleOverlapPolicy.SKIP,
    Overlap.BUFFER_ONE: ScheduleOverlapPolicy.BUFFER_ONE,
    Overlap.ALLOW: ScheduleOverlapPolicy.ALLOW_ALL,
}
_TENANT = SearchAttributeKey.for_keyword("CarillonTenant")


def _clock() -> datetime:
    return datetime.now(UTC)


class ScheduleClocks:
    """Brings clocks up to their rows."""

    def __init__(
        self, database: Database, client: Client, *, task_queue: str, now: Callable[[], datetime] = _clock
    ) -> None:
        self._database = database
        self._client = client
        self._task_queue = task_queue
        self._now = now

    async def bring_up(self, tenant_id: UUID, schedule_id: UUID) -> str:
        """Makes, sets or removes the clock as the row stands, until that did not change meanwhile."""
        row, unmade = await self._read(tenant_id, schedule_id)
        while True:
            result = await self._set(row, unmade) if row is not None else await self._remove(tenant_id, schedule_id)
            after, due = await self._read(tenant_id, schedule_id)
            # What came due in this moment may have been passed over by the clock that was set just then.
            if (row and row.version) == (after and after.version) and set(due) <= set(unmade):
                return result
            row, unmade = after, due

    async def _read(self, tenant_id: UUID, schedule_id: UUID) -> tuple[StoredSchedule | None, Sequence[datetime]]:
        """Returns the row, unless it is over, and what was due and has no run yet."""
        async with self._database.tenant(tenant_id) as connection:
            row = await schedules.get(connection, tenant_id, schedule_id)
            if row is None or row.status == ScheduleStatus.ENDED:
                return None, ()
            if row.status == ScheduleStatus.PAUSED:
                return row, ()
            return row, await unmade_of(connection, row, self._now(), most=_MOST_MADE_UP)

    async def _set(self, row: StoredSchedule, unmade: Sequence[datetime]) -> str:
        wanted = self._wanted(row, unmade)
        handle = self._handle(row.tenant_id, row.id)
        missed = [_backfill(row, unmade)] if unmade else []
        try:
            await handle.update(lambda found: _updated(found, wanted))
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return await self._make(handle.id, wanted, missed)
        if missed:
            await handle.backfill(*missed)
        return "clock set"

    async def _make(self, clock_id: str, wanted: Schedule, missed: Sequence[ScheduleBackfill]) -> str:
        try:
            await self._client.create_schedule(clock_id, wanted, backfill=missed)
        except ScheduleAlreadyRunningError:  # somebody else made it at this moment
            await self._client.get_schedule_handle(clock_id).update(lambda found: _updated(found, wanted))
        return "clock made"

    async def _remove(self, tenant_id: UUID, schedule_id: UUID) -> str:
        await remove(self._handle(tenant_id, schedule_id))
        return "clock removed"

    def _handle(self, tenant_id: UUID, schedule_id: UUID) -> ScheduleHandle:
        return self._client.get_schedule_handle(keys.schedule_clock(str(tenant_id), str(schedule_id)))

    def _wanted(self, row: StoredSchedule, unmade: Sequence[datetime]) -> Schedule:
        spec = row.when()
        due = [*unmade, *islice(instants(spec, self._now()), AHEAD)]
        order = ScheduleInput(tenant_id=str(row.tenant_id), schedule_id=str(row.id))
        action = ScheduleActionStartWorkflow(
            "schedule",
            order,
            id=keys.schedule_run_workflow(str(row.id)),
            task_queue=self._task_queue,
            static_summary=row.name,
            typed_search_attributes=TypedSearchAttributes([SearchAttributePair(_TENANT, str(row.tenant_id))]),
            priority=Priority(priority_key=LANES[Lane.TRANSACTIONAL] + 1, fairness_key=str(row.tenant_id)),
        )
        policy = SchedulePolicy(overlap=_OVERLAPS[Overlap(row.overlap)], catchup_window=timedelta(seconds=row.catch_up))
        return Schedule(
            action=action,
            spec=ScheduleSpec(calendars=[_calendar(one) for one in due], jitter=spec.jitter or None),
            policy=policy,
            state=ScheduleState(note=mark_of(row), paused=row.status == ScheduleStatus.PAUSED),
        )


async def remove(handle: ScheduleHandle) -> None:
    """Removes a clock, unless there is none."""
    try:
        await handle.delete()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise


def mark_of(row: StoredSchedule) -> str:
    """Returns what the note of a clock says when it is set as the row says."""
    said = [row.spec, row.overlap, row.catch_up, row.status, *([row.calendars] if row.calendars else [])]
    return f"carillon {keys.request_hash(said).hex()[:16]}"


def fits(row: StoredSchedule, found: ScheduleDescription, now: datetime) -> bool:
    """Tells whether a clock is set as its row says, and knows what comes next."""
    paused = row.status == ScheduleStatus.PAUSED
    if found.schedule.state.note != mark_of(row) or found.schedule.state.paused != paused:
        return False
    if paused:
        return True
    following = next(instants(row.when(), now), None)
    return following is None or bool(found.info.next_action_times)


def _updated(found: ScheduleUpdateInput, wanted: Schedule) -> ScheduleUpdate:  # noqa: ARG001 - the row alone counts
    return ScheduleUpdate(schedule=wanted)


def _backfill(row: StoredSchedule, unmade: Sequence[datetime]) -> ScheduleBackfill:
    overlap = _OVERLAPS[Overlap(row.overlap)]
    return ScheduleBackfill(start_at=min(unmade) - _SECOND, end_at=max(unmade) + _SECOND, overlap=overlap)


def _calendar(instant: datetime) -> ScheduleCalendarSpec:
    at = instant.astimezone(UTC)
    return ScheduleCalendarSpec(
        year=[ScheduleRange(at.year)],
        month=[ScheduleRange(at.month)],
        day_of_month=[ScheduleRange(at.day)],
        hour=[ScheduleRange(at.hour)],
        minute=[ScheduleRange(at.minute)],
        second=[ScheduleRange(at.second)],
    )

"""Schedules of our own: made when a worker starts, brought up to its version, and made again when they got lost."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError

from workflows.housekeeping import HousekeepingOrder, HousekeepingWorkflow

HOUSEKEEPING = "housekeeping"
# A run that hangs must not keep the next ones from starting.
_LONGEST_RUN = timedelta(minutes=10)
# Runs that were missed are not caught up: the next one finds what they would have found.
_CATCH_UP = timedelta(seconds=10)


def housekeeping(task_queue: str, *, every: timedelta, order: HousekeepingOrder | None = None) -> Schedule:
    """Returns the schedule of housekeeping; a run that takes longer than `every` skips the next ones."""
    action = ScheduleActionStartWorkflow(
        HousekeepingWorkflow.run,
        order or HousekeepingOrder(),
        id=HOUSEKEEPING,
        task_queue=task_queue,
        execution_timeout=_LONGEST_RUN,
    )
    return Schedule(
        action=action,
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=every)]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=_CATCH_UP),
    )


async def ensure(client: Client, schedule_id: str, schedule: Schedule) -> None:
    """Makes a schedule, or brings the one that is there up to `schedule`; a pause by an operator stays."""
    try:
        await client.create_schedule(schedule_id, schedule)
    except ScheduleAlreadyRunningError:
        await client.get_schedule_handle(schedule_id).update(lambda found: _updated(found, schedule))


async def keep(client: Client, schedule_id: str, schedule: Schedule, *, pause: float = 300.0) -> None:
    """Ensures a schedule now and every few minutes until cancelled: a restored server may know nothing of it."""
    while True:
        try:
            await ensure(client, schedule_id, schedule)
        except RPCError:
            await asyncio.sleep(min(pause, 5.0))
        else:
            await asyncio.sleep(pause)


def _updated(found: ScheduleUpdateInput, schedule: Schedule) -> ScheduleUpdate:
    return ScheduleUpdate(schedule=replace(schedule, state=found.description.schedule.state))

"""The workflow of housekeeping and its schedule on a real Temporal server, with steps under names of their own."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from temporalio import activity
from temporalio.client import Client, ScheduleHandle, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from activities.sweeping import Step, Sweep, Swept
from tests.workflows.keeping import keep
from workflows import schedules
from workflows.housekeeping import HousekeepingOrder, HousekeepingReport, HousekeepingWorkflow

FIRST, BROKEN, LAST = (Step(name=f"test.{name}", seconds=5.0) for name in ("first", "broken", "last"))


@dataclass
class Steps:
    """Steps that remember what they were asked, and answer what the test wants."""

    answers: list[Swept] = field(default_factory=list)
    asked: list[str | None] = field(default_factory=list)
    last: int = 0
    fails_after: int | None = None

    @activity.defn(name="test.first")
    async def first(self, sweep: Sweep) -> Swept:
        self.asked.append(sweep.cursor)
        if self.fails_after is not None and len(self.asked) > self.fails_after:
            raise ApplicationError("out of order", non_retryable=True)
        return self.answers.pop(0) if self.answers else Swept()

    @activity.defn(name="test.broken")
    async def broken(self, sweep: Sweep) -> Swept:
        raise ApplicationError("out of order", non_retryable=True)

    @activity.defn(name="test.last")
    async def count(self, sweep: Sweep) -> Swept:
        self.last += 1
        return Swept(found=1)


@asynccontextmanager
async def working(client: Client, steps: Steps, *, cache: int = 100) -> AsyncIterator[str]:
    queue = f"test-{uuid.uuid4()}"
    worker = Worker(
        client,
        task_queue=queue,
        workflows=[HousekeepingWorkflow],
        activities=[steps.first, steps.broken, steps.count],
        max_cached_workflows=cache,
        workflow_failure_exception_types=[Exception],
    )
    async with worker:
        yield queue


async def start(client: Client, queue: str, *steps: Step) -> WorkflowHandle[HousekeepingWorkflow, HousekeepingReport]:
    order = HousekeepingOrder(steps=steps)
    return await client.start_workflow(HousekeepingWorkflow.run, order, id=f"test/{uuid.uuid4()}", task_queue=queue)


@pytest.mark.parametrize("cache", [100, 0], ids=["cached", "replayed at every task"])
async def test_a_step_that_fails_does_not_keep_the_others_from_running(client: Client, cache: int) -> None:
    steps = Steps()
    async with working(client, steps, cache=cache) as queue:
        handle = await start(client, queue, FIRST, BROKEN, LAST)
        report = await handle.result()
        await keep(handle, "housekeeping", "with_a_step_that_fails")
    assert report == HousekeepingReport(cursors={"test.first": "", "test.last": ""}, failed=("test.broken",), found=1)
    assert (steps.asked, steps.last) == ([None], 1)


async def test_a_step_that_fails_goes_on_where_it_was_in_the_next_run(client: Client) -> None:
    steps = Steps(answers=[Swept(cursor="17")], fails_after=1)
    async with working(client, steps) as queue, scheduled(client, queue, every=timedelta(seconds=1)):
        await asked_for(steps, 3)
    assert steps.asked[:3] == [None, "17", "17"]


async def test_a_step_that_this_worker_does_not_know_is_a_step_that_fails(client: Client) -> None:
    steps = Steps()
    async with working(client, steps) as queue:
        report = await (await start(client, queue, Step(name="test.of_tomorrow", seconds=1.0), LAST)).result()
    assert report.failed == ("test.of_tomorrow",)
    assert steps.last == 1


async def test_a_step_goes_on_at_its_cursor_while_there_is_more_but_not_for_ever(client: Client) -> None:
    steps = Steps(answers=[Swept(cursor=str(n), more=True) for n in range(1, 9)])
    async with working(client, steps) as queue:
        handle = await start(client, queue, FIRST)
        report = await handle.result()
        await keep(handle, "housekeeping", "with_more_to_do")
    assert steps.asked == [None, "1", "2", "3", "4"]
    assert report.cursors == {"test.first": "5"}


@asynccontextmanager
async def scheduled(client: Client, queue: str, *, every: timedelta) -> AsyncIterator[ScheduleHandle]:
    """A schedule of housekeeping with the step `test.first`, under an id of this test."""
    schedule_id = f"housekeeping-{uuid.uuid4()}"
    order = HousekeepingOrder(steps=(FIRST,))
    schedule = schedules.housekeeping(queue, every=every, order=order)
    await asyncio.gather(*(schedules.ensure(client, schedule_id, schedule) for _ in range(5)))
    handle = client.get_schedule_handle(schedule_id)
    try:
        yield handle
    finally:
        await handle.delete()


async def asked_for(steps: Steps, count: int) -> None:
    async with asyncio.timeout(60):
        while len(steps.asked) < count:
            await asyncio.sleep(0.05)


async def test_runs_of_the_schedule_hand_their_cursors_on(client: Client) -> None:
    steps = Steps(answers=[Swept(cursor="17"), Swept(cursor="23"), Swept()])
    async with working(client, steps) as queue, scheduled(client, queue, every=timedelta(seconds=1)):
        await asked_for(steps, 4)
    assert steps.asked[:4] == [None, "17", "23", None]


async def test_workers_that_start_at_once_make_one_schedule_and_later_ones_bring_it_up_to_date(client: Client) -> None:
    async with scheduled(client, "nobody", every=timedelta(hours=1)) as handle:
        await handle.pause(note="by an operator")
        await schedules.ensure(client, handle.id, schedules.housekeeping("another", every=timedelta(seconds=7)))
        found = (await handle.describe()).schedule
    assert [interval.every for interval in found.spec.intervals] == [timedelta(seconds=7)]
    assert found.state.paused

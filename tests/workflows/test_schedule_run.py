"""The workflow of a schedule's run on a real Temporal server, with scripted steps under the real wire name."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from temporalio import activity
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionExecutionStartWorkflow,
    ScheduleActionResult,
    ScheduleActionStartWorkflow,
    ScheduleHandle,
    ScheduleSpec,
    WorkflowHandle,
)
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from domain.schedules import ScheduleInput, Stepped
from tests.workflows.keeping import keep
from workflows.schedule_run import ScheduleRunWorkflow

MORE = Stepped(more=True, shown="50 so far")
DONE = Stepped(more=False, shown="done: 70 started")


@dataclass
class Script:
    """The steps of one test: what they answer, and what they were asked."""

    answers: list[Stepped | Exception]
    asked: list[tuple[ScheduleInput, str]] = field(default_factory=list)

    @activity.defn(name="schedules.step")
    async def step(self, order: ScheduleInput, workflow_id: str) -> Stepped:
        self.asked.append((order, workflow_id))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@asynccontextmanager
async def working(client: Client, script: Script, *, cache: int = 100) -> AsyncIterator[str]:
    queue = f"test-{uuid.uuid4()}"
    worker = Worker(
        client,
        task_queue=queue,
        workflows=[ScheduleRunWorkflow],
        activities=[script.step],
        max_cached_workflows=cache,
        workflow_failure_exception_types=[Exception],
    )
    async with worker:
        yield queue


async def started(client: Client, queue: str, *, steps: int = 500) -> WorkflowHandle[ScheduleRunWorkflow, str]:
    order = ScheduleInput(tenant_id="t", schedule_id="s", run_id="r", steps=steps)
    return await client.start_workflow(ScheduleRunWorkflow.run, order, id=f"test/{uuid.uuid4()}", task_queue=queue)


@pytest.mark.parametrize("cache", [100, 0], ids=["cached", "replayed at every task"])
async def test_it_steps_on_until_all_is_taken_up(client: Client, cache: int) -> None:
    script = Script([MORE, MORE, DONE])
    async with working(client, script, cache=cache) as queue:
        handle = await started(client, queue)
        assert await handle.result() == "done: 70 started"
        await keep(handle, "schedule")
    assert [asked for _, asked in script.asked] == [handle.id] * 3


async def test_a_step_that_fails_is_made_again(client: Client) -> None:
    script = Script([ApplicationError("the database is away"), DONE])
    async with working(client, script) as queue:
        handle = await started(client, queue)
        assert await handle.result() == "done: 70 started"
        await keep(handle, "schedule")


async def test_a_long_one_goes_on_as_another_run(client: Client) -> None:
    script = Script([MORE, MORE, DONE])
    async with working(client, script) as queue:
        handle = await started(client, queue, steps=2)
        assert await handle.result() == "done: 70 started"
        first = client.get_workflow_handle(handle.id, run_id=handle.first_execution_run_id)
        assert (await first.describe()).status is not None
        await keep(first, "schedule")
    assert len(script.asked) == 3


async def test_a_clock_says_when_it_was_due(client: Client) -> None:
    script = Script([MORE, DONE])
    async with working(client, script) as queue:
        name = f"test/{uuid.uuid4()}"
        order = ScheduleInput(tenant_id="t", schedule_id="s", steps=1)
        action = ScheduleActionStartWorkflow(ScheduleRunWorkflow.run, order, id=name, task_queue=queue)
        before = datetime.now(UTC).replace(microsecond=0)
        clock = await client.create_schedule(
            name, Schedule(action=action, spec=ScheduleSpec()), trigger_immediately=True
        )
        made = await _first(clock)
        assert isinstance(made.action, ScheduleActionExecutionStartWorkflow)
        assert await client.get_workflow_handle(made.action.workflow_id).result() == "done: 70 started"
        first_run = made.action.first_execution_run_id
        await keep(client.get_workflow_handle(made.action.workflow_id, run_id=first_run), "schedule")
        await clock.delete()
    [first, second] = [order.scheduled_at for order, _ in script.asked]
    assert first == second == made.scheduled_at.replace(microsecond=0).isoformat()
    assert datetime.fromisoformat(first) >= before


async def _first(clock: ScheduleHandle) -> ScheduleActionResult:
    async with asyncio.timeout(10):
        while not (made := (await clock.describe()).info.recent_actions):
            await asyncio.sleep(0.02)
    return made[0]

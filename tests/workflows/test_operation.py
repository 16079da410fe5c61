"""The workflow of an operation on a real Temporal server, with scripted steps under the real wire name."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from temporalio import activity
from temporalio.client import Client, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from domain.operations import OperationInput, OperationState, Stepped
from tests.workflows.keeping import keep
from workflows.operation import OperationWorkflow

RUNNING = Stepped(state=OperationState.RUNNING, done=50)
DONE = Stepped(state=OperationState.DONE, done=70)
STOPPED = Stepped(state=OperationState.STOPPED, done=50)


@dataclass
class Script:
    """The steps of one test: what they answer, what they were asked and when."""

    answers: list[Stepped | Exception]
    asked: list[OperationInput] = field(default_factory=list)
    at: list[datetime] = field(default_factory=list)

    @activity.defn(name="operations.step")
    async def step(self, order: OperationInput) -> Stepped:
        self.asked.append(order)
        self.at.append(datetime.now(UTC))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@asynccontextmanager
async def running(
    client: Client, script: Script, *, cache: int = 100, steps: int = 300
) -> AsyncIterator[WorkflowHandle[OperationWorkflow, str]]:
    queue = f"test-{uuid.uuid4()}"
    worker = Worker(
        client,
        task_queue=queue,
        workflows=[OperationWorkflow],
        activities=[script.step],
        max_cached_workflows=cache,
        workflow_failure_exception_types=[Exception],
    )
    async with worker:
        order = OperationInput(tenant_id="t", operation_id="o", steps=steps)
        workflow_id = f"test/{uuid.uuid4()}"
        handle = await client.start_workflow(OperationWorkflow.run, order, id=workflow_id, task_queue=queue)
        yield handle
        await keep(handle, "operation")


@pytest.mark.parametrize("cache", [100, 0], ids=["cached", "replayed at every task"])
async def test_it_steps_on_until_all_is_taken_up(client: Client, cache: int) -> None:
    script = Script([RUNNING, RUNNING, DONE])
    async with running(client, script, cache=cache) as handle:
        assert await handle.result() == "done"
    assert [order.operation_id for order in script.asked] == ["o", "o", "o"]


async def test_a_second_lies_between_two_steps(client: Client) -> None:
    script = Script([RUNNING, DONE])
    async with running(client, script) as handle:
        await handle.result()
    first, second = script.at
    assert second - first > timedelta(seconds=0.9)


async def test_what_was_stopped_in_the_database_ends(client: Client) -> None:
    script = Script([RUNNING, STOPPED])
    async with running(client, script) as handle:
        assert await handle.result() == "stopped"


async def test_a_step_that_fails_is_made_again(client: Client) -> None:
    script = Script([ApplicationError("the database is away"), DONE])
    async with running(client, script) as handle:
        assert await handle.result() == "done"
    assert len(script.asked) == 2


async def test_a_long_one_goes_on_in_another_run_with_the_same_order(client: Client) -> None:
    script = Script([RUNNING, RUNNING, RUNNING, RUNNING, DONE])
    async with running(client, script, steps=2) as handle:
        assert await handle.result() == "done"
        first = await client.get_workflow_handle(handle.id, run_id=handle.first_execution_run_id).describe()
    assert first.status is not None
    assert first.status.name == "CONTINUED_AS_NEW"
    assert {order.steps for order in script.asked} == {2}
    assert len(script.asked) == 5

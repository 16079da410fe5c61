"""The workflow of a series on a real Temporal server, with scripted looks under the real wire name."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from temporalio import activity
from temporalio.client import Client, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from domain.series import GivenUp, Pause, SeriesInput
from tests.workflows.keeping import keep
from workflows.series import SeriesWorkflow

CALL = Pause(call=True)
DONE = Pause(ended="completed")
MORE = Pause(again=True)
ASLEEP = Pause(shown="waits to be woken")


def soon(seconds: float) -> Callable[[datetime], Pause]:
    return lambda now: Pause(until=now + timedelta(seconds=seconds), shown="a short wait")


@dataclass
class Script:
    """The looks of one test: what they answer, and at which times of the workflow they were made."""

    answers: list[Pause | Exception | Callable[[datetime], Pause]]
    at: list[datetime] = field(default_factory=list)
    calls: list[Exception | None] = field(default_factory=list)
    given_up: list[GivenUp] = field(default_factory=list)

    async def looked(self, times: int) -> None:
        """Waits until so many looks were made."""
        async with asyncio.timeout(10):
            while len(self.at) < times:
                await asyncio.sleep(0.01)

    @activity.defn(name="series.advance")
    async def advance(self, order: SeriesInput, now: datetime) -> Pause:
        assert order.series_id == "s"
        self.at.append(now)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer(now) if callable(answer) else answer

    @activity.defn(name="series.call")
    async def call(self, order: SeriesInput, now: datetime) -> None:
        assert now.tzinfo is not None
        assert order.series_id == "s"
        if (failure := self.calls.pop(0)) is not None:
            raise failure

    @activity.defn(name="series.call_failed")
    async def give_up(self, order: SeriesInput, now: datetime, given_up: GivenUp) -> None:
        assert now.tzinfo is not None
        assert order.series_id == "s"
        self.given_up.append(given_up)


@asynccontextmanager
async def running(
    client: Client, script: Script, *, cache: int = 100, looks: int = 200
) -> AsyncIterator[WorkflowHandle[SeriesWorkflow, str]]:
    queue = f"test-{uuid.uuid4()}"
    worker = Worker(
        client,
        task_queue=queue,
        workflows=[SeriesWorkflow],
        activities=[script.advance, script.call, script.give_up],
        max_cached_workflows=cache,
        workflow_failure_exception_types=[Exception],
    )
    async with worker:
        order = SeriesInput(tenant_id="t", series_id="s", looks=looks)
        name = f"test/{uuid.uuid4()}"
        handle = await client.start_workflow(SeriesWorkflow.run, order, id=name, task_queue=queue)
        yield handle
        await keep(handle, "series")


@pytest.mark.parametrize("cache", [100, 0], ids=["cached", "replayed at every task"])
async def test_it_looks_again_when_its_time_has_come(client: Client, cache: int) -> None:
    script = Script([soon(1.0), DONE])
    async with running(client, script, cache=cache) as handle:
        assert await handle.result() == "completed"
    first, second = script.at
    assert second - first >= timedelta(seconds=0.9)


async def test_what_is_due_at_once_is_done_at_once(client: Client) -> None:
    script = Script([MORE, MORE, DONE])
    async with running(client, script) as handle:
        assert await handle.result() == "completed"
    assert len(script.at) == 3


@pytest.mark.parametrize("waiting", [ASLEEP, soon(3600)], ids=["without an end", "for an hour"])
async def test_a_signal_wakes_it(client: Client, waiting: Pause | Callable[[datetime], Pause]) -> None:
    script = Script([waiting, DONE])
    async with running(client, script) as handle:
        await script.looked(1)
        await handle.signal("woken")
        assert await handle.result() == "completed"


async def test_a_moment_that_is_over_is_no_wait(client: Client) -> None:
    script = Script([soon(-60), DONE])
    async with running(client, script) as handle:
        assert await handle.result() == "completed"


async def test_a_look_that_fails_is_made_again(client: Client) -> None:
    script = Script([ApplicationError("the database is away"), DONE])
    async with running(client, script) as handle:
        assert await handle.result() == "completed"


async def test_a_long_one_goes_on_as_another_run_and_hears_what_came_meanwhile(client: Client) -> None:
    script = Script([MORE, MORE, ASLEEP, DONE])
    async with running(client, script, looks=2) as handle:
        await script.looked(3)
        await handle.signal("woken")
        assert await handle.result() == "completed"
        first = await client.get_workflow_handle(handle.id, run_id=handle.first_execution_run_id).describe()
    assert first.status is not None
    assert first.status.name == "CONTINUED_AS_NEW"


async def test_a_service_is_asked_again_until_it_answers(client: Client) -> None:
    script = Script([CALL, DONE], calls=[ApplicationError("away", type="unavailable"), None])
    async with running(client, script) as handle:
        assert await handle.result() == "completed"
    assert script.given_up == []


async def test_a_refusal_is_told_and_the_series_looks_again(client: Client) -> None:
    script = Script(
        [CALL, DONE], calls=[ApplicationError("it answered 404", "c-1", type="rejected", non_retryable=True)]
    )
    async with running(client, script) as handle:
        assert await handle.result() == "completed"
    assert script.given_up == [GivenUp(reason="call_rejected", detail="rejected: it answered 404", call_id="c-1")]

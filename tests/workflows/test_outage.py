"""The workflow of an outage on a real Temporal server, with scripted looks under the real wire names."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from temporalio import activity
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

from domain.outages import Look, OutageInput, ReleaseOrder
from tests.workflows.keeping import keep
from workflows.outage import OutageWorkflow

SOON, IN_HOURS = 0.1, 36000.0


@dataclass
class Script:
    """The activities of one test: after how many seconds to look again, and then that it is over."""

    pauses: list[float]
    cursors: list[str] = field(default_factory=list)
    asked: list[OutageInput] = field(default_factory=list)
    released: list[ReleaseOrder] = field(default_factory=list)

    @activity.defn(name="outages.probe")
    async def probe(self, order: OutageInput) -> Look:
        self.asked.append(order)
        cursor = self.cursors.pop(0) if self.cursors else order.cursor
        pause = self.pauses.pop(0) if self.pauses else None
        next_at = datetime.now(UTC) + timedelta(seconds=pause or 0)
        return Look(over=pause is None, next_at=next_at, cursor=cursor)

    @activity.defn(name="outages.release")
    async def release(self, order: ReleaseOrder) -> int:
        self.released.append(order)
        return 1


@asynccontextmanager
async def running(
    client: Client, script: Script, *, cache: int = 100, looks: int = 200
) -> AsyncIterator[WorkflowHandle[OutageWorkflow, str]]:
    queue = f"test-{uuid.uuid4()}"
    worker = Worker(
        client,
        task_queue=queue,
        workflows=[OutageWorkflow],
        activities=[script.probe, script.release],
        max_cached_workflows=cache,
        workflow_failure_exception_types=[Exception],
    )
    async with worker:
        order = OutageInput(tenant_id="t", circuit_id="c", episode=3, looks=looks, settling=0.1)
        workflow_id = f"test/{uuid.uuid4()}"
        handle = await client.start_workflow(OutageWorkflow.run, order, id=workflow_id, task_queue=queue)
        yield handle
        await keep(handle, "outage")


async def looked(script: Script, count: int) -> None:
    """Waits until that many looks were taken."""
    async with asyncio.timeout(20):
        while len(script.asked) < count:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("cache", [100, 0], ids=["cached", "replayed at every task"])
async def test_it_looks_until_the_circuit_is_closed_and_releases_what_was_parked(client: Client, cache: int) -> None:
    script = Script([SOON, SOON], cursors=["first", "second"])
    async with running(client, script, cache=cache) as handle:
        assert await handle.result() == "closed, 2 operations"
    assert [order.cursor for order in script.asked] == [None, "first", "second"]
    assert [order.is_new for order in script.asked] == [True, False, False]


async def test_the_word_that_it_closed_wakes_it(client: Client) -> None:
    script = Script([IN_HOURS])
    async with running(client, script) as handle:
        await looked(script, 1)
        await handle.signal("closed")
        assert await handle.result() == "closed, 2 operations"


async def test_what_was_about_to_be_parked_is_released_a_little_later(client: Client) -> None:
    script = Script([])
    began = datetime.now(UTC)
    async with running(client, script) as handle:
        await handle.result()
    first, late = script.released
    assert (first.circuit_id, first.episode, first.parked_after) == ("c", 3, None)
    assert late.parked_after is not None
    assert late.parked_after > began - timedelta(minutes=1)


async def test_a_long_one_goes_on_in_another_run_at_its_cursor(client: Client) -> None:
    script = Script([SOON, SOON, SOON], cursors=["first", "second", "third"])
    async with running(client, script, looks=2) as handle:
        assert await handle.result() == "closed, 2 operations"
        first = await client.get_workflow_handle(handle.id, run_id=handle.first_execution_run_id).describe()
    assert first.status is not None
    assert first.status.name == "CONTINUED_AS_NEW"
    assert [order.cursor for order in script.asked] == [None, "first", "second", "third"]
    assert sum(order.is_new for order in script.asked) == 1

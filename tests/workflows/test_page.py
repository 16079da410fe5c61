"""A page on a real Temporal server: one step for many, and a place for what the database could not take."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from temporalio import activity
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

from domain.notifications import AttemptRecord, Delivered, Outcome
from domain.pages import PageInput, PageOutcome
from tests.workflows.keeping import keep
from tests.workflows.scripts import ACCEPTED
from workflows.page import PageWorkflow

PAGE = PageInput(tenant_id="t", page_id="p", notification_ids=("a", "b", "c"))
RECORD = AttemptRecord(
    tenant_id="t",
    notification_id="b",
    message_id="m",
    attempt_id="x",
    outcome=Outcome.ACCEPTED,
    at=datetime(2026, 8, 1, tzinfo=UTC),
    page_id="p",
)


@dataclass
class Script:
    """The activities of one test: what they answer or raise, and what they were asked."""

    answers: list[PageOutcome | Exception]
    asked: list[PageInput] = field(default_factory=list)
    recorded: list[AttemptRecord] = field(default_factory=list)

    @activity.defn(name="pages.deliver")
    async def deliver(self, page: PageInput) -> PageOutcome:
        self.asked.append(page)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @activity.defn(name="delivery.record")
    async def record(self, record: AttemptRecord) -> Delivered:
        self.recorded.append(record)
        return ACCEPTED


@asynccontextmanager
async def running(
    client: Client, script: Script, *, cache: int = 100
) -> AsyncIterator[WorkflowHandle[PageWorkflow, PageOutcome]]:
    queue = f"test-{uuid.uuid4()}"
    worker = Worker(
        client,
        task_queue=queue,
        workflows=[PageWorkflow],
        activities=[script.deliver, script.record],
        max_cached_workflows=cache,
        workflow_failure_exception_types=[Exception],
    )
    async with worker:
        handle = await client.start_workflow(PageWorkflow.run, PAGE, id=f"test/{uuid.uuid4()}", task_queue=queue)
        yield handle
        await keep(handle, "page")


async def test_a_page_is_one_step(client: Client) -> None:
    script = Script([PageOutcome(closed=2, handed_over=1)])
    async with running(client, script) as handle:
        assert await handle.result() == PageOutcome(closed=2, handed_over=1)
        assert (await handle.describe()).history_length <= 9
    assert script.asked == [PAGE]


@pytest.mark.parametrize("cache", [100, 0], ids=["cached", "replayed at every task"])
async def test_what_the_database_could_not_take_is_recorded_later(client: Client, cache: int) -> None:
    script = Script([PageOutcome(closed=2, handed_over=1, unrecorded=(RECORD,))])
    async with running(client, script, cache=cache) as handle:
        await handle.result()
    assert script.recorded == [RECORD]


async def test_a_page_that_fails_is_made_again(client: Client) -> None:
    script = Script([ConnectionError("the database is away"), PageOutcome(closed=3, handed_over=0)])
    async with running(client, script) as handle:
        assert (await handle.result()).closed == 3
    assert script.asked == [PAGE, PAGE]

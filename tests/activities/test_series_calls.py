"""Calls of a series on a real database: asked outside of transactions, and the answer counts once."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, select
from temporalio.client import Client
from temporalio.exceptions import ApplicationError

from activities.open_operations import OpenOperations
from activities.series_calls import SeriesCalls
from activities.sweeping import Sweep
from activities.workflow_facts import WorkflowFacts
from db.session import Database
from db.tables import outbox
from domain import keys
from domain.errors import DeliveryError, Rejected, Unavailable
from domain.series import GivenUp, SeriesInput
from providers.web_calls import Answer, WebCalls
from sealing import KeyRing
from tests import factories
from tests.activities.series_clock import Clock, started
from tests.activities.test_series import SMS

REFUSED = GivenUp(reason="call_rejected", detail="the service answered 404")
Meanwhile = Callable[[], Awaitable[Any]]
ASKING = """
name: asking
steps:
- call: https://example.com/check
  id: check
  data: {order: data.order}
- branch:
  - when: outcomes.check.body.free > 0
    steps: [{send: hello, id: free}]
  otherwise: [{send: hello, id: full}]
"""


class Service(WebCalls):
    """A service that answers as it is told, and does something in the midst of it."""

    def __init__(self, answer: Answer | DeliveryError) -> None:
        super().__init__()
        self.answer = answer
        self.asked: list[dict[str, Any]] = []
        self.meanwhile: Meanwhile | None = None

    async def post(self, url: str, body: bytes, **said: Any) -> Answer:
        self.asked.append({"url": url, "body": body, **said})
        if self.meanwhile is not None:
            await self.meanwhile()
        if isinstance(self.answer, DeliveryError):
            raise self.answer
        return self.answer


@pytest.fixture
async def clock(database: Database, tenant_id: UUID) -> Clock:
    await factories.make_version(database, tenant_id, SMS)
    made = await started(database, tenant_id, ASKING, data={"name": "Asha", "order": 7})
    pause = await made.look()
    assert (pause.call, pause.shown) == (True, "asks a service: check")
    return made


def order(clock: Clock) -> SeriesInput:
    return SeriesInput(tenant_id=str(clock.tenant_id), series_id=str(clock.series_id))


async def call(clock: Clock, service: Service, key_ring: KeyRing) -> None:
    await SeriesCalls(clock.database, service, key_ring).call(order(clock), clock.now)


@pytest.mark.parametrize(("free", "expected"), [(3, "free"), (0, "full")])
async def test_an_answer_decides_what_follows(clock: Clock, key_ring: KeyRing, free: int, expected: str) -> None:
    service = Service(Answer(status=200, body={"free": free}))
    await call(clock, service, key_ring)
    assert (await clock.until()).ended == "completed"
    assert [one["series_step"] for one in await clock.sent()] == [expected]
    assert ("0:00:00", "called", "check") in await clock.transcript()
    (asked,) = service.asked
    assert asked["url"] == "https://example.com/check"
    assert b'"data":{"order":7}' in asked["body"]
    assert asked["secrets"] == key_ring.digests(str(clock.tenant_id), purpose="webhook")


async def test_a_repetition_is_the_same_call_and_counts_once(clock: Clock, key_ring: KeyRing) -> None:
    service = Service(Unavailable("away"))
    with pytest.raises(ApplicationError) as error:
        await call(clock, service, key_ring)
    assert (error.value.type, error.value.non_retryable) == ("unavailable", False)
    service.answer = Answer(status=200, body={"free": 1})
    await call(clock, service, key_ring)
    await call(clock, service, key_ring)  # its answer was lost on the way to the workflow
    assert len({asked["call_id"] for asked in service.asked}) == 1
    assert len(service.asked) == 2
    assert [kind for _, kind, _ in await clock.transcript()].count("called") == 1


async def test_a_refusal_is_not_asked_again_and_parks_it(clock: Clock, key_ring: KeyRing) -> None:
    calls = SeriesCalls(clock.database, Service(Rejected("the service answered 404")), key_ring)
    with pytest.raises(ApplicationError) as error:
        await calls.call(order(clock), clock.now)
    assert (error.value.type, error.value.non_retryable) == ("rejected", True)
    await calls.give_up(order(clock), clock.now, REFUSED)
    row = await clock.row()
    assert (row.status, row.reason, row.detail, row.step) == (
        "parked", "call_rejected", "the service answered 404", "check",
    )  # fmt: skip
    await clock.change(status="running")
    assert (await clock.look()).call


async def test_data_that_cannot_be_made_is_not_asked(database: Database, tenant_id: UUID, key_ring: KeyRing) -> None:
    made = await started(database, tenant_id, ASKING, data={})
    await made.look()
    service = Service(Answer(status=200, body=None))
    with pytest.raises(ApplicationError) as error:
        await call(made, service, key_ring)
    assert (error.value.type, error.value.non_retryable, service.asked) == ("condition_failed", True, [])


async def test_an_answer_that_comes_after_a_stop_counts_for_nothing(clock: Clock, key_ring: KeyRing) -> None:
    service = Service(Answer(status=200, body={"free": 1}))
    service.meanwhile = lambda: clock.change(status="paused")
    await call(clock, service, key_ring)
    assert "called" not in [kind for _, kind, _ in await clock.transcript()]
    await SeriesCalls(clock.database, service, key_ring).give_up(order(clock), clock.now, REFUSED)
    assert (await clock.row()).status == "paused"


async def test_a_call_that_is_given_up_late_does_not_park_the_next_one(clock: Clock, key_ring: KeyRing) -> None:
    calls = SeriesCalls(clock.database, Service(Answer(status=200, body=None)), key_ring)
    old = GivenUp(reason="call_rejected", detail="x", call_id="series/1/other/0")
    await calls.give_up(order(clock), clock.now, old)
    assert (await clock.row()).status == "running"


async def test_a_series_whose_workflow_was_terminated_in_its_midst_asks_as_before(
    clock: Clock, key_ring: KeyRing, client: Client
) -> None:
    service = Service(Unavailable("away"))
    with pytest.raises(ApplicationError):
        await call(clock, service, key_ring)
    async with clock.database.tenant(clock.tenant_id) as connection:
        await connection.execute(delete(outbox))  # its start was handed over
    workflow_id = keys.series_workflow(str(clock.series_id))
    handle = await client.start_workflow("series", order(clock), id=workflow_id, task_queue="nobody")
    await handle.terminate()
    house = OpenOperations(clock.database, WorkflowFacts(client), quiet=timedelta(0))
    async with asyncio.timeout(20):  # the server's index is a moment behind
        while not (await house.look_at_waiting(Sweep())).found:
            await asyncio.sleep(0.05)
    async with clock.database.tenant(clock.tenant_id) as connection:
        left = (await connection.execute(select(outbox.c.kind, outbox.c.workflow_id))).all()
    assert [tuple(row) for row in left] == [("start", workflow_id)]
    assert (await clock.look()).call
    service.answer = Answer(status=200, body={"free": 3})
    await call(clock, service, key_ring)
    assert len({asked["call_id"] for asked in service.asked}) == 1
    assert (await clock.row()).step != "check"

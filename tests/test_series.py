"""Series as the worker is composed: over real Temporal, PostgreSQL and mail, with replies and stops in their midst."""

import asyncio
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, select
from temporalio.client import Client

from activities.series_starting import begin, stop_locked
from db import outbox, series
from db.delivery_tables import notification
from db.series import NewSeries, Series
from db.series_hearing import NewHearing, hear, woken
from db.session import Database
from domain import keys
from domain.flow_steps import Again
from outbox import Dispatcher
from sandbox.serve import Sandbox
from tests.activities.series_clock import defined, publish
from tests.test_worker import bulkheads, dispatcher, sandbox, version_id

__all__ = ["bulkheads", "dispatcher", "sandbox", "version_id"]

SHORT = """
name: short
stop_when: event:paid
steps:
- {send: hello, id: first}
- {wait: PT1S, id: a_second}
- {send: hello, id: second}
- {wait_for: reply, timeout: PT5M, id: answer, then: [{send: hello, id: thanks}], on_timeout: [{send: hello, id: late}]}
"""


async def start(database: Database, tenant_id: UUID, text: str = SHORT, **values: Any) -> UUID:
    flow_id, flow_version_id = await publish(database, tenant_id, text)
    fields = {
        "key": "k", "to": "asha@example.com", "to_kind": "email", "receiver_id": None, "zone": None, "anchors": {},
        "data": {"name": "Asha"}, "event": {}, "resource_type": "order", "resource_id": "1", **values,
    }  # fmt: skip
    new = NewSeries(flow_id=flow_id, flow_version_id=flow_version_id, **fields)
    async with database.tenant(tenant_id) as connection:
        now = (await connection.execute(select(func.now()))).scalar_one()
        begun = await begin(connection, tenant_id, new, flow=defined(text), again=Again.REUSE, now=now)
    assert begun.series_id is not None
    return begun.series_id


async def read(database: Database, tenant_id: UUID, series_id: UUID) -> Series:
    async with database.tenant(tenant_id) as connection:
        found = await series.get(connection, tenant_id, series_id)
    assert found is not None
    return found


async def until(database: Database, tenant_id: UUID, series_id: UUID, **wanted: Any) -> Series:
    async with asyncio.timeout(30):
        while True:
            row = await read(database, tenant_id, series_id)
            if all(getattr(row, name) == value for name, value in wanted.items()):
                return row
            await asyncio.sleep(0.02)


async def tell(database: Database, tenant_id: UUID, series_id: UUID, kind: str, name: str | None = None) -> None:
    async with database.tenant(tenant_id) as connection:
        now = (await connection.execute(select(func.now()))).scalar_one()
        await hear(
            connection,
            tenant_id,
            [NewHearing(series_id=series_id, cause=f"{kind}/{name}", kind=kind, name=name, at=now)],
        )


async def steps(database: Database, tenant_id: UUID) -> list[str | None]:
    async with database.tenant(tenant_id) as connection:
        rows = await connection.execute(select(notification.c.series_step).order_by(notification.c.id))
        return list(rows.scalars())


async def mails(sandbox: Sandbox) -> int:
    async with httpx.AsyncClient(base_url=sandbox.url) as http:
        return len((await http.get("/mailbox", params={"to": "asha@example.com"})).json()["mails"])


@pytest.fixture(autouse=True)
def running(dispatcher: Dispatcher, version_id: UUID) -> None:
    """A worker, its dispatcher, a template and an account."""


async def test_a_series_sends_waits_and_hears_the_answer(
    database: Database, tenant_id: UUID, sandbox: Sandbox, client: Client
) -> None:
    made = await start(database, tenant_id)
    await until(database, tenant_id, made, step="answer")
    await tell(database, tenant_id, made, "reply")
    row = await until(database, tenant_id, made, status="completed")
    assert row.ended_at is not None
    assert await steps(database, tenant_id) == ["first", "second", "thanks"]
    async with asyncio.timeout(20):
        while await mails(sandbox) < 3:
            await asyncio.sleep(0.05)
    handle = client.get_workflow_handle(keys.series_workflow(str(made)))
    assert await handle.result() == "completed"
    described = await handle.describe()
    attributes = {pair.key.name: pair.value for pair in described.typed_search_attributes}
    assert attributes["CarillonResource"] == "order/1"


async def test_an_event_stops_it_in_the_midst_of_a_wait(database: Database, tenant_id: UUID, client: Client) -> None:
    made = await start(database, tenant_id, SHORT.replace("PT1S", "PT1H"))
    await until(database, tenant_id, made, step="a_second")
    await tell(database, tenant_id, made, "event", "paid")
    row = await until(database, tenant_id, made, status="stopped")
    assert (row.reason, row.detail) == ("stopped_by", "paid")
    assert await client.get_workflow_handle(keys.series_workflow(str(made))).result() == "stopped_by"


async def test_stopping_ends_its_workflow(database: Database, tenant_id: UUID, client: Client) -> None:
    made = await start(database, tenant_id, SHORT.replace("PT1S", "PT1H"))
    row = await until(database, tenant_id, made, step="a_second")
    async with database.tenant(tenant_id) as connection:
        assert await stop_locked(connection, tenant_id, made, reason="stopped", detail=None, now=row.updated_at)
    assert await client.get_workflow_handle(keys.series_workflow(str(made))).result() == "stopped"
    assert await steps(database, tenant_id) == ["first"]


async def test_a_date_that_is_moved_near_is_kept_at_once(database: Database, tenant_id: UUID) -> None:
    text = "name: due\nsteps:\n- {wait: {until: due_at}, id: due}\n- {send: hello, id: now}"
    made = await start(database, tenant_id, text, anchors={"due_at": "2199-01-01T00:00:00+00:00"})
    await until(database, tenant_id, made, step="due")
    async with database.tenant(tenant_id) as connection:
        await series.change(connection, tenant_id, made, anchors={"due_at": "2026-01-01T00:00:00+00:00"})
        await outbox.add_signals(connection, tenant_id, [woken(made, "moved")])
    await until(database, tenant_id, made, status="completed")
    assert await steps(database, tenant_id) == ["now"]


async def test_a_series_whose_workflow_is_gone_goes_on_when_it_is_woken(
    database: Database, tenant_id: UUID, client: Client
) -> None:
    made = await start(database, tenant_id)
    await until(database, tenant_id, made, step="answer")
    handle = client.get_workflow_handle(keys.series_workflow(str(made)))
    await handle.terminate()
    await tell(database, tenant_id, made, "reply")
    await until(database, tenant_id, made, status="completed")
    assert await steps(database, tenant_id) == ["first", "second", "thanks"]

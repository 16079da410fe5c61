"""Housekeeping in a whole worker: what lost its workflow is delivered after all, once."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select
from temporalio.client import Client

from db.delivery_tables import attempt, tombstone
from db.session import Database
from outbox import Dispatcher
from sandbox.serve import Sandbox, SandboxSettings
from sealing import KeyRing
from tests import factories
from tests.stalled import Yard
from worker import compose
from workflows import schedules
from workflows.housekeeping import STEPS, HousekeepingOrder, HousekeepingWorkflow

PART = {
    "channel": "email",
    "locale": "default",
    "content": {"subject": "Hello {{ name }}", "text": "Dear {{ name }}, all is well."},
}


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with Sandbox(SandboxSettings(port=0, smtp_port=0, journal=tmp_path / "journal.jsonl")) as running:
        yield running


@pytest.fixture
async def queue(client: Client, database: Database, key_ring: KeyRing) -> AsyncIterator[str]:
    """The queue of a running worker with its dispatcher."""
    name = f"test-{uuid.uuid4()}"
    async with compose(client, database, key_ring, task_queue=name, sandboxed=True) as worker, worker:
        running = asyncio.create_task(Dispatcher(database, client, task_queue=name).run())
        yield name
        running.cancel()
        await asyncio.wait([running])


@pytest.fixture
async def yard(database: Database, client: Client, tenant_id: UUID, key_ring: KeyRing, sandbox: Sandbox) -> Yard:
    """A tenant with a published template, and an account at the sandbox that carries it."""
    config = {
        "host": "127.0.0.1",
        "port": sandbox.smtp_port,
        "security": "none",
        "from_address": "hello@carillon.example",
        "return_path_domain": "bounces.carillon.example",
        "verp_key": "v" * 32,
    }
    account_id = await factories.make_account(
        database, tenant_id, key_ring, provider="smtp", channel="email", config=config
    )
    version_id = await factories.make_version(database, tenant_id, PART)
    return Yard(database, client, tenant_id, account_id, version_id)


async def ended(yard: Yard, notification_id: UUID) -> str:
    async with asyncio.timeout(40):
        while (row := await yard.row(notification_id))["ended_at"] is None:
            await asyncio.sleep(0.02)
    return str(row["status"])


async def mails(sandbox: Sandbox) -> int:
    async with httpx.AsyncClient(base_url=sandbox.url) as http:
        return len((await http.get("/mailbox", params={"to": "asha@example.com"})).json()["mails"])


async def test_a_notification_that_lost_its_workflow_is_delivered(yard: Yard, queue: str, sandbox: Sandbox) -> None:
    made = await yard.notification()
    await yard.sweep()
    assert await ended(yard, made) == "accepted"
    assert await mails(sandbox) == 1


async def test_an_attempt_that_was_accepted_is_found_and_not_made_again(
    yard: Yard, queue: str, sandbox: Sandbox
) -> None:
    made = await yard.notification()
    await yard.message(made, "accepted", status="accepted")
    await yard.sweep()
    assert await ended(yard, made) == "accepted"
    assert await mails(sandbox) == 0
    assert len(await yard.rows(attempt)) == 1


async def test_after_attempts_that_certainly_failed_the_next_number_goes_out(
    yard: Yard, queue: str, sandbox: Sandbox
) -> None:
    made = await yard.notification("not_sent")
    await yard.sweep()
    assert await ended(yard, made) == "accepted"
    assert await mails(sandbox) == 1
    async with yard.database.tenant(yard.tenant_id) as connection:
        asked = select(attempt.c.number, attempt.c.state).order_by(attempt.c.number)
        rows = (await connection.execute(asked)).all()
    assert [tuple(row) for row in rows] == [(1, "not_sent"), (2, "accepted")]


async def test_every_step_runs_in_a_real_worker(yard: Yard, queue: str, client: Client) -> None:
    made = await yard.notification("accepted", status="accepted", ended_at=None)
    handle = await client.start_workflow(
        HousekeepingWorkflow.run, HousekeepingOrder(), id=f"test/{uuid.uuid4()}", task_queue=queue
    )
    report = await handle.result()
    assert report.failed == ()
    assert report.cursors.keys() == {step.name for step in STEPS}
    assert str(made) in report.cursors["housekeeping.recognise"]


async def test_the_schedule_keeps_house_by_itself(yard: Yard, queue: str, client: Client) -> None:
    schedule_id = f"housekeeping-{uuid.uuid4()}"
    old = datetime.now(UTC) - timedelta(days=40)
    await factories.insert(yard.database, yard.tenant_id, tombstone, idempotency_key="old", created_at=old)
    keeping = asyncio.create_task(
        schedules.keep(client, schedule_id, schedules.housekeeping(queue, every=timedelta(seconds=1)))
    )
    async with asyncio.timeout(60):
        while await yard.rows(tombstone):
            await asyncio.sleep(0.05)
    keeping.cancel()
    await client.get_schedule_handle(schedule_id).delete()

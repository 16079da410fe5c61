"""The worker as it is composed: from a committed row to the provider, over real Temporal and real PostgreSQL."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select, update
from temporalio.client import Client, WorkflowExecutionStatus

from activities.bulkheads import Bulkheads
from db import outbox
from db.delivery_tables import attempt, notification
from db.session import Database
from db.tables import outbox as outbox_table
from domain import keys
from outbox import Dispatcher
from sandbox.serve import Sandbox, SandboxSettings
from sealing import KeyRing
from tests import factories
from worker import compose

PART = {
    "channel": "email",
    "locale": "default",
    "content": {"subject": "Hello {{ name }}", "text": "Dear {{ name }}, all is well."},
}


@pytest.fixture
async def sandbox(tmp_path: Any) -> AsyncIterator[Sandbox]:
    async with Sandbox(SandboxSettings(port=0, smtp_port=0, journal=tmp_path / "journal.jsonl")) as running:
        yield running


@pytest.fixture
async def version_id(database: Database, tenant_id: UUID, key_ring: KeyRing, sandbox: Sandbox) -> UUID:
    """A published template, and an account at the sandbox that carries it."""
    config = {
        "host": "127.0.0.1",
        "port": sandbox.smtp_port,
        "security": "none",
        "from_address": "hello@carillon.example",
        "return_path_domain": "bounces.carillon.example",
        "verp_key": "v" * 32,
    }
    await factories.make_account(database, tenant_id, key_ring, provider="smtp", channel="email", config=config)
    return await factories.make_version(database, tenant_id, PART)


@pytest.fixture
def bulkheads() -> Bulkheads:
    """Places in the worker under test, few enough to run out."""
    return Bulkheads(3, share=1)


@pytest.fixture
async def dispatcher(
    client: Client, database: Database, key_ring: KeyRing, bulkheads: Bulkheads
) -> AsyncIterator[Dispatcher]:
    """A running worker with its dispatcher, on a task queue of its own."""
    queue = f"test-{uuid.uuid4()}"
    composed = compose(client, database, key_ring, task_queue=queue, bulkheads=bulkheads, sandboxed=True)
    async with composed as worker, worker:
        made = Dispatcher(database, client, task_queue=queue, bulkheads=bulkheads)
        running = asyncio.create_task(made.run())
        yield made
        running.cancel()
        await asyncio.wait([running])


async def accept(database: Database, tenant_id: UUID, version_id: UUID, to: str, **values: Any) -> UUID:
    """Leaves a notification and its start, as the API does."""
    made = await factories.make_notification(
        database, tenant_id, version_id, to=to, to_kind="email", channels=["email"], **values
    )
    name = keys.notification_workflow(str(made))
    payload = {
        "workflow": "notification",
        "input": {"tenant_id": str(tenant_id), "notification_id": str(made), "send_at": None, "expires_at": None},
        "template": "hello",
        "resource": "order/1",
        "trigger": "order.shipped",
        "channel": "email",
    }
    async with database.tenant(tenant_id) as connection:
        await outbox.add_starts(connection, tenant_id, [(name, 1, payload)])
    return made


async def until(database: Database, tenant_id: UUID, notification_id: UUID, *statuses: str) -> Any:
    """Returns the notification as soon as it has one of these statuses."""
    async with asyncio.timeout(30):
        while True:
            async with database.tenant(tenant_id) as connection:
                asked = select(notification).where(notification.c.id == notification_id)
                row = (await connection.execute(asked)).mappings().one()
            if row["status"] in statuses:
                return row
            await asyncio.sleep(0.02)


async def test_a_committed_row_becomes_a_mail(
    dispatcher: Dispatcher, database: Database, tenant_id: UUID, version_id: UUID, sandbox: Sandbox, client: Client
) -> None:
    made = await accept(database, tenant_id, version_id, "asha@example.com")
    row = await until(database, tenant_id, made, "accepted")
    assert row["ended_at"] is not None
    async with httpx.AsyncClient(base_url=sandbox.url) as http:
        mails = (await http.get("/mailbox", params={"to": "asha@example.com"})).json()["mails"]
    assert [mail["subject"] for mail in mails] == ["Hello Asha"]
    handle = client.get_workflow_handle(keys.notification_workflow(str(made)))
    await handle.result()  # the row ends in the workflow's last activity, and the workflow a moment later
    described = await handle.describe()
    assert described.status is WorkflowExecutionStatus.COMPLETED
    assert described.history_length <= 9
    attributes = {pair.key.name: pair.value for pair in described.typed_search_attributes}
    assert attributes["CarillonTenant"] == str(tenant_id)
    assert attributes["CarillonResource"] == "order/1"


async def test_what_temporal_keeps_is_sealed(
    dispatcher: Dispatcher, database: Database, tenant_id: UUID, version_id: UUID, temporal: str
) -> None:
    made = await accept(database, tenant_id, version_id, "secret-reader@example.com")
    await until(database, tenant_id, made, "accepted")
    plain = await Client.connect(temporal)
    history = (await plain.get_workflow_handle(keys.notification_workflow(str(made))).fetch_history()).to_json()
    assert "secret-reader" not in history
    assert "notification_id" not in history


async def test_the_same_start_again_changes_nothing(
    dispatcher: Dispatcher, database: Database, tenant_id: UUID, version_id: UUID
) -> None:
    made = await accept(database, tenant_id, version_id, "asha@example.com")
    await until(database, tenant_id, made, "accepted")
    name = keys.notification_workflow(str(made))
    facts = {"tenant_id": str(tenant_id), "notification_id": str(made)}
    async with database.tenant(tenant_id) as connection:
        await outbox.add_starts(connection, tenant_id, [(name, 1, {"workflow": "notification", "input": facts})])
    async with asyncio.timeout(20):
        while await _waiting(database, tenant_id):
            await asyncio.sleep(0.02)
    async with database.tenant(tenant_id) as connection:
        assert len((await connection.execute(select(attempt.c.id))).all()) == 1


async def test_a_signal_for_nobody_is_done(dispatcher: Dispatcher, database: Database, tenant_id: UUID) -> None:
    async with database.tenant(tenant_id) as connection:
        await outbox.add_signal(
            connection, tenant_id, "notification/none", signal="cancel", cause="cancel", arguments=[]
        )
    async with asyncio.timeout(20):
        while await _waiting(database, tenant_id):
            await asyncio.sleep(0.02)
    assert dispatcher.healthy


async def test_a_refused_address_ends_as_failed_with_its_reason(
    dispatcher: Dispatcher, database: Database, tenant_id: UUID, version_id: UUID
) -> None:
    made = await accept(database, tenant_id, version_id, "refused@example.com")
    row = await until(database, tenant_id, made, "failed")
    assert row["reason"] == "invalid_address"


async def test_a_dropped_connection_after_the_mail_ends_as_unknown(
    dispatcher: Dispatcher, database: Database, tenant_id: UUID, version_id: UUID
) -> None:
    made = await accept(database, tenant_id, version_id, "drop@example.com")
    row = await until(database, tenant_id, made, "unknown")
    assert row["reason"] == "outcome_unknown"


async def test_a_notification_cancelled_before_its_start_sends_nothing(
    dispatcher: Dispatcher, database: Database, tenant_id: UUID, version_id: UUID
) -> None:
    made = await accept(database, tenant_id, version_id, "asha@example.com", status="cancelled")
    async with database.tenant(tenant_id) as connection:
        await connection.execute(update(notification).values(cancel_requested_at=notification.c.created_at))
    async with asyncio.timeout(20):
        while await _waiting(database, tenant_id):
            await asyncio.sleep(0.02)
    row = await until(database, tenant_id, made, "cancelled")
    assert row["accepted_at"] is None


async def test_more_than_there_are_places_all_get_through_and_give_their_places_back(
    dispatcher: Dispatcher, database: Database, tenant_id: UUID, version_id: UUID, bulkheads: Bulkheads
) -> None:
    rooms: list[int] = []
    bulkheads.on_room(lambda: rooms.append(bulkheads.room))
    made = [await accept(database, tenant_id, version_id, f"asha{n}@example.com") for n in range(8)]
    for one in made:
        await until(database, tenant_id, one, "accepted")
    async with asyncio.timeout(5):  # what is never given back is forgotten, but later than that
        while bulkheads.room < 3:
            await asyncio.sleep(0.02)
    assert len(rooms) >= 16  # eight starts, and eight attempts


async def test_without_a_place_signals_pass_and_starts_wait_in_their_line(
    dispatcher: Dispatcher, database: Database, tenant_id: UUID, version_id: UUID, bulkheads: Bulkheads
) -> None:
    for _ in range(3):
        assert bulkheads.enter("slow")
    made = await accept(database, tenant_id, version_id, "asha@example.com")
    async with database.tenant(tenant_id) as connection:
        await outbox.add_signal(connection, tenant_id, "notification/none", signal="cancel", cause="c", arguments=[])
    async with asyncio.timeout(20):
        while "signal" in (waiting := await _waiting(database, tenant_id)):
            await asyncio.sleep(0.02)
    assert waiting == ["start"]
    bulkheads.leave("slow")
    await until(database, tenant_id, made, "accepted")


async def _waiting(database: Database, tenant_id: UUID) -> list[str]:
    """Returns what waits in the outbox, by kind."""
    async with database.tenant(tenant_id) as connection:
        return list((await connection.execute(select(outbox_table.c.kind))).scalars())

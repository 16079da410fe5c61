"""Pages over real Temporal and real PostgreSQL: a long line goes out in few workflows, and nobody's rights are lost."""

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import delete, func, select, update
from temporalio.client import Client

from activities.accounts import AccountProviders
from activities.attachments import Attachments
from activities.buttons import Buttons
from activities.composing import Composer
from activities.delivery import Delivery
from activities.links import Links
from activities.owners import Owners
from activities.pages import Pages
from activities.repairs import Repairs
from activities.resolution import Resolution
from activities.sweeping import Sweep
from activities.workflow_facts import WorkflowFacts
from db import pages, sweeps
from db.delivery_tables import attempt, notification
from db.session import Database
from db.tables import account
from db.tables import outbox as outbox_table
from domain import keys
from domain.pages import PageInput
from domain.recovery import Life
from outbox import Dispatcher
from providers.base import Request, Response
from providers.downloads import Downloads
from providers.transport import Transport
from sandbox.serve import Sandbox
from sealing import KeyRing
from tests.test_worker import accept, sandbox, version_id
from worker import compose
from workflows import starting

__all__ = ["sandbox", "version_id"]


@pytest.fixture
async def queue() -> str:
    return f"test-{uuid.uuid4()}"


async def statuses(database: Database, tenant_id: UUID) -> Counter[str]:
    async with database.tenant(tenant_id) as connection:
        rows = await connection.execute(
            select(notification.c.status, func.count()).where(notification.c.ended_at.is_not(None)).group_by("status")
        )
        return Counter({row.status: row.count for row in rows})


async def until_ended(database: Database, tenant_id: UUID, count: int) -> Counter[str]:
    async with asyncio.timeout(60):
        while (found := await statuses(database, tenant_id)).total() < count:
            await asyncio.sleep(0.05)
    return found


async def accept_many(database: Database, tenant_id: UUID, version_id: UUID, count: int, **values: Any) -> list[UUID]:
    return [await accept(database, tenant_id, version_id, f"reader{one}@example.com", **values) for one in range(count)]


async def kinds(client: Client, queue: str) -> Counter[str]:
    return Counter([found.workflow_type async for found in client.list_workflows(f"TaskQueue = '{queue}'")])


@asynccontextmanager
async def working(
    client: Client, database: Database, key_ring: KeyRing, queue: str, **dispatcher: Any
) -> AsyncIterator[None]:
    """Runs a worker whose dispatcher makes no pages itself, unless it is told a page's size."""
    async with compose(client, database, key_ring, task_queue=queue, sandboxed=True) as worker, worker:
        running = asyncio.create_task(Dispatcher(database, client, task_queue=queue, **dispatcher).run())
        yield
        running.cancel()
        await asyncio.wait([running])


async def form_one(database: Database) -> None:
    async with database.system() as connection:
        assert len(await pages.form(connection, lane=1, size=20, least=8, most=1)) == 1


async def page_inputs(database: Database, tenant_id: UUID) -> list[PageInput]:
    async with database.tenant(tenant_id) as connection:
        payloads = (await connection.execute(select(outbox_table.c.payload))).scalars().all()
    return [starting.INPUTS["page"](payload["input"]) for payload in payloads]  # type: ignore[misc]  # the row says which input it is


async def mails(sandbox: Sandbox) -> Counter[str]:
    async with httpx.AsyncClient(base_url=sandbox.url) as http:
        found = (await http.get("/mailbox", params={"limit": 500})).json()["mails"]
    return Counter(mail["to"] for mail in found)


async def parked(database: Database, tenant_id: UUID) -> int:
    async with database.tenant(tenant_id) as connection:
        asked = select(func.count()).select_from(notification).where(notification.c.parked_cause == "account_suspended")
        return (await connection.execute(asked)).scalar_one()


async def until_doubted(database: Database, tenant_id: UUID, count: int) -> None:
    asked = select(func.count()).select_from(attempt).where(attempt.c.state == "unknown")
    async with asyncio.timeout(30):
        while True:
            async with database.tenant(tenant_id) as connection:
                if (await connection.execute(asked)).scalar_one() == count:
                    return
            await asyncio.sleep(0.05)


class Silent(Transport):
    """A transport on which nothing arrives and nothing comes back."""

    def __init__(self) -> None:
        self.entered = 0

    async def send(self, request: Request) -> Response:
        self.entered += 1
        await asyncio.Event().wait()
        raise AssertionError


async def died_while_sending(database: Database, key_ring: KeyRing, tenant_id: UUID, page: PageInput) -> None:
    """Leaves what a process leaves that is killed while all members of a page are at the provider."""
    silent = Silent()
    composer = Composer(
        AccountProviders(key_ring),
        Attachments(database, Downloads(frozenset())),
        Buttons(key_ring),
        Links(key_ring, "http://x"),
    )
    delivery = Delivery(database, silent, composer)
    carried = Pages(database, Resolution(database, {"smtp": 0.5}), delivery)
    dying = asyncio.create_task(carried.deliver(page))
    async with asyncio.timeout(20):
        while silent.entered < len(page.notification_ids):
            await asyncio.sleep(0.01)
    dying.cancel()
    await asyncio.wait([dying])


async def change(database: Database, tenant_id: UUID, notification_id: UUID, **values: Any) -> None:
    async with database.tenant(tenant_id) as connection:
        await connection.execute(update(notification).where(notification.c.id == notification_id).values(values))


async def test_a_long_line_goes_out_in_pages_and_each_mail_once(
    client: Client, database: Database, key_ring: KeyRing, tenant_id: UUID, version_id: UUID, sandbox: Sandbox,
    queue: str,
) -> None:  # fmt: skip
    await accept_many(database, tenant_id, version_id, 90)
    async with working(client, database, key_ring, queue, in_flight=4, page_size=20):
        assert await until_ended(database, tenant_id, 90) == {"accepted": 90}
    found = await mails(sandbox)
    assert (found.total(), set(found.values())) == (90, {1})
    async with database.tenant(tenant_id) as connection:
        assert (await connection.execute(select(func.count()).select_from(attempt))).scalar_one() == 90
    used = await kinds(client, queue)
    assert used["page"] >= 1
    assert used.total() < 60


async def test_cancelled_expired_and_suppressed_members_end_as_they_would_alone(
    database: Database, tenant_id: UUID, version_id: UUID, client: Client, key_ring: KeyRing, queue: str
) -> None:
    made = await accept_many(database, tenant_id, version_id, 12)
    await change(database, tenant_id, made[3], cancel_requested_at=datetime.now(UTC), status="cancelled")
    await change(database, tenant_id, made[5], expires_at=datetime.now(UTC) - timedelta(minutes=1))
    await form_one(database)
    async with working(client, database, key_ring, queue):
        assert await until_ended(database, tenant_id, 12) == {"accepted": 10, "cancelled": 1, "expired": 1}
    assert await kinds(client, queue) == {"page": 1, "notification": 2}


async def test_what_a_page_that_died_left_in_doubt_is_not_sent_again(
    database: Database, tenant_id: UUID, version_id: UUID, client: Client, key_ring: KeyRing, queue: str,
    sandbox: Sandbox,
) -> None:  # fmt: skip
    made = await accept_many(database, tenant_id, version_id, 10)
    await form_one(database)
    (page,) = await page_inputs(database, tenant_id)
    await died_while_sending(database, key_ring, tenant_id, page)
    async with working(client, database, key_ring, queue):
        # The doubt of each is waited out by a workflow of its own; nobody attempts anything again.
        await until_doubted(database, tenant_id, 10)
        async with asyncio.timeout(20):
            while await kinds(client, queue) != {"page": 1, "notification": len(made)}:
                await asyncio.sleep(0.05)
    async with database.tenant(tenant_id) as connection:
        rows = (await connection.execute(select(attempt.c.number, attempt.c.state))).all()
    assert [(row.number, row.state) for row in rows] == [(1, "unknown")] * 10
    assert await mails(sandbox) == Counter()


async def test_a_member_that_cannot_be_composed_keeps_nobody(
    database: Database, tenant_id: UUID, version_id: UUID, client: Client, key_ring: KeyRing, queue: str
) -> None:
    made = await accept_many(database, tenant_id, version_id, 9)
    await change(database, tenant_id, made[4], data={})
    await form_one(database)
    async with working(client, database, key_ring, queue):
        assert await until_ended(database, tenant_id, 9) == {"accepted": 8, "failed": 1}


async def test_limits_hold_inside_a_page_and_all_of_it_goes_out(
    database: Database, tenant_id: UUID, version_id: UUID, client: Client, key_ring: KeyRing, queue: str,
    sandbox: Sandbox,
) -> None:  # fmt: skip
    await accept_many(database, tenant_id, version_id, 14)
    async with database.tenant(tenant_id) as connection:
        await connection.execute(update(account).values(limits={"rate": 5, "burst": 5}))
    await form_one(database)
    async with working(client, database, key_ring, queue):
        assert await until_ended(database, tenant_id, 14) == {"accepted": 14}
    async with database.tenant(tenant_id) as connection:
        claimed = sorted((await connection.execute(select(attempt.c.claimed_at))).scalars())
    assert claimed[-1] - claimed[0] >= timedelta(seconds=9 / 5 - 0.1)
    assert (await kinds(client, queue))["notification"] == 9
    assert set((await mails(sandbox)).values()) == {1}


async def test_an_account_that_is_suspended_meanwhile_parks_the_members(
    database: Database, tenant_id: UUID, version_id: UUID, client: Client, key_ring: KeyRing, queue: str
) -> None:
    await accept_many(database, tenant_id, version_id, 8)
    await form_one(database)
    async with database.tenant(tenant_id) as connection:
        await connection.execute(update(account).values(state="suspended"))
    async with working(client, database, key_ring, queue), asyncio.timeout(30):
        while await parked(database, tenant_id) < 8:
            await asyncio.sleep(0.05)
    async with database.tenant(tenant_id) as connection:
        assert (await connection.execute(select(func.count()).select_from(attempt))).scalar_one() == 0


async def test_housekeeping_starts_members_of_a_page_that_is_gone(
    database: Database, tenant_id: UUID, version_id: UUID, client: Client, key_ring: KeyRing, queue: str
) -> None:
    made = await accept_many(database, tenant_id, version_id, 8)
    await form_one(database)
    async with database.system() as connection:
        waiting = await sweeps.open_notifications(connection, after=None, age=timedelta(0), limit=500)
        assert {row.quiet for row in waiting if row.id in made} == {False}
        await connection.execute(delete(outbox_table).where(outbox_table.c.tenant_id == tenant_id))
    owners = Owners(database, WorkflowFacts(client), Repairs(database, grace=timedelta(0)), quiet=timedelta(0))
    await owners.workflows(Sweep())
    async with database.tenant(tenant_id) as connection:
        rows = (await connection.execute(select(outbox_table.c.workflow_id))).scalars().all()
        left = (await connection.execute(select(notification.c.page_id))).scalars().all()
    assert sorted(rows) == sorted(keys.notification_workflow(str(name)) for name in made)
    assert set(left) == {None}


async def test_a_restored_database_does_not_send_again_what_a_page_carried(
    database: Database, tenant_id: UUID, version_id: UUID, client: Client, key_ring: KeyRing, queue: str
) -> None:
    made = await accept_many(database, tenant_id, version_id, 8)
    await form_one(database)
    async with working(client, database, key_ring, queue):
        await until_ended(database, tenant_id, 8)
    facts = WorkflowFacts(client)
    async with asyncio.timeout(20):  # the index of workflows follows a moment later
        while (found := await facts.of(keys.notification_workflow(str(made[0])))).life is not Life.COMPLETED:
            await asyncio.sleep(0.05)
    assert found.shared
    assert (await facts.of(keys.notification_workflow(str(tenant_id)))).life is Life.GONE

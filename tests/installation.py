"""A whole installation within one test: its own database, that may be copied and put back, and workers at will."""

import asyncio
import base64
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from uuid import UUID

import asyncpg
import httpx
from pydantic import SecretStr
from sqlalchemy import func, make_url, select, text
from temporalio.client import Client, WorkflowHandle

from activities.comparison import Divergence
from db import cancellations, outbox
from db.delivery_tables import notification
from db.session import Database
from db.tables import outbox as outbox_table
from domain import keys
from domain.notifications import NotificationInput
from domain.recovery import Restored
from domain.starts import notification_start
from outbox import Dispatcher
from sandbox.serve import Sandbox
from sealing import KeyRing
from settings import Settings
from stack.comparing import Wish, compare
from tests import factories
from tests.conftest import make_tenant
from tests.stalled import Yard
from worker import compose

PART = {"channel": "email", "locale": "default", "content": {"subject": "Hello", "text": "Dear {{ name }}."}}


@dataclass
class Installation:
    """One tenant's notifications over a database of their own and a Temporal server."""

    dsn: str
    database: Database
    client: Client
    temporal: str
    key_ring: KeyRing
    sandbox: Sandbox
    queue: str
    tenant_id: UUID
    account_id: UUID
    version_id: UUID

    @classmethod
    async def make(cls, dsn: str, client: Client, temporal: str, key_ring: KeyRing, sandbox: Sandbox) -> Self:
        database = Database.connect(dsn)
        tenant_id = await make_tenant(database, "acme")
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
        queue = f"test-{uuid.uuid4()}"
        return cls(dsn, database, client, temporal, key_ring, sandbox, queue, tenant_id, account_id, version_id)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Runs a worker with its dispatcher."""
        async with compose(self.client, self.database, self.key_ring, task_queue=self.queue) as worker, worker:
            running = asyncio.create_task(Dispatcher(self.database, self.client, task_queue=self.queue).run())
            yield
            running.cancel()
            await asyncio.wait([running])

    async def accept(self, *, send_at: datetime | None = None, **values: Any) -> UUID:
        """Leaves a notification and its start, as the API does."""
        made = await factories.make_notification(
            self.database, self.tenant_id, self.version_id, to="asha@example.com", to_kind="email", send_at=send_at,
            **{"channels": ["email"], **values},
        )  # fmt: skip
        await self.leave_start(made, send_at=send_at)
        return made

    async def leave_start(self, made: UUID, *, send_at: datetime | None = None) -> None:
        """Leaves the start of a notification's workflow in the outbox."""
        start = notification_start(
            self.tenant_id, made, send_at=send_at, expires_at=None, template="hello", channels=["email"],
            resource_type=None, resource_id=None, trigger_type=None,
        )  # fmt: skip
        async with self.database.tenant(self.tenant_id) as connection:
            await outbox.add_starts(connection, self.tenant_id, [(keys.notification_workflow(str(made)), 1, start)])

    async def execute(self, statement: str) -> None:
        """Changes rows as no transaction of the product does."""
        async with self.database.system() as connection:
            await connection.execute(text("RESET ROLE"))
            await connection.execute(text(statement))

    async def claim(self, notification_id: UUID) -> None:
        """Leaves an attempt under way, as a process that died after its claim."""
        yard = Yard(self.database, self.client, self.tenant_id, self.account_id, self.version_id)
        await yard.message(notification_id, "sending")

    async def cancel(self, notification_id: UUID) -> None:
        """Cancels a notification that waits, as the API does."""
        async with self.database.tenant(self.tenant_id) as connection:
            await cancellations.lock(connection, self.tenant_id, notification_id)
            await cancellations.stop(connection, self.tenant_id, notification_id)
            name = keys.notification_workflow(str(notification_id))
            await outbox.add_signal(connection, self.tenant_id, name, signal="cancel", cause="cancel", arguments=[])

    async def start(self, notification_id: UUID, *, queue: str | None = None) -> None:
        """Starts a notification's workflow at once, whether a worker is there or not."""
        await self.execute("DELETE FROM outbox")
        order = NotificationInput(tenant_id=str(self.tenant_id), notification_id=str(notification_id))
        workflow_id = keys.notification_workflow(str(notification_id))
        await self.client.start_workflow("notification", order, id=workflow_id, task_queue=queue or self.queue)

    async def handed_over(self) -> None:
        """Waits until nothing waits in the outbox."""
        async with asyncio.timeout(40):
            while await self.count(outbox_table):
                await asyncio.sleep(0.02)

    async def ended(self, notification_id: UUID) -> str:
        """Waits until a notification has ended, and returns its status."""
        async with asyncio.timeout(40):
            while (row := await self.row(notification_id))["ended_at"] is None:
                await asyncio.sleep(0.02)
        return str(row["status"])

    async def row(self, notification_id: UUID) -> Any:
        """Returns a notification."""
        async with self.database.tenant(self.tenant_id) as connection:
            asked = select(notification).where(notification.c.id == notification_id)
            return (await connection.execute(asked)).mappings().one()

    async def count(self, table: Any) -> int:
        """Returns how many rows of the tenant a table has."""
        async with self.database.tenant(self.tenant_id) as connection:
            return int((await connection.execute(select(func.count()).select_from(table))).scalar_one())

    async def mails(self) -> int:
        """Returns how many mails the sandbox took."""
        async with httpx.AsyncClient(base_url=self.sandbox.url) as http:
            return len((await http.get("/mailbox", params={"to": "asha@example.com"})).json()["mails"])

    def workflow(self, notification_id: UUID) -> WorkflowHandle[Any, Any]:
        """Returns the workflow of a notification."""
        return self.client.get_workflow_handle(keys.notification_workflow(str(notification_id)))

    async def compare(self, restored: Restored, *, queue: str = "quiet", **wish: Any) -> list[Divergence]:
        """Compares both sides as `carillon reconcile` does; our own queue was polled a moment ago."""
        settings = Settings(
            database_url=SecretStr(self.dsn),
            temporal_address=self.temporal,
            key_ring=SecretStr(f"test:{base64.b64encode(b'k' * 32).decode()}"),
            task_queue=queue,
        )
        return await compare(settings, Wish(restored=restored, **wish))

    async def backup(self) -> str:
        """Copies the database and returns the address of the copy."""
        name = f"backup_{uuid.uuid4().hex}"
        await self.database.close()
        source = make_url(self.dsn)
        connection = await asyncpg.connect(source.set(database="postgres").render_as_string(hide_password=False))
        try:
            await connection.execute(f"CREATE DATABASE {name} TEMPLATE {source.database}")
        finally:
            await connection.close()
        self.database = Database.connect(self.dsn)
        return source.set(database=name).render_as_string(hide_password=False)

    async def put_back(self, dsn: str) -> None:
        """Goes on with another database, as after a restore."""
        await self.database.close()
        self.dsn, self.database = dsn, Database.connect(dsn)

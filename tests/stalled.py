"""Notifications that stall for real: their rows in PostgreSQL, and workflows of theirs in Temporal that nobody runs."""

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import Table, select, text
from temporalio import workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from activities.owners import Owners
from activities.repairs import Repairs
from activities.sweeping import Sweep, Swept
from activities.workflow_facts import WorkflowFacts
from db import findings
from db.delivery_tables import attempt, message, notification
from db.findings import Finding, FindingFilter
from db.session import Database
from domain import keys
from domain.notifications import NotificationInput
from sealing import KeyRing
from tests import factories

NO_TIME = timedelta(0)


@workflow.defn(name="notification", sandboxed=False)
class Obedient:
    """A workflow of the notification's type that ends as its starter says."""

    @workflow.run
    async def run(self, order: NotificationInput | str) -> str:
        """Returns the status, or fails."""
        if order == "fail":
            raise ApplicationError("out of order", non_retryable=True)
        return str(order)


@dataclass
class Yard:
    """One tenant's rows, with everything that they need."""

    database: Database
    client: Client
    tenant_id: UUID
    account_id: UUID
    version_id: UUID

    @classmethod
    async def make(cls, database: Database, client: Client, tenant_id: UUID, key_ring: KeyRing) -> "Yard":
        account_id = await factories.make_account(
            database, tenant_id, key_ring, provider="smtp", channel="email", config={}
        )
        version_id = await factories.make_version(database, tenant_id)
        return cls(database, client, tenant_id, account_id, version_id)

    async def notification(self, *attempts: str, **values: Any) -> UUID:
        """Makes a notification as its workflow left it, with one message and attempts in these states."""
        address = {"to": "asha@example.com", "to_kind": "email", "channels": ["email"]}
        made = await factories.make_notification(
            self.database, self.tenant_id, self.version_id, **{**address, **values}
        )
        if attempts:
            await self.message(made, *attempts)
        return made

    async def message(self, notification_id: UUID, *attempts: str, **values: Any) -> UUID:
        """Makes a message of a notification, with attempts in these states."""
        fields = {"hop": 0, "channel": "email", "provider": "smtp", "account_id": self.account_id}
        fields |= {"address_kind": "email", "address": "asha@example.com", "success": "accepted", "locale": "en"}
        made = await factories.insert(
            self.database,
            self.tenant_id,
            message,
            notification_id=notification_id,
            template_version_id=self.version_id,
            **{**fields, **values},
        )
        for number, state in enumerate(attempts, 1):
            await factories.insert(
                self.database,
                self.tenant_id,
                attempt,
                message_id=made,
                number=number,
                reference=uuid_utils.compat.uuid7().hex,
                state=state,
            )
        return made

    async def row(self, notification_id: UUID) -> Any:
        """Returns a notification's row."""
        return (await self.rows(notification, notification.c.id == notification_id))[0]

    async def rows(self, table: Table, *where: Any) -> Sequence[Any]:
        """Returns the tenant's rows of a table, in the order of their keys."""
        async with self.database.tenant(self.tenant_id) as connection:
            return (await connection.execute(select(table).where(*where).order_by(*table.primary_key))).mappings().all()

    async def findings(self, **wanted: Any) -> list[Finding]:
        """Returns the tenant's findings, the newest first."""
        async with self.database.tenant(self.tenant_id) as connection:
            return await findings.page(
                connection, self.tenant_id, wanted=FindingFilter(**wanted), limit=100, before=None
            )

    async def execute(self, statement: str, **values: Any) -> None:
        """Changes rows as no transaction of the product does."""
        async with self.database.system() as connection:
            await connection.execute(text("RESET ROLE"))
            await connection.execute(text(statement), values)

    def owners(self, **changes: Any) -> Owners:
        """Returns the sweeper of owners, without any patience."""
        repairs = Repairs(self.database, grace=NO_TIME)
        settings = {"abandoned": NO_TIME, "quiet": NO_TIME, **changes}
        return Owners(self.database, WorkflowFacts(self.client), repairs, **settings)

    async def sweep(self, owners: Owners | None = None) -> Swept:
        """Looks once after all open notifications."""
        return await (owners or self.owners()).workflows(Sweep())

    async def sweep_until_found(self) -> Finding:
        """Looks after open notifications until something is found: the server's index is a moment behind."""
        async with asyncio.timeout(20):
            while not (found := await self.findings()):
                await self.sweep()
                await asyncio.sleep(0.05)
        return found[0]

    async def start(self, notification_id: UUID) -> WorkflowHandle[Any, Any]:
        """Starts a notification's workflow where no worker takes it."""
        order = NotificationInput(tenant_id=str(self.tenant_id), notification_id=str(notification_id))
        workflow_id = keys.notification_workflow(str(notification_id))
        return await self.client.start_workflow("notification", order, id=workflow_id, task_queue="nobody")

    async def run(self, notification_id: UUID, result: str) -> None:
        """Runs a notification's workflow to this end, without a word to the database."""
        queue = f"test-{uuid.uuid4()}"
        worker = Worker(self.client, task_queue=queue, workflows=[Obedient])
        async with worker:
            handle = await self.client.start_workflow(
                "notification", result, id=keys.notification_workflow(str(notification_id)), task_queue=queue
            )
            await asyncio.gather(handle.result(), return_exceptions=True)

"""A tenant whose notifications meet every reason there is: over the real API, worker, Temporal and stand-ins."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import update
from temporalio.client import Client

from db import decisions
from db.delivery import Claimed
from db.session import Database
from db.tables import account
from domain.notifications import Decision, DeliveryOrder, Ending, Outcome
from domain.reasons import Reason
from domain.status import Status
from outbox import Dispatcher
from sandbox.serve import Sandbox
from sealing import KeyRing
from tests import factories
from tests.api import deliveries, sending
from tests.api.conftest import META
from worker import compose

PHONE, EMAIL = {"phone": "+919876543210"}, {"email": "asha@example.com"}


@dataclass
class Story:
    """A tenant, and what happens to its notifications."""

    client: httpx.AsyncClient
    database: Database
    tenant_id: UUID
    key_ring: KeyRing
    sandbox: Sandbox
    temporal: Client
    stack: AsyncExitStack
    accounts: dict[str, UUID] = field(default_factory=dict)

    async def account(self, channel: str, **values: Any) -> UUID:
        """Makes an active account of a channel at the sandbox; `sms` has nobody behind it."""
        provider, config = self._config(channel)
        config |= values.pop("config", {})
        made = await factories.make_account(
            self.database, self.tenant_id, self.key_ring, provider=provider, channel=channel, config=config, **values
        )
        self.accounts[channel] = made
        return made

    async def whatsapp_refuses(self, code: int, status: int) -> None:
        """Lets the stand-in of WhatsApp, which knows the template `hello`, refuse everything with an error code."""
        number = {name: META[name] for name in ("waba_id", "access_token", "app_secret", "verify_token")}
        body = [{"type": "BODY", "text": "Hello {{1}}", "example": {"body_text": [["Asha"]]}}]
        known = {"name": "hello", "language": "en", "components": body}
        rule = {"match": {"channel": "whatsapp"}, "effect": {"refuse": {"status": status, "code": code}}}
        async with httpx.AsyncClient(base_url=self.sandbox.url) as control:
            for path, asked in (
                (
                    f"numbers/{META['phone_number_id']}",
                    number | {"display_phone_number": "+15550783881", "templates": [known]},
                ),
                ("behaviour", {"rules": [rule]}),
            ):
                answer = await control.put(f"/_sandbox/{path}", json=asked)
                assert answer.is_success, answer.text

    async def suspend(self, channel: str) -> None:
        """Suspends the account of a channel."""
        answer = await self.client.post(f"/v1/accounts/{self.accounts[channel]}/suspend", json={"reason": "a test"})
        assert answer.status_code == 200, answer.text

    async def limit(self, channel: str, **limits: Any) -> None:
        """Limits what the account of a channel may send."""
        async with self.database.tenant(self.tenant_id) as connection:
            mine = update(account).where(account.c.id == self.accounts[channel])
            await connection.execute(mine.values(limits=limits))

    async def send(self, *, work: bool = True, **asked: Any) -> UUID:
        """Asks for a notification, with a worker that takes it up unless said otherwise."""
        name = await sending.send(self.client, **asked)
        if work:
            await self.work()
        return name

    async def work(self) -> None:
        """Starts a worker with its dispatcher, for the rest of the test; one is enough."""
        if "worker" in self.accounts:
            return
        self.accounts["worker"] = uuid.uuid4()
        queue = f"test-{uuid.uuid4()}"
        composed = compose(
            self.temporal, self.database, self.key_ring, task_queue=queue, allowed_hosts=frozenset({"127.0.0.1"})
        )
        await self.stack.enter_async_context(await self.stack.enter_async_context(composed))
        running = asyncio.create_task(Dispatcher(self.database, self.temporal, task_queue=queue).run())
        self.stack.push_async_callback(asyncio.wait, [running])
        self.stack.callback(running.cancel)

    async def explain(self, name: UUID) -> dict[str, Any]:
        """Returns the explanation of a notification."""
        answer = await self.client.get(f"/v1/notifications/{name}/explain")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def until(self, name: UUID, wanted: Callable[[dict[str, Any]], Any]) -> Any:
        """Returns what `wanted` finds in an explanation, as soon as it finds something."""
        deadline = time.monotonic() + 30
        while not (found := wanted(explained := await self.explain(name))):
            assert time.monotonic() < deadline, explained
            await asyncio.sleep(0.05)
        return found

    async def later_one(self, *names: UUID) -> UUID:
        """Returns the one of two notifications that was not accepted when the other was."""
        deadline = time.monotonic() + 30
        waiting = list(names)
        while len(waiting) == len(names):
            assert time.monotonic() < deadline, waiting
            await asyncio.sleep(0.05)
            waiting = [name for name in names if (await self.explain(name))["status"] == "queued"]
        return waiting[0]

    async def parked(self, name: UUID) -> None:
        """Returns once a notification is parked."""
        await self.until(name, lambda found: (found["waits_for"] or {}).get("awaits") == "somebody")

    async def ask(self, name: UUID, action: str, **body: Any) -> None:
        """Does something with a notification."""
        answer = await self.client.post(f"/v1/notifications/{name}/{action}", json=body)
        assert answer.is_success, answer.text

    def order(self, name: UUID, **changes: Any) -> DeliveryOrder:
        """Returns the order for an attempt by text message."""
        return deliveries.order(self.tenant_id, name, self.accounts["sms"], **changes)

    async def attempt(
        self, name: UUID, outcome: Outcome, *, number: int = 1, possible_duplicate: bool = False, **recorded: Any
    ) -> Claimed:
        """Makes an attempt by text message, by the claims and records of a worker."""
        asked = replace(self.order(name, number=number), possible_duplicate=possible_duplicate)
        return await deliveries.attempt(self.database, self.tenant_id, asked, outcome, **recorded)

    async def receive(self, claimed: Claimed, status: Status, key: str) -> None:
        """Takes a receipt."""
        await deliveries.receive(self.database, self.tenant_id, claimed, status, key=key, provider_message_id=key)

    async def decide(self, name: UUID, kind: str, reason: Reason, **facts: Any) -> None:
        """Records what a workflow would have decided."""
        noted = Decision(sequence=1, kind=kind, reason=reason, **facts)
        async with self.database.tenant(self.tenant_id) as connection:
            await decisions.add(connection, self.tenant_id, {str(name): [noted]})

    async def end(self, name: UUID, status: Status, reason: Reason | None) -> None:
        """Ends a notification as a workflow would."""
        ending = Ending(tenant_id=str(self.tenant_id), notification_id=str(name), status=status, reason=reason)
        async with self.database.tenant(self.tenant_id) as connection:
            await decisions.end(connection, self.tenant_id, ending)

    def _config(self, channel: str) -> tuple[str, dict[str, Any]]:
        match channel:
            case "whatsapp":
                return "meta", META | {"base_url": self.sandbox.url}
            case "email":
                return "smtp", {
                    "host": "127.0.0.1",
                    "port": self.sandbox.smtp_port,
                    "security": "none",
                    "username": "mailer",
                    "password": "mail-very-secret",
                    "from_address": "hello@carillon.example",
                }
            case _:
                return "sandbox", {}


Way = Callable[[Story], Awaitable[UUID]]

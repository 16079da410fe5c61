"""Parked and resumed in a whole worker: accepted over HTTP, kept while the password is wrong, sent in order after."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import func, select, update
from temporalio.client import Client

from activities.accounts import config_place
from api.app import create_app
from db.delivery_tables import attempt
from db.session import Database
from db.tables import account
from outbox import Dispatcher
from sandbox.serve import Sandbox, SandboxSettings
from sealing import KeyRing
from settings import Settings
from tests import factories
from tests.api import sending
from tests.api.conftest import KeyFactory
from tests.api.conftest import make_key as make_key  # noqa: PLC0414 - a fixture for the tests here
from worker import compose

RIGHT, WRONG = "mail-very-secret", "mail-expired"


@dataclass
class Place:
    """A tenant whose mail account has a wrong password, and whoever works for it."""

    api: httpx.AsyncClient
    sandbox: httpx.AsyncClient
    database: Database
    tenant_id: UUID
    account_id: UUID
    key_ring: KeyRing
    config: dict[str, Any]

    async def send(self, **changes: Any) -> UUID:
        return await sending.send(self.api, to={"email": "asha@example.com"}, **changes)

    async def get(self, path: str, **query: Any) -> Any:
        answer = await self.api.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, **body: Any) -> Any:
        answer = await self.api.post(path, json=body)
        assert answer.is_success, answer.text
        return answer.json()

    async def until_parked(self, count: int) -> None:
        async with asyncio.timeout(60):
            while (await self.get("/v1/parked"))["total"] != count:
                await asyncio.sleep(0.05)

    async def ended(self, name: UUID) -> Any:
        async with asyncio.timeout(60):
            while not (row := await self.get(f"/v1/notifications/{name}"))["ended_at"]:
                await asyncio.sleep(0.05)
        return row

    async def over(self, operation: Any) -> Any:
        async with asyncio.timeout(60):
            while (row := await self.get(f"/v1/operations/{operation['id']}"))["state"] not in {"done", "stopped"}:
                await asyncio.sleep(0.05)
        return row

    async def attempts(self) -> int:
        async with self.database.tenant(self.tenant_id) as connection:
            return int((await connection.execute(select(func.count()).select_from(attempt))).scalar_one())

    async def mend(self) -> None:
        """Gives the account its right password, as somebody does who then resumes."""
        sealed = self.key_ring.seal(
            json.dumps({**self.config, "password": RIGHT}).encode(), place=config_place(self.tenant_id, self.account_id)
        )
        async with self.database.tenant(self.tenant_id) as connection:
            await connection.execute(update(account).values(sealed_config=sealed, updated_at=func.now()))

    async def mails(self) -> list[str]:
        """Returns the subjects of the mails that arrived, the first one first."""
        found = (await self.sandbox.get("/mailbox", params={"to": "asha@example.com"})).json()["mails"]
        return [mail["subject"] for mail in sorted(found, key=lambda mail: int(mail["seq"]))]


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    settings = SandboxSettings(
        port=0, smtp_port=0, journal=tmp_path / "journal.jsonl", smtp_user="mailer", smtp_password=SecretStr(RIGHT)
    )
    async with Sandbox(settings) as running:
        yield running


@pytest.fixture
async def place(
    client: Client, database: Database, dsn: str, tenant_id: UUID, key_ring: KeyRing, sandbox: Sandbox,
    make_key: KeyFactory,
) -> AsyncIterator[Place]:  # fmt: skip
    config = {
        "host": "127.0.0.1", "port": sandbox.smtp_port, "security": "none", "username": "mailer", "password": WRONG,
        "from_address": "hello@carillon.example", "return_path_domain": "bounces.carillon.example",
        "verp_key": "v" * 32,
    }  # fmt: skip
    made = await factories.make_account(database, tenant_id, key_ring, provider="smtp", channel="email", config=config)
    app = create_app(Settings(database_url=SecretStr(dsn)), database=database, key_ring=key_ring)
    queue = f"test-{uuid.uuid4()}"
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(app.router.lifespan_context(app))
        headers = {"Authorization": f"Bearer {await make_key(tenant_id)}"}
        transport = httpx.ASGITransport(app=app)
        api = httpx.AsyncClient(transport=transport, base_url="http://carillon.test", headers=headers)
        mailbox = httpx.AsyncClient(base_url=sandbox.url)
        for one in (api, mailbox):
            await stack.enter_async_context(one)
        worker = await stack.enter_async_context(compose(client, database, key_ring, task_queue=queue, sandboxed=True))
        await stack.enter_async_context(worker)
        running = asyncio.create_task(Dispatcher(database, client, task_queue=queue).run())
        await sending.publish(api, sending.EMAIL)
        yield Place(api, mailbox, database, tenant_id, made, key_ring, config)
        running.cancel()
        await asyncio.wait([running])


async def test_what_a_wrong_password_parks_is_sent_in_order_once_somebody_resumes_it(place: Place) -> None:
    names = [await place.send(data={"name": f"No. {number}"}) for number in range(4)]
    await place.until_parked(4)
    first = await place.get(f"/v1/notifications/{names[0]}")
    assert (first["status"], first["parked"]["cause"]) == ("queued", "misconfigured")
    assert first["parked"]["account"] == str(place.account_id)
    made_meanwhile = await place.attempts()
    await place.mend()
    operation = await place.post("/v1/parked/resume", rate=1, reason="new password", expected=4)
    rows = [await place.ended(name) for name in names]
    assert {row["status"] for row in rows} == {"accepted"}
    assert {row["parked"] for row in rows} == {None}
    assert await place.mails() == [f"Hello No. {number}" for number in range(4)]
    finished = await place.over(operation)
    assert (finished["state"], finished["done"]) == ("done", 4)
    assert await place.attempts() == made_meanwhile + 4
    assert (await place.get("/v1/parked"))["total"] == 0
    kinds = [entry["kind"] for entry in (await place.get(f"/v1/notifications/{names[0]}/timeline"))["entries"]]
    assert kinds.index("decision.parked") < kinds.index("decision.resumed") < kinds.index("attempt.accepted")


async def test_what_still_cannot_succeed_is_parked_again(place: Place) -> None:
    names = [await place.send() for _ in range(2)]
    await place.until_parked(2)
    since = (await place.get(f"/v1/notifications/{names[0]}"))["parked"]["at"]
    await place.over(await place.post("/v1/parked/resume", expected=2))
    async with asyncio.timeout(60):
        while (parked := (await place.get(f"/v1/notifications/{names[0]}"))["parked"]) is None or parked["at"] == since:
            await asyncio.sleep(0.05)
    await place.until_parked(2)
    assert await place.mails() == []


async def test_what_is_dropped_ends_and_is_never_sent(place: Place) -> None:
    names = [await place.send() for _ in range(3)]
    await place.until_parked(3)
    await place.post(f"/v1/notifications/{names[0]}/drop", reason="too late")
    await place.until_parked(2)
    await place.mend()
    await place.over(await place.post("/v1/parked/drop", reason="too late", expected=2))
    rows = [await place.ended(name) for name in names]
    assert {(row["status"], row["reason"], row["parked"]) for row in rows} == {("cancelled", "dropped", None)}
    assert await place.mails() == []


async def test_what_gets_too_old_while_it_is_parked_expires_and_stops_nobody(place: Place) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=8)
    old = await place.send(expires_at=soon.isoformat())
    young = await place.send()
    await place.until_parked(2)
    expired = await place.ended(old)
    assert (expired["status"], expired["reason"], expired["parked"]) == ("expired", "expired", None)
    await place.mend()
    finished = await place.over(await place.post("/v1/parked/resume", expected=1))
    assert (finished["total"], finished["done"]) == (1, 1)
    assert (await place.ended(young))["status"] == "accepted"


async def test_one_alone_is_resumed_by_itself(place: Place) -> None:
    name = await place.send()
    await place.until_parked(1)
    await place.mend()
    await place.post(f"/v1/notifications/{name}/resume", reason="new password")
    assert (await place.ended(name))["status"] == "accepted"
    assert await place.mails() == ["Hello Asha"]

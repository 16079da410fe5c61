"""Accounts that fail and recover, over real Temporal, PostgreSQL and stand-ins that speak SMTP: who sends, and when."""

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from temporalio.client import Client

from db import circuits
from db.care_tables import operation
from db.delivery_tables import attempt, notification
from db.session import Database
from domain.circuits import FAILURES_TO_OPEN, Circuit, CircuitState, account_subject
from outbox import Dispatcher
from sandbox.behaviour import Behaviour, Effect, Rule
from sandbox.serve import Sandbox, SandboxSettings
from sealing import KeyRing
from tests import factories
from tests.activities.test_delivery import CONFIG
from tests.test_worker import PART, accept
from worker import compose

pytestmark = pytest.mark.slow

DOWN = Behaviour(rules=[Rule(effect=Effect(smtp_recipient="451 4.3.2 System not accepting network messages"))])
UP = Behaviour()


@dataclass
class Ground:
    """A tenant, its template, a worker, and as many mail accounts as a test wants, each at its own stand-in."""

    database: Database
    tenant_id: UUID
    version_id: UUID
    key_ring: KeyRing
    stack: AsyncExitStack
    place: Path

    async def account(self, name: str, **values: Any) -> tuple[UUID, Sandbox]:
        settings = SandboxSettings(port=0, smtp_port=0, journal=self.place / f"{name}.jsonl")
        sandbox = await self.stack.enter_async_context(Sandbox(settings))
        config = CONFIG | {"port": sandbox.smtp_port}
        account_id = await factories.make_account(
            self.database, self.tenant_id, self.key_ring, provider="smtp", channel="email", config=config, name=name,
            **values,
        )  # fmt: skip
        return account_id, sandbox

    async def accept(self, count: int = 1) -> list[UUID]:
        return [
            await accept(self.database, self.tenant_id, self.version_id, f"{uuid.uuid4().hex}@example.com")
            for _ in range(count)
        ]

    async def rows(self, ids: Sequence[UUID]) -> list[Any]:
        async with self.database.tenant(self.tenant_id) as connection:
            found = await connection.execute(select(notification).where(notification.c.id.in_(ids)))
            return list(found.mappings())

    async def accepted(self, ids: Sequence[UUID]) -> None:
        """Waits until all of these were accepted."""
        async with asyncio.timeout(90):
            while Counter(row["status"] for row in await self.rows(ids))["accepted"] < len(ids):
                await asyncio.sleep(0.05)

    async def parked(self, ids: Sequence[UUID]) -> None:
        """Waits until all of these are parked."""
        async with asyncio.timeout(90):
            while not all(row["parked_at"] for row in await self.rows(ids)):
                await asyncio.sleep(0.05)

    async def circuit(self, account_id: UUID) -> Circuit:
        subject = account_subject(account_id)
        async with self.database.tenant(self.tenant_id) as connection:
            return (await circuits.read(connection, self.tenant_id, [subject])).get(subject, Circuit())

    async def reaches(self, account_id: UUID, state: CircuitState) -> None:
        async with asyncio.timeout(90):
            while (await self.circuit(account_id)).state is not state:
                await asyncio.sleep(0.05)

    async def attempts(self, account_id: UUID) -> Counter[str]:
        """Returns how the attempts over an account ended."""
        async with self.database.tenant(self.tenant_id) as connection:
            rows = await connection.execute(select(attempt.c.state).where(attempt.c.account_id == account_id))
            return Counter(rows.scalars())


@pytest.fixture
async def ground(
    client: Client, database: Database, tenant_id: UUID, key_ring: KeyRing, tmp_path: Path
) -> AsyncIterator[Ground]:
    version_id = await factories.make_version(database, tenant_id, PART)
    queue = f"test-{uuid.uuid4()}"
    async with AsyncExitStack() as stack:
        hosts = frozenset({"127.0.0.1"})
        worker = await stack.enter_async_context(
            compose(client, database, key_ring, task_queue=queue, allowed_hosts=hosts)
        )
        await stack.enter_async_context(worker)
        running = asyncio.create_task(Dispatcher(database, client, task_queue=queue).run())
        yield Ground(database, tenant_id, version_id, key_ring, stack, tmp_path)
        running.cancel()
        await asyncio.wait([running])


async def test_another_account_takes_over_until_the_failing_one_is_found_well_again(ground: Ground) -> None:
    first, failing = await ground.account("first", priority=1)
    second, _ = await ground.account("second")
    failing.platform.director.direct(DOWN)

    during = []
    while (await ground.circuit(first)).state is CircuitState.CLOSED:
        during += await ground.accept()
        await ground.accepted(during)
    # Each of them was tried over the first account, and went on over the second at once.
    assert len(during) == FAILURES_TO_OPEN
    assert (await ground.attempts(first))["not_sent"] == FAILURES_TO_OPEN

    # Until a probe is due, nobody asks the first account any more.
    opened = await ground.circuit(first)
    held = await ground.accept(4)
    await ground.accepted(held)
    if await ground.circuit(first) == opened:
        assert (await ground.attempts(first))["not_sent"] == FAILURES_TO_OPEN
    assert (await ground.attempts(second))["accepted"] >= FAILURES_TO_OPEN + 1

    failing.platform.director.direct(UP)
    after = []
    async with asyncio.timeout(90):
        while (await ground.circuit(first)).state is not CircuitState.CLOSED:
            after += await ground.accept()
            await ground.accepted(after)
    last = await ground.accept()
    await ground.accepted(last)
    made = len(during) + len(held) + len(after) + len(last)
    over_both = await ground.attempts(first) + await ground.attempts(second)
    assert over_both["accepted"] == made
    assert over_both.keys() <= {"accepted", "not_sent"}
    assert (await ground.attempts(first))["accepted"] >= 2


async def test_what_is_parked_at_the_only_account_goes_on_by_itself_when_it_answers_again(ground: Ground) -> None:
    only, failing = await ground.account("only")
    failing.platform.director.direct(DOWN)
    ids = await ground.accept(FAILURES_TO_OPEN + 15)
    await ground.reaches(only, CircuitState.OPEN)
    await ground.parked(ids)
    burnt = (await ground.attempts(only))["not_sent"]

    failing.platform.director.direct(UP)
    await ground.accepted(ids)
    assert (await ground.circuit(only)).state is CircuitState.CLOSED
    tried = await ground.attempts(only)
    assert tried["accepted"] == len(ids)
    # While they were parked, only probes were made.
    assert tried["not_sent"] - burnt <= 4
    async with ground.database.tenant(ground.tenant_id) as connection:
        [released] = (await connection.execute(select(operation))).mappings().all()
    assert (released["kind"], released["actor"]) == ("resume", "circuit")
    assert len(ids) - 4 <= released["total"] < len(ids)  # without the one that was the probe

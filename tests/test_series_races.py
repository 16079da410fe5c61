"""Starts and stops of one key within fifty milliseconds, over real Temporal and mail: nothing goes out after a stop.

`CARILLON_RACES=10000` makes it ten thousand pairs.
"""

import asyncio
import os
import random
import sys
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, select

from db.delivery_tables import attempt, message, notification
from db.session import Database
from db.tables import outbox
from outbox import Dispatcher
from tests.api import flowing
from tests.api.conftest import KeyFactory
from tests.api.conftest import app as app  # noqa: PLC0414 - a fixture for the tests here
from tests.api.conftest import make_key as make_key  # noqa: PLC0414 - a fixture for the tests here
from tests.api.conftest import open_client as open_client  # noqa: PLC0414 - a fixture for the tests here
from tests.api.conftest import settings as settings  # noqa: PLC0414 - a fixture for the tests here
from tests.test_worker import bulkheads, dispatcher, sandbox, version_id

__all__ = ["bulkheads", "dispatcher", "sandbox", "version_id"]

PAIRS = int(os.environ.get("CARILLON_RACES", "100"))
AT_ONCE, WITHIN, LATER = 12, 0.05, 6.0
"""Seconds between both of a pair at most; of every fifth the stop comes so late that messages may be on their way."""
FLOW = "name: race\nsteps:\n- {send: hello, id: only}\n- {wait: P1D, id: a_day}"


@dataclass(frozen=True, kw_only=True)
class Pair:
    """What came of a start and a stop of one key, and when the stop was answered."""

    key: str
    started: dict[str, Any]
    stopped: dict[str, Any]
    stopped_at: datetime


@dataclass(frozen=True, kw_only=True)
class Claim:
    """An attempt of a key's series: when it was claimed, and how it ended."""

    claimed_at: datetime
    state: str


async def race(client: httpx.AsyncClient, number: int, chance: random.Random) -> Pair:
    """Starts and stops one key, each at an instant of its own within fifty milliseconds."""
    key, answered = f"order-{number}", datetime.now(UTC)
    delays = [chance.uniform(0, WITHIN), chance.uniform(0, WITHIN)] if number % 5 else [0, chance.uniform(0, LATER)]

    async def start() -> dict[str, Any]:
        await asyncio.sleep(delays[0])
        body = {"flow": "race", "to": {"email": f"p{number}@example.com"}, "key": key, "data": {"name": "Asha"}}
        answer = await client.post("/v1/series", json=body)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def stop() -> dict[str, Any]:
        nonlocal answered
        await asyncio.sleep(delays[1])
        answer = await client.post("/v1/series/stop", json={"flow": "race", "key": key})
        answered = datetime.now(UTC)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    started, stopped = await asyncio.gather(start(), stop())
    return Pair(key=key, started=started, stopped=stopped, stopped_at=answered)


async def claims(database: Database, tenant_id: UUID) -> dict[str, list[Claim]]:
    """Returns every attempt by the address that it went to."""
    joined = (
        select(notification.c.to, attempt.c.claimed_at, attempt.c.state)
        .join(message, message.c.notification_id == notification.c.id)
        .join(attempt, attempt.c.message_id == message.c.id)
    )
    found: dict[str, list[Claim]] = {}
    async with database.tenant(tenant_id) as connection:
        for to, claimed_at, state in await connection.execute(joined):
            found.setdefault(to, []).append(Claim(claimed_at=claimed_at, state=state))
    return found


async def settled(database: Database, tenant_id: UUID) -> None:
    """Waits until nothing is on its way any more."""
    waiting = select(func.count()).select_from(outbox)
    opened = select(func.count()).select_from(notification).where(notification.c.ended_at.is_(None))
    left = select(waiting.scalar_subquery() + opened.scalar_subquery())
    async with asyncio.timeout(60 + PAIRS / 5):
        while True:
            async with database.tenant(tenant_id) as connection:
                if not (await connection.execute(left)).scalar():
                    return
            await asyncio.sleep(0.1)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.usefixtures("version_id", "dispatcher")
async def test_nothing_goes_out_after_a_stop_was_answered(
    open_client: Any, make_key: KeyFactory, database: Database, tenant_id: UUID, dispatcher: Dispatcher
) -> None:
    client, chance = open_client(await make_key(tenant_id)), random.Random(7)  # noqa: S311 - the order of a test
    await flowing.publish(client, FLOW, "race")
    places = asyncio.Semaphore(AT_ONCE)

    async def in_turn(number: int) -> Pair:
        async with places:
            return await race(client, number, chance)

    pairs = await asyncio.gather(*(in_turn(number) for number in range(PAIRS)))
    await settled(database, tenant_id)
    found = await claims(database, tenant_id)
    results = Counter((pair.started["result"], pair.stopped["result"]) for pair in pairs)
    assert set(results) <= {
        ("started", "stopped"), ("started", "too_late"), ("started", "ended"),
        ("stopped_before_start", "stopped_before_start"),
    }, results  # fmt: skip
    late = [
        (pair, claim)
        for number, pair in enumerate(pairs)
        for claim in found.get(f"p{number}@example.com", [])
        if claim.claimed_at > pair.stopped_at or pair.stopped["result"] == "stopped_before_start"
    ]
    assert late == []
    assert found  # or nothing was at stake
    sys.stdout.write(f"\n{PAIRS} pairs: {dict(results)}; {sum(map(len, found.values()))} messages, none too late\n")

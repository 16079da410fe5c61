"""Groups of callbacks that cross each other on the same notifications, series and addresses never wait in a circle."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import pytest
import uuid_utils.compat
from sqlalchemy import func, select, update

from api.callback_groups import Heard, callback_groups
from db.callbacks import NewCallback, NewInbound
from db.delivery_tables import attempt, message, notification
from db.opt_outs import NewComplaint
from db.receipts import NewReceipt
from db.series_tables import series, series_hearing
from db.session import Database
from domain.status import Status
from sealing import KeyRing
from tests import factories
from tests.activities.series_clock import Clock, started
from tests.db.test_series_replies import ASKING

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
STREETS, ROUNDS, PROCESSES, EACH = 4, 6, 8, 2
FIELDS = {"hop": 0, "channel": "whatsapp", "provider": "meta", "success": "delivered", "locale": "en"}


@dataclass(frozen=True, slots=True)
class Street:
    """A series of one address, with the message that it sent."""

    number: int
    clock: Clock

    @property
    def to(self) -> str:
        return f"+9198765432{self.number:02}"


@pytest.fixture
async def streets(database: Database, tenant_id: UUID, key_ring: KeyRing) -> list[Street]:
    """Series that wait for an answer; the provider knows the message of each as `wamid.<number>`."""
    account = await factories.make_account(
        database, tenant_id, key_ring, provider="meta", channel="whatsapp", config={}
    )
    version = await factories.make_version(database, tenant_id)
    found = []
    for number in range(STREETS):
        to = f"+9198765432{number:02}"
        clock = await started(database, tenant_id, ASKING.replace("asking", f"asking-{number}"), to=to)
        await clock.look()
        whole = await factories.make_notification(database, tenant_id, version, to=to, to_kind="phone")
        where = {"notification_id": whole, "account_id": account, "template_version_id": version}
        known = {"address_kind": "phone", "address": to, "provider_message_id": f"wamid.{number}"}
        sent = await factories.insert(database, tenant_id, message, status="accepted", **FIELDS, **where, **known)
        made = {"message_id": sent, "number": 1, "reference": f"{number:032}", "state": "accepted"}
        await factories.insert(database, tenant_id, attempt, **made)
        async with database.tenant(tenant_id) as connection:
            mine = update(notification).where(notification.c.id == whole)
            await connection.execute(mine.values(series_id=clock.series_id, series_step="first", accepted_at=AT))
        found.append(Street(number, clock))
    return found


def said(callback: NewCallback, by: Street, body: str) -> NewInbound:
    """What somebody answers to the message of their series."""
    name = callback.body.decode()
    return NewInbound(
        id=uuid_utils.compat.uuid7(), callback_id=callback.id, provider="meta", event_key=f"message:{name}",
        provider_message_id=f"in.{name}", sender="1", author_kind="phone", author=by.to, author_name=None, kind="text",
        body=body, payload=None, quotes=f"wamid.{by.number}", media_id=None, media_type=None, raw={}, occurred_at=AT,
    )  # fmt: skip


def answers(callback: NewCallback, told: Street, other: Street) -> Heard:
    """A receipt of one message, and an answer to another one."""
    name = callback.body.decode()
    receipt = NewReceipt(
        callback_id=callback.id, provider="meta", event_key=f"receipt:{name}", status=Status.READ, raw_status="read",
        occurred_at=AT, provider_message_id=f"wamid.{told.number}", reference=f"{told.number:032}",
    )  # fmt: skip
    return Heard(callback=callback, receipts=(receipt,), inbound=(said(callback, other, "Yes"),))


def opt_outs(callback: NewCallback, told: Street, other: Street) -> Heard:
    """A complaint about one message, and a STOP of somebody else."""
    name = callback.body.decode()
    complaint = NewComplaint(cause=name, reference=f"{told.number:032}", occurred_at=AT, kind="abuse")
    return Heard(callback=callback, complaints=(complaint,), inbound=(said(callback, other, "STOP"),))


@dataclass(frozen=True, slots=True)
class Watch:
    """What PostgreSQL counts in this database; a connection tells what it saw when it ends at the latest."""

    connection: asyncpg.Connection
    former: int

    async def deadlocks(self) -> int:
        """Returns how many deadlocks there were, once only the former connections are left."""
        async with asyncio.timeout(30):
            while await connections(self.connection) > self.former:
                await asyncio.sleep(0.05)
        asked = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        found: int = await self.connection.fetchval(asked)
        return found


async def connections(connection: asyncpg.Connection) -> int:
    asked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    found: int = await connection.fetchval(asked)
    return found


@pytest.fixture
async def watch(dsn: str, streets: Sequence[Street]) -> AsyncIterator[Watch]:
    """Counts deadlocks, once the series are there."""
    connection = await asyncpg.connect(dsn)
    yield Watch(connection, await connections(connection))
    await connection.close()


@pytest.mark.parametrize("telling", [answers, opt_outs])
async def test_groups_that_cross_each_other_never_wait_in_a_circle(
    dsn: str,
    database: Database,
    tenant_id: UUID,
    streets: Sequence[Street],
    watch: Watch,
    telling: Callable[[NewCallback, Street, Street], Heard],
) -> None:
    before = await watch.deadlocks()
    chance = random.Random(7)  # noqa: S311 - the same crossings every time
    pool = Database.connect(dsn)
    processes = [callback_groups(pool) for _ in range(PROCESSES)]  # each an instance of the API
    for round_ in range(ROUNDS):
        calls = []
        for number in range(PROCESSES * EACH):
            one, other = chance.sample(streets, 2)
            callback = NewCallback(id=uuid_utils.compat.uuid7(), provider="meta", body=f"{round_}.{number}".encode())
            calls.append(processes[number % PROCESSES].put(tenant_id, telling(callback, one, other)))
        assert all(await asyncio.gather(*calls))
    await pool.close()
    assert await watch.deadlocks() == before
    async with database.tenant(tenant_id) as connection:
        replies = select(func.count()).select_from(series_hearing).where(series_hearing.c.kind == "reply")
        assert (await connection.execute(replies)).scalar_one() == ROUNDS * PROCESSES * EACH
        counted = select(func.sum(series.c.heard))
        everything = select(func.count()).select_from(series_hearing)
        assert (await connection.execute(counted)).scalar_one() == (await connection.execute(everything)).scalar_one()

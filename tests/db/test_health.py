"""What the last minutes say about an account: only its own attempts, only recent ones, and only as many as asked."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import uuid_utils.compat
from sqlalchemy import text

from db import circuits, health
from db.care_tables import account_health
from db.delivery_tables import attempt, callback, message, receipt
from db.health import AccountHealth, Standing
from db.session import Database
from domain.circuits import News, account_subject, template_subject
from domain.health import Health, Level, Window
from domain.reasons import Reason
from sealing import KeyRing
from tests.factories import insert, make_account, make_notification, make_version

NOW = datetime(2026, 7, 14, 9, tzinfo=UTC)
CONFIRMING = ["meta"]


class Ground:
    """A tenant with a WhatsApp account and as many attempts as a test wants."""

    def __init__(self, database: Database, tenant_id: UUID, account_id: UUID, version_id: UUID) -> None:
        self.database, self.tenant_id = database, tenant_id
        self.account_id, self.version_id = account_id, version_id
        self.callback_id: UUID | None = None

    async def attempt(self, *, seconds_ago: float = 300, wait: float | None = None, **values: Any) -> None:
        """Makes an accepted attempt whose first receipt came after `wait` seconds, or another one."""
        at, account_id = NOW - timedelta(seconds=seconds_ago), values.pop("account_id", self.account_id)
        notification_id = await make_notification(
            self.database, self.tenant_id, self.version_id, to="+15550001", to_kind="phone"
        )
        message_id = await insert(
            self.database,
            self.tenant_id,
            message,
            notification_id=notification_id,
            hop=0,
            channel="whatsapp",
            provider="meta",
            account_id=account_id,
            address_kind="phone",
            address="+15550001",
            template_version_id=self.version_id,
            locale="en",
            success="accepted",
        )
        fields = {"state": "accepted", "number": 1, "reference": uuid_utils.compat.uuid7().hex, **values}
        await insert(
            self.database,
            self.tenant_id,
            attempt,
            message_id=message_id,
            account_id=account_id,
            claimed_at=at,
            finished_at=at,
            **fields,
        )
        if wait is not None:
            await self._receipt(message_id, at + timedelta(seconds=wait))

    async def _receipt(self, message_id: UUID, received_at: datetime) -> None:
        if self.callback_id is None:
            self.callback_id = await insert(
                self.database, self.tenant_id, callback, provider="meta", body_hash=b"h", body=b"b"
            )
        for event in ("sent", "delivered"):  # the second one is never the first
            await insert(
                self.database,
                self.tenant_id,
                receipt,
                provider="meta",
                event_key=f"{message_id}/{event}",
                callback_id=self.callback_id,
                message_id=message_id,
                provider_message_id="p",
                status=event,
                raw_status=event,
                occurred_at=received_at - timedelta(days=1),
                received_at=received_at + timedelta(hours=event == "delivered"),
            )

    async def measure(self, *, confirming: Sequence[str] = CONFIRMING) -> dict[UUID, Window]:
        async with self.database.tenant(self.tenant_id) as connection:
            return await health.measure(connection, self.tenant_id, NOW, confirming=confirming)


@pytest.fixture
async def ground(database: Database, tenant_id: UUID, key_ring: KeyRing) -> Ground:
    account_id = await make_account(database, tenant_id, key_ring, provider="meta", channel="whatsapp", config={})
    return Ground(database, tenant_id, account_id, await make_version(database, tenant_id))


async def test_attempts_and_their_trouble_are_counted(ground: Ground) -> None:
    await ground.attempt(wait=2)
    await ground.attempt(state="unknown")
    await ground.attempt(state="not_sent", error_code="unavailable")
    await ground.attempt(state="not_sent", error_code="throttled")
    await ground.attempt(state="refused", error_code="invalid_address")
    await ground.attempt(state="sending")
    found = (await ground.measure())[ground.account_id]
    assert (found.attempts, found.troubled) == (5, 2)


async def test_what_is_old_or_another_s_does_not_count(ground: Ground, key_ring: KeyRing) -> None:
    other = await make_account(
        ground.database, ground.tenant_id, key_ring, provider="meta", channel="whatsapp", config={}
    )
    await ground.attempt(seconds_ago=601, state="unknown")
    await ground.attempt(account_id=other, state="unknown")
    assert await ground.measure() == {ground.account_id: Window(), other: Window(attempts=1, troubled=1)}


async def test_waits_for_the_first_receipt_are_measured(ground: Ground) -> None:
    for wait in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11):
        await ground.attempt(wait=wait)
    await ground.attempt(wait=-3)
    found = (await ground.measure())[ground.account_id]
    assert (found.receiptable, found.late) == (12, 0)
    assert found.delay == pytest.approx(9.9)


async def test_receipts_that_did_not_come_or_came_too_late_are_late(ground: Ground) -> None:
    await ground.attempt()
    await ground.attempt(wait=121)
    await ground.attempt(wait=5)
    await ground.attempt(seconds_ago=60)  # it still has time
    found = (await ground.measure())[ground.account_id]
    assert (found.receiptable, found.late) == (3, 2)


async def test_providers_that_give_no_receipts_are_not_measured_by_them(ground: Ground) -> None:
    await ground.attempt()
    found = (await ground.measure(confirming=[]))[ground.account_id]
    assert found == Window(attempts=1)


async def test_a_measurement_walks_its_index_however_much_is_there(ground: Ground) -> None:
    for _ in range(3):
        await ground.attempt(wait=1)
    async with ground.database.tenant(ground.tenant_id) as connection:
        await connection.execute(text("SET LOCAL enable_seqscan = off"))
        rows = await connection.execute(
            text("EXPLAIN " + health._MEASURE.text),
            {
                "tenant": ground.tenant_id,
                "since": NOW - health.SPAN,
                "most": health.MOST,
                "late_after": 120.0,
                "settled_before": NOW,
                "confirming": CONFIRMING,
            },
        )
        plan = "\n".join(row[0] for row in rows)
    assert plan.count("attempt_account_idx") == 2, plan
    assert "receipt_tenant_id_message_id_idx" in plan, plan


async def test_health_is_kept_and_read_as_it_was(ground: Ground) -> None:
    window = Window(attempts=30, troubled=9, receiptable=25, late=2, delay=3.25)
    kept = Health(level=Level.SLOW, streak=1, towards=Level.FAILING, reasons=("attempts_troubled",), usual=2.5)
    item = AccountHealth(account_id=ground.account_id, health=kept, window=window, since=NOW, measured_at=NOW)
    later = AccountHealth(
        account_id=ground.account_id,
        health=Health(),
        window=Window(),
        since=NOW,
        measured_at=NOW + timedelta(seconds=30),
    )
    for one in (item, later):
        async with ground.database.tenant(ground.tenant_id) as connection:
            await health.write(connection, ground.tenant_id, [one])
            assert await health.read(connection, ground.tenant_id, [ground.account_id]) == {ground.account_id: one}
            assert len((await connection.execute(account_health.select())).all()) == 1


async def test_gauges_see_every_active_account_with_its_open_circuits(ground: Ground, key_ring: KeyRing) -> None:
    idle = await make_account(
        ground.database, ground.tenant_id, key_ring, provider="smtp", channel="email", config={}, state="suspended"
    )
    subjects = [account_subject(ground.account_id), template_subject(ground.account_id, ground.version_id, "en")]
    troubles = [Reason.MISCONFIGURED, Reason.TEMPLATE_UNAVAILABLE]
    async with ground.database.tenant(ground.tenant_id) as connection:
        news = [
            News(subject=subject, account_id=ground.account_id, trouble=trouble, at=NOW)
            for subject, trouble in zip(subjects, troubles, strict=True)
        ]
        await circuits.note(connection, ground.tenant_id, news)
    async with ground.database.system() as connection:
        found = await health.standings(connection, most=10)
        assert await health.tenants(connection, after=None, limit=5) == [ground.tenant_id]
        assert await health.tenants(connection, after=ground.tenant_id, limit=5) == []
    assert idle not in [one.account_id for one in found]
    assert found == [
        Standing(
            account_id=ground.account_id,
            channel="whatsapp",
            provider="meta",
            level=Level.HEALTHY,
            account_open=1,
            templates_open=1,
        )
    ]

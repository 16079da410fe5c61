"""Receipts find their message in any order and number, and lose nothing on the way."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest
import uuid_utils.compat
from sqlalchemy import event, func, select, update

from activities.reconciliation import Reconciliation
from db import callbacks, receipts
from db.callbacks import NewCallback
from db.delivery_tables import attempt, callback, message, notification, receipt
from db.receipts import NewReceipt
from db.session import Database
from db.tables import outbox
from domain.status import Status
from sealing import KeyRing
from tests import factories

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
REFERENCE = "ab" * 16


@dataclass
class Sent:
    """A notification with one message and one attempt, and the callback its receipts come with."""

    database: Database
    tenant_id: UUID
    callback_id: UUID
    message_id: UUID

    def receipt(self, status: Status, **changes: Any) -> NewReceipt:
        found = NewReceipt(
            callback_id=self.callback_id,
            provider="meta",
            event_key=f"wamid.1:{status.value}",
            status=status,
            raw_status=status.value,
            occurred_at=AT,
            provider_message_id="wamid.1",
            reference=REFERENCE,
        )
        return replace(found, **changes)

    async def add(self, *news: NewReceipt) -> int:
        async with self.database.tenant(self.tenant_id) as connection:
            return await receipts.add(connection, self.tenant_id, list(news))

    async def rows(self, table: Any) -> Sequence[Any]:
        async with self.database.tenant(self.tenant_id) as connection:
            return (await connection.execute(select(table))).mappings().all()

    async def row(self, table: Any) -> Any:
        async with self.database.tenant(self.tenant_id) as connection:
            return (await connection.execute(select(table))).mappings().one()

    async def change(self, table: Any, **values: Any) -> None:
        async with self.database.tenant(self.tenant_id) as connection:
            await connection.execute(update(table).values(values))

    async def signals(self) -> Sequence[Any]:
        async with self.database.tenant(self.tenant_id) as connection:
            return (await connection.execute(select(outbox.c.payload))).scalars().all()


@pytest.fixture
async def sent(database: Database, tenant_id: UUID, key_ring: KeyRing) -> Sent:
    account = await factories.make_account(
        database, tenant_id, key_ring, provider="meta", channel="whatsapp", config={}
    )
    version = await factories.make_version(database, tenant_id)
    whole = await factories.make_notification(
        database, tenant_id, version, to="+15550100", to_kind="phone", status="accepted", ended_at=AT
    )
    fields = {"hop": 0, "channel": "whatsapp", "provider": "meta", "account_id": account, "success": "delivered"}
    address = {"address_kind": "phone", "address": "+15550100", "template_version_id": version, "locale": "en"}
    message_id = await factories.insert(
        database, tenant_id, message, notification_id=whole, status="accepted", **fields, **address
    )
    await factories.insert(
        database, tenant_id, attempt, message_id=message_id, number=1, reference=REFERENCE, state="accepted"
    )
    async with database.tenant(tenant_id) as connection:
        callback_id = await factories.keep_callback(connection, tenant_id, provider="meta", body=b"{}")
    return Sent(database, tenant_id, callback_id, message_id)


@pytest.mark.parametrize("order", list(permutations([Status.SENT, Status.DELIVERED, Status.READ])))
async def test_every_order_of_receipts_ends_as_read(sent: Sent, order: tuple[Status, ...]) -> None:
    for status in order:
        await sent.add(sent.receipt(status))
    found, whole = await sent.row(message), await sent.row(notification)
    assert (found["status"], whole["status"]) == ("read", "read")
    assert None not in {found["sent_at"], found["delivered_at"], found["read_at"], whole["delivered_at"]}


async def test_a_repeated_receipt_counts_once(sent: Sent) -> None:
    for _ in range(46):
        await sent.add(sent.receipt(Status.DELIVERED))
    async with sent.database.tenant(sent.tenant_id) as connection:
        assert (await connection.execute(select(func.count()).select_from(receipt))).scalar_one() == 1


async def test_a_receipt_without_our_reference_is_found_by_the_providers_id(sent: Sent) -> None:
    await sent.change(attempt, provider_message_id="wamid.1")
    await sent.add(sent.receipt(Status.FAILED, reference=None, error_code="invalid_address"))
    found, whole = await sent.row(message), await sent.row(notification)
    assert (found["status"], found["reason"]) == ("failed", "invalid_address")
    assert (whole["status"], whole["reason"]) == ("failed", "invalid_address")


async def test_a_receipt_of_an_unknown_message_is_kept_and_adopted_later(sent: Sent) -> None:
    assert await sent.add(sent.receipt(Status.DELIVERED, reference=None)) == 1
    assert (await sent.row(message))["status"] == "accepted"
    async with sent.database.tenant(sent.tenant_id) as connection:
        assert await receipts.adopt(connection, sent.tenant_id) == 0
    await sent.change(attempt, provider_message_id="wamid.1")
    async with sent.database.tenant(sent.tenant_id) as connection:
        assert await receipts.adopt(connection, sent.tenant_id) == 1
        assert await receipts.adopt(connection, sent.tenant_id) == 0
    assert (await sent.row(message))["status"] == "delivered"
    assert (await sent.row(receipt))["message_id"] == sent.message_id


async def test_a_receipt_before_our_response_settles_the_attempt(sent: Sent) -> None:
    await sent.change(attempt, state="sending")
    await sent.change(message, status="queued")
    await sent.change(notification, status="queued", ended_at=None)
    await sent.add(sent.receipt(Status.SENT))
    tried = await sent.row(attempt)
    assert (tried["state"], tried["settled_by"], tried["provider_message_id"]) == ("accepted", "receipt", "wamid.1")
    assert (await sent.row(notification))["status"] == "sent"


async def test_a_late_receipt_settles_doubt_after_the_end(sent: Sent) -> None:
    await sent.change(attempt, state="unknown")
    await sent.change(message, status="unknown")
    await sent.change(notification, status="unknown", reason="outcome_unknown")
    await sent.add(sent.receipt(Status.SENT, occurred_at=AT + timedelta(days=7)))
    whole = await sent.row(notification)
    assert (whole["status"], whole["reason"]) == ("sent", None)
    assert (await sent.row(attempt))["state"] == "accepted"


async def test_a_failure_does_not_end_what_its_workflow_may_still_save(sent: Sent) -> None:
    await sent.change(notification, ended_at=None)
    await sent.add(sent.receipt(Status.FAILED))
    assert (await sent.row(notification))["status"] == "accepted"


@pytest.mark.parametrize(
    ("status", "signalled"),
    [
        pytest.param(Status.SENT, False, id="sent decides nothing"),
        pytest.param(Status.DELIVERED, True, id="delivered is what the hop waits for"),
        pytest.param(Status.FAILED, True, id="failed lets it fall back"),
    ],
)
async def test_a_waiting_workflow_is_woken_only_by_decisive_news(
    sent: Sent, status: Status, *, signalled: bool
) -> None:
    await sent.change(message, awaited=True)
    await sent.add(sent.receipt(status))
    await sent.add(sent.receipt(status))
    expected = [{"signal": "receipt", "arguments": [0, status.value]}] if signalled else []
    assert await sent.signals() == expected


async def test_a_failure_that_leaves_only_doubt_says_so(sent: Sent) -> None:
    former = dict(await sent.row(message))
    await factories.insert(
        sent.database,
        sent.tenant_id,
        message,
        **{name: former[name] for name in former if name not in {"tenant_id", "id"}} | {"hop": 1, "status": "unknown"},
    )
    await sent.add(sent.receipt(Status.FAILED))
    whole = await sent.row(notification)
    assert (whole["status"], whole["reason"]) == ("unknown", "outcome_unknown")


async def test_nobody_is_woken_who_does_not_wait(sent: Sent) -> None:
    await sent.add(sent.receipt(Status.DELIVERED))
    assert await sent.signals() == []


async def test_another_tenant_s_receipt_changes_nothing_here(sent: Sent, other_tenant_id: UUID) -> None:
    async with sent.database.tenant(other_tenant_id) as connection:
        callback_id = await factories.keep_callback(connection, other_tenant_id, provider="meta", body=b"{}")
        stolen = sent.receipt(Status.READ, callback_id=callback_id)
        assert await receipts.add(connection, other_tenant_id, [stolen]) == 1
    assert (await sent.row(message))["status"] == "accepted"


def heard(body: bytes, provider: str = "meta") -> NewCallback:
    return NewCallback(id=uuid_utils.compat.uuid7(), provider=provider, body=body)


async def test_the_same_callback_is_counted_and_not_new(sent: Sent) -> None:
    async with sent.database.tenant(sent.tenant_id) as connection:
        assert await callbacks.keep(connection, sent.tenant_id, [heard(b"{}")]) == set()
    assert ((await sent.row(callback))["id"], (await sent.row(callback))["times"]) == (sent.callback_id, 2)


async def test_the_same_callback_twice_in_a_group_is_new_once(sent: Sent) -> None:
    first, second, other = heard(b"1"), heard(b"1"), heard(b"1", "smtp")
    async with sent.database.tenant(sent.tenant_id) as connection:
        new = await callbacks.keep(connection, sent.tenant_id, [first, second, heard(b"{}"), other])
        found = await connection.execute(select(callback.c.id, callback.c.times))
        assert {row.id: row.times for row in found} == {sent.callback_id: 2, first.id: 2, other.id: 1}
    assert new == {first.id, other.id}


async def test_a_receipt_twice_in_a_group_is_stored_once(sent: Sent) -> None:
    await sent.add(sent.receipt(Status.READ), sent.receipt(Status.READ))
    assert len(await sent.rows(receipt)) == 1


async def test_providers_may_name_events_alike(sent: Sent) -> None:
    ours = sent.receipt(Status.SENT)
    await sent.add(ours, replace(ours, provider="smtp", status=Status.READ))
    assert len(await sent.rows(receipt)) == 2
    assert (await sent.row(message))["status"] == "read"


async def test_the_background_finds_orphans_of_every_tenant(sent: Sent, other_tenant_id: UUID) -> None:
    await sent.add(sent.receipt(Status.DELIVERED, reference=None))
    background = Reconciliation(sent.database)
    assert await background.adopt() == 0
    await sent.change(attempt, provider_message_id="wamid.1")
    assert await background.adopt() == 1
    assert (await sent.row(message))["status"] == "delivered"


async def test_a_failed_attempt_does_not_fail_a_message_that_another_attempt_may_bring(sent: Sent) -> None:
    await sent.change(attempt, state="unknown")
    fields = {"message_id": sent.message_id, "number": 2, "reference": "cd" * 16, "state": "accepted"}
    await factories.insert(sent.database, sent.tenant_id, attempt, **fields)
    await sent.add(sent.receipt(Status.FAILED))
    assert (await sent.row(message))["status"] == "accepted"
    assert (await sent.row(notification))["status"] == "accepted"
    other = {"reference": "cd" * 16, "event_key": "wamid.2:failed", "provider_message_id": "wamid.2"}
    await sent.add(sent.receipt(Status.FAILED, **other))
    assert (await sent.row(message))["status"] == "failed"


async def test_a_thousand_receipts_take_a_handful_of_statements(sent: Sent) -> None:
    statements = 0

    def count(*_: object) -> None:
        nonlocal statements
        statements += 1

    news = [
        sent.receipt(Status.DELIVERED, event_key=f"k{number}", reference=None, provider_message_id=f"w{number}")
        for number in range(1000)
    ]
    await sent.change(message, awaited=True)
    async with sent.database.tenant(sent.tenant_id) as connection:
        event.listen(connection.sync_connection, "before_cursor_execute", count)
        await receipts.add(connection, sent.tenant_id, [sent.receipt(Status.READ), *news])
    assert statements <= 10

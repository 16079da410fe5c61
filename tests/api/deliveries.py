"""Deliveries as the worker makes them, without a worker: claims, records and receipts on the real database."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import uuid_utils.compat
from sqlalchemy.ext.asyncio import AsyncConnection

from db import delivery, receipts, records
from db.delivery import Claim, Claimed
from db.receipts import NewReceipt
from db.session import Database
from domain.notifications import AttemptRecord, DeliveryOrder, Hop, Outcome
from domain.recipients import Channel
from domain.status import Status
from tests import factories


def order(tenant_id: UUID, notification_id: UUID, account_id: UUID, *, hop: int = 0, number: int = 1) -> DeliveryOrder:
    """Returns the order for an attempt by SMS."""
    return DeliveryOrder(
        tenant_id=str(tenant_id),
        notification_id=str(notification_id),
        number=number,
        hop=Hop(
            index=hop,
            channel=Channel.SMS,
            provider="sandbox",
            account_id=str(account_id),
            address_id=None,
            locale="default",
        ),
    )


async def claim(connection: AsyncConnection, tenant_id: UUID, asked: DeliveryOrder) -> Claimed | None:
    """Claims an attempt in the open transaction, unless the notification was cancelled."""
    work = await delivery.read_work(connection, tenant_id, [asked])
    found = work[asked.notification_id]
    if found.cancel_requested or found.status is Status.CANCELLED:
        return None
    ids = {"message_id": uuid_utils.compat.uuid7(), "attempt_id": uuid_utils.compat.uuid7()}
    wanted = Claim(order=asked, reference=uuid_utils.compat.uuid7().hex, **ids)
    (claimed,) = await delivery.claim(connection, tenant_id, [wanted], work)
    return claimed


async def attempt(
    database: Database, tenant_id: UUID, asked: DeliveryOrder, outcome: Outcome, **recorded: Any
) -> Claimed:
    """Makes an attempt that ends with `outcome`."""
    async with database.tenant(tenant_id) as connection:
        claimed = await claim(connection, tenant_id, asked)
    assert claimed is not None
    await record(database, tenant_id, UUID(asked.notification_id), claimed, outcome, **recorded)
    return claimed


async def record(
    database: Database, tenant_id: UUID, notification_id: UUID, claimed: Claimed, outcome: Outcome, **recorded: Any
) -> None:
    """Records how a claimed attempt ended."""
    found = AttemptRecord(
        tenant_id=str(tenant_id),
        notification_id=str(notification_id),
        message_id=str(claimed.message_id),
        attempt_id=str(claimed.attempt_id),
        outcome=outcome,
        at=datetime.now(UTC),
        **recorded,
    )
    async with database.tenant(tenant_id) as connection:
        await records.record(connection, tenant_id, [found])


async def receive(
    database: Database, tenant_id: UUID, claimed: Claimed, status: Status, *, key: str, provider_message_id: str
) -> None:
    """Takes a receipt for an attempt."""
    async with database.tenant(tenant_id) as connection:
        callback_id = await factories.keep_callback(connection, tenant_id, provider="sandbox", body=key.encode())
        receipt = NewReceipt(
            callback_id=callback_id,
            provider="sandbox",
            event_key=key,
            status=status,
            raw_status=status.value,
            occurred_at=datetime.now(UTC),
            provider_message_id=provider_message_id,
            reference=claimed.reference,
        )
        await receipts.add(connection, tenant_id, [receipt])

"""Addresses of recipients: in the order of preference, each with its own standing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import Column, ScalarSelect, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.consent_tables import suppression
from db.tables import address
from domain.recipients import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAddress:
    """An address of a recipient and how it stands."""

    id: UUID
    recipient_id: UUID
    kind: str
    value: str
    verified: bool
    status: str
    status_reason: str | None
    position: int
    created_at: datetime
    updated_at: datetime


_SHOWN = tuple(column for column in address.c if column.name != "tenant_id")


async def of_recipients(
    connection: AsyncConnection, tenant_id: UUID, recipient_ids: Sequence[UUID]
) -> dict[UUID, list[StoredAddress]]:
    """Returns the addresses of each recipient, the preferred one first."""
    found: dict[UUID, list[StoredAddress]] = {recipient_id: [] for recipient_id in recipient_ids}
    query = select(*_SHOWN).where(address.c.tenant_id == tenant_id, address.c.recipient_id.in_(recipient_ids))
    for row in (await connection.execute(query.order_by(address.c.position, address.c.id))).mappings():
        found[row["recipient_id"]].append(StoredAddress(**row))
    return found


async def add(
    connection: AsyncConnection, tenant_id: UUID, recipient_id: UUID, wanted: Address, *, verified: bool, position: int
) -> StoredAddress | None:
    """Returns the new address, or nothing when the recipient has it already; one that must stay silent does."""
    statement = (
        insert(address)
        .values(
            tenant_id=tenant_id,
            id=uuid_utils.compat.uuid7(),
            recipient_id=recipient_id,
            kind=wanted.kind.value,
            value=wanted.value,
            verified=verified,
            position=position,
            status=func.coalesce(_suppressed(tenant_id, wanted, suppression.c.status), "active"),
            status_reason=_suppressed(tenant_id, wanted, suppression.c.reason),
        )
        .on_conflict_do_nothing(
            index_elements=[address.c.tenant_id, address.c.recipient_id, address.c.kind, address.c.value]
        )
        .returning(*_SHOWN)
    )
    row = (await connection.execute(statement)).mappings().one_or_none()
    return StoredAddress(**row) if row else None


def _suppressed(tenant_id: UUID, wanted: Address, column: Column[Any]) -> ScalarSelect[Any]:
    known = (suppression.c.tenant_id == tenant_id, suppression.c.kind == wanted.kind.value)
    return select(column).where(*known, suppression.c.value == wanted.value).scalar_subquery()


async def change(
    connection: AsyncConnection, tenant_id: UUID, recipient_id: UUID, address_id: UUID, **values: Any
) -> StoredAddress | None:
    """Sets columns of an address and returns it, if this recipient has it."""
    statement = (
        update(address)
        .where(address.c.tenant_id == tenant_id, address.c.recipient_id == recipient_id, address.c.id == address_id)
        .values(updated_at=func.now(), **values)
        .returning(*_SHOWN)
    )
    row = (await connection.execute(statement)).mappings().one_or_none()
    return StoredAddress(**row) if row else None


async def get(
    connection: AsyncConnection, tenant_id: UUID, recipient_id: UUID, address_id: UUID
) -> StoredAddress | None:
    """Returns an address, if this recipient has it."""
    query = select(*_SHOWN).where(address.c.tenant_id == tenant_id, address.c.recipient_id == recipient_id)
    row = (await connection.execute(query.where(address.c.id == address_id))).mappings().one_or_none()
    return StoredAddress(**row) if row else None


async def remove(connection: AsyncConnection, tenant_id: UUID, recipient_id: UUID, address_ids: Sequence[UUID]) -> int:
    """Removes addresses of a recipient and returns how many there were."""
    owned = (address.c.tenant_id == tenant_id, address.c.recipient_id == recipient_id)
    result = await connection.execute(delete(address).where(*owned, address.c.id.in_(address_ids)))
    return result.rowcount

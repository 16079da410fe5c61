"""Addresses that nothing may reach, whoever has them: a STOP, a complaint, a bounce, or an opt-out at the provider.

It stands beside the addresses of recipients, which show it too: an address that is removed and added again, or that
nobody has, stays silent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import ColumnElement, Table, delete, func, select, tuple_, union, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.consent_tables import suppression
from db.tables import address
from domain.recipients import Address, AddressKind
from domain.suppression import Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """Why and since when nothing may reach an address."""

    status: str
    reason: str
    at: datetime


async def add(
    connection: AsyncConnection, tenant_id: UUID, to: Address, cause: Cause, at: datetime, *, note: str | None = None
) -> bool:
    """Lets nothing reach an address any more; tells whether that is new.

    The first cause stays, except that any other replaces a STOP: what a START could lift must not hide it.
    """
    said = {"status": cause.status, "reason": cause.value, "at": at, "reply_id": None, "note": note}
    key = {"tenant_id": tenant_id, "kind": to.kind.value, "value": to.value}
    row = {**key, "id": uuid_utils.compat.uuid7(), **said}
    weaker = (suppression.c.reason == Cause.STOP_WORD.value) & (cause is not Cause.STOP_WORD)
    statement = insert(suppression).values(**row)
    statement = statement.on_conflict_do_update(index_elements=["tenant_id", "kind", "value"], set_=said, where=weaker)
    if not (await connection.execute(statement)).rowcount:
        return False
    weaker = (address.c.status_reason == Cause.STOP_WORD.value) & (cause is not Cause.STOP_WORD)
    held = update(address).where(*_is(address, tenant_id, to), (address.c.status == "active") | weaker)
    await connection.execute(held.values(status=cause.status, status_reason=cause.value, updated_at=func.now()))
    return True


async def lift(connection: AsyncConnection, tenant_id: UUID, to: Address, cause: Cause) -> bool:
    """Lets messages reach an address again where this very cause kept them away; tells whether it did."""
    gone = delete(suppression).where(*_is(suppression, tenant_id, to), suppression.c.reason == cause.value)
    if not (await connection.execute(gone)).rowcount:
        return False
    held = update(address).where(*_is(address, tenant_id, to), address.c.status_reason == cause.value)
    await connection.execute(held.values(status="active", status_reason=None, updated_at=func.now()))
    return True


async def let_through(connection: AsyncConnection, tenant_id: UUID, to: Address, notification_id: UUID) -> None:
    """Lets one notification reach an address nevertheless: the answer to a STOP."""
    said = update(suppression).where(*_is(suppression, tenant_id, to))
    await connection.execute(said.values(reply_id=notification_id))


async def forget(connection: AsyncConnection, tenant_id: UUID, to: Address) -> None:
    """Forgets whatever kept messages from an address, because somebody restores it."""
    await connection.execute(delete(suppression).where(*_is(suppression, tenant_id, to)))


async def get(connection: AsyncConnection, tenant_id: UUID, to: Address) -> Suppression | None:
    """Returns why nothing may reach an address, if so."""
    columns = (suppression.c.status, suppression.c.reason, suppression.c.at)
    row = (await connection.execute(select(*columns).where(*_is(suppression, tenant_id, to)))).mappings().one_or_none()
    return Suppression(**row) if row else None


async def silent(connection: AsyncConnection, tenant_id: UUID, asked: Sequence[Address]) -> list[Address]:
    """Returns those of some addresses that nothing may reach, for whatever reason."""
    pairs = [(one.kind.value, one.value) for one in asked]
    found = [
        select(table.c.kind, table.c.value).where(
            table.c.tenant_id == tenant_id,
            tuple_(table.c.kind, table.c.value).in_(pairs),
            *((address.c.status != "active",) if table is address else ()),
        )
        for table in (suppression, address)
    ]
    rows = await connection.execute(union(*found))
    return [Address(AddressKind(row.kind), row.value) for row in rows]


def _is(table: Table, tenant_id: UUID, to: Address) -> tuple[ColumnElement[bool], ...]:
    return (table.c.tenant_id == tenant_id, table.c.kind == to.kind.value, table.c.value == to.value)

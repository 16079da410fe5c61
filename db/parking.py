"""Parking: which notifications wait for somebody to mend what keeps them, since when, and why.

A parked notification keeps its status, its payload and its place; being parked is written beside them, under the lock
that claims, records and cancelling take too.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import case, func, null, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from db.delivery_tables import notification
from domain.notifications import ParkOrder

GOING_ON: dict[str, Any] = {"parked_at": null(), "parked_cause": null(), "parked_account_id": null()}
"""The columns of a notification that is not parked."""


async def park(connection: AsyncConnection, tenant_id: UUID, order: ParkOrder) -> bool:
    """Parks a notification and tells whether it is parked; one that has ended or is cancelled is not.

    Parked once more for the same cause, it stays parked since the first time.
    """
    columns = notification.c
    where = (columns.tenant_id == tenant_id, columns.id == UUID(order.notification_id))
    lock = select(columns.ended_at, columns.cancel_requested_at).where(*where).with_for_update(key_share=True)
    standing = (await connection.execute(lock)).one()
    if standing.ended_at is not None or standing.cancel_requested_at is not None:
        return False
    parked_before = case((columns.parked_cause == order.cause.value, columns.parked_at))
    values = {
        "parked_at": func.coalesce(parked_before, func.now()),
        "parked_cause": order.cause.value,
        "parked_account_id": UUID(order.account_id) if order.account_id else None,
        "updated_at": func.now(),
    }
    await connection.execute(update(notification).where(*where).values(values))
    return True


async def unpark(connection: AsyncConnection, tenant_id: UUID, notification_id: UUID) -> None:
    """Lets a notification go on; one that is not parked stays as it is."""
    where = (
        notification.c.tenant_id == tenant_id,
        notification.c.id == notification_id,
        notification.c.parked_at.is_not(None),
    )
    await connection.execute(update(notification).where(*where).values(updated_at=func.now(), **GOING_ON))


async def lock(connection: AsyncConnection, tenant_id: UUID, ids: Sequence[UUID]) -> list[UUID]:
    """Locks those of some notifications that are parked, and returns them in the order of acceptance."""
    if not ids:
        return []
    columns = notification.c
    where = (columns.tenant_id == tenant_id, columns.id.in_(ids), columns.parked_at.is_not(None))
    rows = await connection.execute(
        select(columns.id).where(*where).order_by(columns.id).with_for_update(key_share=True)
    )
    return list(rows.scalars())


async def drop(connection: AsyncConnection, tenant_id: UUID, ids: Sequence[UUID]) -> None:
    """Forbids every further attempt of notifications that `lock` returned; their workflows end them."""
    if not ids:
        return
    asked = func.coalesce(notification.c.cancel_requested_at, func.now())
    where = (notification.c.tenant_id == tenant_id, notification.c.id.in_(ids))
    values = {"cancel_requested_at": asked, "updated_at": func.now(), **GOING_ON}
    await connection.execute(update(notification).where(*where).values(values))

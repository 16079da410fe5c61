"""What a group of callbacks locks: first all notifications, then all series, each in the order of their ids."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from db import series
from db.delivery_tables import notification
from db.receipt_effects import Match, NewReceipt, is_heard
from db.series_replies import Understood


async def lock(
    connection: AsyncConnection, tenant_id: UUID, news: Sequence[tuple[NewReceipt, Match]], understood: Understood
) -> None:
    """Locks what receipts and replies change: each alone would lock what it needs, and cross with another group."""
    hearing = {match.notification_id for item, match in news if is_heard(item.status)}
    ids = {match.notification_id for _, match in news} | understood.notifications
    their_series = set(understood.series)
    if ids:
        asked = select(notification.c.id, notification.c.series_id)
        asked = asked.where(notification.c.tenant_id == tenant_id, notification.c.id.in_(ids))
        rows = await connection.execute(asked.order_by(notification.c.id).with_for_update(key_share=True))
        their_series |= {row.series_id for row in rows if row.series_id is not None and row.id in hearing}
    if their_series:
        await series.lock_many(connection, tenant_id, sorted(their_series))

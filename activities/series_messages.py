"""What a series handed over and was not sent yet, when something ended it: no message follows its end."""

from uuid import UUID

from db import cancellations, outbox, series_lists
from db.session import Database
from domain import keys

ENDINGS = frozenset({"stopped", "stopped_by", "stop_condition", "replaced", "version_replaced"})
"""Ends that a series did not come to by its own steps."""


async def take_back(database: Database, tenant_id: UUID, series_id: UUID) -> None:
    """Stops the open notifications of a series, each in a transaction of its own; doing it again does no harm."""
    async with database.tenant(tenant_id) as connection:
        found = await series_lists.open_notifications(connection, tenant_id, series_id)
    for notification_id in found:
        await _stop(database, tenant_id, notification_id)


async def _stop(database: Database, tenant_id: UUID, notification_id: UUID) -> None:
    async with database.tenant(tenant_id) as connection:
        standing = await cancellations.lock(connection, tenant_id, notification_id)
        if standing is None or standing.ended_at is not None:
            return
        message = await cancellations.underway(connection, tenant_id, notification_id)
        change = cancellations.stop if message is None else cancellations.stop_rest
        await change(connection, tenant_id, notification_id)
        name = keys.notification_workflow(str(notification_id))
        await outbox.add_signal(connection, tenant_id, name, signal="cancel", cause="cancel", arguments=[])

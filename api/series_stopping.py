"""Stopping a series: first no step follows any more, then what was handed over and not sent yet is stopped, too."""

from uuid import UUID

from api.auth import Principal
from api.cancelling import cancel_locked
from api.series_models import Stopped
from api.services import Services
from db import cancellations, series_lists
from db.series import Series


async def cancel_messages(services: Services, principal: Principal, series_id: UUID) -> tuple[list[UUID], list[UUID]]:
    """Stops what a series handed over, and returns which notifications were stopped and which were quicker.

    Each in a transaction of its own: one that is being sent holds its own row only.
    """
    tenant_id = principal.tenant_id
    async with services.database.tenant(tenant_id) as connection:
        open_ones = await series_lists.open_notifications(connection, tenant_id, series_id)
    stopped, quicker = [], []
    for notification_id in open_ones:
        async with services.database.tenant(tenant_id) as connection:
            standing = await cancellations.lock(connection, tenant_id, notification_id)
            fact = await cancel_locked(connection, principal, standing) if standing else None
        if fact is not None and fact.result == "stopped":
            stopped.append(notification_id)
        elif fact is not None and fact.message is not None and fact.message.accepted_at is None:
            quicker.append(notification_id)  # one that was taken before is history; nothing follows it any more
    return stopped, quicker


async def stopped(services: Services, principal: Principal, row: Series, *, was_over: bool) -> Stopped:
    """Returns what stopping a series achieved, once none of its steps follows any more."""
    cancelled, under_way = await cancel_messages(services, principal, row.id)
    services.wake()
    result = "too_late" if under_way else "ended" if was_over else "stopped"
    return Stopped(result=result, id=row.id, cancelled=cancelled, under_way=under_way)

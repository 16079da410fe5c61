"""Parking a notification that cannot go on, and letting it go on again."""

from uuid import UUID

from temporalio import activity

from activities.persistence import persist
from crashpoints import crash_here
from db import decisions, parking
from db.session import Database
from domain.notifications import Decision, ParkOrder


class Parking:
    """Writes down that a notification is parked, and that it is not any more."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @activity.defn(name="parking.park")
    async def park(self, order: ParkOrder) -> bool:
        """Parks a notification and tells whether it is parked; one that has ended or is cancelled is not."""
        return await persist(lambda: self._park(order))

    @activity.defn(name="parking.unpark")
    async def unpark(self, tenant_id: str, notification_id: str, decided: tuple[Decision, ...]) -> None:
        """Lets a notification go on."""
        await persist(lambda: self._unpark(tenant_id, notification_id, decided))

    async def _park(self, order: ParkOrder) -> bool:
        tenant_id = UUID(order.tenant_id)
        async with self._database.tenant(tenant_id) as connection:
            parked = await parking.park(connection, tenant_id, order)
            # What was decided on the way stays true; that it was parked is not, where it was not.
            decided = [item for item in order.decisions if parked or item.kind != "parked"]
            await decisions.add(connection, tenant_id, {order.notification_id: decided})
            crash_here("before_park_commit")
        crash_here("after_park_commit")
        return parked

    async def _unpark(self, tenant_id: str, notification_id: str, decided: tuple[Decision, ...]) -> None:
        async with self._database.tenant(UUID(tenant_id)) as connection:
            await parking.unpark(connection, UUID(tenant_id), UUID(notification_id))
            await decisions.add(connection, UUID(tenant_id), {notification_id: decided})

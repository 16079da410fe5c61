"""Records of a notification as a whole: how it ends, and where its messages stand."""

from uuid import UUID

from temporalio import activity

from activities.persistence import persist
from crashpoints import crash_here
from db import decisions
from db.session import Database
from domain.notifications import Ending
from domain.status import Status


class Records:
    """Writes endings and reads statuses."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @activity.defn(name="records.end")
    async def end(self, ending: Ending) -> Status:
        """Ends a notification and returns its final status."""
        return await persist(lambda: self._end(ending))

    @activity.defn(name="records.statuses")
    async def statuses(self, tenant_id: str, notification_id: str) -> list[Status | None]:
        """Returns where the messages of a notification stand, hop by hop; None where there is no message."""
        async with self._database.tenant(UUID(tenant_id)) as connection:
            found = await decisions.statuses(connection, UUID(tenant_id), UUID(notification_id))
        return [found.get(hop) for hop in range(max(found, default=-1) + 1)]

    async def _end(self, ending: Ending) -> Status:
        async with self._database.tenant(UUID(ending.tenant_id)) as connection:
            status = await decisions.end(connection, UUID(ending.tenant_id), ending)
            crash_here("before_end_commit")
        crash_here("after_end_commit")
        return status

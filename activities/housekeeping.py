"""The steps of housekeeping that need the database alone."""

from temporalio import activity

from activities.sweeping import Sweep, Swept, counted
from db import ageing
from db.session import Database


class Housekeeping:
    """Looks after rows that nobody else looks after."""

    def __init__(self, database: Database, *, batch: int = 500) -> None:
        self._database = database
        self._batch = batch

    @activity.defn(name="housekeeping.expire")
    @counted("housekeeping.expire")
    async def expire(self, sweep: Sweep) -> Swept:  # noqa: ARG002 - every step takes its order
        """Removes rows that are of no use any more."""
        removed = []
        for rule in ageing.RULES:
            async with self._database.system() as connection:
                removed.append(await ageing.remove(connection, rule, limit=self._batch))
        return Swept(seen=sum(removed), more=max(removed) >= self._batch)

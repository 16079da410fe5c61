"""How many events of each type came: counted once for all, so that nobody who asks counts them again."""

from datetime import UTC, datetime
from uuid import UUID

from temporalio import activity

from activities.sweeping import Sweep, Swept, counted
from db import event_types
from db.session import Database

_NOTHING = UUID(int=0)


class EventTypeCounts:
    """Adds up what came, type after type."""

    def __init__(self, database: Database, *, types: int = 20, events: int = 100_000) -> None:
        self._database, self._types, self._events = database, types, events

    @activity.defn(name="housekeeping.event_types")
    @counted("housekeeping.event_types")
    async def count(self, sweep: Sweep) -> Swept:
        """Counts the events of the next types, as far as they are settled; a busy one keeps no other from its turn."""
        after = UUID(sweep.cursor) if sweep.cursor else _NOTHING
        async with self._database.system() as connection:
            seen, has_more, last = await event_types.count_settled(
                connection, after=after, now=datetime.now(UTC), types=self._types, events=self._events
            )
        return Swept(cursor=str(last) if last is not None else None, seen=seen, more=has_more or last is not None)

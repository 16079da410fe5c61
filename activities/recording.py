"""Recording how attempts ended, in groups: what finishes while a commit is on its way goes into the next one.

A single attempt never waits for company: its record is written at once, and under load groups form by themselves. Of
a page, whose attempts end almost together, the first record waits for some milliseconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from activities import aftermath, outcomes
from activities.aftermath import Aftermath
from activities.persistence import persist
from crashpoints import crash_here
from db import pages, records
from db.groups import Groups
from db.session import Database
from domain.notifications import AttemptRecord, Delivered, Outcome

COMPANY = 0.010
"""Seconds that the first record of a page waits for those of its fellows; each commit spared is worth about as much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ended:
    record: AttemptRecord
    after: Aftermath


class Recorder:
    """Writes records; those of one tenant that come together share a transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._groups: Groups[_Ended, Delivered] = Groups(
            lambda tenant_id, group: persist(lambda: self._store(tenant_id, group)), name="records", company=_company
        )

    async def keep(self, record: AttemptRecord, after: Aftermath = aftermath.NOTHING) -> Delivered:
        """Records an outcome and returns where it stands; raises what kept the database from taking it."""
        return await self._groups.put(UUID(record.tenant_id), _Ended(record=record, after=after))

    async def _store(self, tenant_id: UUID, group: Sequence[_Ended]) -> list[Delivered]:
        kept = [one.record for one in group]
        async with self._database.tenant(tenant_id, kept=True) as connection:
            standings = await records.record(connection, tenant_id, kept)
            await _hand_over(connection, tenant_id, [one for one in kept if not standings[one.attempt_id].ended])
            await aftermath.write(connection, tenant_id, [one.after for one in group])
            crash_here("during_record")
        crash_here("after_record_before_return")
        return [_delivered(one, standings[one.attempt_id]) for one in kept]


def _company(first: _Ended) -> float:
    return COMPANY if first.record.page_id is not None else 0.0


async def _hand_over(connection: AsyncConnection, tenant_id: UUID, kept: Sequence[AttemptRecord]) -> None:
    by_page: dict[str, list[UUID]] = {}
    for one in kept:
        if one.page_id is not None:
            by_page.setdefault(one.page_id, []).append(UUID(one.notification_id))
    for page_id, ids in by_page.items():
        await pages.hand_over(connection, tenant_id, UUID(page_id), ids)


def _delivered(record: AttemptRecord, standing: records.Standing) -> Delivered:
    settled = outcomes.delivered(record, outcome=Outcome(standing.attempt_state), status=standing.message_status)
    return replace(settled, closed=standing.ended)

"""Recording how attempts ended, in groups: what finishes while a commit is on its way goes into the next one.

A single attempt never waits for company: its record is written at once, and under load groups form by themselves. Of
a page, whose attempts end almost together, the first record waits for some milliseconds.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from activities import aftermath, outcomes
from activities.aftermath import Aftermath
from activities.persistence import persist
from crashpoints import crash_here
from db import pages, records
from db.errors import is_unavailable
from db.session import Database
from domain.notifications import AttemptRecord, Delivered, Outcome

log = structlog.get_logger(__name__)

LARGEST_GROUP = 50
COMPANY = 0.010
"""Seconds that the first record of a page waits for those of its fellows; each commit spared is worth about as much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    record: AttemptRecord
    after: Aftermath
    told: "asyncio.Future[Delivered]"


class Recorder:
    """Writes records; those of one tenant that come together share a transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[str, deque[_Waiting]] = {}
        self._writers: set[asyncio.Task[None]] = set()

    async def keep(self, record: AttemptRecord, after: Aftermath = aftermath.NOTHING) -> Delivered:
        """Records an outcome and returns where it stands; raises what kept the database from taking it."""
        told: asyncio.Future[Delivered] = asyncio.get_running_loop().create_future()
        mine = _Waiting(record=record, after=after, told=told)
        line = self._waiting.get(record.tenant_id)
        if line is not None:
            line.append(mine)
        else:
            self._waiting[record.tenant_id] = deque([mine])
            writer = asyncio.create_task(self._write_all(record.tenant_id))
            self._writers.add(writer)
            writer.add_done_callback(self._writers.discard)
        return await told

    async def _write_all(self, tenant_id: str) -> None:
        line = self._waiting[tenant_id]
        try:
            while line:
                if line[0].record.page_id is not None and len(line) < LARGEST_GROUP:
                    await asyncio.sleep(COMPANY)
                await self._write([line.popleft() for _ in range(min(len(line), LARGEST_GROUP))])
        finally:
            del self._waiting[tenant_id]

    async def _write(self, group: Sequence[_Waiting]) -> None:
        try:
            found = await persist(lambda: self._store(group))
        except Exception as error:  # noqa: BLE001 - whoever waits judges it
            if len(group) == 1 or is_unavailable(error):
                for one in group:
                    _tell(one, error)
                return
            log.warning("records.one_by_one", count=len(group), error=type(error).__name__)
            for one in group:  # what one of them cannot have written must not keep the others
                await self._write([one])
            return
        for one, delivered in zip(group, found, strict=True):
            _tell(one, delivered)

    async def _store(self, group: Sequence[_Waiting]) -> list[Delivered]:
        tenant_id = UUID(group[0].record.tenant_id)
        kept = [one.record for one in group]
        async with self._database.tenant(tenant_id, kept=True) as connection:
            standings = await records.record(connection, tenant_id, kept)
            await _hand_over(connection, tenant_id, [one for one in kept if not standings[one.attempt_id].ended])
            await aftermath.write(connection, tenant_id, [one.after for one in group])
            crash_here("during_record")
        crash_here("after_record_before_return")
        return [_delivered(one, standings[one.attempt_id]) for one in kept]


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


def _tell(one: _Waiting, found: Delivered | Exception) -> None:
    if one.told.done():  # whoever waited is gone
        return
    if isinstance(found, Exception):
        one.told.set_exception(found)
    else:
        one.told.set_result(found)

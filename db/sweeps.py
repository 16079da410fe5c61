"""What stalls, over all tenants: each query looks at a bounded part, in an order that reaches everything."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain import keys

_NOTHING = UUID(int=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class StalledEntry:
    """A row of the outbox that nobody gets any further."""

    tenant_id: UUID
    id: UUID
    dedup_key: str
    kind: str
    workflow_id: str
    leases: int
    leased_until: datetime | None
    too_long: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenNotification:
    """A notification that has not ended; `quiet` means that its workflow was started and is not at work right now."""

    tenant_id: UUID
    id: UUID
    page_id: UUID | None
    quiet: bool

    @property
    def workflow_id(self) -> str:
        """Returns the id of the workflow that owns it: its own, or that of the page that carries its first attempt."""
        if self.page_id is not None:
            return keys.page_workflow(str(self.page_id))
        return keys.notification_workflow(str(self.id))


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A row by which a database is recognised later: one that is not there any more was never there."""

    table: str
    tenant_id: UUID
    id: UUID


# What is found a second time within `again` was told already.
_STALLED = text("""
SELECT o.tenant_id, o.id, o.dedup_key, o.kind, o.workflow_id, o.leases, o.leased_until, o.too_long
FROM (SELECT *, coalesce(leased_until > now() + CAST(:longest AS interval), false) AS too_long FROM outbox) AS o
WHERE o.too_long OR (
    o.created_at < now() - CAST(:age AS interval) AND o.leases >= :leases AND NOT EXISTS (
        SELECT FROM finding AS f
        WHERE f.tenant_id = o.tenant_id AND f.kind = 'outbox_stalled' AND f.subject_type = 'outbox'
          AND f.subject_id = o.dedup_key AND f.last_found_at > now() - CAST(:again AS interval)))
ORDER BY o.created_at LIMIT :limit
""")

_SENDING = text("""
SELECT DISTINCT m.tenant_id, m.notification_id AS id, n.page_id, true AS quiet
FROM (SELECT tenant_id, message_id FROM attempt
      WHERE state = 'sending' AND claimed_at < now() - CAST(:age AS interval)
      ORDER BY claimed_at LIMIT :limit) AS a
JOIN message AS m ON m.tenant_id = a.tenant_id AND m.id = a.message_id
JOIN notification AS n ON n.tenant_id = m.tenant_id AND n.id = m.notification_id
""")

_OPEN = text("""
SELECT n.tenant_id, n.id, n.page_id,
       greatest(n.created_at, n.updated_at) < now() - CAST(:age AS interval) AND NOT EXISTS (
           SELECT FROM outbox AS o
           WHERE o.tenant_id = n.tenant_id AND o.dedup_key IN (:start || n.id, :page_start || n.page_id)) AS quiet
FROM notification AS n WHERE n.ended_at IS NULL AND n.id > :cursor ORDER BY n.id LIMIT :limit
""")

_THERE = "SELECT id FROM {table} WHERE tenant_id = :tenant AND id = :id"
_NEWEST = """
SELECT newest.tenant_id, newest.id FROM tenant AS t CROSS JOIN LATERAL (
    SELECT tenant_id, id FROM {table} WHERE tenant_id = t.id ORDER BY id DESC LIMIT 1
) AS newest ORDER BY newest.id DESC LIMIT 1
"""
_MARKING = ("notification", "attempt")
"""The tables whose newest rows mark a database: one that was accepted, one that was sent."""


async def stalled_entries(
    connection: AsyncConnection, *, age: timedelta, leases: int, longest: timedelta, again: timedelta, limit: int
) -> list[StalledEntry]:
    """Returns rows of the outbox that were leased `leases` times for `age`, or until more than `longest` from now."""
    asked = {"age": age, "leases": leases, "longest": longest, "again": again, "limit": limit}
    return [StalledEntry(**row) for row in (await connection.execute(_STALLED, asked)).mappings()]


async def release(connection: AsyncConnection, entries: Sequence[StalledEntry]) -> None:
    """Makes rows of the outbox free to be taken at once."""
    statement = text("UPDATE outbox SET leased_until = NULL WHERE tenant_id = :tenant AND id = :id")
    if entries:
        await connection.execute(statement, [{"tenant": one.tenant_id, "id": one.id} for one in entries])


async def abandoned(connection: AsyncConnection, *, age: timedelta, limit: int) -> list[OpenNotification]:
    """Returns the notifications with attempts that have been under way for longer than `age`."""
    rows = await connection.execute(_SENDING, {"age": age, "limit": limit})
    return [OpenNotification(**row) for row in rows.mappings()]


async def open_notifications(
    connection: AsyncConnection, *, after: UUID | None, age: timedelta, limit: int
) -> list[OpenNotification]:
    """Returns the open notifications after an id, in the order of ids; `age` is how long a quiet one was untouched."""
    start, page_start = keys.start_of(keys.notification_workflow("")), keys.start_of(keys.page_workflow(""))
    asked = {"cursor": after or _NOTHING, "age": age, "start": start, "page_start": page_start, "limit": limit}
    return [OpenNotification(**row) for row in (await connection.execute(_OPEN, asked)).mappings()]


async def newest(connection: AsyncConnection) -> tuple[datetime, list[Mark]]:
    """Returns the database's time, and the newest rows by which it is recognised later."""
    now = (await connection.execute(text("SELECT now()"))).scalar_one()
    marks = []
    for table in _MARKING:
        row = (await connection.execute(text(_NEWEST.format(table=table)))).one_or_none()
        marks += [Mark(table=table, tenant_id=row.tenant_id, id=row.id)] if row else []
    return now, marks


async def lacks(connection: AsyncConnection, mark: Mark) -> bool:
    """Tells whether a row that was there is not."""
    if mark.table not in _MARKING:
        return False
    asked = text(_THERE.format(table=mark.table))
    found = await connection.execute(asked, {"tenant": mark.tenant_id, "id": mark.id})
    return found.one_or_none() is None


async def everybody(connection: AsyncConnection) -> Sequence[UUID]:
    """Returns the ids of all tenants."""
    return list((await connection.execute(text("SELECT id FROM tenant ORDER BY id"))).scalars())

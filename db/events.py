"""Events that were sent in: each kept once, by its source and its own id, and what became of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.series_tables import early_event, event, series

_EARLY_WITHIN = timedelta(days=1)
"""How long an event waits for the series of its key to begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """An event to be kept, and what of its data does not fit the schema of its type."""

    source: str
    event_id: str
    type: str
    subject: str | None
    data: Any = field(repr=False)
    occurred_at: datetime
    faults: Sequence[Mapping[str, str]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    """An event, and how many series it started and fed."""

    id: UUID
    source: str
    event_id: str
    type: str
    subject: str | None
    data: Any = field(repr=False)
    occurred_at: datetime
    started: int
    fed: int
    faults: Sequence[Mapping[str, str]] | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which events are meant: `matched` False are those that no flow knew, `fits` False those whose data is faulty."""

    type: str | None = None
    source: str | None = None
    matched: bool | None = None
    fits: bool | None = None


_EARLY = text("""
WITH taken AS (
    DELETE FROM early_event WHERE tenant_id = :tenant AND flow_id = :flow AND key = :key
    RETURNING event_id, created_at
)
SELECT e.id, e.type, e.data, e.occurred_at FROM taken JOIN event AS e ON e.tenant_id = :tenant AND e.id = taken.event_id
WHERE taken.created_at > now() - CAST(:within AS interval)
ORDER BY e.occurred_at, e.id
""")


async def keep(connection: AsyncConnection, tenant_id: UUID, new: NewEvent) -> UUID | None:
    """Keeps an event and returns its id, or None where its source sent one of this id before."""
    values = {name: getattr(new, name) for name in NewEvent.__dataclass_fields__}
    statement = insert(event).values(tenant_id=tenant_id, id=uuid_utils.compat.uuid7(), **values)
    known = ["tenant_id", "source", "event_id"]
    made = await connection.execute(statement.on_conflict_do_nothing(index_elements=known).returning(event.c.id))
    found: UUID | None = made.scalar_one_or_none()
    return found


async def is_kept(connection: AsyncConnection, tenant_id: UUID, source: str, event_id: str) -> bool:
    """Tells whether a source sent an event of this id before."""
    asked = select(event.c.id).where(
        event.c.tenant_id == tenant_id, event.c.source == source, event.c.event_id == event_id
    )
    return (await connection.execute(asked)).first() is not None


async def count(connection: AsyncConnection, tenant_id: UUID, event_id: UUID, *, started: int, fed: int) -> None:
    """Notes how many series an event started and fed."""
    statement = update(event).where(event.c.tenant_id == tenant_id, event.c.id == event_id)
    await connection.execute(statement.values(started=started, fed=fed))


async def wait(connection: AsyncConnection, tenant_id: UUID, flow_id: UUID, key: str, event_id: UUID) -> None:
    """Lets an event wait for the series of a key."""
    statement = insert(early_event).values(
        tenant_id=tenant_id, id=uuid_utils.compat.uuid7(), flow_id=flow_id, key=key, event_id=event_id
    )
    await connection.execute(statement.on_conflict_do_nothing())


async def take_early(connection: AsyncConnection, tenant_id: UUID, flow_id: UUID, key: str) -> Sequence[Any]:
    """Takes the events that waited for the series of a key, in the order in which they happened."""
    asked = {"tenant": tenant_id, "flow": flow_id, "key": key, "within": _EARLY_WITHIN}
    return (await connection.execute(_EARLY, asked)).all()


async def running(connection: AsyncConnection, tenant_id: UUID, flow_id: UUID, key: str) -> UUID | None:
    """Returns the series of a key that is not over."""
    asked = select(series.c.id).where(
        series.c.tenant_id == tenant_id,
        series.c.flow_id == flow_id,
        series.c.key == key,
        series.c.ended_at.is_(None),
    )
    return (await connection.execute(asked)).scalar_one_or_none()


async def page(
    connection: AsyncConnection, tenant_id: UUID, *, wanted: EventFilter, limit: int, before: UUID | None
) -> list[StoredEvent]:
    """Returns events, the newest first."""
    asked = select(*(event.c[name] for name in StoredEvent.__dataclass_fields__)).where(event.c.tenant_id == tenant_id)
    if wanted.type is not None:
        asked = asked.where(event.c.type == wanted.type)
    if wanted.source is not None:
        asked = asked.where(event.c.source == wanted.source)
    if wanted.matched is not None:
        condition = event.c.started + event.c.fed > 0
        asked = asked.where(condition if wanted.matched else ~condition)
    if wanted.fits is not None:
        asked = asked.where(event.c.faults.is_(None) if wanted.fits else event.c.faults.is_not(None))
    if before is not None:
        asked = asked.where(event.c.id < before)
    rows = await connection.execute(asked.order_by(event.c.id.desc()).limit(limit))
    return [StoredEvent(**row) for row in rows.mappings()]


def as_object(data: Any) -> Mapping[str, Any]:
    """Returns the data of an event as an object; what is none stands as its `value`."""
    return data if isinstance(data, dict) else {"value": data}


def facts(new: NewEvent) -> Mapping[str, Any]:
    """Returns an event as conditions and templates see it."""
    return {
        "id": new.event_id,
        "source": new.source,
        "type": new.type,
        "subject": new.subject,
        "time": new.occurred_at.isoformat(),
        "data": new.data,
    }

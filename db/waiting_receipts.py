"""Receipts that belong to no message: reported after a while, closed when they found one, given up at last."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

HOPE = timedelta(days=8)
"""How long a receipt may find its message: providers repeat callbacks for up to seven days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmatched:
    """What a provider calls a message that nobody here knows, since when it is spoken of, and how often."""

    tenant_id: UUID
    provider: str
    provider_message_id: str
    since: datetime
    receipts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place among all receipts, in the order in which they came."""

    received_at: datetime
    id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """An open finding about such a message: whether receipts still wait, and whether one of them still may find it."""

    id: UUID
    tenant_id: UUID
    subject_id: str
    waits: bool
    hopeful: bool


# In the order of arrival, so that each is looked at once, however many wait.
_NEXT = text("""
SELECT tenant_id, provider, provider_message_id, received_at, id FROM receipt
WHERE message_id IS NULL AND received_at < now() - CAST(:age AS interval)
  AND received_at >= coalesce(CAST(:at AS timestamptz), now() - CAST(:hope AS interval))
  AND (received_at, id) > (coalesce(CAST(:at AS timestamptz), '-infinity'), CAST(:id AS uuid))
ORDER BY received_at, id LIMIT :limit
""")

_WAITING = text("""
SELECT r.tenant_id, min(r.provider) AS provider, r.provider_message_id, min(r.received_at) AS since,
       count(*) AS receipts
FROM receipt AS r
WHERE r.message_id IS NULL
  AND r.received_at < now() - CAST(:age AS interval) AND r.received_at > now() - CAST(:hope AS interval)
GROUP BY r.tenant_id, r.provider_message_id ORDER BY min(r.received_at) LIMIT :limit
""")

_REPORTED = text("""
SELECT f.id, f.tenant_id, f.subject_id, found.receipts > 0 AS waits, found.hopeful > 0 AS hopeful
FROM (SELECT id, tenant_id, subject_id FROM finding
      WHERE state = 'open' AND kind = 'receipt_unmatched' AND id > :cursor ORDER BY id LIMIT :limit) AS f
CROSS JOIN LATERAL (
    SELECT count(*) AS receipts, count(*) FILTER (WHERE r.received_at > now() - CAST(:hope AS interval)) AS hopeful
    FROM receipt AS r
    WHERE r.tenant_id = f.tenant_id AND r.message_id IS NULL AND r.provider_message_id = f.subject_id
) AS found ORDER BY f.id
""")
_NOTHING = UUID(int=0)


async def following(
    connection: AsyncConnection, *, after: Place | None, age: timedelta, limit: int
) -> tuple[list[Unmatched], Place | None, int]:
    """Returns what waits longer than `age` and came after a place, the place to go on at, and how many receipts."""
    asked = {"age": age, "hope": HOPE, "limit": limit, "at": None, "id": _NOTHING}
    if after is not None:
        asked |= {"at": after.received_at, "id": after.id}
    rows = (await connection.execute(_NEXT, asked)).all()
    grouped: dict[tuple[UUID, str], list[Any]] = {}
    for row in rows:
        grouped.setdefault((row.tenant_id, row.provider_message_id), []).append(row)
    found = [
        Unmatched(
            tenant_id=tenant_id,
            provider=some[0].provider,
            provider_message_id=name,
            since=some[0].received_at,
            receipts=len(some),
        )
        for (tenant_id, name), some in grouped.items()
    ]
    return found, Place(received_at=rows[-1].received_at, id=rows[-1].id) if rows else after, len(rows)


async def waiting(connection: AsyncConnection, *, age: timedelta, limit: int) -> list[Unmatched]:
    """Returns what has been waiting for longer than `age` and may still find its message."""
    asked = {"age": age, "hope": HOPE, "limit": limit}
    return [Unmatched(**row) for row in (await connection.execute(_WAITING, asked)).mappings()]


async def reported(connection: AsyncConnection, *, after: UUID | None, limit: int) -> Sequence[Reported]:
    """Returns the open findings after an id, with what became of their receipts."""
    asked = {"cursor": after or _NOTHING, "hope": HOPE, "limit": limit}
    return [Reported(**row) for row in (await connection.execute(_REPORTED, asked)).mappings()]

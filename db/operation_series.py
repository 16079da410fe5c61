"""The series of an operation: kept when it is created, taken up in the order in which they began, each once.

Until its turn comes a series is an id in a batch, so that a million of them are kept in seconds; what became of it is a
row of its own. Operations of the version before have a row for each from the beginning; workers read both. Workers of
the version before read rows alone and would end an operation in batches with nothing done: at an upgrade they are
restarted before the API, which writes batches.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, Select, Uuid, func, insert, literal, select, text
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncConnection

from db.care_tables import operation_batch
from db.series_tables import series

AT_ONCE = 50_000
"""Series that one statement keeps: a million at once would take longer than a statement may."""
BATCH = 5_000
"""Ids in a batch: a step reads two of them at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A series of an operation, and what became of it.

    Attributes:
        state: `open`, `done`, or `refused` for the reason.
        key: The series' own key, in its flow.
        at: When its turn came.
    """

    id: UUID
    flow: str
    key: str
    state: str
    reason: str | None
    at: datetime | None


_FOLLOWING = text("""
SELECT id FROM (
    (SELECT o.series_id AS id FROM operation_series AS o
     WHERE o.tenant_id = :tenant AND o.operation_id = :operation AND o.state = 'open' AND o.series_id > :after
     ORDER BY o.series_id LIMIT :limit)
    UNION
    -- The batches in their order, and of each the ids in theirs, until there are enough.
    (SELECT u.id FROM (
        SELECT b.ids FROM operation_batch AS b
        WHERE b.tenant_id = :tenant AND b.operation_id = :operation AND b.last > :after ORDER BY b.number
     ) AS b CROSS JOIN LATERAL (SELECT id FROM unnest(b.ids) AS u(id) WHERE id > :after ORDER BY id) AS u LIMIT :limit)
) AS found ORDER BY id LIMIT :limit
""")
_TAKEN = text("""
INSERT INTO operation_series (tenant_id, operation_id, series_id, state, reason, at)
SELECT :tenant, :operation, told.id, CASE WHEN told.reason IS NULL THEN 'done' ELSE 'refused' END, told.reason, :now
FROM unnest(CAST(:ids AS uuid[]), CAST(:reasons AS text[])) AS told(id, reason)
ON CONFLICT (tenant_id, operation_id, series_id)
DO UPDATE SET state = excluded.state, reason = excluded.reason, at = excluded.at
""")
# Those whose turn has not come are behind the cursor; all before it have a row.
_PAGE = text("""
WITH found AS (
    (SELECT o.series_id AS id, o.state, o.reason, o.at FROM operation_series AS o
     WHERE o.tenant_id = :tenant AND o.operation_id = :operation AND o.series_id < :before
       AND (CAST(:states AS text[]) = '{}' OR o.state = ANY(CAST(:states AS text[])))
       AND (CAST(:reason AS text) IS NULL OR o.state = 'refused' AND o.reason = :reason)
     ORDER BY o.series_id DESC LIMIT :limit)
    UNION ALL
    (SELECT u.id, 'open', NULL, NULL FROM (
        SELECT b.ids, coalesce(p.cursor, :nothing) AS cursor
        FROM operation AS p JOIN operation_batch AS b ON b.tenant_id = p.tenant_id AND b.operation_id = p.id
        WHERE p.tenant_id = :tenant AND p.id = :operation AND b.first < :before
          AND b.last > coalesce(p.cursor, :nothing) AND :waiting
        ORDER BY b.number DESC
     ) AS b CROSS JOIN LATERAL (
        SELECT id FROM unnest(b.ids) AS u(id) WHERE id > b.cursor AND id < :before ORDER BY id DESC
     ) AS u LIMIT :limit)
)
SELECT found.id, f.name AS flow, s.key, found.state, found.reason, found.at
FROM found JOIN series AS s ON s.tenant_id = :tenant AND s.id = found.id
JOIN flow AS f ON f.tenant_id = :tenant AND f.id = s.flow_id
ORDER BY found.id DESC LIMIT :limit
""").columns(id=Uuid, at=DateTime(timezone=True))
_NOTHING, _EVERYTHING = UUID(int=0), UUID(int=2**128 - 1)


async def keep(
    connection: AsyncConnection,
    tenant_id: UUID,
    operation_id: UUID,
    meant: Select[Any],
    *,
    at_once: int = AT_ONCE,
    batch: int = BATCH,
) -> int:
    """Keeps the series that a query of their ids finds, `at_once` in one statement, and returns how many they are."""
    total = number = 0
    last: UUID | None = None
    while True:
        following_ones = meant if last is None else meant.where(series.c.id > last)
        kept = _batches(tenant_id, operation_id, following_ones.order_by(series.c.id).limit(at_once), number, batch)
        sizes: Sequence[int] = (await connection.execute(kept)).scalars().all()
        count, number = sum(sizes), number + len(sizes)
        total += count
        if count < at_once:
            return total
        last = await last_of(connection, tenant_id, operation_id)


def _batches(tenant_id: UUID, operation_id: UUID, meant: Select[Any], begin: int, batch: int) -> Any:
    found = meant.cte("meant")
    place = func.row_number().over(order_by=found.c.id) - 1
    numbered = select(found.c.id, (literal(begin) + place // batch).label("number")).cte("numbered")
    gathered = func.array_agg(aggregate_order_by(numbered.c.id, numbered.c.id), type_=ARRAY(Uuid)).label("ids")
    batches = select(numbered.c.number, gathered).group_by(numbered.c.number).cte("batches")
    ids = batches.c.ids
    ends = (ids[1], ids[func.cardinality(ids)])
    rows = select(literal(tenant_id), literal(operation_id), batches.c.number, *ends, ids)
    names = ["tenant_id", "operation_id", "number", "first", "last", "ids"]
    kept = insert(operation_batch).from_select(names, rows)
    return kept.returning(func.cardinality(operation_batch.c.ids))


async def last_of(connection: AsyncConnection, tenant_id: UUID, operation_id: UUID) -> UUID | None:
    """Returns the series that began last of those that are kept so far."""
    mine = (operation_batch.c.tenant_id == tenant_id, operation_batch.c.operation_id == operation_id)
    asked = select(operation_batch.c.last).where(*mine).order_by(operation_batch.c.number.desc()).limit(1)
    found: UUID | None = (await connection.execute(asked)).scalar()
    return found


async def following(
    connection: AsyncConnection, tenant_id: UUID, operation_id: UUID, *, after: UUID | None, limit: int
) -> list[UUID]:
    """Returns the series whose turn it is after one, in the order in which they began."""
    asked = {"tenant": tenant_id, "operation": operation_id, "after": after or _NOTHING, "limit": limit}
    return list((await connection.execute(_FOLLOWING, asked)).scalars())


async def take(
    connection: AsyncConnection, tenant_id: UUID, operation_id: UUID, became: Mapping[UUID, str | None], now: datetime
) -> None:
    """Writes down what became of series: None where it was done, else why not."""
    asked = {
        "tenant": tenant_id, "operation": operation_id, "ids": list(became), "reasons": list(became.values()),
        "now": now,
    }  # fmt: skip
    await connection.execute(_TAKEN, asked)


async def page(
    connection: AsyncConnection,
    tenant_id: UUID,
    operation_id: UUID,
    *,
    states: Sequence[str] = (),
    reason: str | None = None,
    limit: int,
    before: UUID | None,
) -> list[Member]:
    """Returns the series of an operation, the one that began last first."""
    asked = {
        "tenant": tenant_id, "operation": operation_id, "before": before or _EVERYTHING, "nothing": _NOTHING,
        "states": list(states), "reason": reason, "limit": limit,
        "waiting": reason is None and (not states or "open" in states),
    }  # fmt: skip
    return [Member(**row) for row in (await connection.execute(_PAGE, asked)).mappings()]

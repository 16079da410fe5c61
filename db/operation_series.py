"""The series of an operation: kept when it is created, taken up in the order in which they began, each once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, insert, literal, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.care_tables import operation_series
from db.series_tables import flow, series

AT_ONCE = 50_000
"""Series that one statement keeps: a million at once would take longer than a statement may."""


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


_COLUMNS = operation_series.c
_MEMBERS = operation_series.join(
    series, (series.c.tenant_id == _COLUMNS.tenant_id) & (series.c.id == _COLUMNS.series_id)
).join(flow, (flow.c.tenant_id == series.c.tenant_id) & (flow.c.id == series.c.flow_id))
_TAKEN = text("""
UPDATE operation_series AS o SET state = CASE WHEN told.reason IS NULL THEN 'done' ELSE 'refused' END,
       reason = told.reason, at = :now
FROM unnest(CAST(:ids AS uuid[]), CAST(:reasons AS text[])) AS told(id, reason)
WHERE o.tenant_id = :tenant AND o.operation_id = :operation AND o.series_id = told.id
""")


async def keep(
    connection: AsyncConnection, tenant_id: UUID, operation_id: UUID, meant: Select[Any], *, at_once: int = AT_ONCE
) -> int:
    """Keeps the series that a query of their ids finds, `at_once` in one statement, and returns how many they are."""
    total = 0
    last: UUID | None = None
    while True:
        following_ones = meant if last is None else meant.where(series.c.id > last)
        ids = following_ones.order_by(series.c.id).limit(at_once).subquery()
        rows = select(literal(tenant_id), literal(operation_id), ids.c.id)
        kept = insert(operation_series).from_select(["tenant_id", "operation_id", "series_id"], rows)
        count = (await connection.execute(kept)).rowcount
        total += count
        if count < at_once:
            return total
        last = await last_of(connection, tenant_id, operation_id)


async def last_of(connection: AsyncConnection, tenant_id: UUID, operation_id: UUID) -> UUID | None:
    """Returns the series that began last of those that are kept so far."""
    mine = select(_COLUMNS.series_id).where(_COLUMNS.tenant_id == tenant_id, _COLUMNS.operation_id == operation_id)
    found: UUID | None = (await connection.execute(mine.order_by(_COLUMNS.series_id.desc()).limit(1))).scalar()
    return found


async def following(
    connection: AsyncConnection, tenant_id: UUID, operation_id: UUID, *, after: UUID | None, limit: int
) -> list[UUID]:
    """Returns the series whose turn it is after one, in the order in which they began."""
    asked = select(_COLUMNS.series_id).where(_COLUMNS.tenant_id == tenant_id, _COLUMNS.operation_id == operation_id)
    if after is not None:
        asked = asked.where(_COLUMNS.series_id > after)
    return list((await connection.execute(asked.order_by(_COLUMNS.series_id).limit(limit))).scalars())


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
    own = (_COLUMNS.series_id.label("id"), *(_COLUMNS[name] for name in ("state", "reason", "at")))
    asked = select(*own, flow.c.name.label("flow"), series.c.key).select_from(_MEMBERS)
    asked = asked.where(_COLUMNS.tenant_id == tenant_id, _COLUMNS.operation_id == operation_id)
    if states:
        asked = asked.where(_COLUMNS.state.in_(states))
    if reason is not None:
        asked = asked.where(_COLUMNS.state == "refused", _COLUMNS.reason == reason)
    if before is not None:
        asked = asked.where(_COLUMNS.series_id < before)
    rows = await connection.execute(asked.order_by(_COLUMNS.series_id.desc()).limit(limit))
    return [Member(**row) for row in rows.mappings()]

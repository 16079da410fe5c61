"""What the queries of schedules select: series or recipients, in the order of their ids, a bounded number at once."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, Select, cast, select
from sqlalchemy.ext.asyncio import AsyncConnection

from db.recipients import Recipient
from db.series import COLUMNS, JOINED, Series
from db.series_tables import flow, series
from db.tables import recipient
from domain.schedule_actions import Query

_RECIPIENT = tuple(column for column in recipient.c if column.name != "tenant_id")


async def select_series(
    connection: AsyncConnection,
    tenant_id: UUID,
    query: Query,
    *,
    at: datetime,
    zone: str,
    until: datetime,
    after: UUID | None,
    limit: int,
) -> Sequence[Series]:
    """Returns the next series that a query means at an instant; those that began after `until` are none of them."""
    asked = select(*COLUMNS).select_from(JOINED).where(series.c.tenant_id == tenant_id, series.c.started_at <= until)
    columns = {
        "flow": flow.c.name,
        "status": series.c.status,
        "step": series.c.step,
        "resource_type": series.c.resource_type,
    }
    for name, column in columns.items():
        if (value := getattr(query, name)) is not None:
            asked = asked.where(column == value)
    asked = _dated(asked, query, at, zone)
    if after is not None:
        asked = asked.where(series.c.id > after)
    rows = await connection.execute(asked.order_by(series.c.id).limit(limit))
    return [Series(**row) for row in rows.mappings()]


def _dated(asked: Select[tuple[object, ...]], query: Query, at: datetime, zone: str) -> Select[tuple[object, ...]]:
    if query.anchor is None:
        return asked
    lies = cast(series.c.anchors[query.anchor.name].astext, DateTime(timezone=True))
    after, until = query.anchor.bounds(at, zone)
    asked = asked.where(series.c.anchors.has_key(query.anchor.name))
    if after is not None:
        asked = asked.where(lies > after)
    return asked.where(lies <= until) if until is not None else asked


async def select_recipients(
    connection: AsyncConnection, tenant_id: UUID, *, until: datetime, after: UUID | None, limit: int
) -> Sequence[Recipient]:
    """Returns the next recipients; those that were made after `until` are none of them."""
    asked = select(*_RECIPIENT).where(recipient.c.tenant_id == tenant_id, recipient.c.created_at <= until)
    if after is not None:
        asked = asked.where(recipient.c.id > after)
    rows = await connection.execute(asked.order_by(recipient.c.id).limit(limit))
    return [Recipient(**row) for row in rows.mappings()]

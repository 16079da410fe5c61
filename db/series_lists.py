"""Series as people look for them: filtered, paged, with their timelines."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from db.delivery_tables import notification
from db.series import COLUMNS, JOINED, Series
from db.series_tables import flow, flow_version, series, series_entry


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesFilter:
    """Which series are meant; what is None does not matter.

    Attributes:
        to: A recipient's id or an address.
        cause: Why it is parked or ended.
        next_before: Only those that go on by themselves before this.
    """

    flow: str | None = None
    version: int | None = None
    status: str | None = None
    step: str | None = None
    key: str | None = None
    to: str | None = None
    resource_type: str | None = None
    resource_id: str | None = None
    cause: str | None = None
    next_before: datetime | None = None


_COLUMNS: Mapping[str, Any] = {
    "flow": flow.c.name,
    "version": flow_version.c.number,
    "status": series.c.status,
    "step": series.c.step,
    "key": series.c.key,
    "to": series.c.to,
    "resource_type": series.c.resource_type,
    "resource_id": series.c.resource_id,
    "cause": series.c.reason,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a timeline."""

    id: UUID
    number: int
    at: datetime
    kind: str
    step: str | None
    detail: Mapping[str, Any]


async def page(
    connection: AsyncConnection, tenant_id: UUID, *, wanted: SeriesFilter, limit: int, before: UUID | None
) -> list[Series]:
    """Returns series, the newest first."""
    asked = select(*COLUMNS).select_from(JOINED).where(series.c.tenant_id == tenant_id)
    asked = filtered(asked, wanted)
    if before is not None:
        asked = asked.where(series.c.id < before)
    rows = await connection.execute(asked.order_by(series.c.id.desc()).limit(limit))
    return [Series(**row) for row in rows.mappings()]


def filtered(asked: Select[Any], wanted: SeriesFilter) -> Select[Any]:
    """Returns a query of series that is restricted to those that are wanted."""
    for name, column in _COLUMNS.items():
        if (value := getattr(wanted, name)) is not None:
            asked = asked.where(column == value)
    if wanted.next_before is not None:
        asked = asked.where(series.c.next_at < wanted.next_before, series.c.ended_at.is_(None))
    return asked


def as_document(wanted: SeriesFilter) -> dict[str, Any]:
    """Returns what restricts, as JSON holds it."""
    given = {name: getattr(wanted, name) for name in SeriesFilter.__dataclass_fields__}
    texts = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in given.items()}
    return {name: value for name, value in texts.items() if value is not None}


def parse(document: Mapping[str, Any]) -> SeriesFilter:
    """Returns the filter that `as_document` wrote."""
    read = {"next_before": datetime.fromisoformat(document["next_before"])} if "next_before" in document else {}
    return SeriesFilter(**{**document, **read})


async def timeline(
    connection: AsyncConnection, tenant_id: UUID, series_id: UUID, *, limit: int, before: UUID | None
) -> list[Line]:
    """Returns the lines of a series, the newest first."""
    asked = select(*(series_entry.c[name] for name in Line.__dataclass_fields__)).where(
        series_entry.c.tenant_id == tenant_id, series_entry.c.series_id == series_id
    )
    if before is not None:
        mark = select(series_entry.c.number).where(series_entry.c.tenant_id == tenant_id, series_entry.c.id == before)
        asked = asked.where(series_entry.c.number < mark.scalar_subquery())
    rows = await connection.execute(asked.order_by(series_entry.c.number.desc()).limit(limit))
    return [Line(**row) for row in rows.mappings()]


async def open_notifications(connection: AsyncConnection, tenant_id: UUID, series_id: UUID) -> list[UUID]:
    """Returns the notifications of a series that have not ended, the oldest first."""
    asked = select(notification.c.id).where(
        notification.c.tenant_id == tenant_id,
        notification.c.series_id == series_id,
        notification.c.ended_at.is_(None),
    )
    return list((await connection.execute(asked.order_by(notification.c.id))).scalars())

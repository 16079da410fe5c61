"""Flows and their versions; a version is written once and never changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.series_tables import flow, flow_version


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFlow:
    """A flow: its name, its state, and which of its versions new series take."""

    id: UUID
    name: str
    title: str
    status: str
    published_number: int | None
    newest_number: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowVersion:
    """One version of a flow, as it was pushed and as it is read."""

    id: UUID
    flow_id: UUID
    number: int
    source: str = field(repr=False)
    definition: Mapping[str, Any] = field(repr=False)
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """The published version of a flow, with what starts its series, and what those of any version listen to."""

    flow_id: UUID
    version_id: UUID
    name: str
    status: str
    starts_on: Sequence[str]
    hears: Sequence[str]


_FLOW = tuple(flow.c[name] for name in StoredFlow.__dataclass_fields__)
_VERSION = tuple(flow_version.c[name] for name in FlowVersion.__dataclass_fields__)


async def get(connection: AsyncConnection, tenant_id: UUID, name: str, *, lock: bool = False) -> StoredFlow | None:
    """Returns a flow by its name; `lock` keeps it as it is while this transaction lasts."""
    asked = select(*_FLOW).where(flow.c.tenant_id == tenant_id, flow.c.name == name)
    query = asked.with_for_update(key_share=True) if lock else asked
    row = (await connection.execute(query)).mappings().one_or_none()
    return StoredFlow(**row) if row else None


async def create(connection: AsyncConnection, tenant_id: UUID, name: str) -> StoredFlow:
    """Returns the flow of a name, made if there was none, locked."""
    statement = upsert(flow).values(tenant_id=tenant_id, id=uuid_utils.compat.uuid7(), name=name)
    await connection.execute(statement.on_conflict_do_nothing(index_elements=["tenant_id", "name"]))
    found = await get(connection, tenant_id, name, lock=True)
    assert found is not None  # noqa: S101 - it was just written, and flows are never removed
    return found


async def change(connection: AsyncConnection, tenant_id: UUID, flow_id: UUID, **values: Any) -> None:
    """Changes columns of a flow."""
    statement = update(flow).where(flow.c.tenant_id == tenant_id, flow.c.id == flow_id)
    await connection.execute(statement.values(updated_at=func.now(), **values))


async def page(
    connection: AsyncConnection, tenant_id: UUID, *, status: str | None, limit: int, before: UUID | None
) -> list[StoredFlow]:
    """Returns flows, the newest first."""
    asked = select(*_FLOW).where(flow.c.tenant_id == tenant_id)
    if status is not None:
        asked = asked.where(flow.c.status == status)
    if before is not None:
        asked = asked.where(flow.c.id < before)
    rows = await connection.execute(asked.order_by(flow.c.id.desc()).limit(limit))
    return [StoredFlow(**row) for row in rows.mappings()]


async def add_version(
    connection: AsyncConnection,
    tenant_id: UUID,
    to: StoredFlow,
    *,
    source: str,
    definition: Mapping[str, Any],
    starts_on: Sequence[str],
    hears: Sequence[str],
) -> int:
    """Adds a version to a locked flow and returns its number."""
    number = to.newest_number + 1
    await connection.execute(
        insert(flow_version).values(
            tenant_id=tenant_id,
            id=uuid_utils.compat.uuid7(),
            flow_id=to.id,
            number=number,
            source=source,
            definition=definition,
            starts_on=list(starts_on),
            hears=list(hears),
        )
    )
    await change(connection, tenant_id, to.id, newest_number=number)
    return number


async def version(connection: AsyncConnection, tenant_id: UUID, flow_id: UUID, number: int) -> FlowVersion | None:
    """Returns a version of a flow by its number."""
    asked = select(*_VERSION).where(
        flow_version.c.tenant_id == tenant_id, flow_version.c.flow_id == flow_id, flow_version.c.number == number
    )
    row = (await connection.execute(asked)).mappings().one_or_none()
    return FlowVersion(**row) if row else None


async def version_by_id(connection: AsyncConnection, tenant_id: UUID, version_id: UUID) -> FlowVersion:
    """Returns a version by its id."""
    asked = select(*_VERSION).where(flow_version.c.tenant_id == tenant_id, flow_version.c.id == version_id)
    return FlowVersion(**(await connection.execute(asked)).mappings().one())


async def versions(
    connection: AsyncConnection, tenant_id: UUID, flow_id: UUID, *, limit: int, before: UUID | None
) -> list[FlowVersion]:
    """Returns the versions of a flow, the newest first."""
    asked = select(*_VERSION).where(flow_version.c.tenant_id == tenant_id, flow_version.c.flow_id == flow_id)
    if before is not None:
        asked = asked.where(flow_version.c.id < before)
    rows = await connection.execute(asked.order_by(flow_version.c.id.desc()).limit(limit))
    return [FlowVersion(**row) for row in rows.mappings()]


async def listening(connection: AsyncConnection, tenant_id: UUID) -> list[Listening]:
    """Returns all flows of a tenant that were published, with what they listen to, by name."""
    rows = await connection.execute(_LISTENING, {"tenant": tenant_id})
    return [Listening(**row) for row in rows.mappings()]


async def share(connection: AsyncConnection, tenant_id: UUID, *, name: str | None = None) -> None:
    """Keeps all flows of a tenant, or the one of a name, from being published or paused in this transaction."""
    asked = select(flow.c.id).where(flow.c.tenant_id == tenant_id)
    if name is not None:
        asked = asked.where(flow.c.name == name)
    await connection.execute(asked.order_by(flow.c.name).with_for_update(read=True))


async def hold(connection: AsyncConnection, tenant_id: UUID, series_id: UUID) -> None:
    """Keeps the flow of a series as it is while this transaction lasts."""
    await connection.execute(_HOLD, {"tenant": tenant_id, "series": series_id})


_HOLD = text("""
SELECT f.id FROM flow AS f JOIN series AS s ON s.tenant_id = f.tenant_id AND s.flow_id = f.id
WHERE s.tenant_id = :tenant AND s.id = :series FOR SHARE OF f
""")
_LISTENING = text("""
SELECT f.id AS flow_id, v.id AS version_id, f.name, f.status, v.starts_on, coalesce(told.hears, '{}') AS hears
FROM flow AS f
JOIN flow_version AS v ON v.tenant_id = f.tenant_id AND v.flow_id = f.id AND v.number = f.published_number
CROSS JOIN LATERAL (
    SELECT array_agg(DISTINCT pattern) AS hears FROM flow_version AS w, unnest(w.hears) AS pattern
    WHERE w.tenant_id = f.tenant_id AND w.flow_id = f.id
) AS told
WHERE f.tenant_id = :tenant ORDER BY f.name
""")
